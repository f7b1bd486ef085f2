"""MNIST: 28×28 handwritten digits, 60,000 to train and 10,000 to test.

LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition".
Its files are idx: two zero bytes, the type (8 is uint8), the number of dimensions, each dimension as
a big-endian 32-bit integer, then the values, the last dimension fastest. Plain or gzip-compressed.
The author's own server now refuses downloads; the hashes are those of its files.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from domain.config import Config, Natural
from domain.datasets.download import RemoteFile
from domain.datasets.raw import Part, joined, obtain
from domain.errors import InputError
from domain.files import readable
from domain.randomness import numpy_generator
from domain.samples import About, Samples

HOSTS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist",
)
HASHES = {
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
FILES = tuple(
    RemoteFile(f"{name}.gz", tuple(f"{host}/{name}.gz" for host in HOSTS), sha256, also=(name,))
    for name, sha256 in HASHES.items()
)


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The uint8 array of an idx file, plain or gzip-compressed, with so many dimensions."""
    with readable(path, "a whole idx file"):
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    magic, header = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    if content[:4] != magic or len(content) < header:
        raise InputError(
            f"{path}: starts with the bytes {content[:4].hex()}, an idx file of its kind with {magic.hex()}; "
            "replace it by the original"
        )
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int)
    if len(content) != header + shape.prod():
        raise InputError(
            f"{path}: promises {shape.prod()} values but holds {len(content) - header}; "
            "replace it by a whole copy"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


@dataclass(frozen=True)
class Mnist(Config):
    """The digits 0 to 9.

    Attributes:
        binarise: ``static``: black and white, each pixel drawn once with its ink as probability. The fixed
            draw that most published likelihoods rest on (Larochelle & Murray 2011) is another one of the same
            kind; a figure measured on either says which.
        seed: of that draw.
        images: which training images there are, from the first number to before the second, in the file's order;
            two files then share none.
    """

    binarise: Literal["no", "static"] = "no"
    seed: Natural = 0
    images: tuple[Natural, Natural] = (0, 60_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.images[0] >= self.images[1]:
            raise InputError(f"Mnist.images: {list(self.images)} holds no image; put the lower number first")

    def about(self) -> About:
        top = 255 if self.binarise == "no" else 1
        return About(kind="image", range=(0, top), classes=10, producer="datasets.mnist")

    def load(self, folders: Sequence[Path], progress: bool = False) -> Samples:
        """x: (N, 1, 28, 28) uint8, ink 255, or 1 if binarised; label: 0..9; split: train or test."""
        paths = obtain("mnist", FILES, folders, progress)
        train, test = (
            Part(self._pixels(read_idx(images, 3)[:, None], split), read_idx(labels, 1), (images, labels))
            for split, images, labels in (("train", *paths[:2]), ("test", *paths[2:]))
        )
        rows = slice(*self.images)
        return joined(self.about(), Part(train.x[rows], train.label[rows], train.paths), test)

    def _pixels(self, ink: np.ndarray, split: str) -> np.ndarray:
        if self.binarise == "no":
            return ink
        drawn = numpy_generator(self.seed, "binarise", split).random(ink.shape, np.float32)
        return (drawn * 255 < ink).astype(np.uint8)

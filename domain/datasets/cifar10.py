"""CIFAR-10: 32×32 colour photographs of ten kinds of thing, 50,000 to train and 10,000 to test.

Krizhevsky 2009, "Learning multiple layers of features from tiny images". Its files are pickles, and
a pickle may name any code to run; these are read by an unpickler that admits only what rebuilds a
numpy array. The archive is read in place: nothing is extracted.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from domain.config import Config
from domain.datasets.download import RemoteFile
from domain.datasets.raw import Part, joined, obtain
from domain.errors import InputError
from domain.files import readable
from domain.samples import About, Samples

FOLDER = "cifar-10-batches-py"
TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
TEST = ("test_batch",)
FILES = (
    RemoteFile(
        "cifar-10-python.tar.gz",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/cifar-10-python.tar.gz",
        ),
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        also=(FOLDER,),
    ),
)
RECONSTRUCT = np.empty(0).__reduce__()[0]  # numpy's own, whose module differs between its versions
ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,  # numpy 1, as in the official files
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,  # numpy 2
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads containers, numbers, strings and numpy arrays; refuses a pickle that names anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which a CIFAR-10 batch never does")
        return ADMITTED[module, name]


def read_member(path: Path, name: str) -> bytes:
    """The bytes of one batch, from the archive or from the extracted folder."""
    if path.is_dir():
        return (path / name).read_bytes()
    with tarfile.open(path, "r:*") as archive:
        stream = archive.extractfile(f"{FOLDER}/{name}")
        if stream is None:
            raise InputError(f"{path}: the member {name!r} is no file; replace the archive by the original")
        return stream.read()


def read_batch(path: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """x: (n, 3, 32, 32) uint8; label: (n,) int64; the file keeps a row of 3,072 values an image."""
    with readable(path, f"CIFAR-10 with a sound batch {name!r}"):
        content = ArrayUnpickler(io.BytesIO(read_member(path, name)), encoding="bytes").load()
        data, label = content[b"data"], np.asarray(content[b"labels"], np.int64)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (len(label), 3072):
        raise InputError(
            f"{path}: the batch {name!r} holds {len(label)} labels and images of shape {np.shape(data)}, "
            "not (n, 3072) uint8; replace it by the original"
        )
    return data.reshape(-1, 3, 32, 32), label


def read_part(path: Path, names: Sequence[str]) -> Part:
    """Several batches as one split."""
    x, label = zip(*(read_batch(path, name) for name in names))
    return Part(np.concatenate(x), np.concatenate(label), (path,))


@dataclass(frozen=True)
class Cifar10(Config):
    """Aeroplane, car, bird, cat, deer, dog, frog, horse, ship, lorry; it has no parameters."""

    def about(self) -> About:
        return About(kind="image", range=(0, 255), classes=10, producer="datasets.cifar10")

    def load(self, folders: Sequence[Path], progress: bool = False) -> Samples:
        """x: (N, 3, 32, 32) uint8, red, green, blue; label: 0..9; split: train or test."""
        (path,) = obtain("cifar10", FILES, folders, progress)
        return joined(self.about(), read_part(path, TRAIN), read_part(path, TEST))

"""USPS: 16×16 handwritten digits from envelopes, 7,291 to train and 2,007 to test.

Hull 1994, "A database for handwritten text recognition research"; this cut is LeCun et al. 1990's.
Two forms are read: ``usps.h5`` (``train/data``, ``train/target``, ``test/…``, values in [0, 1]) and
LIBSVM's ``usps.bz2`` and ``usps.t.bz2``, which are downloaded because the HDF5 file has no official
host. LIBSVM's values lie in [−1, 1] with three decimals and its labels are the digit + 1.
The HDF5 file is (value + 1) / 2 worked in float32, so that both forms give the same bits.

Beside MNIST, ``size: 28, grey: true`` enlarges the whole square by bilinear interpolation and rounds to MNIST's 256
grey levels. The digits then fill their frame, as they do at 16 pixels, where MNIST's keep a margin of four: that is
part of the gap between the two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import h5py
import numpy as np
import torch
from sklearn.datasets import load_svmlight_file
from torch.nn.functional import interpolate

from domain.config import Config, Range
from domain.datasets.download import RemoteFile
from domain.datasets.raw import Part, joined, obtain
from domain.errors import InputError
from domain.files import readable
from domain.samples import About, Samples

SIDE = 16
HOST = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass"
FILES = (
    RemoteFile(
        "usps.bz2",
        (f"{HOST}/usps.bz2",),
        "3771e9dd6ba685185f89867b6e249233dd74652389f263963b3b741e994b034f",
        also=("usps.h5",),
    ),
    RemoteFile(
        "usps.t.bz2",
        (f"{HOST}/usps.t.bz2",),
        "a9c0164e797d60142a50604917f0baa604f326e9a689698763793fa5d12ffc4e",
        also=("usps.h5",),
    ),
)


def read_hdf5(path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Values (n, 256) float32 in [0, 1] and digits (n,) of one group of the HDF5 file."""
    with readable(path, "a whole HDF5 file"), h5py.File(path) as file:
        for key in (f"{part}/data", f"{part}/target"):
            if not isinstance(file.get(key), h5py.Dataset):
                raise InputError(f"{path}: the key {key!r} is missing; put the USPS file there")
        return file[f"{part}/data"][:].astype(np.float32), file[f"{part}/target"][:].astype(np.int64)


def read_libsvm(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Values (n, 256) float32 in [0, 1] and digits (n,) of a LIBSVM file; a value left out is 0."""
    with readable(path, "a LIBSVM file of 256 values a line"):
        values, label = load_svmlight_file(str(path), n_features=SIDE**2, dtype=np.float32, zero_based=False)
    return (values.toarray() + np.float32(1)) / np.float32(2), label.astype(np.int64) - 1


def read_part(path: Path, part: str) -> Part:
    """One split from whichever form the file has."""
    values, label = read_hdf5(path, part) if path.suffix == ".h5" else read_libsvm(path)
    if values.ndim != 2 or values.shape[1] != SIDE**2:
        raise InputError(f"{path}: the {part} images are {values.shape}, not (n, 256); replace the file")
    return Part(values.reshape(-1, 1, SIDE, SIDE), label, (path,))


@dataclass(frozen=True)
class Usps(Config):
    """The digits 0 to 9.

    Attributes:
        size: side of the images; other than 16 they are enlarged or shrunk by bilinear interpolation.
        grey: whole grey levels from 0 to 255, as MNIST has them, instead of values in [0, 1].
    """

    size: Annotated[int, Range(8)] = SIDE
    grey: bool = False

    def about(self) -> About:
        return About(kind="image", range=(0, 255) if self.grey else (0, 1), classes=10, producer="datasets.usps")

    def load(self, folders: Sequence[Path], progress: bool = False) -> Samples:
        """x: (N, 1, size, size) float32, ink 1, or uint8, ink 255; label: 0..9; split: train or test."""
        train, test = obtain("usps", FILES, folders, progress)
        parts = (read_part(path, name) for path, name in ((train, "train"), (test, "test")))
        return joined(self.about(), *(dataclasses.replace(part, x=self.resized(part.x)) for part in parts))

    def resized(self, x: np.ndarray) -> np.ndarray:
        """x: (N, 1, 16, 16) in [0, 1] → (N, 1, size, size), in grey levels where asked for."""
        if self.size != SIDE:
            images = interpolate(torch.from_numpy(x), self.size, mode="bilinear", antialias=True)
            x = images.clamp(0, 1).numpy()
        return (255 * x).round().astype(np.uint8) if self.grey else x

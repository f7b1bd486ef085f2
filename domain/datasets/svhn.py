"""SVHN: 32×32 colour crops of house numbers, 73,257 to train and 26,032 to test.

Netzer et al. 2011, "Reading digits in natural images with unsupervised feature learning". MATLAB
files with ``X`` (32, 32, 3, n) and ``y`` (n, 1), in which the digit 0 has the label 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from domain.config import Config
from domain.datasets.download import RemoteFile
from domain.datasets.raw import Part, joined, obtain
from domain.errors import InputError
from domain.files import readable
from domain.samples import About, Samples

HOST = "http://ufldl.stanford.edu/housenumbers"
FILES = (
    RemoteFile(
        "train_32x32.mat",
        (f"{HOST}/train_32x32.mat",),
        "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
    ),
    RemoteFile(
        "test_32x32.mat",
        (f"{HOST}/test_32x32.mat",),
        "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
    ),
)


def read_part(path: Path) -> Part:
    """One split: x (n, 3, 32, 32) uint8 and label (n,) with the digit 0 as 0."""
    with readable(path, "a MATLAB file with the keys 'X' and 'y'"):
        content = loadmat(path, variable_names=["X", "y"])
        images, label = content["X"], content["y"].ravel()
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:3] != (32, 32, 3):
        raise InputError(
            f"{path}: 'X' is {images.dtype} {images.shape}, not uint8 (32, 32, 3, n); "
            "replace it by the original"
        )
    return Part(images.transpose(3, 2, 0, 1), np.where(label == 10, 0, label), (path,))


@dataclass(frozen=True)
class Svhn(Config):
    """The digits 0 to 9; it has no parameters."""

    def about(self) -> About:
        return About(kind="image", range=(0, 255), classes=10, producer="datasets.svhn")

    def load(self, folders: Sequence[Path], progress: bool = False) -> Samples:
        """x: (N, 3, 32, 32) uint8, red, green, blue; label: 0..9; split: train or test."""
        train, test = obtain("svhn", FILES, folders, progress)
        return joined(self.about(), read_part(train), read_part(test))

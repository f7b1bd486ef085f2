"""Frey faces: 1,965 frames of 28×20 grey pixels from a film of one man's face, in film order.

From S. Roweis's page, images by B. Frey; used by Kingma & Welling 2014 (arXiv 1312.6114). No label
and no split. Two forms are read: ``frey_rawface.mat`` (``ff``, (560, n) uint8) and
``frey_faces.npz`` (``images``, (n, 28, 20) uint8). Neither is downloaded: the page refuses
downloads and never published a hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from domain.config import Config
from domain.datasets.raw import find, not_found, sampled
from domain.errors import InputError
from domain.files import readable
from domain.samples import About, Samples

NAMES = ("frey_rawface.mat", "frey_faces.npz")
PAGE = "https://cs.nyu.edu/~roweis/data.html"
HEIGHT, WIDTH = 28, 20


def read_mat(path: Path) -> np.ndarray:
    """The frames (n, 28, 20) of the MATLAB file, which keeps one in each column."""
    with readable(path, "a MATLAB file with the key 'ff' of shape (560, n)"):
        return loadmat(path, variable_names=["ff"])["ff"].T.reshape(-1, HEIGHT, WIDTH)


def read_npz(path: Path) -> np.ndarray:
    """The frames (n, 28, 20) of the numpy file."""
    with readable(path, "a numpy file with the key 'images'"), np.load(path, allow_pickle=False) as content:
        return content["images"]


@dataclass(frozen=True)
class Frey(Config):
    """One man's face; it has no parameters."""

    def about(self) -> About:
        return About(kind="image", range=(0, 255), producer="datasets.frey")

    def load(self, folders: Sequence[Path], progress: bool = False) -> Samples:
        """x: (N, 1, 28, 20) uint8, white 255; neither label nor split."""
        path = find("frey", NAMES, folders)
        if path is None:
            missing = not_found("frey", NAMES, folders)
            raise InputError(f"{missing}; it cannot be downloaded: get a copy (from {PAGE}) and put it there")
        frames = read_mat(path) if path.suffix == ".mat" else read_npz(path)
        if frames.dtype != np.uint8 or frames.shape[1:] != (HEIGHT, WIDTH):
            raise InputError(f"{path}: is {frames.dtype} {frames.shape}, not uint8 (n, 28, 20); replace it")
        return sampled(self.about(), [path], frames[:, None])

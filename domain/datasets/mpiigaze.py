"""MPIIGaze: 213,659 pictures of 15 persons' eyes at their laptops, with the direction of gaze.

Zhang et al. 2015, arXiv 1504.02863. Read are the normalised files, ``Data/Normalized/p00/day01.mat`` and so on:
a structure ``data`` with ``left`` and ``right``, each with ``image`` (n, 36, 60) uint8, ``gaze`` (n, 3), the
direction in the camera's axes, and ``pose`` (n, 3), the head's rotation vector. The licence (CC BY-NC-SA)
forbids commercial use, so nothing is downloaded: each user names a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from scipy.io import loadmat
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from domain.config import Config, Count
from domain.datasets.raw import find, not_found, sampled
from domain.errors import InputError
from domain.files import readable
from domain.gaze import angles
from domain.samples import SPLITS, About, Samples

NAMES = ("MPIIGaze/Data/Normalized", "Data/Normalized", "Normalized")
SIDES = ("left", "right")
KEYS = ("image", "gaze", "pose")
HEIGHT, WIDTH = 36, 60


def read_eyes(path: Path, side: str) -> tuple[np.ndarray, np.ndarray]:
    """One side's images (n, 36, 60) uint8 and conditions (n, 4) of a file: yaw and pitch of gaze and head in degrees."""
    with readable(path, "a MATLAB file with data.left and data.right, each with image, gaze and pose"):
        data = loadmat(path, simplify_cells=True, variable_names=["data"])["data"][side]
        image, gaze, pose = (np.asarray(data[key]) for key in KEYS)
    image = image[None] if image.ndim == 2 else image  # of a day with a single picture
    gaze, pose = np.atleast_2d(gaze), np.atleast_2d(pose)
    if image.dtype != np.uint8 or image.shape[1:] != (HEIGHT, WIDTH):
        raise InputError(f"{path}: '{side}.image' is {image.dtype} {image.shape}, not uint8 (n, 36, 60); replace it")
    for key, values in (("gaze", gaze), ("pose", pose)):
        if values.shape != (len(image), 3) or not np.isfinite(values).all():
            what = f"is {values.shape} for {len(image)} images, must be as many rows of three finite numbers"
            raise InputError(f"{path}: '{side}.{key}' {what}; replace it")
    # The head's own forward axis points away from the camera that it faces.
    head = -Rotation.from_rotvec(pose).as_matrix()[:, :, 2]
    return image, np.concatenate([angles(gaze), angles(head)], 1)


def mirrored(image: np.ndarray, condition: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pictures and angles that a mirror would show: yaw, in columns 0 and 2, changes its sign."""
    return image[:, :, ::-1], condition * [-1, 1, -1, 1]


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(n, height, width) uint8, anti-aliased."""
    if image.shape[1:] == (height, width):
        return image
    pictures = (Image.fromarray(each).resize((width, height), Image.Resampling.LANCZOS) for each in image)
    return np.stack([np.asarray(picture) for picture in pictures])


@dataclass(frozen=True)
class MpiiGaze(Config):
    """Eyes with their gaze.

    Attributes:
        eyes: which to take.
        mirror: turn right eyes into left ones, as the paper does, so that one estimator serves both.
        test: the persons, ``p00`` to ``p14``, who form the test split; without any there is no split.
        height, width: resize to this; SimGAN takes 35 and 55.
    """

    eyes: Literal["both", "left", "right"] = "both"
    mirror: bool = True
    test: tuple[str, ...] = ()
    height: Count = HEIGHT
    width: Count = WIDTH

    def about(self) -> About:
        return About(
            kind="image",
            range=(0, 255),
            condition=("yaw", "pitch", "head_yaw", "head_pitch"),
            units=("degree",) * 4,
            producer="datasets.mpiigaze",
        )

    def load(self, folders: Sequence[Path], progress: bool = False) -> Samples:
        """x: (N, 1, height, width) uint8; condition: (N, 4); split: train or test, where ``test`` names persons."""
        root = find("mpiigaze", NAMES, folders)
        if root is None:
            missing = not_found("mpiigaze", NAMES, folders)
            raise InputError(f"{missing}; it is not downloaded: put a copy of your own there")
        files = sorted(root.glob("p[0-9][0-9]/day[0-9]*.mat"))
        persons = sorted({file.parent.name for file in files})
        if not files:
            raise InputError(f"{root}: holds no p00/day01.mat and so on; put the normalised files there")
        for person in self.test:
            if person not in persons:
                raise InputError(f"MpiiGaze.test: {root} has no person {person!r}; one of {', '.join(persons)}")
        images, conditions, split = [], [], []
        for file in tqdm(files, desc="mpiigaze", unit="file", disable=not progress):
            for side in SIDES if self.eyes == "both" else (self.eyes,):
                image, condition = read_eyes(file, side)
                if self.mirror and side == "right":
                    image, condition = mirrored(image, condition)
                images.append(resized(image, self.height, self.width))
                conditions.append(condition)
                split += [SPLITS.index("test" if file.parent.name in self.test else "train")] * len(image)
        x, condition = np.concatenate(images)[:, None], np.concatenate(conditions)
        return sampled(self.about(), [root], x, split=np.array(split) if self.test else None, condition=condition)

"""UnityEyes: eyes that its users render themselves, with landmarks and gaze in a JSON file beside each picture.

Wood et al. 2016, "Learning an appearance-based gaze estimator from one million synthesised images" (ETRA). The
program writes ``imgs/1.jpg``, ``imgs/1.json`` and so on. Points and vectors are text, "(x, y, z)", in pixels from
the picture's lower left corner; ``eye_details.look_vec`` is the gaze with y upwards and z from the camera.

A crop is centred on the visible eyeball (``interior_margin_2d``) and one and a half times as wide as the eye, from
the caruncle to the opposite corner, as Park et al. 2018 cut it ("Learning to find eye region landmarks", ETRA).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from domain.config import Config, Count
from domain.datasets.raw import find, not_found, sampled
from domain.errors import InputError
from domain.files import read_json, readable
from domain.gaze import angles
from domain.samples import About, Samples

NAMES = ("imgs",)
CORNER = 8  # the point of the interior margin that lies opposite the caruncle
POINTS = {"interior_margin_2d": CORNER + 1, "caruncle_2d": 1}  # how many a file holds at least
WIDER = 1.5


def numbers(text: str, count: int) -> np.ndarray:
    """The first numbers of a text such as ``(0.1, -0.2, -0.97, 0.0)``."""
    values = np.array([float(part) for part in text.strip("() ").split(",")[:count]])
    if len(values) < count or not np.isfinite(values).all():
        raise ValueError(f"{text!r} does not hold {count} finite numbers")
    return values


def landmarks(content: Any, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Interior margin (M, 2) and caruncle (K, 2), from the picture's lower left corner, and the look vector (3,)."""
    try:
        points = [np.stack([numbers(text, 2) for text in content[key]]) for key in POINTS]
        look = numbers(content["eye_details"]["look_vec"], 3)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"lacks a readable {' or '.join((*POINTS, 'eye_details.look_vec'))} ({type(error).__name__}: {error})"
        raise InputError(f"{path}: {problem}; render it again or delete it") from None
    for (key, least), found in zip(POINTS.items(), points):
        if len(found) < least:
            raise InputError(f"{path}: {key!r} has {len(found)} points, needs {least}; render it again or delete it")
    return points[0], points[1], look


def crop(picture: Image.Image, margin: np.ndarray, caruncle: np.ndarray, height: int, width: int) -> np.ndarray:
    """The eye, (height, width) uint8; points as :func:`landmarks` gives them, black outside the picture."""
    wide = WIDER * abs(caruncle[:, 0].mean() - margin[CORNER, 0])
    x, y = (margin.min(0) + margin.max(0)) / 2
    middle, half = np.array([x, picture.height - y]), np.array([wide, wide * height / width]) / 2
    left, top, right, bottom = (round(edge) for edge in (*(middle - half), *(middle + half)))
    if right - left < 2 or bottom - top < 2:
        raise InputError(f"the eye is {wide / WIDER:.1f} pixels wide")
    return np.asarray(picture.crop((left, top, right, bottom)).resize((width, height), Image.Resampling.LANCZOS))


@dataclass(frozen=True)
class UnityEyes(Config):
    """Rendered eyes with their gaze.

    Attributes:
        height, width: of a crop in pixels, MPIIGaze's by default; SimGAN takes 35 and 55.
    """

    height: Count = 36
    width: Count = 60

    def about(self) -> About:
        return About(
            kind="image", range=(0, 255), condition=("yaw", "pitch"), units=("degree", "degree"),
            producer="datasets.unityeyes",
        )  # fmt: skip

    def load(self, folders: Sequence[Path], progress: bool = False) -> Samples:
        """x: (N, 1, height, width) uint8 in the order of the pictures' numbers; condition: (N, 2); no split."""
        root = find("unityeyes", NAMES, folders)
        if root is None:
            missing = not_found("unityeyes", NAMES, folders)
            raise InputError(f"{missing}; it cannot be downloaded: render pictures and put them there")
        files = sorted(root.glob("*.json"), key=lambda file: (len(file.stem), file.stem))
        if not files:
            raise InputError(f"{root}: holds no 1.json and so on; put the rendered pictures there")
        eyes = [self.read(file) for file in tqdm(files, desc="unityeyes", unit="picture", disable=not progress)]
        images, looks = (np.stack(column) for column in zip(*eyes))
        return sampled(self.about(), [root], images[:, None], condition=angles(looks * [1, -1, 1]))

    def read(self, file: Path) -> tuple[np.ndarray, np.ndarray]:
        """The crop (height, width) uint8 and the look vector (3,) of one picture."""
        margin, caruncle, look = landmarks(read_json(file), file)
        picture = file.with_suffix(".jpg")
        with readable(picture, "a whole picture"), Image.open(picture) as opened:
            grey = opened.convert("L")
        try:
            return crop(grey, margin, caruncle, self.height, self.width), look
        except InputError as error:
            raise InputError(f"{file}: {error}; render it again or delete it") from None

"""Pixel pictures: size, colours, and the same bytes for the same arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from domain.geometry import CALOGAN
from domain.view import pictures


@pytest.fixture
def digits() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 17, (20, 1, 8, 8)).astype(np.uint8)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_grid_shows_every_image(tmp_path: Path, digits: np.ndarray) -> None:
    pictures.grid(digits, (0, 16), tmp_path / "a.png", columns=8)
    shown = pixels(tmp_path / "a.png")
    times = pictures.TILE // 8
    assert shown.shape == ((3 * 9 - 1) * times, (8 * 9 - 1) * times, 4)
    first = shown[: 8 * times : times, : 8 * times : times, 0]
    np.testing.assert_allclose(first, digits[0, 0] / 16 * 255, atol=1)
    assert shown[8 * times, 0, 3] == 0, "the gap is transparent"


def test_equal_arrays_give_equal_bytes(tmp_path: Path, digits: np.ndarray) -> None:
    for name in ("a.png", "b.png"):
        pictures.rows([digits[:4], digits[4:8]], (0, 16), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_no_difference_is_neutral(tmp_path: Path, digits: np.ndarray) -> None:
    change = np.zeros((2, 1, 8, 8))
    change[1] = 16
    pictures.rows([digits[:2]], (0, 16), tmp_path / "a.png", difference=change)
    times = pictures.TILE // 8
    neutral, red = pixels(tmp_path / "a.png")[9 * times, [0, 9 * times], :3].astype(int)
    assert np.ptp(neutral) <= 2 and red[0] > red[2]


def test_colour_images_keep_their_colours(tmp_path: Path) -> None:
    pictures.grid(np.stack([np.full((3, 4, 4), 0.0), np.eye(3)[0][:, None, None] * np.ones((3, 4, 4))]), (0, 1), tmp_path / "a.png")
    assert tuple(pixels(tmp_path / "a.png")[0, -1]) == (255, 0, 0, 255)


def test_cells_keep_their_proportion(tmp_path: Path) -> None:
    shower = np.random.default_rng(0).exponential(size=CALOGAN.cells)
    shower[0] = 0
    pictures.layers({"simulator": CALOGAN.split(shower), "surrogate": CALOGAN.split(shower)}, CALOGAN.sizes, tmp_path / "a.png")
    shown = pixels(tmp_path / "a.png")
    assert shown.shape[:2] == (2 * (2 * 96 + 6), 2 * (3 * 96 + 2 * 6))
    assert shown[0, 0, 3] == 0, "an empty cell is transparent"


def test_heat_is_logarithmic(tmp_path: Path) -> None:
    image = np.array([[[0.0, 1.0], [0.01, 100.0]]])
    pictures.heat(image, tmp_path / "a.png")
    shown = pixels(tmp_path / "a.png").astype(int)
    low, high = shown[0, -1, :3].sum(), shown[-1, -1, :3].sum()
    assert shown[0, 0, 3] == 0 and low < high

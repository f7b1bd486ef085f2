"""Pixel pictures as PNG: crisp, without axes, the same bytes for the same arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

GAP = 1  # pixels between tiles, before enlargement
TILE, LARGE_TILE = 56, 128  # pixels of a tile's longer side, about, after enlargement
DIVERGING, HOT = matplotlib.colormaps["RdBu_r"], matplotlib.colormaps["inferno"]
DECADES = 4  # below the brightest pixel, in logarithmic pictures


def grid(images: np.ndarray, value_range: tuple[float, float], path: Path, columns: int = 16) -> None:
    """Images side by side, row by row.

    Args:
        images: (N, C, H, W), grey or RGB, in their own units.
        value_range: what is black and what is white.
        path: PNG file to write.
        columns: images in a row.
    """
    groups = [images[k : k + columns] for k in range(0, len(images), columns)]
    rows(groups, value_range, path)


def rows(
    groups: Sequence[np.ndarray],
    value_range: tuple[float, float],
    path: Path,
    difference: np.ndarray | None = None,
) -> None:
    """One row of images for each group.

    Args:
        groups: arrays (N, C, H, W), grey or RGB, in their own units.
        value_range: what is black and what is white.
        path: PNG file to write.
        difference: (N, C, H, W), a last row in colour: red above zero, blue below, white at zero.
    """
    low, high = value_range
    tiles = [[_opaque((image - low) / (high - low)) for image in group.astype(np.float32)] for group in groups]
    if difference is not None:
        scaled = difference.astype(np.float32).mean(1) / (high - low)
        tiles.append([DIVERGING(0.5 + image / 2) for image in scaled])
    _save(_mosaic(tiles), path, TILE / max(tiles[0][0].shape[:2]))


def heat(images: np.ndarray, path: Path, difference: np.ndarray | None = None) -> None:
    """Non-negative images side by side, logarithmic in colour, transparent where there is nothing.

    Args:
        images: (N, H, W), at least 0.
        path: PNG file to write.
        difference: (N, H, W), a second row: red above zero, blue below, white at zero, by the largest of them all.
    """
    tiles = [[_hot(image, images.max()) for image in images]]
    if difference is not None:
        largest = max(np.abs(difference).max(), 1e-30)
        tiles.append([DIVERGING(0.5 + image / (2 * largest)) for image in difference])
    _save(_mosaic(tiles), path, LARGE_TILE / max(images.shape[1:]))


def layers(
    sides: Mapping[str, Sequence[np.ndarray]], sizes: Sequence[tuple[float, float]], path: Path
) -> None:
    """Calorimeter layers in true proportion, a row for each side, logarithmic in colour.

    Args:
        sides: name → each layer's cells, (rows, columns), at least 0.
        sizes: side of a cell along rows and along columns in each layer, in mm.
        path: PNG file to write.
    """
    brightest = max(layer.max() for side in sides.values() for layer in side)
    smallest = min(min(size) for size in sizes)
    tiles = [
        [
            np.kron(_hot(layer, brightest), np.ones((round(size[0] / smallest), round(size[1] / smallest), 1)))
            for layer, size in zip(side, sizes)
        ]
        for side in sides.values()
    ]
    _save(_mosaic(tiles, gap=6), path, times=2)


def _opaque(image: np.ndarray) -> np.ndarray:
    """(C, H, W) in [0, 1] → (H, W, 4)."""
    colours = np.broadcast_to(image.clip(0, 1), (3, *image.shape[1:])) if len(image) == 1 else image.clip(0, 1)
    return np.concatenate([colours.transpose(1, 2, 0), np.ones((*image.shape[1:], 1))], 2)


def _hot(image: np.ndarray, brightest: float) -> np.ndarray:
    """(H, W) at least 0 → (H, W, 4), over ``DECADES`` decades."""
    floor = max(brightest, 1e-30) * 10.0**-DECADES
    colours = HOT(np.log10(np.maximum(image, floor) / floor) / DECADES)
    colours[..., 3] = image > 0
    return colours


def _mosaic(tiles: Sequence[Sequence[np.ndarray]], gap: int = GAP) -> np.ndarray:
    """Rows of (H, W, 4) tiles on a transparent ground."""
    bands = []
    for row in tiles:
        height = max(tile.shape[0] for tile in row)
        parts = [np.pad(tile, ((0, height - tile.shape[0] + gap), (0, gap), (0, 0))) for tile in row]
        bands.append(np.concatenate(parts, 1))
    width = max(band.shape[1] for band in bands)
    return np.concatenate([np.pad(band, ((0, 0), (0, width - band.shape[1]), (0, 0))) for band in bands])[:-gap, :-gap]


def _save(pixels: np.ndarray, path: Path, times: float) -> None:
    whole = max(1, round(times))
    enlarged = pixels.repeat(whole, 0).repeat(whole, 1)
    Image.fromarray((enlarged * 255).round().astype(np.uint8), "RGBA").save(path, "PNG", optimize=True)

"""A user's simulator, well and badly behaved, as a function and as an executable."""

from __future__ import annotations

import sys
from typing import Any

import h5py
import numpy as np


def simulate(count: int, seed: int) -> dict[str, np.ndarray]:
    """Four whole numbers a sample."""
    return {"x": np.random.default_rng(seed).integers(0, 9, (count, 4), np.uint8)}


def conditioned(count: int, seed: int, top: float = 9.0) -> dict[str, np.ndarray]:
    """Two deposits a sample below its energy, which is at most ``top``, and whether that is above 5."""
    rng = np.random.default_rng(seed)
    energy = rng.uniform(0, top, count)
    return {"x": energy[:, None] * rng.random((count, 2)), "condition": energy, "label": (energy > 5).astype(int)}


def changed(count: int, seed: int, **columns: Any) -> dict[str, Any]:
    """The same, with columns replaced, or left out where None is given."""
    content = {**conditioned(count, seed), **columns}
    return {name: column for name, column in content.items() if column is not None}


def failing(count: int, seed: int) -> None:
    raise RuntimeError("out of\nliquid argon")


def returning_nothing(count: int, seed: int) -> None:
    """As a function that prints its result would."""


NUMBER = 3


if __name__ == "__main__":
    count, seed, output = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with h5py.File(output, "w") as file:
        for name, column in conditioned(count, seed).items():
            file[name] = column

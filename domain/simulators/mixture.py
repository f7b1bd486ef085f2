"""Points of Gaussians on a grid or a ring, the standard test of mode coverage, labelled by their Gaussian."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from domain.config import Config, Positive, Range
from domain.errors import InputError
from domain.randomness import numpy_generator
from domain.samples import About, Samples

WIDEST = 8.0  # deviations from a centre; farther points are moved there, one in 10¹⁴


@dataclass(frozen=True)
class Mixture(Config):
    """Equally likely Gaussians in the plane.

    Attributes:
        layout: ``grid``, a square of centres around the origin, or ``ring``.
        modes: how many Gaussians.
        size: distance of neighbours on the grid, or radius of the ring.
        deviation: of each Gaussian along each axis.
    """

    layout: Literal["grid", "ring"] = "grid"
    modes: Annotated[int, Range(2)] = 25
    size: Positive = 2.0
    deviation: Positive = 0.05

    shard: ClassVar[int] = 100_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layout == "grid" and math.isqrt(self.modes) ** 2 != self.modes:
            raise InputError(f"Mixture.modes: is {self.modes}, a grid needs a square number; take 25")

    @property
    def centres(self) -> np.ndarray:
        """(modes, 2), by label."""
        if self.layout == "ring":
            angle = 2 * np.pi * np.arange(self.modes) / self.modes
            return self.size * np.stack([np.cos(angle), np.sin(angle)], 1)
        side = math.isqrt(self.modes)
        axis = self.size * (np.arange(side) - (side - 1) / 2)
        return np.stack(np.meshgrid(axis, axis, indexing="ij"), 2).reshape(-1, 2)

    def about(self) -> About:
        """Pairs of coordinates."""
        reach = float(np.abs(self.centres).max() + WIDEST * self.deviation)
        return About("table", (-reach, reach), self.modes, producer="simulators.mixture", parameters=self.as_dict())

    def simulate(self, count: int, seed: int) -> Samples:
        """x: (count, 2) float32; label: the Gaussian of each."""
        rng = numpy_generator(seed, "mixture")
        label = rng.integers(self.modes, size=count)
        shift = rng.standard_normal((count, 2)).clip(-WIDEST, WIDEST) * self.deviation
        low, high = self.about().range
        x = (self.centres[label] + shift).astype(np.float32).clip(low, high)
        return Samples(x, self.about(), label=label)

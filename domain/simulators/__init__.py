"""Simulators: parameters and a seed in, samples with exact labels out; one simulator a file.

A simulator is a frozen :class:`~domain.config.Config` whose fields are its parameters, with

* ``about()``: the :class:`~domain.samples.About` of what it makes;
* ``simulate(count, seed)``: ``count`` samples, the same for the same seed;
* ``shard``: how many samples to make in one task. The stage cuts a request into shards, each with
  a seed of its own, so the number of workers changes no byte.
"""

from __future__ import annotations

from typing import Any, Protocol

from domain.samples import About, Samples
from domain.table import Table


class Simulator(Protocol):
    """What every simulator offers."""

    shard: int

    def about(self) -> About:
        """Kind, value range, classes and conditions of the samples."""

    def simulate(self, count: int, seed: int) -> Samples:
        """Make ``count`` samples."""


SIMULATORS: Table[Any] = Table(
    __name__,
    strokes="strokes.Strokes",
    eyes="eyes.Eyes",
    jets="jets.Jets",
    gflash="gflash.GFlash",
    cascade="cascade.Cascade",
    mixture="mixture.Mixture",
    one_pixel="one_pixel.OnePixel",
    own="own.Own",
)

"""Simulators: parameters and a seed in, samples with exact labels out; one simulator a file.

A simulator is a frozen :class:`~domain.config.Config` whose fields are its parameters, with

* ``about()``: the :class:`~domain.samples.About` of what it makes;
* ``simulate(count, seed)``: ``count`` samples, the same for the same seed;
* ``shard``: how many samples to make in one task. The stage cuts a request into shards, each with
  a seed of its own, so the number of workers changes no byte.
"""

from __future__ import annotations

from typing import Protocol

from domain.samples import About, Samples
from domain.simulators.cascade import Cascade
from domain.simulators.eyes import Eyes
from domain.simulators.gflash import GFlash
from domain.simulators.jets import Jets
from domain.simulators.mixture import Mixture
from domain.simulators.own import Own
from domain.simulators.strokes import Strokes


class Simulator(Protocol):
    """What every simulator offers."""

    shard: int

    def about(self) -> About:
        """Kind, value range, classes and conditions of the samples."""

    def simulate(self, count: int, seed: int) -> Samples:
        """Make ``count`` samples."""


SIMULATORS = {
    "strokes": Strokes,
    "eyes": Eyes,
    "jets": Jets,
    "gflash": GFlash,
    "cascade": Cascade,
    "mixture": Mixture,
    "own": Own,
}

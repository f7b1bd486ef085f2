"""Electromagnetic showers, particle by particle, in any stack of slabs.

The physics, and what it leaves out, is in domain/matter. CaloGAN's detector is the default: 80 times 2 mm of lead and
4 mm of liquid argon, read out in three layers (Paganini, de Oliveira & Nachman 2017, arXiv 1705.02355).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.random import Generator

from domain.config import Config, Count, NonNegative, Positive, Range, suggestion
from domain.errors import InputError
from domain.geometry import CALOGAN, Calorimeter
from domain.matter import MASS, compiling
from domain.matter.electrons import ELECTRON, POSITRON
from domain.matter.materials import MATERIALS
from domain.matter.tables import Tables, tabulate
from domain.matter.transport import PHOTON, Block, Shower, follow
from domain.randomness import numpy_generator
from domain.samples import About, Samples


@dataclass(frozen=True)
class Cascade(Config):
    """Showers of single electrons, positrons or photons in a block of slabs, by Monte Carlo.

    Attributes:
        particle: ``eplus``, ``eminus`` or ``gamma``.
        energy: lowest and highest kinetic energy in GeV, drawn uniformly.
        cut: kinetic energy in MeV below which nothing is followed.
        stack: material (a name in ``domain/matter/materials.py``) and thickness in mm of the slabs of one period.
        periods: how often the stack stands behind itself.
        active: materials that are read out where ``scoring`` is ``active``.
        depths: where read-out layers end along z, in mm; the last is the block's end.
        cells: rows (along x) and columns (along y) of each layer.
        width: side of the read-out square in mm; the block itself is 1 m wide.
        scoring: ``total`` adds up all slabs, as CaloGAN does; ``active`` the active ones alone.
        fraction: cells are divided by it. That of the incident energy which the active slabs take makes them sum to about
            the incident energy, as in a detector that is calibrated.
        threshold: cells below it read zero, in MeV.
    """

    particle: Literal["eplus", "eminus", "gamma"] = "eplus"
    energy: tuple[float, float] = (1.0, 100.0)
    cut: Annotated[float, Range(0.1, 100)] = 1.0
    stack: tuple[tuple[str, Positive], ...] = (("lead", 2.0), ("liquid_argon", 4.0))
    periods: Count = 80
    active: tuple[str, ...] = ("liquid_argon",)
    depths: tuple[Positive, ...] = CALOGAN.depths[1:]
    cells: tuple[tuple[Count, Count], ...] = CALOGAN.shapes
    width: Positive = CALOGAN.width
    scoring: Literal["total", "active"] = "total"
    fraction: Annotated[float, Range(0.001, 1)] = 1.0
    threshold: NonNegative = 0.0

    shard: ClassVar[int] = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.energy
        if not 0.01 <= low <= high <= 10_000:
            raise InputError(f"Cascade.energy: is [{low:g}, {high:g}], must rise within 0.01 to 10000 GeV")
        names = [name for name, _ in self.stack]
        for name in [*names, *self.active]:
            if name not in MATERIALS:
                raise InputError(f"Cascade.stack: no material {name!r}; {suggestion(name, MATERIALS)}")
        if len(self.depths) != len(self.cells):
            raise InputError(f"Cascade.cells: has {len(self.cells)} layers, depths {len(self.depths)}; make them equal")
        thick = self.periods * sum(mm for _, mm in self.stack)
        if list(self.depths) != sorted(set(self.depths)) or not math.isclose(self.depths[-1], thick, rel_tol=1e-9):
            raise InputError(f"Cascade.depths: {list(self.depths)} must rise and end with the stack, at {thick:g} mm")

    @property
    def calorimeter(self) -> Calorimeter:
        """Where its cells are."""
        return Calorimeter(self.cells, (0.0, *self.depths), self.width)

    def about(self) -> About:
        """Flat showers in MeV, with the incident energy in GeV."""
        return About(
            kind="shower",
            range=(0.0, (1000 * self.energy[1] + 2 * MASS) / self.fraction),
            condition=("energy",),
            units=("GeV",),
            producer="simulators.cascade",
            parameters=self.as_dict(),
        )

    def simulate(self, count: int, seed: int) -> Samples:
        """``count`` showers, (count, cells) float32 in MeV."""
        rng = numpy_generator(seed, "cascade")
        energy = rng.uniform(*self.energy, count)
        x = np.stack([getattr(self.shower(1000 * each, rng), self.scoring) for each in energy]) / self.fraction
        x = np.where(x >= self.threshold, x, 0.0).astype(np.float32)
        return Samples(x=x, condition=energy[:, None], about=self.about())

    def shower(self, energy: float, rng: Generator) -> Shower:
        """One shower of a particle of this kinetic energy in MeV."""
        block, tables = _built(self)
        shower = self.nothing()
        kind = {"eplus": POSITRON, "eminus": ELECTRON, "gamma": PHOTON}[self.particle]
        follow(kind, energy, self.cut, block, tables, shower, rng)
        return shower


    def nothing(self) -> Shower:
        """A shower that has yet to begin."""
        cells = self.calorimeter.cells
        return Shower(*(np.zeros(size) for size in (cells, cells, len(self.depths), 3)))


@functools.lru_cache(maxsize=8)
def _built(cascade: Cascade) -> tuple[Block, Tables]:
    """What the loop asks for, made once in a process."""
    names = list(dict.fromkeys(name for name, _ in cascade.stack))
    slabs = cascade.stack * cascade.periods
    calorimeter = cascade.calorimeter
    rows, columns = np.array(cascade.cells).T
    block = Block(
        faces=np.cumsum([0.0, *(mm / 10 for _, mm in slabs)]),
        material=np.array([names.index(name) for name, _ in slabs]),
        active=np.array([name in cascade.active for name, _ in slabs]),
        layers=np.array(cascade.depths) / 10,
        rows=rows.copy(),
        columns=columns.copy(),
        first=np.array([part.start for part in calorimeter.slices]),
        width=cascade.width / 10,
    )
    highest = 1000 * cascade.energy[1] + 2 * MASS
    with compiling():
        tables = tabulate([MATERIALS[name] for name in names], cascade.cut, highest)
        follow(PHOTON, 0.0, cascade.cut, block, tables, cascade.nothing(), np.random.default_rng(0))
    return block, tables

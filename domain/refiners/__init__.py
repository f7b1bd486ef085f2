"""Refiners: make simulated samples look real and keep their labels; one refiner a file.

A refiner is a :class:`~domain.system.System` with ``Config``, a constructor ``(config, space)``,
``streams(simulated, real, label=None)``, and the capability ``translates``. ``label`` is the class of each simulated
sample, (N,), −1 where unlabelled; those that learn it may also have the capability ``classifies``, on real samples.
Where a refiner learns from pairs, row k of ``simulated`` and row k of ``real`` are one. Those of
:class:`~domain.refiners.base.DepositRefiner` take deposits, all others images.
"""

from domain.system import System
from domain.table import Table

REFINERS: Table[type[System]] = Table(
    __name__,
    matching="matching.Matching",
    shower_matching="shower_matching.ShowerMatching",
    simgan="simgan.SimGAN",
    shower_simgan="shower_simgan.ShowerSimGAN",
    cyclegan="cyclegan.CycleGAN",
    unit="unit.UNIT",
    cogan="cogan.CoGAN",
    pix2pix="pix2pix.Pix2Pix",
)

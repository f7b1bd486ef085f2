"""Refiners: make simulated samples look real and keep their labels; one refiner a file.

A refiner is a :class:`~domain.system.System` with ``Config``, a constructor ``(config, space)``,
``streams(simulated, real, label=None)``, and the capability ``translates``. ``label`` is the class of each simulated
sample, (N,), −1 where unlabelled; those that learn it may also have the capability ``classifies``, on real samples.
Where a refiner learns from pairs, row k of ``simulated`` and row k of ``real`` are one.
"""

from domain.refiners.cogan import CoGAN
from domain.refiners.cyclegan import CycleGAN
from domain.refiners.matching import Matching
from domain.refiners.pix2pix import Pix2Pix
from domain.refiners.simgan import SimGAN
from domain.refiners.unit import UNIT

REFINERS = {
    "matching": Matching,
    "simgan": SimGAN,
    "cyclegan": CycleGAN,
    "unit": UNIT,
    "cogan": CoGAN,
    "pix2pix": Pix2Pix,
}

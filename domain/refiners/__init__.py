"""Refiners: make simulated samples look real and keep their labels; one refiner a file.

A refiner is a :class:`~domain.system.System` with ``Config``, a constructor ``(config, space)``,
``streams(simulated, real, label)``, of which it need not use the label, and the capability ``translates``.
"""

from domain.refiners.matching import Matching
from domain.refiners.simgan import SimGAN

REFINERS = {
    "matching": Matching,
    "simgan": SimGAN,
}

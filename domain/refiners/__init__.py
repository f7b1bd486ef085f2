"""Refiners: make simulated samples look real and keep their labels; one refiner a file.

A refiner is a :class:`~domain.system.System` with ``Config``, a constructor ``(config, space)``,
``streams(simulated, real)``, and the capability ``translates``.
"""

from domain.refiners.simgan import SimGAN

REFINERS = {
    "simgan": SimGAN,
}

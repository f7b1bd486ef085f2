"""Generators: learn a distribution of images and sample from it; one family a file.

A family is a :class:`~domain.system.System` with ``Config`` (its parameters), a constructor
``(config, space)``, and ``streams(x, label)``, the data its players draw from.
"""

from domain.generators.gan import GAN
from domain.generators.vae import VAE

GENERATORS = {
    "gan": GAN,
    "vae": VAE,
}

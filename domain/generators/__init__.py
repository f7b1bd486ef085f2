"""Generators: learn a distribution of images and sample from it; one family a file.

A family is a :class:`~domain.system.System` with ``Config`` (its parameters), a constructor
``(config, space)``, and ``streams(x, label)``, the data its players draw from.
"""

from domain.generators.began import BEGAN
from domain.generators.gan import GAN
from domain.generators.gmmn import GMMN
from domain.generators.infogan import InfoGAN
from domain.generators.vae import VAE

GENERATORS = {
    "gan": GAN,
    "infogan": InfoGAN,
    "began": BEGAN,
    "gmmn": GMMN,
    "vae": VAE,
}

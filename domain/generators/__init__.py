"""Generators: learn a distribution of images and sample from it; one family a file.

A family is a :class:`~domain.system.System` with ``Config`` (its parameters), a constructor
``(config, space)``, and ``streams(x, label)``, the data its players draw from; one that learns conditions
(:attr:`~domain.system.System.given`) takes them as ``condition``.
"""

from domain.generators.adversarial_autoencoder import AdversarialAutoencoder
from domain.generators.adversarial_variational_bayes import AdversarialVariationalBayes
from domain.generators.alpha_gan import AlphaGAN
from domain.generators.autoencoder import Autoencoder
from domain.generators.began import BEGAN
from domain.generators.cvae import CVAE
from domain.generators.gan import GAN
from domain.generators.gmmn import GMMN
from domain.generators.infogan import InfoGAN
from domain.generators.kmeans import KMeans
from domain.generators.ladder_vae import LadderVAE
from domain.generators.pca import PCA
from domain.generators.vae import VAE
from domain.generators.vae_gan import VAEGAN

GENERATORS = {
    "adversarial_autoencoder": AdversarialAutoencoder,
    "adversarial_variational_bayes": AdversarialVariationalBayes,
    "alpha_gan": AlphaGAN,
    "autoencoder": Autoencoder,
    "cvae": CVAE,
    "gan": GAN,
    "infogan": InfoGAN,
    "began": BEGAN,
    "gmmn": GMMN,
    "kmeans": KMeans,
    "ladder_vae": LadderVAE,
    "pca": PCA,
    "vae": VAE,
    "vae_gan": VAEGAN,
}

"""Generators: learn a distribution of images and sample from it; one family a file.

A family is a :class:`~domain.system.System` with ``Config`` (its parameters), a constructor
``(config, space)``, and ``streams(x, label)``, the data its players draw from; one that learns conditions
(:attr:`~domain.system.System.given`) takes them as ``condition``.
"""

from domain.system import System
from domain.table import Table

GENERATORS: Table[type[System]] = Table(
    __name__,
    adversarial_autoencoder="adversarial_autoencoder.AdversarialAutoencoder",
    adversarial_variational_bayes="adversarial_variational_bayes.AdversarialVariationalBayes",
    ali="ali.ALI",
    alpha_gan="alpha_gan.AlphaGAN",
    autoencoder="autoencoder.Autoencoder",
    cvae="cvae.CVAE",
    gan="gan.GAN",
    infogan="infogan.InfoGAN",
    began="began.BEGAN",
    gmmn="gmmn.GMMN",
    introvae="introvae.IntroVAE",
    iwae="iwae.IWAE",
    kmeans="kmeans.KMeans",
    ladder_vae="ladder_vae.LadderVAE",
    pca="pca.PCA",
    vae="vae.VAE",
    vae_gan="vae_gan.VAEGAN",
    veegan="veegan.VEEGAN",
)

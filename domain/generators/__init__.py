"""Generators: learn a distribution of images and sample from it; one family a file.

A family is a :class:`~domain.system.System` with ``Config`` (its parameters), a constructor
``(config, space)``, and ``streams(x, label)``, the data its players draw from; one that learns conditions
(:attr:`~domain.system.System.given`) takes them as ``condition``.
"""

from domain.system import System
from domain.table import Table

GENERATORS: Table[type[System]] = Table(
    __name__,
    ali="ali.ALI",
    autoencoder="autoencoder.Autoencoder",
    cvae="cvae.CVAE",
    gan="gan.GAN",
    infogan="infogan.InfoGAN",
    began="began.BEGAN",
    gmmn="gmmn.GMMN",
    introvae="introvae.IntroVAE",
    kmeans="kmeans.KMeans",
    ladder_vae="ladder_vae.LadderVAE",
    pca="pca.PCA",
    vae="vae.VAE",
    veegan="veegan.VEEGAN",
)

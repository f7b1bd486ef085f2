"""Importance-weighted autoencoder: a VAE that draws several codes for each image (Burda et al. 2015, arXiv 1509.00519).

With weights w = p(x, z) / q(z | x) of k codes from q(z | x) it maximises their equation 8, log p(x) ≥ E log (w_1 + … + w_k) / k,
which is the evidence lower bound at k = 1 and tightens as k grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.config import Config, Count
from domain.errors import InputError
from domain.generators.base.variational import Variational, VariationalConfig
from domain.objectives import bounds
from domain.space import Space
from domain.system import Batch, Noise, Terms


@dataclass(frozen=True)
class IWAEConfig(VariationalConfig):
    """Parameters of an IWAE: those of its networks, codes and prior (published for one stochastic layer: ``network: mlp``,
    ``hidden: [200, 200]``, ``latent: 50``), and

    Attributes:
        draws: k.
        doubly: the doubly reparameterised gradient (Tucker et al. 2018), for a prior without the encoder in it.
    """

    draws: Count = 5
    doubly: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.doubly and self.prior == "vamp":
            raise InputError("IWAEConfig.doubly: holds the encoder constant, which 'vamp' has in its prior; set it to false")


class IWAE(Variational):
    """An encoder, a decoder and a prior; samples, encodes, decodes, reconstructs and bounds the density."""

    Config: ClassVar[type[Config]] = IWAEConfig
    config: IWAEConfig

    def __init__(self, config: IWAEConfig, space: Space) -> None:
        super().__init__(config, space)
        self.draws = config.draws

    def bound_terms(self, batch: Batch, noise: Noise) -> Terms:
        x = self.seen(*batch["real"], noise)
        code = self.posterior(x)
        z = code.draw(noise["z"])
        if self.config.doubly:
            bound = bounds.doubly_reparameterised(z, lambda z: self.log_weights(x, code.constant, z))
        else:
            bound = bounds.importance_weighted(self.log_weights(x, code, z))
        return {"bound": -bound.mean()}

"""VEEGAN: an encoder that reads latent vectors back keeps the generator from losing modes.

Srivastava et al. 2017 (arXiv 1705.07761), algorithm 1. The critic tells (x, E(x)) from (G(z), z), and its score
estimates the log ratio of their densities. The generator lowers E log q(G(z), z) / p(x, E(x)), which that ratio is,
and Σ (z − E(G(z)))²; the encoder lowers the latter alone, so that real samples of a mode that no z leads to are
encoded unlike any z, and the critic sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from domain.config import Config, NonNegative
from domain.generators.base.joint import Joint, JointConfig
from domain.space import Space
from domain.system import Batch, Noise, Terms


@dataclass(frozen=True)
class VEEGANConfig(JointConfig):
    """Parameters of a VEEGAN: those of the game about pairs, and

    Attributes:
        reconstruction: weight of the latent vectors' squared error; published with 1.
    """

    cost: str = "reverse_kl"
    reconstruction: NonNegative = 1.0


class VEEGAN(Joint):
    """A generator, an encoder and a critic; samples, encodes, decodes and reconstructs."""

    Config: ClassVar[type[Config]] = VEEGANConfig
    config: VEEGANConfig

    def __init__(self, config: VEEGANConfig, space: Space) -> None:
        super().__init__(config, space, config.latent)

    def real(self, batch: Batch, noise: Noise) -> Tensor:
        x = batch["real"][0]
        return self.joined(x, self.encoder(x).float().detach())  # the game does not teach the encoder

    def answer_terms(self, batch: Batch, noise: Noise) -> Terms:
        read = self.encoder(self.generate(noise, batch["real"][1])).float()
        error = (read - noise["z"]).square().sum(1).mean()
        return {**super().answer_terms(batch, noise), "reconstruction": self.config.reconstruction * error}

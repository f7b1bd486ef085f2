"""Variational autoencoders (Kingma & Welling 2013, arXiv 1312.6114; Rezende et al. 2014, 1401.4082).

An encoder q(z | x) and a decoder p(x | z) maximise the evidence lower bound
log p(x) ≥ E_q[log p(x | z)] − β KL(q(z | x) ‖ p(z)), in nats a sample, β = 1. By their parameters alone differ

* β-VAE (Higgins et al. 2017): ``beta`` above 1;
* S-VAE (Davidson et al. 2018, arXiv 1804.00891): ``code: sphere``;
* other priors (``nets/priors.py``): ``prior``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.config import Config, Natural, NonNegative
from domain.generators.base.bounded import WarmingUp
from domain.generators.base.variational import Variational, VariationalConfig
from domain.system import Batch, Noise, Terms


@dataclass(frozen=True)
class VAEConfig(VariationalConfig):
    """Parameters of a VAE: those of its networks, codes and prior, and

    Attributes:
        beta: weight of the KL term; 1 gives a bound on the likelihood.
        warm_up: steps over which that weight rises to ``beta``.
    """

    beta: NonNegative = 1.0
    warm_up: Natural = 0


class VAE(WarmingUp, Variational):
    """An encoder, a decoder and a prior; samples, encodes, decodes, reconstructs and bounds the density."""

    Config: ClassVar[type[Config]] = VAEConfig
    config: VAEConfig

    def bound_terms(self, batch: Batch, noise: Noise) -> Terms:
        x = self.seen(*batch["real"], noise)
        code = self.posterior(x)
        (z,) = code.draw(noise["z"])
        return {
            "reconstruction": -self.log_likelihood(x, z).mean(),
            "kl": self.config.beta * self.warmth() * self.prior.kl(code, z).mean(),
        }

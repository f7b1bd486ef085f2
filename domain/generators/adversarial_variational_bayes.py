"""Adversarial variational Bayes: a VAE whose posterior may have any shape (Mescheder et al. 2017, arXiv 1701.04722).

The encoder turns noise into codes, so that q(z | x) can be drawn from but not written down. A critic T that tells
its draws from others gives the missing term of the bound: at its optimum T is a log density ratio. With adaptive
contrast the others are normal numbers of q's own mean and deviation, r(z | x), and T has only q's shape to learn:

    KL(q(z | x) ‖ p(z)) = E_q[T(x, z̃) + log r(z | x) − log p(z)],   z̃ = (z − mean) / deviation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from domain.config import Config, Count
from domain.generators.base.bounded import Bounded
from domain.generators.base.codes import CodedImages, JudgedCodesConfig, critic_of
from domain.nets import basis_noise
from domain.nets.codes import Gaussian
from domain.nets.priors import StandardNormal
from domain.objectives import bounds
from domain.objectives.adversarial import cross_entropy
from domain.objectives.entropy import differential_entropy
from domain.space import Space
from domain.system import Batch, Noise, Player, Terms

DRAWS = 1000  # whose distances tell the entropy of q(z | x)


@dataclass(frozen=True)
class AdversarialVariationalBayesConfig(JudgedCodesConfig):
    """Parameters of adversarial variational Bayes: those of its networks, and

    Attributes:
        bases, inputs, basis_hidden, smooth: of the noise that codes are mixed from (``nets/basis_noise.py``).
        adaptive: contrast q with normal numbers of its own mean and deviation; else with the prior.
        critic_steps: steps of the critic in each round.
    """

    bases: Count = 8
    inputs: Count = 4
    basis_hidden: tuple[Count, ...] = (64, 64)
    smooth: bool = False
    adaptive: bool = True
    critic_steps: Count = 2


class AdversarialVariationalBayes(Bounded, CodedImages):
    """An encoder fed with noise, a decoder and a critic; samples, encodes, decodes, reconstructs, bounds the density."""

    Config: ClassVar[type[Config]] = AdversarialVariationalBayesConfig
    averaged = ("encoder", "basis", "decoder", "pixels")
    config: AdversarialVariationalBayesConfig

    def __init__(self, config: AdversarialVariationalBayesConfig, space: Space) -> None:
        super().__init__(config, space, outputs=(1 + config.bases) * config.latent, codes=config.latent)
        self.prior = StandardNormal(config.latent)
        self.basis = basis_noise.BasisNoise(config.bases, config.inputs, config.basis_hidden, config.latent, config.smooth)
        self.critic = critic_of(math.prod(space.shape) + config.latent, config.critic_hidden)
        self.players = (
            Player("critic", ("critic",), self.critic_terms, config.critic, config.critic_steps),
            Player("model", self.averaged, self.model_terms, config.optimiser),
        )

    def code_noise(self, count: int, generator: torch.Generator) -> Noise:
        return {"basis": self.basis.draw(count, generator)}

    def posterior(self, x: Tensor, noise: Noise) -> basis_noise.Mixed:
        """One code for each image (N, C, H, W) in [−1, 1]."""
        return basis_noise.mix(self.encoder(x), self.basis(noise["basis"]))

    def coded(self, x: Tensor, noise: Noise) -> Tensor:
        return self.posterior(x, noise).z

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        code = self.posterior(x, noise)
        contrast = code.standard if self.config.adaptive else code.z
        return {"contrast": cross_entropy(self.score(x, contrast), self.score(x, noise["z"])).mean()}

    def model_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        code = self.posterior(x, noise)
        return {"reconstruction": -self.log_likelihood(x, code.z).mean(), "kl": self.divergence(x, code).mean()}

    def score(self, x: Tensor, contrast: Tensor) -> Tensor:
        """T: the log odds that a code is the encoder's, (N,)."""
        return self.critic(torch.cat([x.flatten(1), contrast], 1)).float().squeeze(1)

    def divergence(self, x: Tensor, code: basis_noise.Mixed) -> Tensor:
        """What KL(q ‖ p) in nats is the mean of, if T is at its optimum; (N,)."""
        if not self.config.adaptive:
            return self.score(x, code.z)
        ratio = 0.5 * (code.z.square() - code.standard.square()) - code.log_deviation
        return self.score(x, code.standard) + ratio.sum(1)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Mean codes; x: (N, C, H, W) in [−1, 1] → (N, latent)."""
        return basis_noise.moments(self.encoder(x), self.config.latent)[0]

    @torch.no_grad()
    def estimate(self, x: Tensor, generator: torch.Generator, draws: int) -> bounds.Estimate:
        """Weighed by codes from r(z | x); ``single`` is the bound of q's own, whose entropy draws tell, not the critic."""
        found, single = self.weighed(x, generator, draws), []
        for some in x.split(bounds.AT_ONCE // DRAWS):
            z = self.coded(some.repeat(DRAWS, 1, 1, 1), self.code_noise(DRAWS * len(some), generator)).unflatten(0, (DRAWS, -1))
            joint = self.log_likelihood(some, z) + self.prior.log_prob(z)
            single.append(joint.mean(0) + differential_entropy(z.transpose(0, 1)))
        return found._replace(single=torch.cat(single).double())

    def weigher(self, x: Tensor, generator: torch.Generator) -> Callable[[int], Tensor]:
        mean, log_deviation, _ = basis_noise.moments(self.encoder(x), self.config.latent)
        code, size = Gaussian(mean, 2 * log_deviation), self.config.latent
        return lambda count: self.log_weights(x, code, code.draw(Gaussian.noise((count, len(x)), size, generator)))

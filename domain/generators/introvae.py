"""Introspective VAE: the encoder of a variational autoencoder is the critic of its generator.

Huang et al. 2018 (arXiv 1807.06358), equations 11 and 12. With the energy KL(x) = KL(q(z | x) ‖ N(0, 1)) of an
image, and s over the reconstruction x_s of a real image and the picture x_s of a drawn code,

* the encoder lowers KL(x) + α Σ_s max(0, m − KL(x_s)) + β L: real images come to the prior, made ones stay away;
* the generator lowers α Σ_s KL(x_s) + β L,

with L half the squared error of the reconstruction, in units of [−1, 1] and summed over pixels. Training begins as
a VAE's, without the terms in α.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import relu

from domain.config import Config, Count, Natural, NonNegative, Positive
from domain.generators.base.codes import Encoding, Unlabelled
from domain.nets import pair
from domain.nets.batch_norm import calibrate
from domain.nets.codes import Gaussian
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms


@dataclass(frozen=True)
class IntroVAEConfig(Config):
    """Parameters of an introspective VAE.

    Attributes:
        margin: m, in nats; above the KL of real images, which the history shows.
        adversarial: α.
        reconstruction: β.
        warm_up: rounds as a VAE, before α counts.
        latent: width of the code, standard normal.
        width: channels at the largest size, in both networks.
        batch: images in each step.
        encoder, generator: their optimisers.
    """

    margin: Positive = 60.0
    adversarial: NonNegative = 0.25
    reconstruction: Positive = 4.0
    warm_up: Natural = 1000
    latent: Count = 32
    width: Count = 32
    batch: Count = 64
    encoder: Adam = Adam(rate=5e-4, beta1=0.9)
    generator: Adam = Adam(rate=5e-4, beta1=0.9)


class IntroVAE(Encoding, Unlabelled):
    """An encoder that is also a critic, and a generator; samples, encodes, decodes and reconstructs."""

    Config: ClassVar[type[Config]] = IntroVAEConfig
    averaged = ("encoder", "generator")
    steps: Tensor  # scalar, rounds done so far

    def __init__(self, config: IntroVAEConfig, space: Space) -> None:
        super().__init__()
        space.require_images("introvae")
        self.config, self.space = config, space
        self.encoder = pair.encoder(space.shape, Gaussian.outputs(config.latent), config.width, ())
        self.generator = pair.generator(config.latent, space.shape, config.width, ())
        self.register_buffer("steps", torch.zeros(()))
        encoder = Player("encoder", ("encoder",), self.encoder_terms, config.encoder)
        self.players = encoder, Player("generator", ("generator",), self.generator_terms, config.generator)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {name: self.drawn(self.config.batch, generator) for name in ("code", "z")}

    def drawn(self, count: int, generator: torch.Generator) -> Tensor:
        return Gaussian.noise((count,), self.config.latent, generator)

    def pictures(self, code: Gaussian, noise: Noise) -> Tensor:
        """Reconstructions of N images from their codes, and behind them pictures of drawn ones, (2N, C, H, W)."""
        return torch.cat([self.generator(code.draw(noise["code"])), self.generator(noise["z"])])

    def encoder_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        code = self.posterior(x)
        made = self.pictures(code, noise)
        held = relu(self.config.margin - self.posterior(made.detach()).kl()).mean()
        return {"kl": code.kl().mean(), "margin": self.weight() * held, "reconstruction": self.error(x, made)}

    def generator_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        made = self.pictures(self.posterior(x), noise)
        return {"kl": self.weight() * self.posterior(made).kl().mean(), "reconstruction": self.error(x, made)}

    def posterior(self, x: Tensor) -> Gaussian:
        """q(z | x); x: (N, C, H, W) in [−1, 1]."""
        return Gaussian.of(self.encoder(x))

    def weight(self) -> Tensor:
        """2 α once the start is over, for a mean over both kinds of pictures."""
        return 2 * self.config.adversarial * (self.steps >= self.config.warm_up)

    def error(self, x: Tensor, made: Tensor) -> Tensor:
        """β L; made: as :meth:`pictures` gives them."""
        return 0.5 * self.config.reconstruction * (x - made[: len(x)]).float().square().flatten(1).sum(1).mean()

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        self.steps += 0.5  # of two players

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        calibrate(self.generator, lambda: [self.generator(self.drawn(256, generator)) for _ in range(10)])

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Images in [−1, 1] of drawn codes, (count, C, H, W)."""
        return self.generator(self.drawn(count, generator))

"""BEGAN: the critic is an autoencoder, the score its reconstruction error (Berthelot et al. 2017, arXiv 1703.10717).

The critic lowers L(x) − k L(G(z)), the generator lowers L(G(z)), with L the mean absolute error. A
controller moves k so that E L(G(z)) = γ E L(x): γ trades variety for quality. The generator's
z is uniform in [−1, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from domain.config import Config, Count, Fraction, Positive
from domain.generators.base.codes import Unlabelled
from domain.nets import pair
from domain.nets.batch_norm import calibrate
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms


@dataclass(frozen=True)
class BEGANConfig(Config):
    """Parameters of a BEGAN.

    Attributes:
        ratio: γ, the error of generated samples as a share of that of real ones.
        gain: λ, how fast k follows.
        latent: width of the generator's latent vector and of the critic's code.
        width: channels at the largest size of networks for images.
        hidden: widths of the hidden layers of networks for vectors.
        batch: real and generated samples in each step.
        generator, critic: their optimisers.
    """

    ratio: Fraction = 0.5
    gain: Positive = 1e-3
    latent: Count = 64
    width: Count = 64
    hidden: tuple[Count, ...] = (128, 128)
    batch: Count = 64
    generator: Adam = Adam(rate=1e-4)
    critic: Adam = Adam(rate=1e-4)


class BEGAN(Unlabelled):
    """A generator and an autoencoder at play; samples, encodes, reconstructs."""

    Config: ClassVar[type[Config]] = BEGANConfig
    averaged = ("generator", "encoder", "decoder")
    k: Tensor

    def __init__(self, config: BEGANConfig, space: Space) -> None:
        super().__init__()
        pair.require(space.shape)
        self.config, self.space = config, space
        self.generator = pair.generator(config.latent, space.shape, config.width, config.hidden)
        self.encoder = pair.encoder(space.shape, config.latent, config.width, config.hidden)
        self.decoder = pair.generator(config.latent, space.shape, config.width, config.hidden)
        self.register_buffer("k", torch.zeros(()))
        self.players = (
            Player("critic", ("encoder", "decoder"), self.critic_terms, config.critic),
            Player("generator", ("generator",), self.generator_terms, config.generator),
        )

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        real, fake = self.errors(batch, noise)
        return {"real": real, "fake": -self.k * fake}

    def generator_terms(self, batch: Batch, noise: Noise) -> Terms:
        return {"energy": self.energy(self.generator(noise["z"])).mean()}

    def errors(self, batch: Batch, noise: Noise) -> tuple[Tensor, Tensor]:
        """Mean L of a real and of a generated batch."""
        (x,) = batch["real"]
        return self.energy(x).mean(), self.energy(self.generator(noise["z"])).mean()

    def energy(self, x: Tensor) -> Tensor:
        """L: mean absolute error of each sample's reconstruction, (N,)."""
        return (x - self.decoder(self.encoder(x))).float().abs().flatten(1).mean(1)

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        if player.name == "critic":
            real, fake = self.errors(batch, noise)
            self.k.add_(self.config.gain * (self.config.ratio * real - fake)).clamp_(0, 1)

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        (x,) = data["real"].tensors

        def passes() -> None:
            for _ in range(10):
                self.generator(self.drawn(256, generator))
                self.reconstruct(x[torch.randint(len(x), (256,), generator=generator, device=generator.device)])

        calibrate(self, passes)

    @torch.no_grad()
    def convergence(self, batch: Batch, noise: Noise) -> Tensor:
        """The paper's measure L(x) + |γ L(x) − L(G(z))|, a scalar; lower is better."""
        real, fake = self.errors(batch, noise)
        return real + (self.config.ratio * real - fake).abs()

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Images in [−1, 1], or vectors, (count, *shape)."""
        return self.generator(self.drawn(count, generator))

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The critic's codes; x: (N, *shape) → (N, latent)."""
        return self.encoder(x)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """What the critic makes of samples; x: (N, *shape) → (N, *shape)."""
        return self.decoder(self.encoder(x))

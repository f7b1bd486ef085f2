"""Generative moment matching network (Li, Swersky & Zemel 2015, arXiv 1502.02761).

No critic: the generator lowers √MMD² between a generated and a real batch, for a sum of Gaussian
kernels. With ``codes`` it matches the codes of an autoencoder, which its decoder makes samples of.

Two things differ from the paper. Scales are in units of the real batch's root mean square distance,
so that one set serves samples and codes. And the autoencoder learns beside the generator, which
follows its codes, where the paper trains it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from domain.config import Config, Count, Natural, Positive
from domain.generators.base.codes import Unlabelled
from domain.nets import pair
from domain.nets.batch_norm import calibrate
from domain.nets.mlp import mlp
from domain.objectives.moments import squared_mmd
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms

LEAST = 1e-12  # under the root, whose slope is infinite at 0


@dataclass(frozen=True)
class GMMNConfig(Config):
    """Parameters of a GMMN.

    Attributes:
        scales: σ of each kernel, in units of the real batch's root mean square distance.
        codes: width of the autoencoder's code, in [0, 1]; 0 matches the samples themselves.
        latent: width of the latent vector, uniform in [−1, 1].
        width: channels at the largest size of networks for images.
        hidden: widths of the hidden layers of networks for vectors and of the generator of codes.
        batch: real and generated samples in each step; the paper takes 1000.
        generator, autoencoder: optimisers.
    """

    scales: tuple[Positive, ...] = (0.1, 0.3, 1.0, 3.0)
    codes: Natural = 0
    latent: Count = 10
    width: Count = 64
    hidden: tuple[Count, ...] = (256, 256)
    batch: Count = 500
    generator: Adam = Adam(rate=1e-3, beta1=0.9)
    autoencoder: Adam = Adam(rate=1e-3, beta1=0.9)


class GMMN(Unlabelled):
    """A generator that matches moments; samples."""

    Config: ClassVar[type[Config]] = GMMNConfig
    averaged = ("generator", "encoder", "decoder")

    def __init__(self, config: GMMNConfig, space: Space) -> None:
        super().__init__()
        pair.require(space.shape)
        self.config, self.space = config, space
        self.players = (Player("generator", ("generator",), self.generator_terms, config.generator),)
        self.encoder: nn.Module = nn.Identity()
        self.decoder: nn.Module = nn.Identity()
        if not config.codes:
            self.generator = pair.generator(config.latent, space.shape, config.width, config.hidden)
            return
        networks = config.width, config.hidden
        self.generator = nn.Sequential(*mlp((config.latent, *config.hidden, config.codes)), nn.Sigmoid())
        self.encoder = nn.Sequential(*pair.encoder(space.shape, config.codes, *networks), nn.Sigmoid())
        self.decoder = pair.generator(config.codes, space.shape, *networks)
        player = Player("autoencoder", ("encoder", "decoder"), self.autoencoder_terms, config.autoencoder)
        self.players = player, *self.players

    def autoencoder_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        return {"reconstruction": (x - self.decoder(self.encoder(x))).float().square().flatten(1).sum(1).mean()}

    def generator_terms(self, batch: Batch, noise: Noise) -> Terms:
        real = self.encoder(batch["real"][0]).flatten(1).float()
        fake = self.generator(noise["z"]).flatten(1).float()
        unit = (2 * real.var(0).sum()).sqrt().clamp(min=LEAST)
        return {"mmd": (squared_mmd(real / unit, fake / unit, self.config.scales) + LEAST).sqrt()}

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        (x,) = data["real"].tensors

        def passes() -> None:
            for _ in range(10):
                self.generator(self.drawn(256, generator))
                rows = torch.randint(len(x), (256,), generator=generator, device=generator.device)
                self.decoder(self.encoder(x[rows]))

        calibrate(self, passes)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Images in [−1, 1], or vectors, (count, *shape)."""
        return self.decoder(self.generator(self.drawn(count, generator)))

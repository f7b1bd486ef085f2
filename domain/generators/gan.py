"""Generative adversarial network with DCGAN's networks.

Goodfellow et al. 2014 (arXiv 1406.2661) play a game between a generator, which turns latent
vectors into images, and a critic, which tells them from real ones; Radford et al. 2015
(arXiv 1511.06434) give the convolutional networks, and Mirza & Osindero 2014 (arXiv 1411.1784)
condition both on a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from domain.config import Config, Count
from domain.errors import InputError
from domain.nets.batch_norm import calibrate
from domain.nets.dcgan import Critic, Generator
from domain.objectives.adversarial import COSTS
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms


@dataclass(frozen=True)
class GANConfig(Config):
    """Parameters of a GAN.

    Attributes:
        cost: what the players minimise; see ``objectives/adversarial.py``.
        latent: width of the latent vector, standard normal.
        width: channels at the largest size, in both networks.
        conditional: give both networks the label (all zeros where unlabelled).
        batch: real and generated images in each step.
        generator, critic: their optimisers.
    """

    cost: Literal["minimax", "non_saturating", "maximum_likelihood", "least_squares"] = "non_saturating"
    latent: Count = 64
    width: Count = 64
    conditional: bool = False
    batch: Count = 64
    generator: Adam = Adam(rate=2e-4)
    critic: Adam = Adam(rate=2e-4)


class GAN(System):
    """A generator and a critic at play; samples."""

    Config: ClassVar[type[Config]] = GANConfig
    averaged = ("generator",)

    def __init__(self, config: GANConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        if config.conditional and not space.classes:
            raise InputError("gan.conditional: these samples have no classes; set it to false")
        self.given = ("label",) if config.conditional else ()
        labels = space.classes if config.conditional else 0
        channels, height, width = space.shape
        self.cost = COSTS[config.cost]
        self.generator = Generator(config.latent + labels, space.shape, config.width)
        self.critic = Critic((channels + labels, height, width), config.width, batch_norm=False)
        self.players = (
            Player("critic", ("critic",), self.critic_terms, config.critic),
            Player("generator", ("generator",), self.generator_terms, config.generator),
        )

    def streams(self, x: Tensor, label: Tensor) -> dict[str, Stream]:
        """x: images (N, C, H, W) in [−1, 1]; label: (N,), −1 where unlabelled."""
        return {"real": Stream((x, label), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {"z": torch.randn(self.config.batch, self.config.latent, generator=generator, device=generator.device)}

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        x, label = batch["real"]
        fake = self.generate(noise["z"], label)
        return {"adversarial": self.cost.critic(self.score(x, label), self.score(fake, label)).mean()}

    def generator_terms(self, batch: Batch, noise: Noise) -> Terms:
        _, label = batch["real"]
        return {"adversarial": self.cost.generator(self.score(self.generate(noise["z"], label), label)).mean()}

    def generate(self, z: Tensor, label: Tensor) -> Tensor:
        """Images in [−1, 1] from latent vectors (N, latent) and labels (N,)."""
        return torch.tanh(self.generator(torch.cat([z, self._one_hot(label)], 1)))

    def score(self, x: Tensor, label: Tensor) -> Tensor:
        """The critic's raw score of images (N, C, H, W) with labels (N,) → (N,)."""
        planes = self._one_hot(label)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return self.critic(torch.cat([x, planes], 1)).squeeze(1).float()

    def _one_hot(self, label: Tensor) -> Tensor:
        """(N,) → (N, K), zeros where unlabelled; K = 0 when unconditional."""
        classes = self.space.classes if self.config.conditional else 0
        return (label[:, None] == torch.arange(classes, device=label.device)).float()

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        labels = data["real"].tensors[1]

        def passes() -> None:
            for _ in range(10):
                z = torch.randn(256, self.config.latent, generator=generator, device=generator.device)
                rows = torch.randint(len(labels), (256,), generator=generator, device=generator.device)
                self.generate(z, labels[rows])

        calibrate(self.generator, passes)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator, label: Tensor | None = None) -> Tensor:
        """Images in [−1, 1], (count, C, H, W); label: (count,) for a conditional GAN."""
        z = torch.randn(count, self.config.latent, generator=generator, device=generator.device)
        return self.generate(z, torch.full((count,), -1, device=z.device) if label is None else label)

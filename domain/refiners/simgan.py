"""SimGAN: make simulated images look real and keep their labels (Shrivastava et al. 2016, arXiv 1612.07828).

A refiner R adds a correction to a simulated image. A local critic scores every patch as real or
refined; the refiner fools it while staying close to its input, so the annotation of the simulated
image still holds. The critic also sees images that earlier refiners made (the *history*), so that
the refiner cannot return to artefacts the critic has forgotten.

All costs are means (per patch, per pixel), so that weights do not depend on the image size. The
paper sums: its λ equals ``similarity`` × patches / pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from domain.config import Config, Count, Natural, NonNegative
from domain.nets.local import PatchCritic, Refiner
from domain.nets.pool import ImagePool
from domain.objectives.adversarial import COSTS
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms


@dataclass(frozen=True)
class SimGANConfig(Config):
    """Parameters of SimGAN.

    Attributes:
        width, blocks: channels and residual blocks of the refiner.
        critic_width, critic_strides: channels of the critic and the stride of each 3×3 layer.
        similarity: weight of the mean absolute change per pixel (images in [−1, 1]).
        history: images kept from earlier refiners; 0 switches the history off.
        batch: simulated and real images in each step.
        refiner_steps, critic_steps: steps of each player in a round.
        refiner, critic: their optimisers.
    """

    width: Count = 32
    blocks: Count = 4
    critic_width: Count = 32
    critic_strides: tuple[Count, ...] = (2, 1, 1)
    similarity: NonNegative = 1.0
    history: Natural = 2048
    batch: Count = 64
    refiner_steps: Count = 1
    critic_steps: Count = 1
    refiner: Adam = Adam(rate=5e-4)
    critic: Adam = Adam(rate=5e-4)


class SimGAN(System):
    """A refiner and a local critic at play; translates."""

    Config: ClassVar[type[Config]] = SimGANConfig
    averaged = ("refiner",)

    def __init__(self, config: SimGANConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        self.cost = COSTS["non_saturating"]
        self.refiner = Refiner(space.shape[0], config.width, config.blocks)
        self.critic = PatchCritic(space.shape[0], config.critic_width, config.critic_strides)
        self.history = ImagePool(config.history, space.shape)
        self.players = (
            Player("critic", ("critic",), self.critic_terms, config.critic, config.critic_steps),
            Player("refiner", ("refiner",), self.refiner_terms, config.refiner, config.refiner_steps),
        )

    def streams(self, simulated: Tensor, real: Tensor, label: Tensor | None = None) -> dict[str, Stream]:
        """Both are images (N, C, H, W) in [−1, 1]; no label of either is used."""
        return {"simulated": Stream((simulated,), self.config.batch), "real": Stream((real,), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        """The slots of the history that are shown, and those that are replaced."""
        half = self.config.batch // 2
        uniform = torch.rand(2, half, generator=generator, device=generator.device)
        return {"shown": uniform[0], "replaced": uniform[1]}

    def refine(self, x: Tensor) -> Tensor:
        """x: images (N, C, H, W) in [−1, 1] → refined images, the same shape and range."""
        return (x + self.refiner(x).float()).clamp(-1, 1)

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        (simulated,), (real,) = batch["simulated"], batch["real"]
        refined = self.history.mixed(self.refine(simulated), noise["shown"])
        return {"adversarial": self.cost.critic(self.critic(real).float(), self.critic(refined).float()).mean()}

    def refiner_terms(self, batch: Batch, noise: Noise) -> Terms:
        (simulated,) = batch["simulated"]
        refined = self.refine(simulated)
        return {
            "adversarial": self.cost.generator(self.critic(refined).float()).mean(),
            "similarity": self.config.similarity * (refined - simulated).abs().mean(),
        }

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        if player.name == "critic" and self.config.history:
            self.history.add(self.refine(batch["simulated"][0]), noise["replaced"])

    @torch.no_grad()
    def translate(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Refine images: (N, C, H, W) in [−1, 1] → the same shape and range. Deterministic."""
        return self.refine(x)

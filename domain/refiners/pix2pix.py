"""pix2pix: learn a translation from pairs (Isola et al. 2017, arXiv 1611.07004).

Row k of the simulated samples and row k of the real ones show the same thing. A U-Net, whose only noise is
dropout, also when it translates, stays close to the real partner pixel by pixel and fools a critic that sees
input and output together, patch by patch.

All costs are means per pixel or patch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from domain.config import Config, Count, NonNegative, Range
from domain.errors import InputError
from domain.nets.local import PatchCritic
from domain.nets.unet import UNet
from domain.objectives.adversarial import COSTS
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms


@dataclass(frozen=True)
class Pix2PixConfig(Config):
    """Parameters of pix2pix.

    Attributes:
        width: channels of the U-Net at half size.
        dropout: share of the units left out in its three deepest decoder layers; 0 makes it deterministic.
        critic_width, critic_strides: channels of the critic and the stride of each 3×3 layer.
        similarity: weight of the mean absolute distance per pixel to the real partner (images in [−1, 1]).
        batch: pairs in each step.
        translator, critic: their optimisers.
    """

    width: Count = 64
    dropout: Annotated[float, Range(0, 0.9)] = 0.5
    critic_width: Count = 64
    critic_strides: tuple[Count, ...] = (2, 2, 1)
    similarity: NonNegative = 100.0
    batch: Count = 32
    translator: Adam = Adam(rate=2e-4)
    critic: Adam = Adam(rate=2e-4)


class Pix2Pix(System):
    """A U-Net and a critic of pairs at play; translates."""

    Config: ClassVar[type[Config]] = Pix2PixConfig
    averaged = ("translator",)

    def __init__(self, config: Pix2PixConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        self.cost = COSTS["non_saturating"]
        self.translator = UNet(space.shape, config.width, config.dropout)
        self.critic = PatchCritic(2 * space.shape[0], config.critic_width, config.critic_strides)
        self.players = (
            Player("critic", ("critic",), self.critic_terms, config.critic),
            Player("translator", ("translator",), self.translator_terms, config.translator),
        )

    def streams(self, simulated: Tensor, real: Tensor, label: Tensor | None = None) -> dict[str, Stream]:
        """Both are images (N, C, H, W) in [−1, 1], row by row the same thing; no label is used."""
        if len(simulated) != len(real):
            raise InputError(
                f"pix2pix learns pairs, but there are {len(simulated)} simulated and {len(real)} real training samples; "
                "give files whose rows correspond one to one, or choose a refiner for unpaired samples"
            )
        return {"pairs": Stream((simulated, real), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {"dropped": self.translator.draw(self.config.batch, generator)}

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        simulated, real = batch["pairs"]
        translated = self.translator(simulated, noise["dropped"])
        return {"adversarial": self.cost.critic(self.score(simulated, real), self.score(simulated, translated)).mean()}

    def translator_terms(self, batch: Batch, noise: Noise) -> Terms:
        simulated, real = batch["pairs"]
        translated = self.translator(simulated, noise["dropped"])
        return {
            "adversarial": self.cost.generator(self.score(simulated, translated)).mean(),
            "similarity": self.config.similarity * (translated - real).abs().mean(),
        }

    def score(self, simulated: Tensor, x: Tensor) -> Tensor:
        """How real each patch of ``x`` looks beside its simulated partner; both (N, C, H, W) → (N, h, w)."""
        return self.critic(torch.cat([simulated, x], 1)).float()

    @torch.no_grad()
    def translate(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Simulated images as real ones: (N, C, H, W) in [−1, 1] → the same shape and range.

        Another ``generator`` drops out other units: it gives another of the translations that are likely.
        """
        return self.translator(x, self.translator.draw(len(x), generator))

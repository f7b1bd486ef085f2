"""CycleGAN: translate both ways between unpaired images (Zhu et al. 2017, arXiv 1703.10593).

Two translators, simulated → real and back, each face a critic of patches. Nothing pairs the domains but the
*cycle*: there and back again must give the image one started from (equation 2). Nothing in the costs forbids
that classes are swapped on the way and swapped back; the identity term, an image of the target domain stays as
it is (section 5.2), makes it rarer.

All costs are means per pixel or patch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from domain.config import Config, Count, Natural, NonNegative
from domain.nets.local import PatchCritic
from domain.nets.pool import ImagePool
from domain.nets.translator import Translator
from domain.objectives.adversarial import COSTS
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms


@dataclass(frozen=True)
class CycleGANConfig(Config):
    """Parameters of CycleGAN.

    Attributes:
        width, blocks: channels at full size and residual blocks of the translators.
        critic_width, critic_strides: channels of the critics and the stride of each 3×3 layer.
        cycle: weight of the mean absolute change per pixel there and back (images in [−1, 1]).
        identity: weight of the mean absolute change of an image that is already in the target domain.
        history: images kept from earlier translators, for each critic; 0 switches the history off.
        batch: simulated and real images in each step; half of them may come from the history.
        translator, critic: their optimisers.
    """

    width: Count = 32
    blocks: Count = 4
    critic_width: Count = 64
    critic_strides: tuple[Count, ...] = (2, 2, 1)
    cycle: NonNegative = 10.0
    identity: NonNegative = 5.0
    history: Natural = 1024
    batch: Count = 32
    translator: Adam = Adam(rate=2e-4)
    critic: Adam = Adam(rate=2e-4)


class CycleGAN(System):
    """Two translators and two critics at play; translates."""

    Config: ClassVar[type[Config]] = CycleGANConfig
    averaged = ("to_real", "to_simulated")

    def __init__(self, config: CycleGANConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        self.cost = COSTS["least_squares"]
        channels = space.shape[0]
        self.to_real, self.to_simulated = (Translator(channels, config.width, config.blocks) for _ in range(2))
        self.critic_real, self.critic_simulated = (
            PatchCritic(channels, config.critic_width, config.critic_strides) for _ in range(2)
        )
        self.past_real, self.past_simulated = (ImagePool(config.history, space.shape) for _ in range(2))
        self.players = (
            Player("critic", ("critic_real", "critic_simulated"), self.critic_terms, config.critic),
            Player("translator", ("to_real", "to_simulated"), self.translator_terms, config.translator),
        )

    def streams(self, simulated: Tensor, real: Tensor, label: Tensor | None = None) -> dict[str, Stream]:
        """Both are images (N, C, H, W) in [−1, 1], in no common order; no label is used."""
        return {"simulated": Stream((simulated,), self.config.batch), "real": Stream((real,), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        """The slots of each history that are shown, and those that are replaced."""
        half = self.config.batch // 2
        uniform = torch.rand(4, half, generator=generator, device=generator.device)
        names = ("shown_real", "shown_simulated", "replaced_real", "replaced_simulated")
        return dict(zip(names, uniform))

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        (simulated,), (real,) = batch["simulated"], batch["real"]
        fake_real = self.past_real.mixed(self.to_real(simulated), noise["shown_real"])
        fake_simulated = self.past_simulated.mixed(self.to_simulated(real), noise["shown_simulated"])
        pairs = ((self.critic_real, real, fake_real), (self.critic_simulated, simulated, fake_simulated))
        costs = [self.cost.critic(critic(x).float(), critic(fake).float()).mean() / 2 for critic, x, fake in pairs]
        return {"adversarial": costs[0] + costs[1]}  # halved, as published, so that critics learn more slowly

    def translator_terms(self, batch: Batch, noise: Noise) -> Terms:
        (simulated,), (real,) = batch["simulated"], batch["real"]
        fake_real, fake_simulated = self.to_real(simulated), self.to_simulated(real)
        fooled = (self.critic_real(fake_real), self.critic_simulated(fake_simulated))
        adversarial = [self.cost.generator(score.float()).mean() for score in fooled]
        cycle = distance(self.to_simulated(fake_real), simulated) + distance(self.to_real(fake_simulated), real)
        terms = {"adversarial": adversarial[0] + adversarial[1], "cycle": self.config.cycle * cycle}
        if self.config.identity:
            kept = distance(self.to_real(real), real) + distance(self.to_simulated(simulated), simulated)
            terms["identity"] = self.config.identity * kept
        return terms

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        if player.name == "critic" and self.config.history:
            self.past_real.add(self.to_real(batch["simulated"][0]), noise["replaced_real"])
            self.past_simulated.add(self.to_simulated(batch["real"][0]), noise["replaced_simulated"])

    @torch.no_grad()
    def translate(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Simulated images as real ones: (N, C, H, W) in [−1, 1] → the same shape and range. Deterministic."""
        return self.to_real(x)


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference per pixel, a scalar."""
    return (a - b).abs().mean()

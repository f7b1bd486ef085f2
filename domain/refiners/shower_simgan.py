"""SimGAN (Shrivastava et al. 2016, arXiv 1612.07828) for showers: fast ones become detailed ones, no label of theirs read.

Showers are matched first, each share by its rank and all together by their covariance (``refiners/base.py``). What is left for
a network is what no covariance holds: it adds a correction to the matched scores, zero at the start, as the image refiner
does to pixels. So whatever it learns, no cell turns negative, a cell may still be empty, and the total stays what it was.

Two critics judge, both told the total: ``cells`` sees the scores and the layers' moments (``nets/deposits.py`` says which),
``layers`` the moments alone, as the first may overlook the few of them among many scores. Half of the refined showers that
they see are past ones (the history). Self-regularisation is the mean absolute correction of a score, whose unit is a
standard deviation, so its weight depends on neither the number of cells nor their energies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from domain.config import Config, Count, Natural, NonNegative
from domain.nets.deposits import layer_moments, log_total
from domain.nets.mlp import mlp
from domain.nets.pool import ImagePool
from domain.objectives.adversarial import COSTS
from domain.refiners.base import DepositConfig, DepositRefiner, critic_alarms, critic_first
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms

STILL = 0.005  # mean correction of a score that raises an alarm
LEAKY = 0.2


@dataclass(frozen=True)
class ShowerSimGANConfig(DepositConfig):
    """Parameters of SimGAN for showers, beside those of the scores.

    Attributes:
        hidden: widths of the refiner's hidden layers.
        critic_hidden: widths of each critic's.
        similarity: weight of the mean absolute correction of a score.
        history: showers kept from earlier refiners; 0 switches the history off.
        critic_first: steps of the critics alone before the first round.
        refiner_steps, critic_steps: steps of each player in a round.
        refiner, critic: the players' optimisers.
    """

    hidden: tuple[Count, ...] = (256, 256)
    critic_hidden: tuple[Count, ...] = (128, 128)
    similarity: NonNegative = 1.0
    history: Natural = 2048
    critic_first: Natural = 100
    refiner_steps: Count = 1
    critic_steps: Count = 1
    refiner: Adam = Adam(rate=2e-4)
    critic: Adam = Adam(rate=5e-4)


class ShowerSimGAN(DepositRefiner):
    """A refiner of scores and its critics at play; translates."""

    Config: ClassVar[type[Config]] = ShowerSimGANConfig
    averaged = ("refiner",)
    config: ShowerSimGANConfig
    centre: Tensor  # (1 + 7 L,) means of what critics see of real showers beside scores
    scale: Tensor  # (1 + 7 L,) their standard deviations

    def __init__(self, config: ShowerSimGANConfig, space: Space) -> None:
        super().__init__(config, space)
        self.cost = COSTS["non_saturating"]
        seen = 1 + 7 * len(self.shapes)  # the total, six moments and the mean score of each layer
        self.register_buffer("centre", torch.zeros(seen))
        self.register_buffer("scale", torch.ones(seen))
        self.refiner = mlp((self.width + 1, *config.hidden, self.width), lambda: nn.LeakyReLU(LEAKY))
        nn.init.zeros_(self.refiner[-1].weight)
        nn.init.zeros_(self.refiner[-1].bias)
        inputs = {"cells": self.width + seen, "layers": seen}
        self.critic = nn.ModuleDict(
            {name: mlp((count, *config.critic_hidden, 1), lambda: nn.LeakyReLU(LEAKY)) for name, count in inputs.items()}
        )
        self.history = ImagePool(config.history, (self.width + 1,))
        self.players = (
            Player("critic", ("critic",), self.critic_terms, config.critic, config.critic_steps),
            Player("refiner", ("refiner",), self.refiner_terms, config.refiner, config.refiner_steps),
        )

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        """Standardise what critics see, and let them learn alone at first."""
        seen = self.looks(*data["real"].tensors)
        self.centre.copy_(seen.mean(0))
        self.scale.copy_(torch.where(seen.std(0) > 0, seen.std(0), 1.0))
        critic_first(self, self.players[0], data, self.config.critic_first, generator)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        """Which way showers are mirrored, and slots of the history."""
        size, place = self.config.batch, generator.device
        slots = torch.rand(2, size // 2, generator=generator, device=place)
        turns = torch.randint(4 if self.config.mirror else 1, (2, size), generator=generator, device=place)
        return {
            "shown": slots[0], "replaced": slots[1], "simulated_turn": turns[0], "real_turn": turns[1],
        }

    def refined(self, scores: Tensor, total: Tensor) -> Tensor:
        """Matched scores (N, width) of showers with these totals (N,), corrected."""
        place = (log_total(total[:, None]) - self.centre[0]) / self.scale[0]
        return scores + self.refiner(torch.cat([scores, place[:, None]], 1)).float()

    def looks(self, scores: Tensor, total: Tensor) -> Tensor:
        """ln(total), the layers' moments and the mean score of each layer's cells, (N, 1 + 7 L)."""
        with torch.autocast(scores.device.type, enabled=False):
            x = self.real.decode(scores, total)
            cells = scores[:, len(self.shapes) - 1 :].split(self.real.sizes, 1)
            means = torch.stack([part.mean(1) for part in cells], 1)
            return torch.cat([log_total(x)[:, None], layer_moments(x, self.shapes), means], 1)

    def judged(self, scores: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        """The critics' scores, (N, 1) each, of showers given by their scores (N, width) and totals (N,)."""
        looks = (self.looks(scores, total) - self.centre) / self.scale
        return self.critic["cells"](torch.cat([scores, looks], 1)).float(), self.critic["layers"](looks).float()

    def drawn(self, batch: Batch, noise: Noise) -> tuple[Tensor, Tensor, Tensor]:
        """Matched and refined scores (N, width) of simulated showers, either mirrored by chance, and totals (N,)."""
        scores, total = batch["simulated"]
        with torch.autocast(scores.device.type, enabled=False):
            matched = self.matched(scores, total)
        matched = matched.gather(1, self.real.mirrors[noise["simulated_turn"]])
        return matched, self.refined(matched, total), total

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        """Cross-entropy of real against refined; the share that they get right is shown, not minimised."""
        real, total = batch["real"]
        real = real.gather(1, self.real.mirrors[noise["real_turn"]])
        _, refined, of = self.drawn(batch, noise)
        past = self.history.mixed(torch.cat([refined, of[:, None]], 1), noise["shown"])
        scores = list(zip(self.judged(real, total), self.judged(past[:, :-1], past[:, -1])))
        right = [((r > 0).float().mean() + (f < 0).float().mean()) / 2 for r, f in scores]
        return {
            "adversarial": torch.stack([self.cost.critic(r, f).mean() for r, f in scores]).sum(),
            "accuracy": torch.stack(right).mean().detach(),
        }

    def refiner_terms(self, batch: Batch, noise: Noise) -> Terms:
        """Look real, stay close; the mean correction of a score is shown, not minimised."""
        matched, refined, total = self.drawn(batch, noise)
        change = (refined - matched).abs().mean()
        return {
            "adversarial": torch.stack([self.cost.generator(score).mean() for score in self.judged(refined, total)]).sum(),
            "similarity": self.config.similarity * change,
            "change": change.detach(),
        }

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        if player.name == "critic" and self.config.history:
            _, refined, total = self.drawn(batch, noise)
            self.history.add(torch.cat([refined, total[:, None]], 1), noise["replaced"])

    def alarms(self, history: Sequence[Mapping[str, float]]) -> list[str]:
        """A critic that won or lost for all of the last quarter, and a refiner that changes nothing."""
        what = "refined showers are the matched ones: a score changed by {:.4f} standard deviations on average"
        return critic_alarms(history, STILL, what)

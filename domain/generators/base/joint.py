"""Games about pairs: a real sample and its code, (x, E(x)), against a latent vector and its sample, (G(z), z)."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from domain.config import NonNegative
from domain.errors import InputError
from domain.generators.base.codes import Encoding
from domain.generators.base.game import Adversarial, AdversarialConfig, beside
from domain.nets import pair
from domain.objectives.adversarial import COSTS
from domain.space import Space
from domain.system import Batch, Noise, Terms


@dataclass(frozen=True)
class JointConfig(AdversarialConfig):
    """Parameters of a game about pairs: those of the game, the encoder's optimiser being the generator's, and

    Attributes:
        unary: weight of the same cost on the scores of a second critic, which sees samples without their codes
            (Donahue & Simonyan 2019, arXiv 1907.02544, equation 3). It says sooner than the pairs do where no real
            sample lies. 0 for none, as first published.
    """

    unary: NonNegative = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unary and COSTS[self.cost].link == "lipschitz":
            name = type(self).__name__
            raise InputError(f"{name}.unary: the second critic may be steep, which {self.cost!r} does not allow; set 0")


class Joint(Encoding, Adversarial):
    """A family says how the encoder learns, and extends the generator's terms."""

    averaged = ("generator", "encoder")
    config: JointConfig

    def __init__(self, config: JointConfig, space: Space, outputs: int) -> None:
        """``outputs``: numbers that the encoder gives for a sample, the code's place first."""
        super().__init__(config, space, labels=config.latent)
        self.judged = (math.prod(space.shape) + config.latent,)
        self.encoder = pair.encoder(space.shape, outputs, config.width, config.hidden)
        critic, generator = self.players
        if config.unary:
            self.marginal = pair.Scorer(space.shape, config.critic_width or config.width, config.hidden)
            critic = dataclasses.replace(critic, roles=("critic", "marginal"))
        self.players = critic, dataclasses.replace(generator, roles=("generator", "encoder"))

    def joined(self, x: Tensor, z: Tensor) -> Tensor:
        """Pairs of samples (N, *shape) and codes (N, latent), (N, *judged)."""
        return torch.cat([x.flatten(1), z], 1)

    def shown(self, x: Tensor, label: Tensor) -> Tensor:
        sample, code = x.split([self.judged[0] - self.config.latent, self.config.latent], 1)
        return beside(sample.unflatten(1, self.space.shape), code)

    def made(self, batch: Batch, noise: Noise) -> Tensor:
        return self.joined(self.generate(noise, batch["real"][1]), noise["z"])

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        terms = super().critic_terms(batch, noise)
        if self.config.unary:
            real, made = batch["real"][0], self.generate(noise, batch["real"][1])
            cost = self.cost.critic(self.marginal(real), self.marginal(made)).mean()
            terms["unary"] = self.config.unary * cost
        return terms

    def answer_terms(self, batch: Batch, noise: Noise) -> Terms:
        terms = super().answer_terms(batch, noise)
        if self.config.unary:
            scores = [self.marginal(self.generate(noise, batch["real"][1]))]
            if self.cost.relative:
                scores.append(self.marginal(batch["real"][0]))
            terms["unary"] = self.config.unary * self.cost.generator(*scores).mean()
        return terms

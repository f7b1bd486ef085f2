"""InfoGAN: a GAN whose samples tell what they were made from (Chen et al. 2016, arXiv 1606.03657).

Beside the latent vector the generator is given a category and continuous codes c. A head Q on the
critic's features reads them back, and both maximise the bound on their mutual information with the
sample, I(c; G(z, c)) ≥ E log Q(c | G(z, c)) + H(c), in nats. As in the authors' code, the critic's
features learn from it too.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from domain.config import Config, Count, Natural, NonNegative
from domain.errors import InputError
from domain.generators.base.game import Adversarial, AdversarialConfig
from domain.nets.mlp import mlp
from domain.nets.pair import SLOPE
from domain.space import Space
from domain.system import Batch, Noise, Terms


@dataclass(frozen=True)
class InfoGANConfig(AdversarialConfig):
    """Parameters of an InfoGAN: those of the game, and

    Attributes:
        categories: of the categorical code, all equally likely.
        continuous: codes uniform in [−1, 1].
        information: weight λ of the bound.
        head: hidden units of Q.
    """

    categories: Count = 10
    continuous: Natural = 2
    information: NonNegative = 1.0
    head: Count = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pack > 1:
            raise InputError("InfoGANConfig.pack: codes are read back from each sample by itself; set it to 1")


class InfoGAN(Adversarial):
    """A GAN with codes; samples, and encodes what it sees as codes."""

    Config: ClassVar[type[Config]] = InfoGANConfig
    config: InfoGANConfig

    def __init__(self, config: InfoGANConfig, space: Space) -> None:
        super().__init__(config, space, given=config.categories + config.continuous)
        outputs = config.categories + 2 * config.continuous
        self.head = mlp((self.critic.width, config.head, outputs), lambda: nn.LeakyReLU(SLOPE))
        critic, generator = self.players
        self.players = dataclasses.replace(critic, roles=("critic", "head")), generator

    def drawn(self, count: int, generator: torch.Generator) -> Noise:
        device, config = generator.device, self.config
        continuous = torch.rand(count, config.continuous, generator=generator, device=device)
        return {
            **super().drawn(count, generator),
            "category": torch.randint(config.categories, (count,), generator=generator, device=device),
            "continuous": 2 * continuous - 1,
        }

    def inputs(self, noise: Noise, label: Tensor) -> Tensor:
        category = noise["category"][:, None] == torch.arange(self.config.categories, device=label.device)
        return torch.cat([noise["z"], category.float(), noise["continuous"]], 1)

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        return {**super().critic_terms(batch, noise), "information": self.information_term(batch, noise)}

    def answer_terms(self, batch: Batch, noise: Noise) -> Terms:
        return {**super().answer_terms(batch, noise), "information": self.information_term(batch, noise)}

    def information_term(self, batch: Batch, noise: Noise) -> Tensor:
        """−λ times the bound."""
        x = self.generate(noise, batch["real"][1])
        return -self.config.information * self.information(x, noise["category"], noise["continuous"]).mean()

    def information(self, x: Tensor, category: Tensor, continuous: Tensor) -> Tensor:
        """log Q(c | x) + H(c) in nats, (N,); category: (N,), continuous: (N, continuous)."""
        logits, mean, deviation = self.codes(x)
        read = logits.log_softmax(1).gather(1, category[:, None])[:, 0] + math.log(self.config.categories)
        return read + (Normal(mean, deviation).log_prob(continuous) + math.log(2)).sum(1)

    def codes(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Q: logits of the category (N, K), mean and deviation of the continuous codes, each (N, continuous)."""
        out = self.head(self.critic.features(x)).float()
        logits, mean, log_deviation = out.split([self.config.categories, *[self.config.continuous] * 2], 1)
        return logits, mean, log_deviation.clamp(-5, 2).exp()

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Probabilities of the categories and means of the continuous codes, (N, K + continuous)."""
        logits, mean, _ = self.codes(x)
        return torch.cat([logits.softmax(1), mean], 1)

    @torch.no_grad()
    def sample(
        self, count: int, generator: torch.Generator, category: Tensor | None = None, continuous: Tensor | None = None
    ) -> Tensor:
        """Images in [−1, 1], or vectors, (count, *shape); codes that are not given are drawn.

        Args:
            count: how many.
            generator: draws them.
            category: (count,) below ``categories``.
            continuous: (count, continuous).
        """
        given = {"category": category, "continuous": continuous}
        noise = {**self.drawn(count, generator), **{name: code for name, code in given.items() if code is not None}}
        return self.generate(noise, torch.full((count,), -1, device=generator.device))

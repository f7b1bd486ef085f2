"""Adversarial autoencoder: codes that a critic cannot tell from the prior (Makhzani et al. 2015, arXiv 1511.05644).

An encoder and a decoder rebuild images, and the encoder deceives a critic that compares the codes of all images,
taken together, with draws from the prior. So no code's own distribution has to be known, only how to draw from the
prior. A code is some normal numbers and, where asked, a category, one-hot in the prior: then images sort
themselves into clusters (their section 6). With labels for some, that is the classifier of the same name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from domain.config import Config, Natural, NonNegative
from domain.generators.base.codes import CodedImages, JudgedCodesConfig, critic_of
from domain.objectives.adversarial import COSTS
from domain.space import Space
from domain.system import Batch, Noise, Player, Terms

COST = COSTS["non_saturating"]


@dataclass(frozen=True)
class AdversarialAutoencoderConfig(JudgedCodesConfig):
    """Parameters of an adversarial autoencoder: those of its networks, and

    Attributes:
        categories: equally likely, beside the normal numbers; 0 for none.
        match: weight of the encoder's deceit against the reconstruction in nats.
    """

    categories: Natural = 0
    match: NonNegative = 10.0


class AdversarialAutoencoder(CodedImages):
    """An encoder, a decoder and critics of codes; samples, encodes, decodes and reconstructs.

    A code is its category's probabilities, if there are categories, and then its normal numbers.
    """

    Config: ClassVar[type[Config]] = AdversarialAutoencoderConfig
    config: AdversarialAutoencoderConfig

    def __init__(self, config: AdversarialAutoencoderConfig, space: Space) -> None:
        self.widths = [width for width in (config.categories, config.latent) if width]
        super().__init__(config, space, outputs=sum(self.widths), codes=sum(self.widths))
        self.critics = nn.ModuleList(critic_of(width, config.critic_hidden) for width in self.widths)
        self.players = (
            Player("critic", ("critics",), self.critic_terms, config.critic),
            Player("model", self.averaged, self.model_terms, config.optimiser),
        )

    def drawn(self, count: int, generator: torch.Generator) -> Tensor:
        """Codes from the prior, (count, categories + latent)."""
        normal, categories = super().drawn(count, generator), self.config.categories
        if not categories:
            return normal
        chosen = torch.randint(categories, (count,), generator=generator, device=generator.device)
        return torch.cat([one_hot(chosen, categories).float(), normal], 1)

    def coded(self, x: Tensor, noise: Noise) -> Tensor:
        logits, normal = self.encoder(x).float().split([self.config.categories, self.config.latent], 1)
        return torch.cat([logits.softmax(1), normal], 1)

    def scores(self, code: Tensor) -> list[Tensor]:
        """Each critic's logits of its part of the codes (N, categories + latent), (N,)."""
        return [critic(part).float().squeeze(1) for critic, part in zip(self.critics, code.split(self.widths, 1))]

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        pairs = zip(self.scores(noise["z"]), self.scores(self.coded(x, noise)))
        return {"match": torch.stack([COST.critic(drawn, coded).mean() for drawn, coded in pairs]).sum()}

    def model_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        code = self.coded(x, noise)
        deceit = torch.stack([COST.generator(score).mean() for score in self.scores(code)]).sum()
        return {
            "reconstruction": -self.log_likelihood(x, code).mean(),
            "match": self.config.match * deceit,
        }

"""Feature matching, the published semi-supervised discriminator (Salimans et al. 2016, arXiv 1606.03498).

The game stands in ``base/matching.py``; here are the terms with which the literature keeps its answers
steady. Defaults are the published recipe for permutation-invariant MNIST; ``network="conv"`` with
``matching="mean_absolute"`` and a rate of 3e-4 is that for CIFAR-10 and SVHN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from domain.classifiers.base.matching import MatchingClassifier, MatchingConfig, MatchingGame, uniform
from domain.config import Config, NonNegative
from domain.nets.history import ParameterHistory
from domain.objectives.entropy import marginal_entropy
from domain.objectives.features import pull_away
from domain.space import Space
from domain.system import Batch, Noise, Player, Terms


@dataclass(frozen=True)
class FeatureMatchingConfig(MatchingConfig):
    """Parameters of the game, and these. A weight of 0 leaves a term out, as published.

    Attributes:
        consistency: weight of the squared distance between the class probabilities of two noisy
            passes over the unlabelled samples (Laine & Aila 2016, arXiv 1610.02242). With ``augment``
            they see different maps.
        balance: weight of the missing entropy of the batch's mean class probabilities: for classes
            that are about equally frequent (Springenberg 2015, arXiv 1511.06390).
        manifold: weight of the squared change of logits along the generator's own manifold, for
            latent steps of length ``manifold_step`` (Lecouat et al. 2018, arXiv 1805.08957).
        pull_away: weight in the generator of the mean squared cosine between generated features,
            which spreads them out (Dai et al. 2017, arXiv 1705.09783).
        historical: weight of the squared distance of the parameters to their own mean over time.
    """

    consistency: NonNegative = 0.0
    balance: NonNegative = 0.0
    manifold: NonNegative = 0.0
    manifold_step: NonNegative = 1e-2
    pull_away: NonNegative = 0.0
    historical: NonNegative = 0.0


class FeatureMatchingGAN(MatchingGame):
    """A discriminator with K+1 classes and a generator that matches its features."""

    Config: ClassVar[type[Config]] = FeatureMatchingConfig

    def __init__(self, config: FeatureMatchingConfig, space: Space) -> None:
        super().__init__(config, space)
        if config.historical:
            self.past = nn.ModuleDict({role: ParameterHistory(getattr(self, role)) for role in self.averaged})

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        config, drawn = self.config, dict(super().noise(player, generator))
        if config.manifold:
            drawn["step"] = uniform(generator, config.batch, config.latent) - 0.5
        if config.consistency:
            drawn["affine again"] = 2 * uniform(generator, self.unlabelled_batch, 6) - 1
        return drawn

    def shown_to(self, player: Player) -> int:
        config, count = self.config, super().shown_to(player)
        if player.name == "generator":
            return count
        return count + config.batch * bool(config.manifold) + self.unlabelled_batch * bool(config.consistency)

    def real_views(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        views = super().real_views(batch, noise)
        if self.config.consistency:
            views["again"] = self.shown(batch["unlabelled"][0], noise["affine again"])
        return views

    def generated_views(self, noise: Noise) -> dict[str, Tensor]:
        views = super().generated_views(noise)
        if self.config.manifold:
            step = self.config.manifold_step * normalize(noise["step"], dim=1)
            views["near"] = self.generate(noise["z"] + step)
        return views

    def further_terms(
        self, batch: Batch, noise: Noise, views: Mapping[str, Tensor], logits: Mapping[str, Tensor]
    ) -> Terms:
        """What keeps the discriminator's answers steady, balanced and near its past."""
        config, unlabelled, terms = self.config, logits["unlabelled"], self.historical("discriminator")
        if config.manifold:
            terms["manifold"] = config.manifold * (logits["generated"] - logits["near"]).square().sum(1).mean()
        if config.consistency:
            distance = (unlabelled.softmax(1) - logits["again"].softmax(1)).square().sum(1)
            terms["consistency"] = config.consistency * distance.mean()
        if config.balance:
            terms["balance"] = config.balance * (math.log(self.space.classes) - marginal_entropy(unlabelled))
        return terms

    def further_generator_terms(self, fake: Tensor) -> Terms:
        terms = self.historical("generator")
        if self.config.pull_away:
            terms["pull_away"] = self.config.pull_away * pull_away(fake)
        return terms

    def historical(self, role: str) -> Terms:
        """The distance to the past, where it is asked for."""
        if not self.config.historical:
            return {}
        return {"historical": self.config.historical * self.past[role].distance(getattr(self, role))}

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        if self.config.historical:
            self.past[player.name].follow(getattr(self, player.name))


@dataclass(eq=False, repr=False)
class FeatureMatchingGANClassifier(MatchingClassifier):
    """Semi-supervised classifier by feature matching; see the module's docstring.

    Args:
        consistency ... historical: as in :class:`FeatureMatchingConfig`; all others as in the base class.

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> y[50:] = -1
    >>> model = FeatureMatchingGANClassifier(epochs=30, random_state=0).fit(X, y)  # doctest: +SKIP
    """

    system: ClassVar[type[MatchingGame]] = FeatureMatchingGAN
    consistency: float = 0.0
    balance: float = 0.0
    manifold: float = 0.0
    manifold_step: float = 1e-2
    pull_away: float = 0.0
    historical: float = 0.0

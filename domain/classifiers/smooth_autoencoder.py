"""An adversarial autoencoder whose answers are smooth: the game of ``base/codes.py``, beyond its published terms.

With few labels its categories may settle on other clusters than the classes. What holds them to the labels, each part
alone or with the others:

- *Warps*: the category should not change under random smooth deformations of the plane in which the features'
  correlations lay them out (``domain/topology.py``).
- *Adversarial perturbations*: nor in the worst direction (Miyato et al. 2017, arXiv 1704.03976).
- *Entropy*: it should be decided (Grandvalet & Bengio 2004), which the critic of categories asks for too, but in its own way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from domain.classifiers.base.codes import CodesClassifier, CodesConfig, CodesGame
from domain.config import Config, NonNegative
from domain.nets.noisy import normal
from domain.objectives.entropy import conditional_entropy
from domain.objectives.smoothness import adversarial_divergence, divergence
from domain.space import Space
from domain.system import Batch, Noise, Player, Stream, Terms
from domain.topology import Topology, Warps


@dataclass(frozen=True)
class SmoothAutoencoderConfig(CodesConfig):
    """Parameters of the game, and these. A weight of 0 leaves a term out.

    Attributes:
        warp: strength of the deformations. Labelled samples are shown warped, and answers should not change when
            unlabelled ones are.
        warp_weight: weight of the divergence of warped answers from the plain ones.
        radius: L2 length of the adversarial perturbations, of samples in [0, 1].
        entropy: weight of the unlabelled samples' conditional entropy.
    """

    warp: NonNegative = 0.0
    warp_weight: NonNegative = 2.0
    radius: NonNegative = 0.0
    entropy: NonNegative = 0.0


class SmoothAutoencoder(CodesGame):
    """The same game, with categories that agree over neighbourhoods."""

    Config: ClassVar[type[Config]] = SmoothAutoencoderConfig
    config: SmoothAutoencoderConfig

    def __init__(self, config: SmoothAutoencoderConfig, space: Space) -> None:
        super().__init__(config, space)
        self.warps: Warps | None = None

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        if self.config.warp:
            self.warps = Warps.bank(Topology.learn(self.unit(x).numpy()), self.config.warp)
        return super().streams(x, label)

    def noise(self, player: Player, generator: Generator) -> Noise:
        config, drawn = self.config, dict(super().noise(player, generator))
        if config.warp:
            drawn |= Warps.drawn(config.labelled_batch, config.batch, generator)
        if config.radius:
            drawn["direction"] = normal(config.batch, math.prod(self.space.shape), generator)
        return drawn

    def shown_to(self, player: Player) -> int:
        return super().shown_to(player) + self.config.batch * bool(self.config.warp and player.name == "model")

    def views(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        views = super().views(batch, noise)
        return self.warps.shown(views, noise) if self.warps else views

    def further_terms(self, noise: Noise, views: Mapping[str, Tensor], logits: Mapping[str, Tensor]) -> Terms:
        """Divergences of the answers to moved samples from those to the samples as they are, and their entropy."""
        config, answers, terms = self.config, logits["unlabelled"], {}
        plain = answers.detach()
        if "warped" in logits:
            terms["warp"] = config.warp_weight * divergence(plain, logits["warped"]).mean()
        if config.radius:
            x, start = views["unlabelled"], noise["direction"].float()
            terms["smoothness"] = adversarial_divergence(lambda moved: self.codes(moved)[0], x, plain, start, config.radius)
        if config.entropy:
            terms["entropy"] = config.entropy * conditional_entropy(answers)
        return terms

    def finish(self, data: Mapping[str, Stream], generator: Generator) -> None:
        super().finish(data, generator)
        self.warps = None  # they are many, and training is over


@dataclass(eq=False, repr=False)
class SmoothAutoencoderClassifier(CodesClassifier):
    """Semi-supervised classifier by an adversarial autoencoder with smooth answers; see the module's docstring.

    Args:
        warp, warp_weight, radius, entropy: as in :class:`SmoothAutoencoderConfig`; all others as in the base class.
    """

    system: ClassVar[type[CodesGame]] = SmoothAutoencoder
    warp: float = 0.0
    warp_weight: float = 2.0
    radius: float = 0.0
    entropy: float = 0.0

"""Feature matching whose answers are smooth: the game of ``base/matching.py``, beyond its published terms.

What else keeps class boundaries out of the data when labels are few, each part alone or with the others:

- *Warps*: answers should not change under random smooth deformations of the plane in which the features'
  correlations lay them out (``domain/topology.py``). Nothing needs to know which feature is next to which, and
  the network ``plane`` convolves there.
- *Adversarial perturbations*: nor in the worst direction (Miyato et al. 2017, arXiv 1704.03976).
- *A teacher*, whose opinion of the unlabelled samples is where answers begin (Hinton et al. 2015, arXiv 1503.02531).
- *Label spreading* beforehand on the graph of all samples (``domain/graph.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from sklearn.base import clone
from torch import Tensor, nn

from domain.classifiers.base.estimator import ClassifyingSystem
from domain.classifiers.base.matching import MatchingClassifier, MatchingConfig, MatchingGame
from domain.config import Config, Natural, NonNegative, Range
from domain.errors import InputError
from domain.graph import spread, surest
from domain.nets.noisy import normal
from domain.nets.plane import PlaneNetwork
from domain.objectives.smoothness import adversarial_divergence, divergence
from domain.space import Space
from domain.system import Batch, Noise, Player, Stream, Terms
from domain.topology import Topology, Warps
from domain.training import Budget

LEAST = 1e-7  # probability under a logarithm


@dataclass(frozen=True)
class SmoothMatchingConfig(MatchingConfig):
    """Parameters of the game, and these. A weight of 0 leaves a term out.

    Attributes:
        network: also ``plane``, a small convolutional network on the plane of features. Its first convolution has
            ``width`` channels, where 32 do, and the second twice as many; ``hidden`` are the widths after them.
        side: of the picture that ``plane`` makes of a vector, in pixels.
        spread: how many samples of each class get a label beforehand by label spreading, the surest first.
        warp: strength of the deformations, for any network but ``conv``. Labelled samples are shown warped, and
            answers should not change when unlabelled ones are.
        warp_weight: weight of the divergence of warped answers from the plain ones.
        radius: L2 length of the adversarial perturbations, in units of the discriminator's input.
        fade: steps in which a teacher's opinion gives way to the own answers, as what answers should agree with;
            0 for no teacher.
    """

    network: Literal["mlp", "conv", "plane"] = "mlp"
    side: Annotated[int, Range(8)] = 24
    spread: Natural = 0
    warp: NonNegative = 0.0
    warp_weight: NonNegative = 2.0
    radius: NonNegative = 0.0
    fade: Natural = 0


class SmoothMatchingGAN(MatchingGame):
    """The same game, with answers that agree over neighbourhoods."""

    Config: ClassVar[type[Config]] = SmoothMatchingConfig

    def __init__(self, config: SmoothMatchingConfig, space: Space) -> None:
        if config.warp and config.network == "conv":
            raise InputError("warp is for networks that see vectors; with network='conv' set augment")
        super().__init__(config, space)
        self.warps: Warps | None = None
        if config.fade:
            self.register_buffer("turns", torch.zeros(()))

    def vector_network(self, inputs: int) -> nn.Module:
        config = self.config
        if config.network != "plane":
            return super().vector_network(inputs)
        channels = (config.width, 2 * config.width)
        return PlaneNetwork(inputs, config.side, channels, config.hidden, self.space.classes, config.kernels)

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        config = self.config
        if config.spread:
            array = label.numpy()
            label = torch.from_numpy(surest(spread(x.numpy(), array), array, config.spread))
        if config.warp or config.network == "plane":
            topology = Topology.learn(self.unit(x).numpy())
            if config.warp:
                self.warps = Warps.bank(topology, config.warp)
            if config.network == "plane":
                self.discriminator.place(topology.picture(config.side))
        return super().streams(x, label)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        config, size, many = self.config, self.config.batch, self.unlabelled_batch
        drawn = dict(super().noise(player, generator))
        if config.radius:
            drawn["direction"] = normal(many, math.prod(self.space.shape), generator)
        if config.warp:
            drawn |= Warps.drawn(size, many, generator)
        return drawn

    def shown_to(self, player: Player) -> int:
        warped = self.unlabelled_batch * bool(self.config.warp and player.name == "discriminator")
        return super().shown_to(player) + warped

    def real_views(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        views = super().real_views(batch, noise)
        return self.warps.shown(views, noise) if self.warps else views

    def further_terms(
        self, batch: Batch, noise: Noise, views: Mapping[str, Tensor], logits: Mapping[str, Tensor]
    ) -> Terms:
        """Divergences from what the unlabelled answers should be."""
        config, answers, (_, *opinion), terms = self.config, logits["unlabelled"], batch["unlabelled"], {}
        taught = self.taught(answers.detach(), *opinion)
        if "warped" in logits:
            terms["warp"] = config.warp_weight * divergence(taught, logits["warped"]).mean()
        if opinion:
            terms["teacher"] = divergence(taught, answers).mean()
        if config.radius:
            terms["smoothness"] = self.smoothness(views["unlabelled"], answers.detach(), noise["direction"])
        return terms

    def taught(self, answers: Tensor, opinion: Tensor | None = None) -> Tensor:
        """What answers should be: logits (N, K), at first those of the teacher's opinion, probabilities (N, K)."""
        if opinion is None:
            return answers
        trust = (1 - self.turns / self.config.fade).clamp(min=0)
        return torch.lerp(answers.softmax(1), opinion, trust).clamp(min=LEAST).log()

    def smoothness(self, x: Tensor, answers: Tensor, start: Tensor) -> Tensor:
        """Mean divergence from ``answers``, logits (N, K), under virtual adversarial perturbations of x."""

        def logits(moved: Tensor) -> Tensor:
            return self.discriminator(moved.view_as(x))[0]

        return adversarial_divergence(logits, x.flatten(1), answers, start.float(), self.config.radius)

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        if self.config.fade and player.name == "discriminator":
            self.turns += 1

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        super().finish(data, generator)
        self.warps = None  # they are many, and training is over


@dataclass(eq=False, repr=False)
class SmoothMatchingGANClassifier(MatchingClassifier):
    """Semi-supervised classifier by feature matching with smooth answers; see the module's docstring.

    Args:
        side ... radius: as in :class:`SmoothMatchingConfig`; all others as in the base class.
        teacher: any classifier, which is fitted first. Its opinion of every sample is what the answers begin
            with, and counts for nothing after ``fade`` steps. Where a powerful network may cut a class wrong
            early, one that errs otherwise can lead it. It shares the seed, the device and the place of the checkpoint.
        fade: steps until then.
    """

    system: ClassVar[type[MatchingGame]] = SmoothMatchingGAN
    side: int = 24
    spread: int = 0
    warp: float = 0.0
    warp_weight: float = 2.0
    radius: float = 0.0
    teacher: Any = None
    fade: int = 2000

    def options(self) -> dict[str, Any]:
        return super().options() | {"fade": self.fade if self.teacher else 0}

    def prepare(self, X: Any, y: Any) -> tuple[ClassifyingSystem, Mapping[str, Stream], Budget, int]:
        system, streams, budget, seed = super().prepare(X, y)
        if self.teacher is None:
            return system, streams, budget, seed
        teacher, known = clone(self.teacher), self.get_params()
        if self.checkpoint:
            known["checkpoint"] = Path(f"{self.checkpoint}.teacher")
        shared = {"random_state", "device", "verbose", "checkpoint", "save_seconds"} & set(teacher.get_params())
        teacher.set_params(**{name: known[name] for name in shared})
        opinion = torch.from_numpy(teacher.fit(X, y).predict_proba(X)).float()
        x, *_ = streams["unlabelled"].tensors
        return system, {**streams, "unlabelled": Stream((x, opinion), streams["unlabelled"].batch)}, budget, seed

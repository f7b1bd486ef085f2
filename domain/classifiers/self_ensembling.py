"""Self-ensembling for another domain (French, Mackiewicz & Fisher 2018, arXiv 1706.05208).

A *student* learns from labelled samples, such as simulated ones. Its *teacher*, the running mean of the student's
weights (Tarvainen & Valpola 2017, arXiv 1703.01780), answers for unlabelled samples of the domain that matters, and the
student should answer alike where the teacher is sure, on another view of the same sample. The two domains are
normalised each by its own batches. What classifies is the mean too, with the statistics of the unlabelled.

Beyond the paper: the student agrees by cross-entropy with the teacher's class rather than by squared distance of
probabilities, which learns in fewer steps (as in FixMatch, Sohn et al. 2020, arXiv 2001.07685), and its views
are moved further than the teacher's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from domain.classifiers.base.estimator import ClassifyingSystem, NetworkClassifier
from domain.config import Config, Count, Fraction, Natural, NonNegative
from domain.errors import InputError
from domain.nets.augment import affine
from domain.nets.backbone import backbone
from domain.nets.batch_norm import calibrate, random_batches
from domain.nets.history import ParameterHistory
from domain.objectives.entropy import marginal_entropy
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms


@dataclass(frozen=True)
class SelfEnsemblingConfig(Config):
    """Parameters of the student, its teacher and their views.

    Attributes:
        network: ``mlp`` for vectors, ``conv`` for images.
        hidden: widths of the hidden layers of an ``mlp``.
        width: channels of a ``conv`` network's first layer.
        augment: strength of the random affine maps of every image, see ``nets/augment.py``; 0 for none.
        student_augment: the same for the unlabelled images that the student sees.
        noise: deviation of the Gaussian noise on what the student sees, in [−1, 1].
        memory: decay per step of the teacher's mean; the estimator takes that of its averaged weights, ``average``.
        confidence: least probability of an answer of the teacher's that counts.
        agreement: weight of the unlabelled samples' term.
        balance: weight of the missing entropy of the batch's mean class probabilities, for classes that are about
            equally frequent in the unlabelled samples.
        batch: labelled samples in each step.
        unlabelled_batch: unlabelled samples in each step; 0 for as many as ``batch``.
    """

    network: Literal["mlp", "conv"] = "mlp"
    hidden: tuple[Count, ...] = (256, 256)
    width: Count = 32
    augment: NonNegative = 0.0
    student_augment: NonNegative = 0.0
    noise: NonNegative = 0.1
    memory: Fraction = 0.99
    confidence: Fraction = 0.95
    agreement: NonNegative = 1.0
    balance: NonNegative = 0.0
    batch: Count = 100
    unlabelled_batch: Natural = 0
    optimiser: Adam = Adam(rate=1e-3, beta1=0.9)


class SelfEnsembling(ClassifyingSystem):
    """A student, and the mean of all it has been."""

    Config: ClassVar[type[Config]] = SelfEnsemblingConfig
    averaged = ("student",)

    def __init__(self, config: SelfEnsemblingConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        if space.kind != "image" and (config.network == "conv" or config.augment or config.student_augment):
            raise InputError("network='conv' and augment need images; pass X as (N, H, W) or (N, C, H, W)")
        self.unlabelled_batch = config.unlabelled_batch or config.batch
        self.student = nn.Sequential(
            *backbone(config.network, space.shape, config.hidden, config.width, space.classes)
        )
        self.mean = ParameterHistory(self.student, config.memory)
        self.players = (Player("student", ("student",), self.terms, config.optimiser),)

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        """Unlabelled are those without a label, or all where none is without."""
        known = label >= 0
        unlabelled = x if known.all() else x[~known]
        return {
            "labelled": Stream((x[known], label[known]), self.config.batch),
            "unlabelled": Stream((unlabelled,), self.unlabelled_batch),
        }

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        rows = self.config.batch + 2 * self.unlabelled_batch
        seen = rows - self.unlabelled_batch
        return {
            "affine": 2 * torch.rand(rows, 6, generator=generator, device=generator.device) - 1,
            "pixels": torch.randn(seen, *self.space.shape, generator=generator, device=generator.device),
        }

    def terms(self, batch: Batch, noise: Noise) -> Terms:
        """Cross-entropy of labels, and of the teacher's sure answers; the share of these is shown, not minimised."""
        (labelled, label), (unlabelled,), config = batch["labelled"], batch["unlabelled"], self.config
        sizes = [len(labelled), len(unlabelled), len(unlabelled)]
        views, pixels = noise["affine"].split(sizes), noise["pixels"].split(sizes[:2])
        with torch.no_grad():
            opinion = self.teacher(moved(unlabelled, views[2], config.augment)).softmax(1)
        probability, answer = opinion.max(1)
        sure = (probability >= config.confidence).float()
        known = self.student(moved(labelled, views[0], config.augment) + config.noise * pixels[0]).float()
        own = self.student(moved(unlabelled, views[1], config.student_augment) + config.noise * pixels[1]).float()
        terms = {
            "classes": cross_entropy(known, label),
            "agreement": config.agreement * (sure * cross_entropy(own, answer, reduction="none")).mean(),
            "sure": sure.mean().detach(),
        }
        if config.balance:
            terms["balance"] = -config.balance * marginal_entropy(own)
        return terms

    def teacher(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → the answers of the student's mean, logits (N, K)."""
        return functional_call(self.student, self.mean.values(self.student), (x,)).float()

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        self.mean.follow(self.student)

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        x = data["unlabelled"].tensors[0]
        calibrate(self.student, lambda: [self.student(some) for some in random_batches(x, 500, generator)])

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → class probabilities (N, K)."""
        return self.student(x).float().softmax(1)


def moved(x: Tensor, draw: Tensor, strength: float) -> Tensor:
    """Samples (N, *shape) through random affine maps, where they are asked for; draw: (N, 6)."""
    return affine(x, draw, strength) if strength else x


@dataclass(eq=False, repr=False)
class SelfEnsemblingClassifier(NetworkClassifier):
    """Classifier of unlabelled samples by labelled ones of another domain; see the module's docstring.

    Args:
        average: decay per step of the teacher, which is what classifies in the end.
        network ... unlabelled_batch: as in :class:`SelfEnsemblingConfig`.
        rate: learning rate.
    """

    average: float = 0.99
    network: str = "mlp"
    hidden: tuple[int, ...] = (256, 256)
    width: int = 32
    augment: float = 0.0
    student_augment: float = 0.0
    noise: float = 0.1
    confidence: float = 0.95
    agreement: float = 1.0
    balance: float = 0.0
    unlabelled_batch: int = 0
    rate: float = 1e-3

    def make(self, space: Space) -> SelfEnsembling:
        config = SelfEnsemblingConfig(
            self.network, self.hidden, self.width, self.augment, self.student_augment, self.noise, self.average,
            self.confidence, self.agreement, self.balance, self.batch, self.unlabelled_batch, Adam(self.rate, 0.9),
        )
        return SelfEnsembling(config, space)

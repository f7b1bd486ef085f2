"""Supervised networks: the floor (few labels only), the ceiling (all labels), and what learns from
simulated images, with augmentation where asked.

:class:`SelfTrainingClassifier` adds real images without labels: a network's surest answers become
labels for the next one. scikit-learn's own self-training takes flat vectors only, keeps a wrong label for
good and lets easy classes crowd out hard ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from domain.classifiers.base.estimator import ClassifyingSystem, NetworkClassifier
from domain.config import Config, Count, Fraction, NonNegative
from domain.errors import InputError
from domain.nets.augment import affine
from domain.nets.backbone import backbone
from domain.nets.batch_norm import calibrate, random_batches
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms
from domain.training import Budget


@dataclass(frozen=True)
class SupervisedConfig(Config):
    """Parameters of a supervised network.

    Attributes:
        network: ``mlp`` for vectors, ``conv`` for images.
        hidden: widths of the hidden layers of an ``mlp``.
        width: channels of a ``conv`` network's first layer.
        augment: strength of random affine maps of images, see ``nets/augment.py``; 0 for none.
        dropout: share of the last hidden layer's units that are left out in training.
        batch: samples in each step.
    """

    network: Literal["mlp", "conv"] = "mlp"
    hidden: tuple[Count, ...] = (256, 256)
    width: Count = 32
    augment: NonNegative = 0.0
    dropout: Fraction = 0.0
    batch: Count = 100
    optimiser: Adam = Adam(rate=1e-3, beta1=0.9)


class Supervised(ClassifyingSystem):
    """A network that minimises cross-entropy on labelled samples."""

    Config: ClassVar[type[Config]] = SupervisedConfig
    averaged = ("trunk", "head")

    def __init__(self, config: SupervisedConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        if space.kind == "table" and (config.network == "conv" or config.augment):
            raise InputError("network='conv' and augment need images; pass X as (N, H, W) or (N, C, H, W)")
        self.trunk, self.head = backbone(config.network, space.shape, config.hidden, config.width, space.classes)
        self.players = (Player("network", ("trunk", "head"), self.terms, config.optimiser),)

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        known = label >= 0
        return {"labelled": Stream((x[known], label[known]), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        def uniform(columns: int) -> Tensor:
            return torch.rand(self.config.batch, columns, generator=generator, device=generator.device)

        return {"affine": 2 * uniform(6) - 1, "dropped": uniform(self.head.in_features)}

    def terms(self, batch: Batch, noise: Noise) -> Terms:
        x, label = batch["labelled"]
        if self.config.augment:
            x = affine(x, noise["affine"], self.config.augment)
        kept = (noise["dropped"] >= self.config.dropout) / max(1 - self.config.dropout, 1e-6)
        return {"classes": cross_entropy(self.head(self.trunk(x) * kept).float(), label)}

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        x = data["labelled"].tensors[0]
        calibrate(self.trunk, lambda: [self.trunk(some) for some in random_batches(x, 500, generator, 5)])

    def features(self, x: Tensor) -> Tensor:
        """The last hidden layer; x: (N, *shape) in [−1, 1] → (N, F)."""
        return self.trunk(x)

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → class probabilities (N, K)."""
        return self.head(self.features(x)).float().softmax(1)


@dataclass(eq=False, repr=False)
class SupervisedClassifier(NetworkClassifier):
    """A network trained on the labelled samples alone.

    Args:
        network, hidden, width, augment, dropout: as in :class:`SupervisedConfig`.
        rate: learning rate.
    """

    average: float = 0.999
    network: str = "mlp"
    hidden: tuple[int, ...] = (256, 256)
    width: int = 32
    augment: float = 0.0
    dropout: float = 0.0
    rate: float = 1e-3

    def make(self, space: Space) -> Supervised:
        config = SupervisedConfig(
            self.network, self.hidden, self.width, self.augment, self.dropout, self.batch, Adam(self.rate, 0.9)
        )
        return Supervised(config, space)


def pseudo_labels(probabilities: np.ndarray, share: float, confidence: float) -> np.ndarray:
    """The class of each class's surest answers, −1 elsewhere, (N,).

    Every class keeps the same share of its own answers, so that easy ones do not crowd out the others
    (class-balanced self-training, Zou et al. 2018, arXiv 1810.07911).

    Args:
        probabilities: (N, K).
        share: of the answers of a class that count, in [0, 1], rounded up.
        confidence: least probability of an answer that counts.
    """
    answer, sure = probabilities.argmax(1), probabilities.max(1)
    label = np.full(len(answer), -1)
    for k in range(probabilities.shape[1]):
        rows = np.flatnonzero(answer == k)
        surest = rows[np.argsort(-sure[rows], kind="stable")][: math.ceil(share * len(rows))]
        label[surest[sure[surest] >= confidence]] = k
    return label


@dataclass(eq=False, repr=False)
class SelfTrainingClassifier(SupervisedClassifier):
    """Networks that label the unlabelled samples for each other, from the simulated to the real.

    The first is trained on the labelled samples alone. Each later one starts anew, on them and on the
    surest answers of the one before; every answer is given again each time.

    Args:
        shares: of each class's answers that become labels, for each network after the first.
        confidence: least probability of an answer that becomes a label.
    """

    shares: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)
    confidence: float = 0.0

    def prepare(self, X: Any, y: Any) -> tuple[ClassifyingSystem, Mapping[str, Stream], Budget, int]:
        """Fit all networks but the last, and prepare that one."""
        prepared, given = super().prepare(X, y), np.asarray(y)
        unlabelled = given == -1 if given.dtype.kind in "iuf" else np.zeros(len(given), bool)
        if not unlabelled.any():
            return prepared
        label, classes, known = given, self.classes_, self.get_params()
        options = {name: known[name] for name in SupervisedClassifier().get_params()}
        for k, share in enumerate(self.shares):
            teacher = SupervisedClassifier(**options)
            if self.checkpoint:
                teacher.checkpoint = Path(f"{self.checkpoint}.{k}")
            answers = pseudo_labels(teacher.fit(X, label).predict_proba(X), share, self.confidence)
            label = given.copy()
            rows = np.flatnonzero(unlabelled & (answers >= 0))
            label[rows] = classes[answers[rows]]
        return super().prepare(X, label)

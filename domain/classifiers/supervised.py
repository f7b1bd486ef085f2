"""Supervised networks: the floor (few labels only), the ceiling (all labels), and what learns from
simulated images, with augmentation where asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from domain.classifiers.base import ClassifyingSystem, NetworkClassifier
from domain.config import Config, Count, Fraction, NonNegative
from domain.errors import InputError
from domain.nets.augment import affine
from domain.nets.batch_norm import calibrate
from domain.nets.dcgan import Critic
from domain.nets.mlp import mlp
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms


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
        if config.network == "conv":
            critic = Critic(space.shape, config.width, space.classes)
            self.trunk, self.head = critic.trunk, critic.head
        else:
            inputs = math.prod(space.shape)
            self.trunk = nn.Sequential(nn.Flatten(), mlp((inputs, *config.hidden)), nn.ReLU())
            self.head = nn.Linear(config.hidden[-1], space.classes)
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
        images = data["labelled"].tensors[0]

        def passes() -> None:
            for _ in range(5):
                rows = torch.randint(len(images), (500,), generator=generator, device=generator.device)
                self.features(images[rows])

        calibrate(self.trunk, passes)

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

"""A network that tells a sample's conditions: mean squared error on standardised targets, with changed looks where asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data
from torch import Tensor
from torch.nn.functional import mse_loss

from domain.config import Config, Count, NonNegative
from domain.errors import InputError
from domain.nets.appearance import appearance, looks
from domain.nets.backbone import backbone
from domain.nets.batch_norm import calibrate, random_batches
from domain.network_estimator import NetworkEstimator, image_shape, vectors
from domain.space import Space, standard
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms
from domain.training import Budget


@dataclass(frozen=True)
class SupervisedRegressionConfig(Config):
    """Parameters of a supervised network.

    Attributes:
        network: ``mlp`` for vectors, ``conv`` for images.
        hidden: widths of the hidden layers of an ``mlp``.
        width: channels of a ``conv`` network's first layer.
        appearance: strength of random changes of an image's look, see ``nets/appearance.py``; 0 for none.
        batch: samples in each step.
    """

    network: Literal["mlp", "conv"] = "mlp"
    hidden: tuple[Count, ...] = (256, 256)
    width: Count = 32
    appearance: NonNegative = 0.0
    batch: Count = 100
    optimiser: Adam = Adam(rate=1e-3, beta1=0.9)


class SupervisedRegression(System):
    """A network from samples to the conditions that its space names."""

    Config: ClassVar[type[Config]] = SupervisedRegressionConfig
    averaged = ("trunk", "head")

    def __init__(self, config: SupervisedRegressionConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        if len(space.shape) != 3 and (config.network == "conv" or config.appearance):
            raise InputError("network='conv' and appearance need images; pass X as (N, H, W) or (N, C, H, W)")
        targets = len(space.condition)
        self.trunk, self.head = backbone(config.network, space.shape, config.hidden, config.width, targets)
        self.register_buffer("mean", torch.zeros(targets))
        self.register_buffer("scale", torch.ones(targets))
        self.players = (Player("network", ("trunk", "head"), self.terms, config.optimiser),)

    def streams(self, x: Tensor, condition: Tensor) -> Mapping[str, Stream]:
        """x: samples (N, *shape) in [−1, 1]; condition: targets (N, T) in their own units."""
        return {"known": Stream((x, condition), self.config.batch)}

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        """Standardise the targets."""
        mean, scale = standard(data["known"].tensors[1])
        self.mean.copy_(mean)
        self.scale.copy_(scale)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return looks(self.config.batch, self.space.shape, generator) if self.config.appearance else {}

    def terms(self, batch: Batch, noise: Noise) -> Terms:
        x, condition = batch["known"]
        if self.config.appearance:
            x = appearance(x, noise["look"], noise["grain"], self.config.appearance)
        return {"squares": mse_loss(self.head(self.trunk(x)).float(), (condition - self.mean) / self.scale)}

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        x = data["known"].tensors[0]
        calibrate(self.trunk, lambda: [self.trunk(some) for some in random_batches(x, 500, generator, 5)])

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → conditions (N, T) in their own units."""
        return self.head(self.trunk(x)) * self.scale + self.mean


@dataclass(eq=False, repr=False)
class SupervisedRegressor(RegressorMixin, NetworkEstimator):
    """A network as scikit-learn's estimator, for one target or several.

    Args:
        network, hidden, width, appearance: as in :class:`SupervisedRegressionConfig`.
        rate: learning rate.
    """

    hold: float = 0.5
    average: float = 0.999
    network: str = "mlp"
    hidden: tuple[int, ...] = (256, 256)
    width: int = 32
    appearance: float = 0.0
    rate: float = 1e-3

    def make(self, space: Space) -> SupervisedRegression:
        config = SupervisedRegressionConfig(
            self.network, self.hidden, self.width, self.appearance, self.batch, Adam(self.rate, 0.9)
        )
        return SupervisedRegression(config, space)

    def prepare(self, X: Any, y: Any) -> tuple[SupervisedRegression, Mapping[str, Stream], Budget, int]:
        """Check and encode the samples; y: (N,) or (N, T). Return what :func:`domain.training.fit` takes."""
        image = image_shape(X)
        X, y = validate_data(self, vectors(X), y, dtype=np.float32, multi_output=True, y_numeric=True)
        self._one_target, y = y.ndim == 1, np.asarray(y, np.float32).reshape(len(y), -1)
        names = tuple(f"target_{k}" for k in range(y.shape[1]))
        system, budget, seed = self.begin(X, image, condition=names, units=("",) * len(names))
        return system, system.streams(self.encoded(X), torch.from_numpy(y)), budget, seed

    def predict(self, X: Any) -> np.ndarray:
        """The targets in their own units, (N,) or (N, T) as ``y`` was, float64."""
        values = self.answer("predict", X)
        return values[:, 0] if self._one_target else values

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

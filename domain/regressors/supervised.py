"""A network that tells a sample's conditions: mean squared error on standardised targets, with changed looks where asked."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from domain.config import Config, Count, NonNegative
from domain.errors import InputError
from domain.nets.appearance import appearance
from domain.nets.batch_norm import calibrate
from domain.nets.dcgan import Critic
from domain.nets.mlp import mlp
from domain.randomness import scoped_seed
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms
from domain.training import Budget, fit

_ONE_AT_A_TIME = threading.Lock()  # all threads share the generator that start values come from


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
        if config.network == "conv":
            critic = Critic(space.shape, config.width, targets)
            self.trunk, self.head = critic.trunk, critic.head
        else:
            self.trunk = nn.Sequential(nn.Flatten(), mlp((math.prod(space.shape), *config.hidden)), nn.ReLU())
            self.head = nn.Linear(config.hidden[-1], targets)
        self.register_buffer("mean", torch.zeros(targets))
        self.register_buffer("scale", torch.ones(targets))
        self.players = (Player("network", ("trunk", "head"), self.terms, config.optimiser),)

    def streams(self, x: Tensor, condition: Tensor) -> Mapping[str, Stream]:
        """x: samples (N, *shape) in [−1, 1]; condition: targets (N, T) in their own units."""
        return {"known": Stream((x, condition), self.config.batch)}

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        """Standardise the targets; one that never changes keeps its unit."""
        condition = data["known"].tensors[1].double()
        scale = condition.std(0, correction=0)
        self.mean.copy_(condition.mean(0))
        self.scale.copy_(torch.where(scale > 0, scale, 1.0))

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        if not self.config.appearance:
            return {}
        count, device = self.config.batch, generator.device
        return {
            "look": 2 * torch.rand(count, 4, generator=generator, device=device) - 1,
            "grain": torch.randn(count, *self.space.shape, generator=generator, device=device),
        }

    def terms(self, batch: Batch, noise: Noise) -> Terms:
        x, condition = batch["known"]
        if self.config.appearance:
            x = appearance(x, noise["look"], noise["grain"], self.config.appearance)
        return {"squares": mse_loss(self.head(self.trunk(x)).float(), (condition - self.mean) / self.scale)}

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        x = data["known"].tensors[0]

        def passes() -> None:
            for _ in range(5):
                self.trunk(x[torch.randint(len(x), (500,), generator=generator, device=generator.device)])

        calibrate(self.trunk, passes)

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → conditions (N, T) in their own units."""
        return self.head(self.trunk(x)) * self.scale + self.mean


@dataclass(eq=False, repr=False)
class SupervisedRegressor(RegressorMixin, BaseEstimator):
    """A network as scikit-learn's estimator, for one target or several.

    Args:
        network, hidden, width, appearance: as in :class:`SupervisedRegressionConfig`.
        rate: learning rate.
        epochs: passes over the training samples.
        batch: samples in a step.
        hold: share of the training at the full learning rate; it then falls linearly to zero.
        average: decay per step of the averaged weights, bias-corrected; 0 keeps the last weights.
        precision: ``auto``, ``float32`` or ``bfloat16`` for matrix products.
        device: ``cpu`` or ``cuda``.
        random_state: seed of start values, order and noise.
        checkpoint: file to resume from after an interruption.
        save_seconds: time between two checkpoints.
        verbose: show a progress bar.

    Attributes:
        system_: the trained system.
        history_: the training curves, one dictionary a row.
        low_, high_: what the system sees as −1 and 1: of each feature for vectors, of all pixels for images.
        n_features_in_: numbers in one sample.
    """

    network: str = "mlp"
    hidden: tuple[int, ...] = (256, 256)
    width: int = 32
    appearance: float = 0.0
    rate: float = 1e-3
    epochs: int = 300
    batch: int = 100
    hold: float = 0.5
    average: float = 0.999
    precision: str = "auto"
    device: str = "cpu"
    random_state: Any = None
    checkpoint: str | Path | None = None
    save_seconds: float = 20.0
    verbose: bool = False

    def fit(self, X: Any, y: Any) -> Self:
        """Train on X, vectors (N, F) or images (N, H, W) or (N, C, H, W), and y, (N,) or (N, T)."""
        image = tuple(X.shape[1:]) if getattr(X, "ndim", 2) > 2 else None
        X, y = validate_data(self, _vectors(X), y, dtype=np.float32, multi_output=True, y_numeric=True)
        axis = 0 if image is None else None
        self.low_, self.high_ = np.atleast_1d(X.min(axis)), np.atleast_1d(X.max(axis))
        self.high_ = np.where(self.high_ > self.low_, self.high_, self.low_ + 1)
        self._one_target = y.ndim == 1
        y = np.asarray(y, np.float32).reshape(len(y), -1)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        config = SupervisedRegressionConfig(
            self.network, self.hidden, self.width, self.appearance, self.batch, Adam(self.rate, 0.9)
        )
        with _ONE_AT_A_TIME, scoped_seed(seed, "start values"):
            system = SupervisedRegression(config, self._space(image, y.shape[1]))
        per_epoch = math.ceil(len(X) / self.batch)
        budget = Budget(self.epochs * per_epoch, self.average, self.hold, per_epoch, self.precision)
        self.history_ = fit(
            system, system.streams(self._encoded(X, system.space), torch.from_numpy(y)), budget, seed, device=self.device,
            checkpoint=Path(self.checkpoint) if self.checkpoint else None, save_seconds=self.save_seconds,
            progress=type(self).__name__ if self.verbose else None,
        )  # fmt: skip
        self.system_ = system.to("cpu").eval().requires_grad_(False)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The targets in their own units, (N,) or (N, T) as ``y`` was, float64."""
        check_is_fitted(self)
        X = validate_data(self, _vectors(X), dtype=np.float32, reset=False)
        exact = copy.deepcopy(self.system_).double()  # a sample's answer must not depend on its batch
        parts = [exact.predict(part.double()) for part in self._encoded(X, exact.space).split(4096)]
        values = torch.cat(parts).numpy()
        return values[:, 0] if self._one_target else values

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _space(self, image: tuple[int, ...] | None, targets: int) -> Space:
        """Flat vectors, scaled to [−1, 1], or images in their own range; a grey image gains a channel."""
        condition, units = tuple(f"target_{k}" for k in range(targets)), ("",) * targets
        if image is None:
            return Space("table", self.low_.shape, (-1.0, 1.0), condition=condition, units=units)
        shape = (1, *image) if len(image) == 2 else image
        return Space("image", shape, (float(self.low_[0]), float(self.high_[0])), condition=condition, units=units)

    def _encoded(self, X: np.ndarray, space: Space) -> Tensor:
        """Rows (N, F) in their own units → what the system sees, (N, *shape) in [−1, 1]."""
        scaled = 2 * (X - self.low_) / (self.high_ - self.low_) - 1
        return torch.from_numpy(scaled.astype(np.float32)).unflatten(1, space.shape)


def _vectors(X: Any) -> Any:
    """Images become vectors; everything else is left for scikit-learn's own checks."""
    return np.reshape(X, (len(X), -1)) if getattr(X, "ndim", 2) > 2 else X

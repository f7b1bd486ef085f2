"""scikit-learn's estimator contract around a :class:`~domain.system.System`.

A subclass is a dataclass: its fields are the parameters, its ``make`` builds the system, its
``prepare`` turns samples and targets into what the common training loop takes.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from domain.randomness import scoped_seed
from domain.space import Space
from domain.system import Stream, System
from domain.training import Budget, History, fit

_ONE_AT_A_TIME = threading.Lock()  # all threads share the generator that start values come from


@dataclass(eq=False, repr=False)
class NetworkEstimator(BaseEstimator):
    """Base of the estimators.

    Args:
        epochs: passes over the training samples.
        batch: samples of each kind in a step.
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
        space_: shape and value range of a sample.
        shape_: shape of one sample as it was passed to ``fit``.
        low_, high_: what the system sees as −1 and 1: of each feature for vectors, of all pixels
            for images.
        history_: the training curves, one dictionary a row.
        n_features_in_: numbers in one sample.
    """

    epochs: int = 300
    batch: int = 100
    hold: float = 1.0
    average: float = 0.9999
    precision: str = "auto"
    device: str = "cpu"
    random_state: Any = None
    checkpoint: str | Path | None = None
    save_seconds: float = 20.0
    verbose: bool = False

    def make(self, space: Space) -> System:
        """An untrained system for samples of this space."""
        raise NotImplementedError

    def prepare(self, X: Any, y: Any) -> tuple[System, Mapping[str, Stream], Budget, int]:
        """Check and encode the samples; return what :func:`domain.training.fit` takes."""
        raise NotImplementedError

    def fit(self, X: Any, y: Any) -> Self:
        """Train on X, vectors (N, F) or images (N, H, W) or (N, C, H, W), and their targets y."""
        system, streams, budget, seed = self.prepare(X, y)
        history = fit(
            system, streams, budget, seed, device=self.device,
            checkpoint=Path(self.checkpoint) if self.checkpoint else None, save_seconds=self.save_seconds,
            progress=type(self).__name__ if self.verbose else None,
        )
        return self.adopt(system, history)

    def begin(self, X: np.ndarray, image: tuple[int, ...] | None, **about: Any) -> tuple[System, Budget, int]:
        """The untrained system, its budget and its seed, for samples X, (N, F), of which each was an image or none.

        ``about`` is what else their :class:`Space` says: classes or conditions. The scale is set here.
        """
        self.low_, self.high_ = _range(X, each_feature=image is None)
        self.space_, self.shape_ = self._space(image, about), image or X.shape[1:]
        seed = seed_of(self.random_state)
        with _ONE_AT_A_TIME, scoped_seed(seed, "start values"):
            system = self.make(self.space_)
        per_epoch = math.ceil(len(X) / self.batch)
        budget = Budget(
            steps=self.epochs * per_epoch, hold=self.hold, average=self.average, precision=self.precision,
            log_every=max(1, per_epoch),
        )
        return system, budget, seed

    def adopt(self, system: System, history: History) -> Self:
        """Become the estimator of a trained system."""
        self.system_, self.history_ = system.to("cpu").requires_grad_(False), history
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Arrays and plain values instead of a torch module, for pickle, joblib and skops."""
        state = dict(super().__getstate__())
        if "system_" in state:
            state["system_"] = {
                "family": type(self.system_),
                "config": self.system_.config.as_dict(),
                "weights": {name: value.numpy() for name, value in self.system_.state_dict().items()},
            }
            state["space_"] = self.space_.as_dict()
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        state = dict(state)
        if "system_" in state:
            saved, space = state["system_"], Space.parse(state["space_"], "space_")
            family = saved["family"]
            with _ONE_AT_A_TIME, scoped_seed(0, "overwritten below"):
                system = family(family.Config.parse(saved["config"], "config"), space)
            system.load_state_dict({name: torch.tensor(value) for name, value in saved["weights"].items()})
            state |= {"space_": space, "system_": system.eval().requires_grad_(False)}
        super().__setstate__(state)

    def answer(self, method: str, X: Any) -> np.ndarray:
        """What a method of the system says of each sample, (N, ...), in float64."""
        check_is_fitted(self)
        X = validate_data(self, vectors(X), dtype=np.float32, reset=False)
        exact = copy.deepcopy(self.system_).double()  # a sample's answer must not depend on its batch
        with torch.no_grad():
            parts = [getattr(exact, method)(part.double()) for part in self.encoded(X).split(4096)]
        return torch.cat(parts).double().numpy()

    def encoded(self, X: np.ndarray) -> Tensor:
        """Rows (N, F) in their own units → what the system sees, (N, *shape) in [−1, 1]."""
        scaled = 2 * (X - self.low_) / (self.high_ - self.low_) - 1
        return torch.from_numpy(scaled.astype(np.float32)).unflatten(1, self.space_.shape)

    def _space(self, image: tuple[int, ...] | None, about: Mapping[str, Any]) -> Space:
        """Flat vectors, scaled to [−1, 1], or images in their own range; a grey image gains a channel."""
        if image is None:
            return Space("table", (len(self.low_),), (-1.0, 1.0), **about)
        shape = (1, *image) if len(image) == 2 else image
        return Space("image", shape, (float(self.low_[0]), float(self.high_[0])), **about)


def image_shape(X: Any) -> tuple[int, ...] | None:
    """The shape of one image, or None of vectors."""
    return tuple(X.shape[1:]) if getattr(X, "ndim", 2) > 2 else None


def vectors(X: Any) -> Any:
    """Images become vectors; everything else is left for scikit-learn's own checks."""
    return np.reshape(X, (len(X), -1)) if getattr(X, "ndim", 2) > 2 else X


def seed_of(random_state: Any) -> int:
    """A seed from what scikit-learn takes as a random state."""
    return int(check_random_state(random_state).randint(2**31 - 1))


def _range(X: np.ndarray, each_feature: bool) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each feature, (F,), or of all pixels alike, (1,)."""
    low, high = (X.min(0), X.max(0)) if each_feature else (X.min(keepdims=True)[0], X.max(keepdims=True)[0])
    return low, np.where(high > low, high, low + 1)

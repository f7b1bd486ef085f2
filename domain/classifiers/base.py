"""scikit-learn's estimator contract around a :class:`~domain.system.System` that classifies.

A subclass is a dataclass: its fields are the parameters, its ``make`` builds the system. ``y == -1``
marks unlabelled samples where ``y`` is numeric, as in ``sklearn.semi_supervised``.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from domain.config import Count, checked
from domain.errors import InputError
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.system import Stream, System
from domain.training import Budget, History, fit

_ONE_AT_A_TIME = threading.Lock()  # all threads share the generator that start values come from


class ClassifyingSystem(System):
    """A system that a :class:`NetworkClassifier` can train."""

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        """x: samples in [−1, 1]; label: classes 0 … K − 1, −1 where unlabelled."""
        raise NotImplementedError

    def classify(self, x: Tensor) -> Tensor:
        """x: samples in [−1, 1] → class probabilities (N, K)."""
        raise NotImplementedError

    @staticmethod
    def unit(x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → flat ones in [0, 1], (N, F), as the published vector networks see them."""
        return (x.flatten(1) + 1) / 2


def _system_can(name: str) -> Callable[[NetworkClassifier], bool]:
    """Whether the fitted system has a method; before the fit, calling it says so."""
    return lambda self: hasattr(getattr(self, "system_", None), name) or not hasattr(self, "system_")


@dataclass(eq=False, repr=False)
class NetworkClassifier(ClassifierMixin, BaseEstimator):
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
        classes_: the class labels.
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

    def make(self, space: Space) -> ClassifyingSystem:
        """An untrained system for samples of this space."""
        raise NotImplementedError

    def fit(self, X: Any, y: Any) -> Self:
        """Train on X, vectors (N, F) or images (N, H, W) or (N, C, H, W), and y (N,), −1 = unlabelled."""
        system, streams, budget, seed = self.prepare(X, y)
        history = fit(
            system, streams, budget, seed, device=self.device,
            checkpoint=Path(self.checkpoint) if self.checkpoint else None, save_seconds=self.save_seconds,
            progress=type(self).__name__ if self.verbose else None,
        )
        return self.adopt(system, history)

    def prepare(self, X: Any, y: Any) -> tuple[ClassifyingSystem, Mapping[str, Stream], Budget, int]:
        """Check and encode the samples; return what :func:`domain.training.fit` takes."""
        image = tuple(X.shape[1:]) if getattr(X, "ndim", 2) > 2 else None
        X, y = validate_data(self, _vectors(X), y, dtype=np.float32)
        check_classification_targets(y)
        labelled = y != -1 if y.dtype.kind in "iuf" else np.ones(len(y), bool)
        if not labelled.any():
            problem = "y holds no label: every entry is -1 (unlabelled)"
            raise InputError(f"{problem}; label at least one sample of each class")
        self.classes_, known = np.unique(y[labelled], return_inverse=True)
        label = np.full(len(y), -1, np.int64)
        label[labelled] = known
        self.low_, self.high_ = _range(X, each_feature=image is None)
        self.space_, self.shape_ = self._space(image), image or X.shape[1:]
        seed = _seed(self.random_state)
        with _ONE_AT_A_TIME, scoped_seed(seed, "start values"):
            system = self.make(self.space_)
        budget = Budget(
            steps=self.epochs * math.ceil(len(X) / self.batch), hold=self.hold, average=self.average,
            precision=self.precision, log_every=max(1, math.ceil(len(X) / self.batch)),
        )
        return system, system.streams(self._encoded(X), torch.from_numpy(label)), budget, seed

    def adopt(self, system: ClassifyingSystem, history: History) -> Self:
        """Become the estimator of a trained system."""
        self.system_, self.history_ = system.to("cpu").requires_grad_(False), history
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (N, K), columns in the order of ``classes_``."""
        return self._answer("classify", X)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each sample, (N,)."""
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

    @available_if(_system_can("realness"))
    def realness(self, X: Any) -> np.ndarray:
        """How real each sample looks to the system, (N,): higher is likelier, in the method's own unit."""
        return self._answer("realness", X)

    @available_if(_system_can("sample"))
    def sample(self, count: int = 1, random_state: Any = None) -> np.ndarray:
        """New samples in the units and the shape of those in ``fit``, (count, *shape_) float32."""
        check_is_fitted(self)
        generator = torch_generator(_seed(random_state), "sample")
        x = self.system_.sample(checked(count, Count, "sample: count"), generator).flatten(1).numpy()
        return ((x + 1) / 2 * (self.high_ - self.low_) + self.low_).reshape(-1, *self.shape_)

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

    def _answer(self, method: str, X: Any) -> np.ndarray:
        """What a method of the system says of each sample, (N, ...), in float64."""
        check_is_fitted(self)
        X = validate_data(self, _vectors(X), dtype=np.float32, reset=False)
        exact = copy.deepcopy(self.system_).double()  # a sample's answer must not depend on its batch
        with torch.no_grad():
            parts = [getattr(exact, method)(part.double()) for part in self._encoded(X).split(4096)]
        return torch.cat(parts).double().numpy()

    def _space(self, image: tuple[int, ...] | None) -> Space:
        """Flat vectors, scaled to [−1, 1], or images in their own range; a grey image gains a channel."""
        classes = len(self.classes_)
        if image is None:
            return Space("table", (len(self.low_),), (-1.0, 1.0), classes=classes)
        shape = (1, *image) if len(image) == 2 else image
        return Space("image", shape, (float(self.low_[0]), float(self.high_[0])), classes=classes)

    def _encoded(self, X: np.ndarray) -> Tensor:
        """Rows (N, F) in their own units → what the system sees, (N, *shape) in [−1, 1]."""
        scaled = 2 * (X - self.low_) / (self.high_ - self.low_) - 1
        return torch.from_numpy(scaled.astype(np.float32)).unflatten(1, self.space_.shape)


def _seed(random_state: Any) -> int:
    """A seed from what scikit-learn takes as a random state."""
    return int(check_random_state(random_state).randint(2**31 - 1))


def _vectors(X: Any) -> Any:
    """Images become vectors; everything else is left for scikit-learn's own checks."""
    return np.reshape(X, (len(X), -1)) if getattr(X, "ndim", 2) > 2 else X


def _range(X: np.ndarray, each_feature: bool) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each feature, (F,), or of all pixels alike, (1,)."""
    low, high = (X.min(0), X.max(0)) if each_feature else (X.min(keepdims=True)[0], X.max(keepdims=True)[0])
    return low, np.where(high > low, high, low + 1)

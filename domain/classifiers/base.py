"""scikit-learn's estimator contract around a :class:`~domain.system.System` that classifies.

A subclass is a dataclass: its fields are the parameters, its ``make`` builds the system. ``y == -1``
marks unlabelled samples where ``y`` is numeric, as in ``sklearn.semi_supervised``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from domain.errors import InputError
from domain.randomness import scoped_seed
from domain.space import Space
from domain.system import Stream, System
from domain.training import Budget, fit


class ClassifyingSystem(System):
    """A system that a :class:`NetworkClassifier` can train."""

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        """x: samples in [−1, 1]; label: classes 0 … K − 1, −1 where unlabelled."""
        raise NotImplementedError

    def classify(self, x: Tensor) -> Tensor:
        """x: samples in [−1, 1] → class probabilities (N, K)."""
        raise NotImplementedError


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
        verbose: show a progress bar.

    Attributes:
        classes_: the class labels.
        system_: the trained system.
        space_: shape and value range of a sample.
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
    verbose: bool = False

    def make(self, space: Space) -> ClassifyingSystem:
        """An untrained system for samples of this space."""
        raise NotImplementedError

    def fit(self, X: Any, y: Any) -> Self:
        """Train on X, vectors (N, F) or images (N, H, W) or (N, C, H, W), and y (N,), −1 = unlabelled."""
        image = tuple(X.shape[1:]) if getattr(X, "ndim", 2) > 2 else None
        X, y = validate_data(self, _vectors(X), y, dtype=np.float32)
        check_classification_targets(y)
        labelled = y != -1 if y.dtype.kind in "iuf" else np.ones(len(y), bool)
        if not labelled.any():
            raise InputError("y holds no label: every entry is -1 (unlabelled); label at least one sample of each class")
        self.classes_, known = np.unique(y[labelled], return_inverse=True)
        label = np.full(len(y), -1, np.int64)
        label[labelled] = known
        self.low_, self.high_ = _range(X, each_feature=image is None)
        self.space_ = self._space(image)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        with scoped_seed(seed, "start values"):
            self.system_ = self.make(self.space_)
        budget = Budget(
            steps=self.epochs * math.ceil(len(X) / self.batch), hold=self.hold, average=self.average,
            precision=self.precision, log_every=max(1, math.ceil(len(X) / self.batch)),
        )
        self.history_ = fit(
            self.system_, self.system_.streams(self._encoded(X), torch.from_numpy(label)), budget, seed,
            device=self.device, checkpoint=Path(self.checkpoint) if self.checkpoint else None,
            progress=type(self).__name__ if self.verbose else None,
        )
        self.system_.to("cpu").requires_grad_(False)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (N, K), columns in the order of ``classes_``."""
        check_is_fitted(self)
        X = validate_data(self, _vectors(X), dtype=np.float32, reset=False)
        exact = copy.deepcopy(self.system_).double()  # a sample's answer must not depend on its batch
        with torch.no_grad():
            parts = [exact.classify(part.double()) for part in self._encoded(X).split(4096)]
        return torch.cat(parts).double().numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each sample, (N,)."""
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

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


def _vectors(X: Any) -> Any:
    """Images become vectors; everything else is left for scikit-learn's own checks."""
    return np.reshape(X, (len(X), -1)) if getattr(X, "ndim", 2) > 2 else X


def _range(X: np.ndarray, each_feature: bool) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each feature, (F,), or of all pixels alike, (1,)."""
    low, high = (X.min(0), X.max(0)) if each_feature else (X.min(keepdims=True)[0], X.max(keepdims=True)[0])
    return low, np.where(high > low, high, low + 1)

"""scikit-learn's classifier contract around a :class:`~domain.system.System` that classifies.

``y == -1`` marks unlabelled samples where ``y`` is numeric, as in ``sklearn.semi_supervised``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from domain.config import Count, checked
from domain.errors import InputError
from domain.network_estimator import NetworkEstimator, image_shape, seed_of, vectors
from domain.randomness import torch_generator
from domain.space import Space
from domain.system import Stream, System
from domain.training import Budget


class ClassifyingSystem(System):
    """A system that a :class:`NetworkClassifier` can train."""

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        """x: samples in [−1, 1]; label: classes 0 … K − 1, −1 where unlabelled."""
        raise NotImplementedError

    def classify(self, x: Tensor) -> Tensor:
        """x: samples in [−1, 1] → class probabilities (N, K)."""
        raise NotImplementedError

    @staticmethod
    def both(x: Tensor, label: Tensor, labelled_batch: int, batch: int) -> dict[str, Stream]:
        """The streams ``labelled``, of samples with their classes, and ``unlabelled``, of all samples."""
        known = label >= 0
        return {"labelled": Stream((x[known], label[known]), labelled_batch), "unlabelled": Stream((x,), batch)}

    @staticmethod
    def unit(x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → flat ones in [0, 1], (N, F), as the published vector networks see them."""
        return (x.flatten(1) + 1) / 2


def _system_can(name: str) -> Callable[[NetworkClassifier], bool]:
    """Whether the fitted system has a method; before the fit, calling it says so."""
    return lambda self: hasattr(getattr(self, "system_", None), name) or not hasattr(self, "system_")


@dataclass(eq=False, repr=False)
class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """Base of the classifiers; its parameters are those of :class:`NetworkEstimator`.

    Attributes:
        classes_: the class labels.
    """

    def make(self, space: Space) -> ClassifyingSystem:
        """An untrained system for samples of this space."""
        raise NotImplementedError

    def prepare(self, X: Any, y: Any) -> tuple[ClassifyingSystem, Mapping[str, Stream], Budget, int]:
        """Check and encode the samples; y: (N,), −1 = unlabelled. Return what :func:`domain.training.fit` takes."""
        image = image_shape(X)
        X, y = validate_data(self, vectors(X), y, dtype=np.float32)
        check_classification_targets(y)
        labelled = y != -1 if y.dtype.kind in "iuf" else np.ones(len(y), bool)
        if not labelled.any():
            problem = "y holds no label: every entry is -1 (unlabelled)"
            raise InputError(f"{problem}; label at least one sample of each class")
        self.classes_, known = np.unique(y[labelled], return_inverse=True)
        label = np.full(len(y), -1, np.int64)
        label[labelled] = known
        system, budget, seed = self.begin(X, image, classes=len(self.classes_))
        return system, system.streams(self.encoded(X), torch.from_numpy(label)), budget, seed

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (N, K), columns in the order of ``classes_``."""
        return self.answer("classify", X)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each sample, (N,)."""
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

    @available_if(_system_can("realness"))
    def realness(self, X: Any) -> np.ndarray:
        """How real each sample looks to the system, (N,): higher is likelier, in the method's own unit."""
        return self.answer("realness", X)

    @available_if(_system_can("sample"))
    def sample(self, count: int = 1, random_state: Any = None) -> np.ndarray:
        """New samples in the units and the shape of those in ``fit``, (count, *shape_) float32."""
        check_is_fitted(self)
        generator = torch_generator(seed_of(random_state), "sample")
        x = self.system_.sample(checked(count, Count, "sample: count"), generator).flatten(1).numpy()
        return ((x + 1) / 2 * (self.high_ - self.low_) + self.low_).reshape(-1, *self.shape_)

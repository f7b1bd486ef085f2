"""Floors without a network, with the same contract: ``y == -1`` is unlabelled."""

from __future__ import annotations

import functools
from typing import Any, Self

import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading

from domain.graph import affinity


class NearestNeighbourClassifier(KNeighborsClassifier):
    """1-nearest-neighbour on the labelled samples."""

    def __init__(self) -> None:
        super().__init__(n_neighbors=1)

    def fit(self, X: Any, y: Any) -> Self:
        X, y = np.asarray(X).reshape(len(X), -1), np.asarray(y)
        return super().fit(X[y != -1], y[y != -1])

    def predict_proba(self, X: Any) -> np.ndarray:
        return super().predict_proba(np.asarray(X).reshape(len(X), -1))


class LabelSpreadingClassifier(LabelSpreading):
    """Label spreading on the graph of the ten nearest neighbours, in either direction (Zhou et al. 2004, and their α)."""

    def __init__(self, n_neighbors: int = 10, alpha: float = 0.99, max_iter: int = 1000) -> None:
        kernel = functools.partial(affinity, neighbours=n_neighbors)
        super().__init__(kernel=kernel, n_neighbors=n_neighbors, alpha=alpha, max_iter=max_iter)

    def fit(self, X: Any, y: Any) -> Self:
        return super().fit(np.asarray(X).reshape(len(X), -1), y)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (N, K); equal ones for a sample that no label reaches."""
        with np.errstate(invalid="ignore"):
            probabilities = super().predict_proba(np.asarray(X).reshape(len(X), -1))
        return np.where(np.isfinite(probabilities), probabilities, 1 / len(self.classes_))

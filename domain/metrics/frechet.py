"""Fréchet distance between Gaussian fits (Heusel et al. 2017, arXiv 1706.08500, equation 6)."""

from __future__ import annotations

import numpy as np

from domain.errors import InputError
from domain.metrics.base import halves, pair


def frechet_distance(mu1: np.ndarray, cov1: np.ndarray, mu2: np.ndarray, cov2: np.ndarray) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁^½ Σ₂ Σ₁^½)^½), the squared 2-Wasserstein distance.

    The symmetric product has the eigenvalues of Σ₁ Σ₂, but they stay real and at least zero up to
    rounding, also where a covariance is singular; ``sqrtm(Σ₁ Σ₂)`` may then turn complex.

    Args:
        mu1, mu2: (D,) means.
        cov1, cov2: (D, D) covariances, symmetric and positive semi-definite.
    """
    mu1, cov1, mu2, cov2 = (np.asarray(value, np.float64) for value in (mu1, cov1, mu2, cov2))
    if mu1.ndim != 1 or mu1.shape != mu2.shape or not cov1.shape == cov2.shape == (len(mu1), len(mu1)):
        shapes = ", ".join(str(value.shape) for value in (mu1, cov1, mu2, cov2))
        raise InputError(f"Fréchet distance: shapes are {shapes}; give (D,), (D, D), (D,), (D, D)")
    if not all(np.isfinite(value).all() for value in (mu1, cov1, mu2, cov2)):
        raise InputError("Fréchet distance: a mean or covariance is not finite; check the features")
    values, vectors = np.linalg.eigh(cov1)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov2 @ root), 0)).sum()
    distance = ((mu1 - mu2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * overlap
    return float(max(distance, 0.0))


# Own lines because torchmetrics takes the eigenvalues of the unsymmetric product, and is no shorter.
def feature_fid(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """Fréchet distance between two sets of features.

    The features are this project's own (a frozen classifier's), not Inception's: the figure is
    never comparable with a published FID, nor between two feature nets. It is biased upward, by
    about 1/N, so compare only equal counts, and put :func:`feature_fid_floor` beside it.

    Args:
        features_a: (N, D), N ≥ 2.
        features_b: (M, D), M ≥ 2.
    """
    a, b = pair(features_a, features_b, "feature FID", ("features_a", "features_b"), least=2)
    return frechet_distance(*gaussian(a), *gaussian(b))


def feature_fid_floor(features: np.ndarray, seed: int, count: int | None = None) -> float:
    """Feature FID between two disjoint random sets of real samples: bias, and nothing else.

    Args:
        features: real samples' features, (N, D).
        seed: draws the sets.
        count: rows in each set, by default N // 2. The bias depends on it, so take the count that
            the models are measured with.
    """
    return feature_fid(*halves(features, seed, count))


def gaussian(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and unbiased covariance (D, D) of rows (N, D)."""
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))

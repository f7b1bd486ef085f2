"""Precision and recall of distributions as a curve, PRD (Sajjadi et al. 2018, arXiv 1806.00035).

Both sets are sorted into clusters of their union, so that two histograms P (real) and Q (generated)
remain. For a slope λ, precision is α = Σ min(λ P, Q) and recall β = α / λ: a share β of the real
samples lies where a share α of the generated ones does. Real samples do not reach (1, 1) either: the
floor is the same call on ``base.halves`` of them, at equal counts.
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from threadpoolctl import threadpool_limits

from domain.errors import InputError
from domain.metrics.base import pair

EDGE = 1e-10  # radians that the steepest and the flattest slope keep from the axes, as published


def prd_curve(p: np.ndarray, q: np.ndarray, angles: int = 1001) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall, each (angles,), at slopes whose angles are even between 0 and π/2.

    Args:
        p: the real histogram, (K,), sums to 1.
        q: the generated one, (K,), sums to 1.
        angles: how many points.
    """
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    if p.ndim != 1 or p.shape != q.shape or min(p.min(), q.min()) < 0 or not np.allclose([p.sum(), q.sum()], 1):
        raise InputError(f"PRD: histograms of shape {p.shape} and {q.shape}; give two of equal length, each with sum 1")
    slope = np.tan(np.linspace(EDGE, np.pi / 2 - EDGE, angles))
    precision = np.minimum(slope[:, None] * p, q).sum(1)
    return np.minimum(precision, 1), np.minimum(precision / slope, 1)


def prd(
    real: np.ndarray, generated: np.ndarray, clusters: int = 20, runs: int = 10, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The curve of two equally large sets, the mean over several clusterings; (1001,) each.

    Args:
        real: samples or their features, (N, ...), flattened.
        generated: the same kind and count; unequal counts would let the larger one place the clusters.
        clusters: of mini-batch k-means on both sets.
        runs: clusterings.
        seed: of them.
    """
    real, generated = pair(real, generated, "PRD", ("real", "generated"))
    if len(real) != len(generated):
        raise InputError(f"PRD: {len(real)} real and {len(generated)} generated samples; give equally many")
    if runs < 1 or not 2 <= clusters <= 2 * len(real):
        raise InputError(f"PRD: {runs} runs with {clusters} clusters; {2 * len(real)} samples allow 2 to as many clusters")
    both, curves = np.concatenate([real, generated]), []
    for run in range(runs):
        with threadpool_limits(1):  # sums in one order on any machine
            label = MiniBatchKMeans(clusters, n_init=10, random_state=seed + run).fit_predict(both)
        sides = label[: len(real)], label[len(real) :]
        curves.append(prd_curve(*(np.bincount(side, minlength=clusters) / len(side) for side in sides)))
    precision, recall = np.mean(curves, axis=0)
    return precision, recall


def f_scores(precision: np.ndarray, recall: np.ndarray, beta: float = 8.0) -> dict[str, float]:
    """The curve's two summaries: the largest F_β, which weighs recall, and the largest F_1/β, which weighs precision.

    Args:
        precision, recall: a curve, (A,).
        beta: β of F_β = (1 + β²) α r / (β² α + r), with α the precision and r the recall; 8 as published.
    """
    return {
        f"f{beta:g}": float(_f(precision, recall, beta).max()),
        f"f1/{beta:g}": float(_f(precision, recall, 1 / beta).max()),
    }


def _f(precision: np.ndarray, recall: np.ndarray, beta: float) -> np.ndarray:
    below = beta**2 * precision + recall
    return np.divide((1 + beta**2) * precision * recall, below, out=np.zeros_like(below), where=below > 0)

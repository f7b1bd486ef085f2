"""Fidelity, diversity and copying, by nearest neighbours.

Precision and recall are Kynkäänniemi et al. 2019, arXiv 1904.06991; density and coverage Naeem et
al. 2020, arXiv 2002.09797. Each real sample carries a ball that reaches to its k-th nearest real
neighbour, each generated sample one to its k-th nearest generated neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from domain.errors import InputError
from domain.metrics.base import pair

BLOCK = 2**24  # distances held at once: 128 MiB


def prdc(real: np.ndarray, generated: np.ndarray, k: int = 5) -> dict[str, float]:
    """Precision, recall, density and coverage.

    Args:
        real: samples or their features, (N, ...), flattened.
        generated: the same kind, (M, ...).
        k: which neighbour a ball reaches to.

    Returns:
        ``precision``: the share of generated samples inside some real ball;
        ``recall``: the share of real samples inside some generated ball;
        ``density``: the mean number of real balls around a generated sample, over k; may exceed 1;
        ``coverage``: the share of real balls that hold a generated sample.
    """
    real, generated = pair(real, generated, "coverage", ("real", "generated"))
    if not 1 <= k < min(len(real), len(generated)):
        raise InputError(
            f"prdc: k is {k}, but {len(real)} real and {len(generated)} generated samples "
            f"allow 1 to {min(len(real), len(generated)) - 1}"
        )
    real_radius, generated_radius = _radii(real, k), _radii(generated, k)
    balls_around = np.zeros(len(generated), np.int64)
    covered, recalled = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for rows, distance in _distances(real, generated):
        inside = distance <= real_radius[rows, None]  # equality counts, or copies would lie outside
        balls_around += inside.sum(axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (distance <= generated_radius).any(axis=1)
    return {
        "precision": float((balls_around > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(balls_around.mean() / k),
        "coverage": float(covered.mean()),
    }


def expected_coverage(real: int, generated: int, k: int = 5) -> float:
    """What ``coverage`` reads on average if both sets come from one continuous distribution.

    A real ball is empty if the k nearest of its N − 1 + M neighbours are all real, so the mean is
    1 − Π_{j<k} (N − 1 − j) / (N + M − 1 − j) whatever the distribution, and 1 − 2^−k for large N = M
    (Naeem et al. 2020, lemma 2). That of ``density`` is 1; precision and recall have none of the
    kind: measure ``prdc(*halves(real, seed))``.

    Args:
        real: N.
        generated: M.
        k: which neighbour a ball reaches to.
    """
    j = np.arange(k)
    return float(1 - np.prod((real - 1 - j) / (real + generated - 1 - j)))


def nearest_training(samples: np.ndarray, training: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The k training samples nearest to each sample, nearest first.

    Args:
        samples: (N, ...), flattened.
        training: (M, ...), M ≥ k.
        k: how many neighbours.

    Returns:
        Indices into ``training`` and Euclidean distances, both (N, k). A copy has distance 0.
    """
    samples, training = pair(samples, training, "coverage", ("samples", "training"))
    if not 1 <= k <= len(training):
        raise InputError(f"nearest training: k is {k}; the training set allows 1 to {len(training)}")
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(training)
    indices = search.kneighbors(samples, return_distance=False)
    # scikit-learn expands (a − b)², which leaves a copy at about 1e-7; subtract afresh.
    distances = [np.linalg.norm(samples - training[column], axis=1) for column in indices.T]
    return indices, np.stack(distances, axis=1)


def memorisation(samples: np.ndarray, training: np.ndarray, held_out: np.ndarray) -> float:
    """How much nearer generated samples lie to the training set than unseen real samples do.

    Args:
        samples: generated, (N, ...).
        training: what the model was trained on, (M, ...).
        held_out: real samples it never saw, (L, ...).

    Returns:
        The ratio of mean nearest distances. About 1: no nearer than real samples; far below 1: copies;
        above 1: samples off the data.
    """
    floor = nearest_training(held_out, training)[1].mean()
    if floor == 0:
        raise InputError("memorisation: every row of 'held_out' is also in 'training'; split the data again")
    return float(nearest_training(samples, training)[1].mean() / floor)


def copying(samples: np.ndarray, training: np.ndarray, held_out: np.ndarray) -> dict[str, float]:
    """Do generated samples lie nearer to the training set than unseen real ones, rank by rank?

    Ranks of the distances to the nearest training sample, where the mean in :func:`memorisation` is
    ruled by the farthest samples. ``z`` is Z_U of Meehan et al. 2020 (arXiv 2004.05675), which is their
    C_T with a single cell: copies of a few training samples among many good ones pass. Floor: the same
    call with other held-out samples in place of the generated ones.

    Args:
        samples: generated, (N, ...).
        training: what the model was trained on, (M, ...).
        held_out: real samples it never saw, (L, ...).

    Returns:
        ``nearer``: the share of generated samples nearer than the held-out median; null ½.
        ``farther``: the share of pairs, generated and held-out, where the generated one is the farther,
        U / (N L); null ½, copies give 0, samples off the data 1.
        ``z``: U less its null mean over its null standard deviation; null N(0, 1), below −3 copies.
    """
    held = nearest_training(held_out, training)[1][:, 0]
    if not held.any():
        raise InputError("copying: every row of 'held_out' is also in 'training'; split the data again")
    near = nearest_training(samples, training)[1][:, 0]
    pairs, total = len(near) * len(held), len(near) + len(held)
    above = stats.rankdata(np.concatenate([near, held]))[: len(near)].sum() - len(near) * (len(near) + 1) / 2
    ties = np.unique(np.concatenate([near, held]), return_counts=True)[1].astype(float)
    variance = pairs / 12 * (total + 1 - (ties**3 - ties).sum() / (total * (total - 1)))
    return {
        "nearer": float((near < np.median(held)).mean()),
        "farther": float(above / pairs),
        "z": float((above - pairs / 2) / np.sqrt(variance)) if variance > 0 else 0.0,
    }


def _radii(points: np.ndarray, k: int) -> np.ndarray:
    """(N,) distance of each point to its k-th nearest other point."""
    return np.concatenate([np.partition(d, k, axis=1)[:, k] for _, d in _distances(points, points)])


def _distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Rows of ``a``, block by block, with their (rows, M) distances to ``b``.

    ``cdist`` subtracts, so that a distance is the same number wherever it is computed and ties hold.
    """
    step = max(1, BLOCK // len(b))
    for start in range(0, len(a), step):
        rows = slice(start, start + step)
        yield rows, cdist(a[rows], b)

"""Maximum mean discrepancy: how far apart two sets are in the mean of a kernel's features.

Kernels here are polynomial (KID; the KPD of ``physics_distance.py``) or Gaussian (a test). All
estimates of MMD² are unbiased, so that equals give 0 on average and half of the figures of equals
are negative. The floor of a distance is the same call on ``base.halves`` of real samples; a test
brings its null along.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import rbf_kernel

from domain.errors import InputError
from domain.metrics.base import pair

BLOCK = 1000  # rows of a kernel matrix held at once
MOST = 1000  # rows of a KID subset, as published


def polynomial_mmd(x: np.ndarray, y: np.ndarray, degree: Literal[3, 4]) -> float:
    """Unbiased MMD² under (x·y/D + 1)^degree (Gretton et al. 2012, JMLR 13:723, equation 3).

    Args:
        x: (N, D), N ≥ 2.
        y: (M, D), M ≥ 2.
        degree: 3 in KID, 4 in KPD.
    """
    within = sum((_kernel_sum(s, s, degree) - _diagonal_sum(s, degree)) / (len(s) * (len(s) - 1)) for s in (x, y))
    return within - 2 * _kernel_sum(x, y, degree) / (len(x) * len(y))


def feature_kid(
    features_a: np.ndarray, features_b: np.ndarray, subsets: int = 100, size: int | None = None, seed: int = 0
) -> dict[str, float]:
    """Kernel distance between two sets of features, over subsets (Bińkowski et al. 2018, arXiv 1801.01401).

    Like :func:`domain.metrics.frechet.feature_fid` it belongs to its feature net and is never comparable
    with a published KID. Unlike it, its mean does not depend on the counts.

    Args:
        features_a: (N, D), N ≥ 2.
        features_b: (M, D), M ≥ 2.
        subsets: how many, each drawn without replacement.
        size: rows of each set in a subset; by default half of the smaller set, at most 1000.
        seed: draws them.

    Returns:
        ``feature_kid``, the mean of the unbiased MMD² under (x·y/D + 1)³; ``feature_kid_spread``, its
        standard deviation over the subsets, which share rows and so say less than independent ones.
    """
    a, b = pair(features_a, features_b, "feature KID", ("features_a", "features_b"), least=2)
    least = min(len(a), len(b))
    size = min(MOST, max(2, least // 2)) if size is None else size
    if subsets < 1 or not 2 <= size <= least:
        raise InputError(f"feature KID: {subsets} subsets of {size} rows; {least} samples allow 2 to {least} rows, at least once")
    rng = np.random.default_rng(seed)
    drawn = ([side[rng.choice(len(side), size, replace=False)] for side in (a, b)] for _ in range(subsets))
    values = [polynomial_mmd(x, y, degree=3) for x, y in drawn]
    return {"feature_kid": float(np.mean(values)), "feature_kid_spread": float(np.std(values))}


def mmd_test(a: np.ndarray, b: np.ndarray, seed: int, permutations: int = 999, scale: float | None = None) -> dict[str, float]:
    """Permutation test of one distribution against two, by MMD² under exp(−‖a − b‖² / 2σ²).

    The kernel matrix of both sets is held in memory, 8 (N + M)² bytes.

    Args:
        a: samples or their features, (N, ...), flattened, N ≥ 2.
        b: the same kind, (M, ...), M ≥ 2.
        seed: draws the permutations.
        permutations: how many; the smallest p is 1 / (permutations + 1).
        scale: σ, by default the median distance between two rows of both sets (Gretton et al. 2012, section 8).

    Returns:
        ``mmd``, unbiased MMD²; ``mmd_null``, the 95th percentile over permutations, which stand for equals;
        ``mmd_p``, the share of the permutations, the given order counted among them, that reach ``mmd``:
        a level of exactly that probability (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39).
    """
    a, b = pair(a, b, "MMD test", least=2)
    both, count = np.concatenate([a, b]), len(a)
    scale = float(np.median(pdist(both))) if scale is None else scale
    if permutations < 1 or not scale > 0:
        problem = f"{permutations} permutations at scale {scale:g}"
        raise InputError(f"MMD test: {problem}; give at least one, and a scale above 0, or samples that differ")
    rng = np.random.default_rng(seed)
    first = np.zeros((len(both), permutations + 1))
    first[:count, 0] = 1
    for column in range(1, permutations + 1):
        first[rng.permutation(len(both))[:count], column] = 1
    values = _unbiased(rbf_kernel(both, gamma=0.5 / scale**2), first, count)
    reached = (values[1:] >= values[0] - 1e-12).sum()  # rounding must not tell equal splits apart
    return {
        "mmd": float(values[0]),
        "mmd_null": float(np.percentile(values[1:], 95)),
        "mmd_p": float((1 + reached) / (permutations + 1)),
    }


def _unbiased(kernel: np.ndarray, first: np.ndarray, count: int) -> np.ndarray:
    """MMD² of each split, (S,): kernel (N, N) with ones on the diagonal; first: whether a row is of side one, (N, S)."""
    rest, products = len(kernel) - count, kernel @ first
    total, one = kernel.sum(), (first * products).sum(0)
    across = ((1 - first) * products).sum(0)
    two = total - one - 2 * across
    return (one - count) / (count * (count - 1)) + (two - rest) / (rest * (rest - 1)) - 2 * across / (count * rest)


def _kernel(inner: np.ndarray, columns: int, degree: Literal[3, 4]) -> np.ndarray:
    """(x·y/D + 1)^degree of inner products; by squares, as numpy's powers are slow."""
    base = inner / columns + 1
    return np.square(np.square(base)) if degree == 4 else np.square(base) * base


def _kernel_sum(x: np.ndarray, y: np.ndarray, degree: Literal[3, 4]) -> float:
    blocks = (x[start : start + BLOCK] @ y.T for start in range(0, len(x), BLOCK))
    return float(sum(_kernel(block, x.shape[1], degree).sum() for block in blocks))


def _diagonal_sum(x: np.ndarray, degree: Literal[3, 4]) -> float:
    return float(_kernel(np.square(x).sum(axis=1), x.shape[1], degree).sum())

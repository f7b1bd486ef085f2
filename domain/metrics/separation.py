"""Distances between two samples of one observable."""

from __future__ import annotations

import numpy as np
from scipy import stats

from domain.errors import InputError

TAIL = 0.005  # the share of the reference beyond either end of the default range


def separation_power(
    a: np.ndarray, b: np.ndarray, bins: int = 50, range: tuple[float, float] | None = None
) -> dict[str, float]:
    """S = ½ Σ (p − q)² / (p + q) between unit-normalised histograms, from 0 (equal) to 1 (disjoint).

    The measure of the CaloChallenge (Krause et al. 2024, arXiv 2410.21611), which fixes its bins.
    Here bins are of equal width, in a range fixed by the reference alone, so that every model is
    seen through the same bins; what lies below it and what lies above fall into two bins more.

    Args:
        a: (N,) the sample under test.
        b: (M,) the reference.
        bins: how many within the range.
        range: lowest and highest edge, in the observable's unit; by default the reference's 0.5 %
            and 99.5 % quantiles, or ± 0.5 about them where they are equal.

    Returns:
        ``raw``, S as defined; ``floor``, what S is expected to be if both samples come from one
        distribution (:func:`expected_separation`); ``separation``, raw − floor, which may be negative.
        Where distributions differ the bias is smaller, and ``separation`` errs low by up to the floor.
    """
    a, b = _column(a, "a"), _column(b, "b")
    if bins < 2:
        raise InputError(f"separation: bins is {bins}; give at least 2")
    edges = _edges(b, bins, range)
    m, n = _histogram(a, edges), _histogram(b, edges)
    raw = _separation(m / len(a), n / len(b)).sum()
    floor = expected_separation(m + n, len(a), len(b))
    return {"raw": float(raw), "floor": floor, "separation": float(raw) - floor}


def expected_separation(pooled: np.ndarray, size_a: int, size_b: int) -> float:
    """The mean of S over all ways to deal the pooled values into samples of N and M.

    If both come from one distribution, each deal is as likely as any other. Of the k values in a
    bin, m go to the first sample: m is hypergeometric, with mean kN/T, T = N + M, and variance
    k (NM/T²) (T − k)/(T − 1). With p = m/N and q = (k − m)/M,

        p − q = (m − kN/T) T/(NM),    E(p − q)² = k (T − k) / (NM (T − 1)).

    For N = M the denominator p + q = k/N is fixed, and the sum over the B occupied bins is exact:

        E S = ½ Σ (T − k) / (N (T − 1)) = (B − 1) / (2N − 1),

    the usual B/(2N) once N is large. For N ≠ M, p + q varies with m. Put in its mean 2k/T and

        E S ≈ (B − 1)/4 · (1/N + 1/M),

    but in bins of few values that is too high, for k = 1 by a factor T²/(4NM). Hence the mean over m
    is summed here term by term, ten standard deviations to either side.

    Args:
        pooled: (K,) counts of both samples together, in all bins.
        size_a: N.
        size_b: M.
    """
    total = size_a + size_b
    k = pooled[pooled > 0][:, None]
    mean = k * (size_a / total)
    sd = np.sqrt(mean * (size_b / total) * (total - k) / (total - 1))
    first = np.floor(np.maximum(mean - 10 * sd - 1, 0))
    m = first + np.arange(20 * sd.max() + 3)  # beyond the support the probability is 0
    return float((stats.hypergeom.pmf(m, total, k, size_a) * _separation(m / size_a, (k - m) / size_b)).sum())


def wasserstein(a: np.ndarray, b: np.ndarray, scale: float | None = None) -> dict[str, float]:
    """The 1-Wasserstein ("earth mover's") distance ∫ |F_a − F_b|, over the reference's spread.

    Args:
        a: (N,) the sample under test.
        b: (M,) the reference.
        scale: what to divide by, in the observable's unit; by default the reference's standard
            deviation, so that 0.1 is a shift by a tenth of it.

    Returns:
        ``raw``, the distance; ``floor``, what it is expected to be if both samples come from one
        distribution (:func:`expected_wasserstein`); ``wasserstein``, raw − floor, which may be negative
        and errs low by up to the floor where distributions differ.
    """
    a, b = _column(a, "a"), _column(b, "b")
    scale = float(b.std()) if scale is None else scale
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(
            f"Wasserstein: the scale is {scale:g}; the reference has no spread, so give 'scale' in its unit"
        )
    raw = float(stats.wasserstein_distance(a, b)) / scale
    floor = expected_wasserstein(np.concatenate([a, b]), len(a), len(b)) / scale
    return {"raw": raw, "floor": floor, "wasserstein": raw - floor}


def expected_wasserstein(pooled: np.ndarray, size_a: int, size_b: int) -> float:
    """The mean of ∫ |F_a − F_b| over all ways to deal the pooled values into samples of N and M.

    Between neighbouring values, k of the T = N + M lie below and m of them are in the first sample,
    m hypergeometric, and F_a − F_b = (m − kN/T) T/(NM). Its mean deviation is exact (Diaconis and
    Zabell 1991, Statistical Science 6:284): with ν = ⌈kN/T⌉ and h the probability of m,

        E |m − kN/T| = 2 ν (T − k − N + ν) h(ν) / T.

    Args:
        pooled: (T,) values of both samples together.
        size_a: N.
        size_b: M.
    """
    total = size_a + size_b
    values, count = np.unique(pooled, return_counts=True)
    k = count.cumsum()[:-1]
    v = -(-k * size_a // total)
    deviation = 2 * v * (total - k - size_a + v) * stats.hypergeom.pmf(v, total, k, size_a) / total
    return float((np.diff(values) * deviation).sum() * total / (size_a * size_b))


def _separation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Each bin's share of S; an empty bin has none."""
    both = p + q
    return np.divide(0.5 * (p - q) ** 2, both, out=np.zeros_like(both), where=both > 0)


def _edges(reference: np.ndarray, bins: int, limits: tuple[float, float] | None) -> np.ndarray:
    low, high = np.quantile(reference, [TAIL, 1 - TAIL]) if limits is None else limits
    if limits is None and low == high:
        low, high = low - 0.5, high + 0.5
    if not (np.isfinite([low, high]).all() and low < high):
        raise InputError(f"separation: range is {low:g} to {high:g}; give a lower and a higher finite edge")
    return np.linspace(low, high, bins + 1)


def _histogram(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.bincount(np.digitize(values, edges), minlength=len(edges) + 1)


def _column(values: np.ndarray, name: str) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise InputError(f"separation: {name!r} has shape {values.shape}; give (N,) with N at least 2")
    if not np.isfinite(values).all():
        raise InputError(f"separation: {name!r} holds NaN or infinite values; remove those samples")
    return values

"""Fréchet and kernel physics distances, FPD and KPD (Kansal et al. 2023, arXiv 2211.10295).

They follow jetnet 0.2.5, whose published figures they can be put beside: the same batches from the
same seed, drawn with replacement, and features divided by the reference's largest magnitude. Two
things differ inside: the trace of the matrix square root is taken from real eigenvalues, where
``sqrtm`` may turn complex, and kernels are summed in blocks, so that memory does not grow with N².

Drawing with replacement makes both estimate the distance between the two *finite sets*, which is
above zero for sets of one distribution and falls as 1/N. The floor is the same call on two sets of
real samples, ``fpd(*halves(real, seed))``, of the size that the models are measured with; between
data sets it differs a hundredfold. Below jetnet's 50,000 rows a side everything works, but compare
then with that floor and with figures of the same ``count`` only.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import curve_fit
from scipy.stats import iqr

from domain.errors import InputError
from domain.metrics.base import pair
from domain.metrics.frechet import frechet_distance, gaussian
from domain.metrics.mmd import polynomial_mmd

CENTRAL = (16.275, 83.725)  # percent; jetnet's one standard deviation to either side


def fpd(
    real: np.ndarray,
    generated: np.ndarray,
    min_samples: int = 20_000,
    max_samples: int = 50_000,
    num_batches: int = 20,
    num_points: int = 10,
    normalise: bool = True,
    seed: int = 42,
) -> dict[str, float]:
    """Fréchet distance between Gaussian fits, extrapolated to infinite batches.

    The mean over batches of n rows is measured for sizes n even in 1/n; a line d + s/n with d and s
    at least 0 is fitted, and d is the FPD.

    Args:
        real: features, (N, D).
        generated: the same features, (M, D).
        min_samples, max_samples: the smallest and the largest batch; may exceed N and M.
        num_batches: batches of each size.
        num_points: sizes.
        normalise: divide each feature by the largest magnitude of the real ones.
        seed: draws the batches.

    Returns:
        ``fpd``; ``fpd_error``, the fit's standard error; ``count``, the smaller of N and M.
    """
    if not 2 <= min_samples < max_samples or num_batches < 1 or num_points < 3:
        raise InputError(
            f"FPD: {num_batches} batches of {num_points} sizes from {min_samples} to {max_samples}; "
            "give 2 ≤ min_samples < max_samples, a batch, and 3 points"
        )
    real, generated = _scaled(real, generated, "FPD", normalise)
    rng = np.random.default_rng(seed)
    sizes = (1 / np.linspace(1 / min_samples, 1 / max_samples, num_points)).astype(np.int32)
    means = [np.mean([_between(real, generated, size, rng) for _ in range(num_batches)]) for size in sizes]
    (value, _), covariance = curve_fit(_line, 1 / sizes, means, bounds=(0, np.inf))
    return {
        "fpd": float(value),
        "fpd_error": float(np.sqrt(covariance[0, 0])),
        "count": min(len(real), len(generated)),
    }


def kpd(
    real: np.ndarray,
    generated: np.ndarray,
    num_batches: int = 10,
    batch_size: int = 5_000,
    normalise: bool = True,
    seed: int = 42,
) -> dict[str, float]:
    """Squared maximum mean discrepancy (MMD²) under the kernel (x·y/D + 1)⁴, over batches.

    Args:
        real: features, (N, D).
        generated: the same features, (M, D).
        num_batches: how many.
        batch_size: rows of each set in a batch; may exceed N and M.
        normalise: divide each feature by the largest magnitude of the real ones.
        seed: draws the batches.

    Returns:
        ``kpd``, the median, which may be negative; ``kpd_error``, half the range of the middle 67 %;
        ``count``, the smaller of N and M.
    """
    if num_batches < 1 or batch_size < 2:
        raise InputError(f"KPD: {num_batches} batches of {batch_size} rows; give at least one of two")
    real, generated = _scaled(real, generated, "KPD", normalise)
    values = []
    for batch in range(num_batches):
        rng = np.random.default_rng(seed + 1000 * batch)
        x, y = (side[rng.choice(len(side), batch_size)] for side in (real, generated))
        values.append(polynomial_mmd(x, y, degree=4))
    return {
        "kpd": float(np.median(values)),
        "kpd_error": float(iqr(values, rng=CENTRAL) / 2),
        "count": min(len(real), len(generated)),
    }


def _between(real: np.ndarray, generated: np.ndarray, size: int, rng: np.random.Generator) -> float:
    """Fréchet distance between one batch of each."""
    batches = [side[rng.choice(len(side), size)] for side in (real, generated)]
    return frechet_distance(*gaussian(batches[0]), *gaussian(batches[1]))


def _line(inverse_size: np.ndarray, intercept: float, slope: float) -> np.ndarray:
    return intercept + slope * inverse_size


def _scaled(
    real: np.ndarray, generated: np.ndarray, where: str, normalise: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Both as rows; if asked, each column over the reference's largest magnitude, unless that is 0."""
    real, generated = pair(real, generated, where, ("real", "generated"), least=2)
    if not normalise:
        return real, generated
    largest = np.abs(real).max(axis=0)
    largest[largest == 0] = 1
    return real / largest, generated / largest

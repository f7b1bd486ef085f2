"""Classification: accuracy, likelihood, calibration, and how to sum them up over seeds."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import stats

from domain.errors import InputError

CALIBRATION_BINS = 15  # Guo et al. 2017, arXiv 1706.04599, section 4
SMALLEST = np.finfo(np.float64).eps  # keeps the likelihood finite; scikit-learn's choice


def scores(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """What predicted class probabilities are worth.

    Args:
        labels: (N,) true classes, integers from 0 to K − 1.
        probabilities: (N, K) in [0, 1], each row summing to one.

    Returns:
        ``accuracy``, the share of rows whose likeliest class is right; ``errors``, how many are
        wrong; ``nll``, the mean negative log-likelihood in nats; ``ece``, the expected calibration
        error in [0, 1].
    """
    labels, probabilities = checked(labels, probabilities, "scores")
    right = probabilities.argmax(axis=1) == labels
    likelihood = probabilities[np.arange(len(labels)), labels]
    return {
        "accuracy": float(right.mean()),
        "errors": int((~right).sum()),
        "nll": float(-np.log(np.maximum(likelihood, SMALLEST)).mean()),
        "ece": expected_calibration_error(probabilities.max(axis=1), right),
    }


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Σ_b (n_b / N) |accuracy_b − confidence_b| over equal-width bins b (Guo et al. 2017, equation 3).

    Args:
        confidence: (N,) probability of the predicted class, in [0, 1].
        right: (N,) bool, whether that class is the true one.
    """
    inner_edges = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    surplus = np.bincount(np.digitize(confidence, inner_edges, right=True), weights=confidence - right)
    return float(np.abs(surplus).sum() / len(confidence))


def summary(values: np.ndarray, better: Literal["higher", "lower"] = "higher") -> dict[str, float | None]:
    """One measurement over seeds.

    Args:
        values: (n,) the value of each seed.
        better: which end is good; ``worst`` is the other.

    Returns:
        ``mean``, ``sd`` (n − 1 in the denominator; None for a single seed), ``median``, ``worst``, ``n``.
    """
    values = _column(values, "values")
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
        "median": float(np.median(values)),
        "worst": float(values.min() if better == "higher" else values.max()),
        "n": len(values),
    }


def paired_interval(a: np.ndarray, b: np.ndarray, level: float = 0.95) -> dict[str, float]:
    """The mean of a − b with its t interval, for two methods run with the same seeds or splits.

    Args:
        a: (n,) values of one method, n ≥ 2.
        b: (n,) values of the other, in the same order.
        level: the interval's coverage, if differences are normal.

    Returns:
        ``mean``, ``low``, ``high``, ``n``.
    """
    a, b = _column(a, "a"), _column(b, "b")
    if len(a) != len(b):
        raise InputError(f"paired interval: 'a' has {len(a)} values, 'b' has {len(b)}; give one pair a seed")
    if len(a) < 2:
        raise InputError("paired interval: one pair has no spread; run at least two seeds")
    difference = a - b
    half = stats.t.ppf((1 + level) / 2, len(a) - 1) * stats.sem(difference)
    mean = difference.mean()
    return {"mean": float(mean), "low": float(mean - half), "high": float(mean + half), "n": len(a)}


def _column(values: np.ndarray, name: str) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size:
        raise InputError(f"{name}: has shape {values.shape}; give one number a seed")
    if not np.isfinite(values).all():
        raise InputError(f"{name}: holds NaN or infinite values; leave those seeds out and say so")
    return values


def checked(labels: np.ndarray, probabilities: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and float64 probabilities (N, K), or an error that begins with ``where``."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float64)
    if probabilities.ndim != 2 or not probabilities.size or labels.shape != probabilities.shape[:1]:
        raise InputError(
            f"{where}: 'labels' {labels.shape} and 'probabilities' {probabilities.shape} "
            "must have shapes (N,) and (N, K) with N at least 1"
        )
    sums = probabilities.sum(axis=1)
    if not np.allclose(sums, 1, atol=1e-3) or probabilities.min() < 0:  # bfloat16 sums miss 1 by this much
        raise InputError(f"{where}: a row of 'probabilities' is not a distribution; apply a softmax first")
    classes = probabilities.shape[1]
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= classes:
        raise InputError(f"{where}: 'labels' must be integers from 0 to {classes - 1}; leave other rows out")
    return labels, probabilities

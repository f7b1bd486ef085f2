"""Regression: errors of each target in its own unit, and the guess that costs nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from domain.errors import InputError
from domain.metrics.base import pair


def scores(truth: np.ndarray, estimate: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """What estimates are worth, target by target.

    Args:
        truth: (N, T), each column in its own unit.
        estimate: (N, T).
        names: of the T targets.

    Returns:
        ``rmse_<name>``, the root of the mean square; ``mae_<name>``, the mean absolute error; ``bias_<name>``,
        the mean of estimate − truth; all in the target's unit.
    """
    truth, estimate = pair(truth, estimate, "regression", ("truth", "estimate"))
    if truth.shape != (len(estimate), len(names)):
        raise InputError(f"regression: 'truth' is {truth.shape}, 'estimate' {estimate.shape}, with {len(names)} names; make them agree")
    measured = {
        "rmse": root_mean_squared_error(truth, estimate, multioutput="raw_values"),
        "mae": mean_absolute_error(truth, estimate, multioutput="raw_values"),
        "bias": (estimate - truth).mean(0),
    }
    return {f"{key}_{name}": float(value) for key, values in measured.items() for name, value in zip(names, values)}


def guess(known: np.ndarray, count: int) -> np.ndarray:
    """The floor of any estimate: the mean of the training targets (M, T), for each of ``count`` samples, (count, T)."""
    return np.tile(np.asarray(known, np.float64).mean(0), (count, 1))

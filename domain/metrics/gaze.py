"""Gaze: the angle between the direction that was estimated and the true one, and what is left of it on average."""

from __future__ import annotations

import itertools

import numpy as np

from domain.errors import InputError
from domain.gaze import direction
from domain.metrics.base import pair


def angular_error(truth: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """The angle between each pair of directions, (N,), in degrees, from 0 to 180.

    Args:
        truth: yaw and pitch in degrees, (N, 2), as in ``domain/gaze.py``.
        estimate: the same of the estimates, (N, 2).
    """
    truth, estimate = pair(truth, estimate, "angular error", ("truth", "estimate"))
    if truth.shape != estimate.shape or truth.shape[1] != 2:
        raise InputError(f"angular error: 'truth' is {truth.shape}, 'estimate' {estimate.shape}; make both (N, 2)")
    a, b = direction(truth), direction(estimate)
    # The arc cosine alone would lose small angles to rounding.
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(1)))


def scores(truth: np.ndarray, estimate: np.ndarray) -> dict[str, float]:
    """What estimates of gaze are worth.

    Args:
        truth, estimate: as :func:`angular_error` takes them.

    Returns:
        ``degrees``, the mean angular error; ``median_degrees``; ``within_7_degrees``, the share of samples,
        the figure that SimGAN reports beside the mean (Shrivastava et al. 2016, arXiv 1612.07828).
    """
    error = angular_error(truth, estimate)
    return {
        "degrees": float(error.mean()),
        "median_degrees": float(np.median(error)),
        "within_7_degrees": float((error <= 7).mean()),
    }


def drift(truth: np.ndarray, estimate: np.ndarray) -> float:
    """The longest median error, in degrees of yaw and pitch, among the four quarters of the true directions.

    Over all directions at once, eyes that all turn towards the middle would cancel; arguments as of :func:`angular_error`.
    """
    truth, estimate = pair(truth, estimate, "gaze drift", ("truth", "estimate"))
    above = truth > np.median(truth, axis=0)
    quarters = [(above == corner).all(1) for corner in itertools.product((False, True), repeat=2)]
    return float(max(np.linalg.norm(np.median((estimate - truth)[rows], axis=0)) for rows in quarters if rows.any()))

"""Scores against scikit-learn and torchmetrics, intervals against scipy, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import accuracy_score, log_loss
from torchmetrics.classification import MulticlassCalibrationError

from domain.errors import InputError
from domain.metrics.classification import expected_calibration_error, paired_interval, scores, summary


def predictions(count: int = 400, classes: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    logits = 2 * rng.normal(size=(count, classes))
    weights = np.exp(logits)
    return rng.integers(classes, size=count), weights / weights.sum(axis=1, keepdims=True)


def test_scores_agree_with_libraries_to_six_digits() -> None:
    labels, probabilities = predictions()
    result = scores(labels, probabilities)
    reference = MulticlassCalibrationError(num_classes=7, n_bins=15, norm="l1")
    assert result["accuracy"] == pytest.approx(accuracy_score(labels, probabilities.argmax(1)), rel=1e-12)
    assert result["errors"] == (labels != probabilities.argmax(1)).sum()
    assert result["nll"] == pytest.approx(log_loss(labels, probabilities, labels=range(7)), rel=1e-12)
    expected = reference(torch.from_numpy(probabilities), torch.from_numpy(labels)).item()
    assert result["ece"] == pytest.approx(expected, abs=1e-6)


def test_certain_and_right_is_perfect() -> None:
    assert scores(np.arange(4), np.eye(4)) == {"accuracy": 1.0, "errors": 0, "nll": 0.0, "ece": 0.0}


def test_certain_and_wrong_is_finite() -> None:
    result = scores(np.array([1]), np.array([[1.0, 0.0]]))
    assert result["errors"] == 1 and result["ece"] == 1.0 and np.isfinite(result["nll"])


def test_calibration_error_by_hand() -> None:
    # Bins (8/15, 9/15]: one of two right at 0.55; (13/15, 14/15]: two of two right at 0.9.
    confidence = np.array([0.55, 0.55, 0.9, 0.9])
    right = np.array([True, False, True, True])
    assert expected_calibration_error(confidence, right) == pytest.approx((2 * 0.05 + 2 * 0.1) / 4, rel=1e-12)


def test_a_calibration_bin_holds_its_upper_edge() -> None:
    confidence = np.array([np.linspace(0, 1, 16)[9], 0.58])  # both in (8/15, 9/15]
    assert expected_calibration_error(confidence, np.array([False, True])) == pytest.approx(0.09, rel=1e-12)


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [
        (np.empty(0, int), np.empty((0, 2))),
        (np.array([0, 1]), np.array([[1.0, 0.0]])),
        (np.array([0]), np.array([[0.5, 0.6]])),
        (np.array([0]), np.array([[1.5, -0.5]])),
        (np.array([0]), np.array([[np.nan, 1.0]])),
        (np.array([-1]), np.array([[0.5, 0.5]])),
        (np.array([2]), np.array([[0.5, 0.5]])),
        (np.array([0.5]), np.array([[0.5, 0.5]])),
    ],
)
def test_scores_refuse(labels: np.ndarray, probabilities: np.ndarray) -> None:
    with pytest.raises(InputError, match="scores"):
        scores(labels, probabilities)


def test_summary() -> None:
    values = [0.9, 0.7, 0.8, 0.4]
    result = summary(np.array(values))
    assert result["mean"] == pytest.approx(0.7, rel=1e-12)
    assert result["sd"] == pytest.approx(stats.tstd(values), rel=1e-12)
    assert (result["median"], result["worst"], result["n"]) == (pytest.approx(0.75), 0.4, 4)
    assert summary(np.array(values), better="lower")["worst"] == 0.9


def test_summary_of_one_seed_has_no_spread() -> None:
    assert summary(np.array([0.5])) == {"mean": 0.5, "sd": None, "median": 0.5, "worst": 0.5, "n": 1}


@pytest.mark.parametrize("values", [[], [np.nan, 1.0], [[1.0, 2.0]]])
def test_summary_refuses(values: list) -> None:
    with pytest.raises(InputError, match="values"):
        summary(np.array(values))


def test_paired_interval_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6))
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    result = paired_interval(a, b)
    assert (result["low"], result["high"]) == pytest.approx((expected.low, expected.high), rel=1e-10)
    assert result["mean"] == pytest.approx((a - b).mean(), rel=1e-12) and result["n"] == 6


def test_paired_interval_of_a_constant_difference_has_no_width() -> None:
    result = paired_interval(np.array([3.0, 4.0]), np.array([1.0, 2.0]))
    assert result == {"mean": 2.0, "low": 2.0, "high": 2.0, "n": 2}


@pytest.mark.parametrize(
    ("a", "b"), [([1.0], [2.0]), ([1.0, 2.0], [1.0]), ([], []), ([1.0, np.nan], [1.0, 2.0])]
)
def test_paired_interval_refuses(a: list, b: list) -> None:
    with pytest.raises(InputError):
        paired_interval(np.array(a), np.array(b))

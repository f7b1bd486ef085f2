"""Calibration against scikit-learn, torchmetrics and brute force; selective prediction by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.classification import MulticlassCalibrationError

from domain.errors import InputError
from domain.metrics.calibration import (
    TEMPERATURES,
    aurc,
    brier,
    errors_removed,
    reliability,
    risk_coverage,
    temperature,
    tempered,
)
from domain.metrics.classification import expected_calibration_error

CLASSES = 5


def drawn(count: int = 500, sharpened: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from softmax(logits), and the probabilities of the logits times ``sharpened``."""
    rng = np.random.default_rng(7)
    logits = 2 * rng.normal(size=(count, CLASSES))
    labels = (softmax(logits, axis=1).cumsum(1) < rng.random((count, 1))).sum(1)
    return labels, softmax(sharpened * logits, axis=1)


# Calibration.


def test_reliability_agrees_with_scikit_learn() -> None:
    labels, probabilities = drawn()
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    accuracy, mean = calibration_curve(right, confidence, n_bins=10)
    bins = reliability(labels, probabilities, 10)
    filled = bins.count > 0
    assert bins.count.sum() == len(labels) and len(bins.edges) == len(bins.count) + 1
    np.testing.assert_allclose(bins.accuracy[filled], accuracy, rtol=1e-12)
    np.testing.assert_allclose(bins.confidence[filled], mean, rtol=1e-12)


def test_calibration_error_agrees_with_torchmetrics() -> None:
    labels, probabilities = drawn(sharpened=2)
    reference = MulticlassCalibrationError(num_classes=CLASSES, n_bins=15, norm="l1")
    expected = reference(torch.from_numpy(probabilities), torch.from_numpy(labels)).item()
    error = reliability(labels, probabilities).error
    assert error == pytest.approx(expected, abs=1e-6)
    right = probabilities.argmax(1) == labels
    assert error == pytest.approx(expected_calibration_error(probabilities.max(1), right), rel=1e-12)


def test_equal_mass_by_brute_force() -> None:
    labels, probabilities = drawn(300, sharpened=2)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = reliability(labels, probabilities, bins=15, equal_mass=True)
    assert (bins.count == 20).all()
    slices = np.argsort(confidence).reshape(15, 20)
    expected = np.mean([abs(right[rows].mean() - confidence[rows].mean()) for rows in slices])
    assert bins.error == pytest.approx(expected, rel=1e-12)


def test_equal_mass_keeps_ties_together() -> None:
    probabilities = np.array([[1.0, 0.0]] * 50 + [[0.6, 0.4]] * 10)
    bins = reliability(np.zeros(60, int), probabilities, equal_mass=True)
    assert bins.count.tolist() == [10, 50] and bins.error == pytest.approx(0.4 * 10 / 60, rel=1e-12)


def test_empty_bins_hold_nothing() -> None:
    bins = reliability(np.array([0]), np.array([[1.0, 0.0]]))
    assert bins.count.tolist() == [0] * 14 + [1]
    assert np.isnan(bins.accuracy[:-1]).all() and bins.accuracy[-1] == 1 and bins.error == 0


def test_brier_agrees_with_scikit_learn() -> None:
    labels, probabilities = drawn()
    expected = brier_score_loss(labels, probabilities, scale_by_half=False)
    assert brier(labels, probabilities) == pytest.approx(expected, rel=1e-12)
    even = np.full((len(labels), CLASSES), 1 / CLASSES)
    assert brier(labels, even) == pytest.approx(1 - 1 / CLASSES, rel=1e-12)


# Temperature.


def test_temperature_undoes_a_known_sharpening() -> None:
    labels, probabilities = drawn(20_000, sharpened=2.5)
    found = temperature(labels, probabilities)
    assert found == pytest.approx(2.5, rel=0.03)
    mended = tempered(probabilities, found)
    assert reliability(labels, mended).error < 0.01 < reliability(labels, probabilities).error


def test_temperature_is_the_best_of_a_fine_grid() -> None:
    labels, probabilities = drawn(400, sharpened=1.7)
    found = temperature(labels, probabilities)
    grid = np.linspace(1, 3, 401)
    nll = [log_loss(labels, softmax(np.log(probabilities) / T, axis=1)) for T in grid]
    assert found == pytest.approx(grid[np.argmin(nll)], abs=5e-3)


def test_tempered() -> None:
    _, probabilities = drawn(50)
    np.testing.assert_allclose(tempered(probabilities, 1.0), probabilities, rtol=1e-12)
    expected = np.exp(log_softmax(np.log(probabilities) / 4, 1))
    np.testing.assert_allclose(tempered(probabilities, 4.0), expected, rtol=1e-12)
    assert (tempered(probabilities, 9.0).argmax(1) == probabilities.argmax(1)).all()
    with pytest.raises(InputError, match="must be above 0"):
        tempered(probabilities, 0)


@pytest.mark.parametrize("kind", [np.float32, np.float64, int])
def test_probabilities_of_zero_and_one(kind: type) -> None:
    certain = np.eye(3, dtype=kind)[[0, 1, 2, 0]]
    assert np.isfinite(tempered(certain, 2.0)).all()
    assert TEMPERATURES[0] <= temperature(np.array([0, 1, 2, 0]), certain) < 1.01 * TEMPERATURES[1]
    assert temperature(np.array([0, 1, 2, 1]), certain) > 1


def test_rounding_to_float32_hardly_moves_the_temperature() -> None:
    labels, probabilities = drawn(2000, sharpened=12)
    assert (probabilities.astype(np.float32) == 0).any()
    found = temperature(labels, probabilities.astype(np.float32))
    assert found == pytest.approx(temperature(labels, probabilities), rel=0.05)


# Selective prediction.


def test_risk_coverage_by_hand() -> None:
    right, confidence = np.array([False, True, True, False]), np.array([0.2, 0.9, 0.4, 0.8])
    coverage, risk = risk_coverage(right, confidence)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1]
    np.testing.assert_allclose(risk, [0, 1 / 2, 1 / 3, 1 / 2], rtol=1e-12)
    assert aurc(right, confidence) == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 4, rel=1e-12)


def test_ties_are_the_mean_over_all_their_orders() -> None:
    right = np.array([True, False, True, False, True, True])
    confidence = np.array([0.5, 0.5, 0.9, 0.5, 0.9, 0.1])
    expected, curves = risk_coverage(right, confidence)[1], []
    for rows in map(list, permutations(range(6))):
        order = np.argsort(-confidence[rows], kind="stable")
        curves.append(np.cumsum(~right[rows][order]) / np.arange(1, 7))
        assert np.array_equal(risk_coverage(right[rows], confidence[rows])[1], expected)
    np.testing.assert_allclose(expected, np.mean(curves, 0), rtol=1e-12)


def test_a_constant_signal_is_random_and_the_oracle_is_best() -> None:
    right = np.random.default_rng(0).random(1000) < 0.9
    assert aurc(right, np.zeros(1000)) == pytest.approx((~right).mean(), rel=1e-12)
    signal = right + np.random.default_rng(1).normal(size=1000)
    assert aurc(right, right) < aurc(right, signal) < (~right).mean()


def test_errors_removed() -> None:
    right = np.ones(1000, bool)
    right[:20] = False
    confidence = np.linspace(0, 1, 1000)
    confidence[10:20] = 2  # ten of the errors are the surest answers
    result = errors_removed(right, confidence, 0.01)
    assert result == {"removed": pytest.approx(0.5), "random": 0.01, "oracle": pytest.approx(0.5)}
    assert errors_removed(right, confidence, 0.0)["removed"] == 0
    assert errors_removed(right, confidence, 1.0)["removed"] == 1
    assert errors_removed(right, np.zeros(1000), 0.123)["removed"] == pytest.approx(0.123, rel=1e-12)


def test_no_errors_to_remove() -> None:
    assert errors_removed(np.ones(3, bool), np.arange(3)) == {"removed": None, "random": 0.01, "oracle": None}


@pytest.mark.parametrize(
    ("right", "confidence"),
    [
        (np.empty(0, bool), np.empty(0)),
        (np.array([True]), np.array([0.1, 0.2])),
        (np.array([1, 0]), np.array([0.1, 0.2])),
        (np.array([True]), np.array([np.nan])),
    ],
)
def test_selective_prediction_refuses(right: np.ndarray, confidence: np.ndarray) -> None:
    with pytest.raises(InputError, match="risk-coverage"):
        aurc(right, confidence)


@pytest.mark.parametrize("measure", [reliability, brier, temperature])
def test_what_is_no_distribution_is_refused(measure: object) -> None:
    with pytest.raises(InputError, match="softmax"):
        measure(np.array([0]), np.array([[0.9, 0.9]]))


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(InputError, match="rejected"):
        errors_removed(np.array([True]), np.array([0.5]), 2.0)

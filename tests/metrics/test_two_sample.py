"""The test finds what is there, nothing where there is nothing, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from domain.errors import InputError
from domain.metrics.two_sample import (
    CaloChallengeJudge,
    Judge,
    auc_standard_error,
    classifier_two_sample_test,
    jensen_shannon,
    null,
)

FAST = Judge(width=32, folds=4)
CALIBRATED = CaloChallengeJudge(width=32, layers=2, rate=3e-3, batch=400, epochs=8)


def normal(count: int, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(count, 2, 2))
    x[:, 0, 0] += shift
    return x


def test_shifted_gaussians_reach_the_ideal_auc() -> None:
    # The best score between N(0, 1) and N(1, 1) is x itself, with AUC = Phi(1 / sqrt 2) = 0.760.
    result = classifier_two_sample_test(normal(1500, seed=1), normal(1500, shift=1.0, seed=2), 0, FAST)
    assert result["auc"] == pytest.approx(norm.cdf(np.sqrt(0.5)), abs=3 * result["auc_error"])
    assert result["accuracy"] == pytest.approx(norm.cdf(0.5), abs=0.03)
    assert result["count"] == 1500


def test_null_is_one_half_within_its_error() -> None:
    results = [null(normal(600, seed=seed), seed, FAST) for seed in range(8)]
    deviation = np.array([(r["auc"] - 0.5) / r["auc_error"] for r in results])
    assert abs(deviation.mean()) < 3 / np.sqrt(8)
    assert deviation.std(ddof=1) < 2
    assert results[0]["count"] == 300


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_halves_of_a_large_sample_read_one_half() -> None:
    # 21,000 rows a side: the standard error is √(1 / (6 N)) = 0.0028.
    rng = np.random.default_rng(8)
    showers = rng.gamma(2, size=(42_000, 3)) @ rng.normal(size=(3, 6))
    result = null(showers, 0, Judge(width=16, folds=2, epochs=4))
    assert result["auc"] == pytest.approx(0.5, abs=0.01)
    assert result["auc_error"] == pytest.approx(np.sqrt(1 / 6 / 21_000), rel=0.01)
    result = null(showers, 0, CaloChallengeJudge(width=16, layers=1, rate=1e-3, epochs=4))
    assert result["auc"] == pytest.approx(0.5, abs=3 * result["auc_error"])  # a fifth of the rows is judged
    assert abs(result["jsd"]) < 0.01


def test_calibrated_judge_reaches_the_ideal_auc_and_divergence() -> None:
    # Of N(0, 1) and N(1, 1), in bits: the mean of log₂ (p / mixture) under p; the other side is its mirror.
    divergence = quad(lambda x: norm.pdf(x) * (1 - np.log2(1 + np.exp(x - 0.5))), -12, 12)[0]
    result = classifier_two_sample_test(normal(6000, seed=1), normal(6000, shift=1.0, seed=2), 0, CALIBRATED)
    assert result["auc"] == pytest.approx(norm.cdf(np.sqrt(0.5)), abs=3 * result["auc_error"])
    assert result["jsd"] == pytest.approx(divergence, abs=3.5 * result["jsd_error"])
    assert result["accuracy"] == pytest.approx(norm.cdf(0.5), abs=0.03)
    assert result["count"] == 6000


def test_calibrated_judge_repeats_itself_and_may_standardise() -> None:
    a, b = normal(300), normal(300, shift=2.0, seed=1)
    quick = CaloChallengeJudge(width=8, layers=1, rate=1e-2, batch=50, epochs=4)
    assert classifier_two_sample_test(a, b, 7, quick) == classifier_two_sample_test(a, b, 7, quick)
    standardised = CaloChallengeJudge(width=8, layers=1, rate=1e-2, batch=50, epochs=4, standardise=True)
    far = 1e4 + 1e-3 * a, 1e4 + 1e-3 * b
    assert classifier_two_sample_test(*far, 7, quick)["auc"] < 0.6
    assert classifier_two_sample_test(*far, 7, standardised)["auc"] > 0.8


def test_calo_challenge_defaults() -> None:
    judge = CaloChallengeJudge()
    assert (judge.width, judge.layers, judge.rate, judge.batch, judge.epochs) == (2048, 3, 2e-4, 1000, 50)


def test_divergence_by_hand() -> None:
    bits, error = jensen_shannon(np.array([1, 0]), np.array([0.5, 0.75]))  # log₂ of 1/2 and 1/4
    assert (bits, error) == (-0.5, 0.5 / np.sqrt(2))
    assert jensen_shannon(np.array([1, 0, 1]), np.array([1.0, 0.0, 1.0])) == (1, 0)


def test_equal_means_and_other_shape_are_told_apart() -> None:
    # No linear rule separates these two.
    assert classifier_two_sample_test(normal(400), 2 * normal(400, seed=1), 0, FAST)["auc"] > 0.7


def test_same_seed_same_numbers() -> None:
    a, b = normal(120), normal(90, shift=0.5, seed=1)
    first = classifier_two_sample_test(a, b, 7, FAST)
    assert first == classifier_two_sample_test(a, b, 7, FAST)
    assert first != classifier_two_sample_test(a, b, 8, FAST)
    assert first["count"] == 90


def test_the_larger_set_is_thinned_by_chance() -> None:
    mostly_shifted = np.concatenate([normal(300, seed=1), normal(2700, shift=5.0, seed=2)])
    result = classifier_two_sample_test(normal(300), mostly_shifted, 0, FAST)
    assert result["count"] == 300 and result["auc"] > 0.9


def test_global_generator_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()
    null(normal(80), 0, FAST)
    assert np.array_equal(before, np.random.get_state()[1])


def test_standard_error_matches_the_spread_of_simulated_aucs() -> None:
    rng = np.random.default_rng(5)
    positive, negative = rng.normal(1, 1, (2000, 60)), rng.normal(0, 1, (2000, 40))
    aucs = (positive[:, :, None] > negative[:, None, :]).mean(axis=(1, 2))
    assert auc_standard_error(norm.cdf(np.sqrt(0.5)), 60, 40) == pytest.approx(aucs.std(), rel=0.05)


def test_standard_error_by_hand() -> None:
    # AUC 1/2: Q1 = Q2 = 1/3, so the variance is (m + n + 1) / (12 m n), Mann and Whitney's.
    assert auc_standard_error(0.5, 30, 50) == pytest.approx(np.sqrt(81 / (12 * 30 * 50)), rel=1e-12)
    assert auc_standard_error(1.0, 30, 50) == 0


def test_constant_columns_are_harmless() -> None:
    constant = np.ones((60, 3))
    assert classifier_two_sample_test(constant, constant, 0, FAST)["auc"] == 0.5


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.empty((0, 2)), np.empty((0, 2))),
        (normal(1), normal(1)),
        (normal(100), np.full((100, 2, 2), np.nan)),
        (normal(100), normal(100)[:, :1]),
        (np.arange(100.0), np.arange(100.0)),
    ],
)
def test_refuses(a: np.ndarray, b: np.ndarray) -> None:
    with pytest.raises(InputError, match="two-sample"):
        classifier_two_sample_test(a, b, 0)


def test_null_refuses_what_is_too_small() -> None:
    with pytest.raises(InputError, match="two-sample"):
        null(normal(10), 0)

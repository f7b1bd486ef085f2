"""MMD against loops, KID against torchmetrics, and the permutation test against scipy's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy import stats
from torchmetrics.image.kid import KernelInceptionDistance

from domain.errors import InputError
from domain.metrics import mmd
from domain.metrics.base import halves
from domain.metrics.mmd import feature_kid, mmd_test, polynomial_mmd


def features(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4)) * [1, 0.5, 2, 0.1] + shift


@pytest.mark.parametrize("degree", [3, 4])
def test_polynomial_mmd_agrees_with_loops(monkeypatch: pytest.MonkeyPatch, degree: int) -> None:
    x, y = features(7, 1), features(5, 2, 0.3)

    def kernel(p: np.ndarray, q: np.ndarray) -> float:
        return (sum(a * b for a, b in zip(p, q)) / 4 + 1) ** degree

    within = sum(np.mean([kernel(p, q) for p, q in itertools.permutations(side, 2)]) for side in (x, y))
    expected = within - 2 * sum(kernel(p, q) for p in x for q in y) / 35
    assert polynomial_mmd(x, y, degree) == pytest.approx(expected, rel=1e-10)
    monkeypatch.setattr(mmd, "BLOCK", 2)
    assert polynomial_mmd(x, y, degree) == pytest.approx(expected, rel=1e-10)


def test_mmd_of_one_distribution_is_zero_on_average() -> None:
    rng = np.random.default_rng(0)
    values = np.array([polynomial_mmd(*rng.normal(size=(2, 40, 3)), degree=3) for _ in range(300)])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert (values < 0).any()


def test_kid_agrees_with_torchmetrics() -> None:
    a, b = features(60, 1), features(60, 2, 0.2)
    ready = torch.nn.Identity()
    ready.num_features = 4
    reference = KernelInceptionDistance(feature=ready, subsets=1, subset_size=60)  # the only subset is the whole
    reference.update(torch.from_numpy(a), real=True)
    reference.update(torch.from_numpy(b), real=False)
    found = feature_kid(a, b, subsets=3, size=60)
    assert found["feature_kid"] == pytest.approx(reference.compute()[0].item(), rel=1e-5)
    assert found["feature_kid_spread"] == pytest.approx(0, abs=1e-12)


def test_kid_does_not_depend_on_the_count_and_its_floor_is_zero() -> None:
    a, b = features(600, 1), features(600, 2, 0.5)
    small, large = (feature_kid(a, b, 100, size) for size in (50, 300))
    assert small["feature_kid"] == pytest.approx(large["feature_kid"], abs=3 * small["feature_kid_spread"] / np.sqrt(100))
    assert abs(feature_kid(*halves(a, 0))["feature_kid"]) < 0.1 * large["feature_kid"]
    assert feature_kid(a, b, 5, 50) == feature_kid(a, b, 5, 50)


def test_permutation_test_agrees_with_scipy_over_all_splits() -> None:
    """Three against four: 35 splits, which many draws share out evenly."""
    a, b = features(3, 1), features(4, 2, 1.0)

    def statistic(x: np.ndarray, y: np.ndarray) -> float:
        def kernel(p: np.ndarray, q: np.ndarray) -> float:
            return float(np.exp(-((p - q) ** 2).sum() / 2))

        within = sum(np.mean([kernel(p, q) for p, q in itertools.permutations(side, 2)]) for side in (x, y))
        return within - 2 * float(np.mean([kernel(p, q) for p in x for q in y]))

    rows = np.concatenate([a, b])
    exact = stats.permutation_test(
        (np.arange(3), np.arange(3, 7)), lambda i, j: statistic(rows[i], rows[j]), alternative="greater"
    )
    found = mmd_test(a, b, seed=0, permutations=4000, scale=1.0)
    assert found["mmd"] == pytest.approx(exact.statistic, rel=1e-10)
    assert found["mmd_p"] == pytest.approx(exact.pvalue, abs=4 * np.sqrt(exact.pvalue / 4000))


def test_p_is_even_between_equals_and_least_between_others() -> None:
    p = [mmd_test(features(20, 2 * seed), features(20, 2 * seed + 1), seed, 99)["mmd_p"] for seed in range(100)]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    found = mmd_test(features(100, 1), features(100, 2, 0.5), 0)
    assert found["mmd_p"] == 1 / 1000 and found["mmd"] > found["mmd_null"]


def test_equal_sets_are_no_evidence() -> None:
    x = features(30, 1)
    assert mmd_test(x, x, 0, 99)["mmd_p"] == 1


@pytest.mark.parametrize("bad", [np.ones((1, 4)), np.full((9, 4), np.nan), np.ones((9, 2)), np.ones(9)])
def test_refuses(bad: np.ndarray) -> None:
    with pytest.raises(InputError, match="feature KID"):
        feature_kid(features(9, 1), bad)
    with pytest.raises(InputError, match="MMD test"):
        mmd_test(features(9, 1), bad, 0)


def test_refuses_what_draws_nothing() -> None:
    x = features(9, 1)
    with pytest.raises(InputError, match="3 subsets of 10 rows"):
        feature_kid(x, x, 3, 10)
    with pytest.raises(InputError, match="0 permutations"):
        mmd_test(x, x, 0, 0)
    with pytest.raises(InputError, match="samples that differ"):
        mmd_test(np.ones((5, 2)), np.ones((5, 2)), 0)

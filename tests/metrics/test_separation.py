"""Separation power by hand, its floor by enumeration and by Monte Carlo, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import norm, wasserstein_distance

from domain.errors import InputError
from domain.metrics.base import halves
from domain.metrics.separation import expected_separation, expected_wasserstein, separation_power, wasserstein


def by_loops(a: np.ndarray, b: np.ndarray, edges: np.ndarray) -> float:
    total = 0.0
    for low, high in itertools.pairwise([-np.inf, *edges, np.inf]):
        p, q = (sum(low <= value < high for value in values) / len(values) for values in (a, b))
        total += 0.5 * (p - q) ** 2 / (p + q) if p + q else 0.0
    return total


def test_agrees_with_loops_and_keeps_what_lies_beyond_the_range() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1.5, 300), rng.normal(size=200)
    result = separation_power(a, b, bins=20, range=(-2, 2))
    assert result["raw"] == pytest.approx(by_loops(a, b, np.linspace(-2, 2, 21)), rel=1e-12)
    assert result["separation"] == pytest.approx(result["raw"] - result["floor"], rel=1e-12)
    low, high = np.quantile(b, [0.005, 0.995])
    assert separation_power(a, b) == separation_power(a, b, 50, (low, high))


def test_equal_is_zero_and_disjoint_is_one() -> None:
    values = np.arange(100.0)
    assert separation_power(values, values)["raw"] == 0
    assert separation_power(values + 200, values, range=(0, 300))["raw"] == pytest.approx(1, rel=1e-12)
    assert separation_power(values + 200, values)["raw"] > 0.97  # its own tail is beyond too


@pytest.mark.parametrize(("size_a", "size_b"), [(4, 4), (3, 5), (1, 7)])
def test_floor_is_the_mean_over_every_deal(size_a: int, size_b: int) -> None:
    values = np.array([0, 0, 0, 1, 1, 2, 3, 3])
    deals = []
    for chosen in itertools.combinations(range(8), size_a):
        taken = np.isin(np.arange(8), chosen)
        p = np.bincount(values[taken], minlength=4) / size_a
        q = np.bincount(values[~taken], minlength=4) / size_b
        deals.append((0.5 * (p - q) ** 2 / (p + q)).sum())
    floor = expected_separation(np.bincount(values, minlength=5), size_a, size_b)
    assert floor == pytest.approx(np.mean(deals), rel=1e-10)


@pytest.mark.parametrize("count", [50, 5000, 200_000])
def test_floor_of_equal_sizes_has_its_closed_form(count: int) -> None:
    pooled = np.random.default_rng(1).multinomial(2 * count, np.arange(1, 31) / 465)
    occupied = (pooled > 0).sum()
    floor = expected_separation(pooled, count, count)
    assert floor == pytest.approx((occupied - 1) / (2 * count - 1), rel=1e-8)


def test_floor_of_unequal_sizes_nears_its_approximation_in_full_bins() -> None:
    pooled = np.full(40, 5000)
    approximation = 39 / 4 * (1 / 50_000 + 1 / 150_000)
    assert expected_separation(pooled, 50_000, 150_000) == pytest.approx(approximation, rel=1e-3)


@pytest.mark.parametrize(("size_a", "size_b"), [(400, 400), (150, 1500)])
def test_samples_of_one_distribution_separate_by_nothing(size_a: int, size_b: int) -> None:
    rng = np.random.default_rng(2)
    sample = rng.gamma(2, size=size_a + size_b)
    results = []
    for _ in range(200):
        rng.shuffle(sample)
        results.append(separation_power(sample[:size_a], sample[size_a:], bins=30, range=(0, 8)))
    separation = np.array([r["separation"] for r in results])
    error = separation.std() / np.sqrt(len(separation))
    assert abs(separation.mean()) < 3 * error
    assert results[0]["raw"] > 20 * error  # without the floor the test would fail


def test_a_constant_reference_gets_unit_width() -> None:
    twos = np.full(50, 2.0)
    assert separation_power(twos, twos)["separation"] == 0
    assert separation_power(twos - 1, twos)["raw"] == 1


@pytest.mark.parametrize("bad", [[], [1.0], [1.0, np.nan], [[1.0, 2.0]]])
def test_refuses(bad: list) -> None:
    for call in (separation_power, wasserstein):
        with pytest.raises(InputError, match="'a'"):
            call(np.array(bad), np.arange(9.0))
        with pytest.raises(InputError, match="'b'"):
            call(np.arange(9.0), np.array(bad))


@pytest.mark.parametrize(
    "options", [{"bins": 1}, {"range": (1, 1)}, {"range": (2, 1)}, {"range": (0, np.inf)}]
)
def test_refuses_bins_and_range(options: dict) -> None:
    with pytest.raises(InputError, match="separation"):
        separation_power(np.arange(9.0), np.arange(9.0), **options)


def test_halves_of_a_large_sample_separate_by_the_expected_bias() -> None:
    # (2N − 1) S is then χ² with B − 1 degrees of freedom, B = 52 with both tails.
    a, b = halves(np.random.default_rng(5).gamma(2, size=200_000), 0)
    result = separation_power(a, b)
    bias, sd = 51 / (2 * len(a) - 1), np.sqrt(2 * 51) / (2 * len(a) - 1)
    assert result["floor"] == pytest.approx(bias, rel=1e-8)
    assert result["raw"] == pytest.approx(bias, abs=3 * sd)


def test_wasserstein_by_quantiles() -> None:
    a, b = norm.ppf((np.arange(500) + 0.5) / 500), np.random.default_rng(0).normal(0.2, 1.1, 500)
    distance = np.abs(np.sort(a) - np.sort(b)).mean()
    assert wasserstein(a, b)["raw"] == pytest.approx(
        distance / np.sqrt(((b - b.mean()) ** 2).mean()), rel=1e-10
    )
    assert wasserstein(a, b, scale=1)["raw"] == pytest.approx(distance, rel=1e-10)
    result = wasserstein(a + 3, a, scale=0.5)
    assert result["raw"] == pytest.approx(6, rel=1e-12)
    assert result["wasserstein"] == pytest.approx(result["raw"] - result["floor"], rel=1e-12)


@pytest.mark.parametrize(("size_a", "size_b"), [(4, 4), (3, 5), (1, 7)])
def test_wasserstein_floor_is_the_mean_over_every_deal(size_a: int, size_b: int) -> None:
    values = np.array([-1.0, 0, 0, 0.5, 2, 2, 2, 7])
    deals = []
    for chosen in itertools.combinations(range(8), size_a):
        taken = np.isin(np.arange(8), chosen)
        deals.append(wasserstein_distance(values[taken], values[~taken]))
    assert expected_wasserstein(values, size_a, size_b) == pytest.approx(np.mean(deals), rel=1e-10)


def test_samples_of_one_distribution_lie_at_the_wasserstein_floor() -> None:
    sample = np.random.default_rng(6).exponential(size=1200)
    results = [wasserstein(*halves(sample, seed))["wasserstein"] for seed in range(50)]
    assert abs(np.mean(results)) < 3 * np.std(results) / np.sqrt(50)


def test_wasserstein_needs_a_spread_or_a_scale() -> None:
    with pytest.raises(InputError, match="scale"):
        wasserstein(np.arange(9.0), np.ones(9))
    assert wasserstein(np.full(9, 3.0), np.ones(9), scale=4)["raw"] == 0.5

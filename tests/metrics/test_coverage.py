"""Precision, recall, density, coverage and copies against loops that follow the papers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from domain.errors import InputError
from domain.metrics import coverage
from domain.metrics.coverage import copying, expected_coverage, memorisation, nearest_training, prdc


def cloud(count: int, seed: int, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(count, 3))


def by_loops(real: np.ndarray, generated: np.ndarray, k: int) -> dict[str, float]:
    """The four figures written out, one distance at a time."""

    def distance(p: np.ndarray, q: np.ndarray) -> float:
        return float(np.sqrt(((p - q) ** 2).sum()))

    def radius(points: np.ndarray, i: int) -> float:
        return sorted(distance(points[i], points[j]) for j in range(len(points)) if j != i)[k - 1]

    real_radius = [radius(real, i) for i in range(len(real))]
    generated_radius = [radius(generated, j) for j in range(len(generated))]
    near = [[distance(r, g) <= rad for g in generated] for r, rad in zip(real, real_radius)]
    back = [[distance(r, g) <= rad for g, rad in zip(generated, generated_radius)] for r in real]
    return {
        "precision": sum(any(row[j] for row in near) for j in range(len(generated))) / len(generated),
        "recall": sum(any(row) for row in back) / len(real),
        "density": sum(sum(row) for row in near) / (k * len(generated)),
        "coverage": sum(any(row) for row in near) / len(real),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_agrees_with_loops(k: int, scale: float) -> None:
    real, generated = cloud(40, 1), cloud(25, 2, scale)
    assert prdc(real, generated, k) == pytest.approx(by_loops(real, generated, k), rel=1e-12)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real, generated = cloud(40, 1), cloud(25, 2)
    whole = prdc(real, generated)
    monkeypatch.setattr(coverage, "BLOCK", 70)
    assert prdc(real, generated) == whole


@pytest.mark.parametrize("points", [cloud(30, 1), np.repeat(cloud(5, 1), 8, axis=0), np.full((10, 4), 0.1)])
def test_identical_sets_are_perfect_even_with_ties(points: np.ndarray) -> None:
    result = prdc(points, points.copy())
    assert result["precision"] == result["recall"] == result["coverage"] == 1
    assert result["density"] >= 1


def test_density_is_one_for_fresh_samples_of_one_distribution() -> None:
    result = prdc(cloud(1500, 1), cloud(1500, 2))
    assert result["density"] == pytest.approx(1, abs=0.05)
    assert result["coverage"] == pytest.approx(1 - 0.5**5, abs=0.02)  # Naeem et al. 2020, lemma 2


@pytest.mark.parametrize(("real", "generated", "k"), [(40, 40, 5), (30, 60, 3), (60, 20, 1)])
def test_coverage_and_density_have_their_expected_values(real: int, generated: int, k: int) -> None:
    results = [prdc(cloud(real, 2 * seed), cloud(generated, 2 * seed + 1), k) for seed in range(200)]
    for name, expected in (("coverage", expected_coverage(real, generated, k)), ("density", 1.0)):
        values = np.array([result[name] for result in results])
        assert values.mean() == pytest.approx(expected, abs=3.5 * values.std() / np.sqrt(len(values)))


def test_expected_coverage_of_large_sets() -> None:
    assert expected_coverage(10**6, 10**6) == pytest.approx(1 - 0.5**5, abs=1e-5)
    assert expected_coverage(2, 1, 1) == pytest.approx(1 / 2, rel=1e-12)


def test_far_sets_share_nothing_and_a_collapsed_set_recalls_little() -> None:
    assert set(prdc(cloud(30, 1), cloud(30, 2) + 100).values()) == {0.0}
    collapsed = prdc(cloud(200, 1), cloud(200, 2, 0.05))
    assert collapsed["precision"] > 0.95 and collapsed["recall"] < 0.1 and collapsed["coverage"] < 0.2


def test_nearest_training_agrees_with_loops() -> None:
    samples, training = cloud(12, 1).reshape(12, 3, 1), cloud(30, 2).reshape(30, 3, 1)
    indices, distances = nearest_training(samples, training, k=3)
    for sample, row, distance in zip(samples, indices, distances):
        every = np.array([np.sqrt(((sample - point) ** 2).sum()) for point in training])
        assert row.tolist() == np.argsort(every)[:3].tolist()
        assert distance == pytest.approx(np.sort(every)[:3], rel=1e-12)


def test_copies_have_distance_zero() -> None:
    training = 1000 + cloud(50, 1)
    indices, distances = nearest_training(training[::-1], training)
    assert indices[:, 0].tolist() == list(range(50))[::-1]
    assert not distances.any()
    assert memorisation(training, training, 1000 + cloud(50, 2)) == 0


def test_memorisation_of_fresh_and_of_nearly_copied_samples() -> None:
    training, held_out = cloud(400, 1), cloud(400, 2)
    assert memorisation(cloud(400, 3), training, held_out) == pytest.approx(1, abs=0.1)
    assert memorisation(training + 1e-3 * cloud(400, 4), training, held_out) < 0.02


def test_copying_agrees_with_scipy_also_with_ties() -> None:
    training, held_out = np.round(cloud(60, 1)), np.round(cloud(50, 2))
    samples = np.round(cloud(40, 3, 0.8))
    result = copying(samples, training, held_out)
    near, held = (nearest_training(side, training)[1][:, 0] for side in (samples, held_out))
    test = mannwhitneyu(near, held, use_continuity=False, method="asymptotic")
    assert result["farther"] == pytest.approx(test.statistic / (40 * 50), rel=1e-12)
    assert 2 * norm.sf(abs(result["z"])) == pytest.approx(test.pvalue, rel=1e-10)
    assert result["nearer"] == np.mean([distance < np.median(held) for distance in near])


def test_copying_has_a_standard_normal_null_and_finds_copies() -> None:
    training, held_out = cloud(100, 1), cloud(300, 2)
    sets = ((cloud(60, seed), cloud(100, 1000 + seed), cloud(60, 2000 + seed)) for seed in range(10, 110))
    z = np.array([copying(*three)["z"] for three in sets])
    assert abs(z.mean()) < 0.35 and 0.75 < z.std() < 1.25
    copies = copying(np.repeat(training, 3, axis=0) + 1e-3 * cloud(300, 3), training, held_out)
    assert copies["nearer"] == 1 and copies["farther"] < 0.05 and copies["z"] < -15
    assert copying(5 + cloud(300, 4), training, held_out)["z"] > 15


@pytest.mark.parametrize("bad", [np.empty((0, 3)), np.full((9, 3), np.nan), np.ones((9, 2)), np.ones(9)])
def test_refuses(bad: np.ndarray) -> None:
    for call in (prdc, nearest_training):
        with pytest.raises(InputError, match="coverage"):
            call(cloud(20, 1), bad)


def test_refuses_too_large_k_and_leaked_data() -> None:
    with pytest.raises(InputError, match="k is 5"):
        prdc(cloud(1, 1), cloud(20, 2))
    with pytest.raises(InputError, match="k is 4"):
        nearest_training(cloud(2, 1), cloud(3, 2), k=4)
    with pytest.raises(InputError, match="held_out"):
        memorisation(cloud(5, 1), cloud(9, 2), cloud(9, 2))
    with pytest.raises(InputError, match="held_out"):
        copying(cloud(5, 1), cloud(9, 2), cloud(9, 2))

"""Precision, recall, density, coverage and copies against loops that follow the papers."""

from __future__ import annotations

import numpy as np
import pytest

from domain.errors import InputError
from domain.metrics import coverage
from domain.metrics.coverage import memorisation, nearest_training, prdc


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

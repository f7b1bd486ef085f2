"""Curves of precision and recall against the authors' program and against distributions known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from domain.errors import InputError
from domain.metrics.base import halves
from domain.metrics.prd import f_scores, prd, prd_curve

P, Q = [0.1, 0.2, 0.3, 0.4, 0.0], [0.3, 0.3, 0.1, 0.0, 0.3]


# The numbers are what compute_prd and prd_to_max_f_beta_pair of the authors' prd_score.py return for P and Q.
def test_agrees_with_the_authors() -> None:
    precision, recall = prd_curve(P, Q)
    points = [0, 100, 500, 900, 1000]
    assert precision[points] == pytest.approx([6e-11, 0.0950306642439259, 0.4, 0.7, 0.7], rel=1e-9)
    assert recall[points] == pytest.approx([0.6, 0.6, 0.4, 0.11086910828458024, 7.000004865446394e-11], rel=1e-9)
    scores = f_scores(precision, recall)
    assert scores == pytest.approx({"f8": 0.581975479997731, "f1/8": 0.6789713930566537}, rel=1e-8)


def blobs(classes: list[int], each: int, seed: int) -> np.ndarray:
    """Points so close to a class's own place that any clustering finds the classes."""
    places = 100 * np.eye(10)[np.repeat(classes, each)]
    return places + 0.01 * np.random.default_rng(seed).normal(size=places.shape)


def test_classes_left_out_cost_recall_alone() -> None:
    precision, recall = prd(blobs(list(range(10)), 10, 1), blobs([0, 1, 2, 3, 4], 20, 2), clusters=10, runs=2)
    assert precision.max() == pytest.approx(1) and recall.max() == pytest.approx(0.5)
    scores = f_scores(precision, recall)
    assert scores["f1/8"] == pytest.approx((1 + 1 / 64) * 0.5 / (1 / 64 + 0.5), rel=1e-3)
    assert scores["f8"] == pytest.approx(65 * 0.5 / 64.5, rel=1e-3)


def test_foreign_samples_cost_precision_alone() -> None:
    precision, recall = prd(blobs([0, 1, 2, 3, 4], 20, 2), blobs(list(range(10)), 10, 1), clusters=10, runs=2)
    assert precision.max() == pytest.approx(0.5) and recall.max() == pytest.approx(1)


def test_equals_reach_the_corner_and_strangers_nothing() -> None:
    assert f_scores(*prd_curve(P, P)) == pytest.approx({"f8": 1, "f1/8": 1})
    assert f_scores(*prd_curve([1, 0], [0, 1])) == {"f8": 0, "f1/8": 0}


def test_floor_of_finite_sets_is_below_one_and_has_a_seed() -> None:
    real = np.random.default_rng(0).normal(size=(400, 5))
    floor = f_scores(*prd(*halves(real, 0), runs=3))
    assert all(0.7 < value < 1 for value in floor.values())
    assert floor == f_scores(*prd(*halves(real, 0), runs=3))


def test_refuses() -> None:
    x = np.random.default_rng(0).normal(size=(30, 3))
    with pytest.raises(InputError, match="equally many"):
        prd(x, x[:20])
    with pytest.raises(InputError, match="61 clusters"):
        prd(x, x, clusters=61)
    with pytest.raises(InputError, match="sum 1"):
        prd_curve([0.5, 0.4], [0.5, 0.5])

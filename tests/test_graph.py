"""Labels from the neighbourhood graph."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.semi_supervised import LabelSpreading

from domain import graph
from domain.classifiers import LabelSpreadingClassifier
from domain.graph import affinity, neighbourhood, spread, surest


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, classes, and the classes of two of each, −1 elsewhere."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    partial = np.full(len(y), -1)
    for k in range(10):
        partial[rng.choice(np.flatnonzero(y == k), 2, replace=False)] = k
    return X / 16, y, partial


def test_affinity_by_hand() -> None:
    """On a line at 0, 1, 3, 7 the nearest neighbours are 1, 0, 1 and 3; edges hold in both directions."""
    x = np.array([[0.0], [1.0], [3.0], [7.0]])
    expected = [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    np.testing.assert_array_equal(affinity(x, x, 1).toarray(), expected)
    np.testing.assert_array_equal(affinity(x, np.array([[6.0], [0.4]]), 1).toarray(), [[0, 1], [0, 0], [0, 0], [1, 0]])


def test_a_graph_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same samples, in another array too, share it; a sample asked about is its own neighbour, one inside is not."""
    found = []
    monkeypatch.setattr(graph, "_graphs", {})
    monkeypatch.setattr(graph, "neighbourhood", lambda a, b, n: found.append(n) or neighbourhood(a, b, n))
    x = np.array([[0.0], [1.0], [3.0], [7.0]])
    inside, outside = affinity(x, x, 1), affinity(x, x.copy(), 1)
    assert affinity(x, x, 1) is inside and affinity(x, x.copy(), 1) is outside and found == [1, 1]
    assert not inside.diagonal().any() and outside.diagonal().all()


def test_two_rings_follow_their_own_label() -> None:
    """One label each is enough where the clusters are rings, which no nearest label could tell apart."""
    angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    x, truth = np.concatenate([circle, 3 * circle]), np.repeat([0, 1], 100)
    label = np.full(200, -1)
    label[[0, 150]] = truth[[0, 150]]
    np.testing.assert_array_equal(spread(x, label, neighbours=3).argmax(1), truth)


def test_both_directions_are_better_than_one(digits: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    X, y, partial = digits
    one = LabelSpreading(kernel="knn", n_neighbors=10, alpha=0.99).fit(X, partial)
    both = LabelSpreadingClassifier().fit(X, partial)
    assert (both.transduction_ == y).mean() > (one.transduction_ == y).mean()


def test_the_surest_are_nearly_always_right(digits: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    X, y, partial = digits
    probabilities = spread(X, partial)
    chosen = surest(probabilities, partial, each=50)
    known = chosen >= 0
    assert 500 <= known.sum() <= 520
    np.testing.assert_array_equal(chosen[partial >= 0], partial[partial >= 0])
    wrong_of_chosen, wrong_of_all = (chosen[known] != y[known]).mean(), (probabilities.argmax(1) != y).mean()
    assert wrong_of_chosen < wrong_of_all / 2


def test_a_sample_that_no_label_reaches_is_undecided() -> None:
    x = np.concatenate([np.arange(6.0), 100 + np.arange(6.0)])[:, None]
    y = np.full(12, -1)
    y[[0, 5]] = 0, 1
    probabilities = LabelSpreadingClassifier(n_neighbors=2).fit(x, y).predict_proba([[0.0], [103.0]])
    np.testing.assert_allclose(probabilities[1], 0.5)
    assert probabilities[0, 0] > 0.5

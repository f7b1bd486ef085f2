"""Accuracies of known classes, of swapped ones, and their floor."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from domain.errors import InputError
from domain.metrics.base import halves
from domain.metrics.transfer import perceptron, transfer


def linear(seed: int) -> ClassifierMixin:
    return LinearDiscriminantAnalysis()


def classes(count: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes, N(−1, 1) and N(1, 1) in the first of two columns, moved by ``shift``."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    x = rng.normal(size=(count, 2))
    x[:, 0] += 2 * labels - 1 + shift
    return x, labels


def test_accuracies_have_their_analytic_values() -> None:
    # The best cut lies at 0 for real and at 0.8 for generated samples.
    result = transfer(*classes(6000, 1), *classes(5000, 2, shift=0.8), 0, linear)
    near, far, own = norm.cdf(0.2), norm.cdf(1.8), norm.cdf(1)
    for name, expected in (
        ("real_to_real", own),
        ("generated_to_generated", own),
        ("generated_to_real", (near + far) / 2),
        ("real_to_generated", (near + far) / 2),
    ):
        assert result[name] == pytest.approx(expected, abs=3.5 * result["error"])
    assert result["loss"] == pytest.approx(result["real_to_real"] - result["generated_to_real"], abs=1e-12)
    assert result["loss"] > 5 * result["loss_error"]
    assert 4800 < result["count"] <= 5000


def test_swapped_classes_teach_the_opposite() -> None:
    x, labels = classes(2000, 2)
    result = transfer(*classes(2000, 1), x, 1 - labels, 0, linear)
    assert result["generated_to_real"] == pytest.approx(norm.cdf(-1), abs=3.5 * result["error"])
    assert result["generated_to_generated"] == pytest.approx(norm.cdf(1), abs=3.5 * result["error"])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_floor_by_the_default_classifier() -> None:
    x, labels = classes(2400, 3)
    a, b = halves(np.arange(2400), 0)
    one_layer = partial(_small, width=16)
    result = transfer(x[a], labels[a], x[b], labels[b], 0, one_layer, folds=2)
    assert abs(result["loss"]) < 4 * result["loss_error"] + 0.01
    assert result["real_to_real"] == pytest.approx(norm.cdf(1), abs=0.04)
    assert result == transfer(x[a], labels[a], x[b], labels[b], 0, one_layer, folds=2)


def _small(seed: int, width: int) -> ClassifierMixin:
    return perceptron(seed).set_params(mlpclassifier__hidden_layer_sizes=(width,), mlpclassifier__max_iter=30)


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (np.zeros(200, int), "classes"),
        (np.arange(200) % 3, "classes"),
        (np.arange(200) % 2 * 1.0, "integers"),
        (np.arange(199) % 2, "integers"),
        ((np.arange(200) == 0).astype(int), "class 1 has 1"),
    ],
)
def test_refuses_labels(labels: np.ndarray, match: str) -> None:
    with pytest.raises(InputError, match=f"transfer.*{match}"):
        transfer(np.ones((200, 2)), np.arange(200) % 2, np.ones((200, 2)), labels, 0)


def test_refuses_features() -> None:
    labels = np.arange(200) % 2
    with pytest.raises(InputError, match="columns"):
        transfer(np.ones((200, 2)), labels, np.ones((200, 3)), labels, 0)

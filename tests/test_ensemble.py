"""Ensembles: scikit-learn's contract, the mean by hand, and the same members wherever they are trained."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from domain.classifiers import FeatureMatchingGANClassifier
from domain.ensemble import Ensemble, mean_probabilities
from domain.errors import InputError

Data = tuple[np.ndarray, np.ndarray]
UNLABELLED = "labels of -1 mean unlabelled; scikit-learn exempts its own semi-supervised estimators by name"


def tiny(**options: object) -> FeatureMatchingGANClassifier:
    defaults = {
        "hidden": (32,), "generator_hidden": (16,), "latent": 8,
        "average": 0.9, "precision": "float32", "epochs": 4, "batch": 32,
    }
    return FeatureMatchingGANClassifier(**{**defaults, **options})


@pytest.fixture(scope="module")
def digits() -> Data:
    X, y = load_digits(return_X_y=True)
    return X[:200], y[:200]


@pytest.fixture(scope="module")
def ensemble(digits: Data) -> Ensemble:
    return Ensemble(tiny(), n_estimators=3, random_state=0).fit(*digits)


@parametrize_with_checks(
    [Ensemble(tiny(epochs=10, batch=50), n_estimators=2, random_state=0)],
    expected_failed_checks=lambda estimator: {"check_classifiers_classes": UNLABELLED},
)
def test_scikit_learn(estimator: Ensemble, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


def test_mean_of_members(ensemble: Ensemble, digits: Data) -> None:
    each = [member.predict_proba(digits[0]) for member in ensemble.members_]
    assert not np.allclose(each[0], each[1])
    np.testing.assert_allclose(ensemble.predict_proba(digits[0]), np.mean(each, 0), rtol=1e-12)
    np.testing.assert_array_equal(mean_probabilities(each), ensemble.predict_proba(digits[0]))


def test_mean_refuses() -> None:
    with pytest.raises(InputError, match="at least one"):
        mean_probabilities([])
    with pytest.raises(InputError, match="member 2"):
        mean_probabilities([np.ones((2, 2)), np.ones((2, 3))])


class Elsewhere(Executor):
    """Sends work and results through pickle, as processes and clusters do, without starting any."""

    def submit(self, task: Callable, /, *arguments: Any, **options: Any) -> Future:
        task, arguments, options = pickle.loads(pickle.dumps((task, arguments, options)))
        done: Future = Future()
        done.set_result(pickle.loads(pickle.dumps(task(*arguments, **options))))
        return done


@pytest.mark.parametrize("pool", [lambda: ThreadPoolExecutor(3), Elsewhere], ids=["threads", "elsewhere"])
def test_answers_do_not_depend_on_the_executor(
    pool: Callable[[], Executor], ensemble: Ensemble, digits: Data
) -> None:
    with pool() as executor:
        trained = Ensemble(tiny(), n_estimators=3, random_state=0).fit(*digits, executor=executor)
    np.testing.assert_array_equal(trained.predict_proba(digits[0]), ensemble.predict_proba(digits[0]))


def test_subset_and_growth(ensemble: Ensemble, digits: Data) -> None:
    X, _ = digits
    pair = ensemble.subset([2, 0])
    assert pair.members_ == [ensemble.members_[2], ensemble.members_[0]]
    assert (len(ensemble.members_), ensemble.n_estimators, pair.n_estimators) == (3, 3, 2)
    smaller = Ensemble(tiny(), n_estimators=2, random_state=0).fit(*digits)
    np.testing.assert_array_equal(ensemble.subset([0, 1]).predict_proba(X), smaller.predict_proba(X))
    with pytest.raises(InputError, match="at least one member"):
        ensemble.subset([])


def test_members_of_a_pipeline_and_their_checkpoints(digits: Data, tmp_path: Path) -> None:
    pipeline = make_pipeline(StandardScaler(), tiny(checkpoint=tmp_path / "run.safetensors"))
    fitted = Ensemble(pipeline, n_estimators=2, random_state=0).fit(*digits)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-0.safetensors", "run-1.safetensors"]
    one, other = (member.predict_proba(digits[0]) for member in fitted.members_)
    assert not np.allclose(one, other)


def test_needs_a_member(digits: Data) -> None:
    with pytest.raises(InputError, match="n_estimators"):
        Ensemble(tiny(), n_estimators=0).fit(*digits)

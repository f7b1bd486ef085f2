"""scikit-learn's own contract, and what the estimators add to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from domain.classifiers import (
    CLASSIFIERS,
    FeatureMatchingGANClassifier,
    SelfTrainingClassifier,
    SupervisedClassifier,
)
from domain.classifiers.base.estimator import NetworkClassifier
from domain.errors import InputError

SMALL = {"hidden": (64, 64), "generator_hidden": (32,), "latent": 16, "average": 0.9, "precision": "float32"}
UNLABELLED = "labels of -1 mean unlabelled here; scikit-learn exempts its own semi-supervised estimators by name"


def small(**options: object) -> FeatureMatchingGANClassifier:
    return FeatureMatchingGANClassifier(**{**SMALL, "epochs": 30, "batch": 32, "random_state": 0, **options})


def supervised(**options: object) -> SupervisedClassifier:
    defaults = {"hidden": (64,), "epochs": 25, "batch": 32, "average": 0.9, "precision": "float32", "random_state": 0}
    return SupervisedClassifier(**{**defaults, **options})


def self_training() -> SelfTrainingClassifier:
    return SelfTrainingClassifier(**supervised().get_params(), shares=(0.5,))


@parametrize_with_checks(
    [small(epochs=12), supervised(), self_training()],
    expected_failed_checks=lambda estimator: {"check_classifiers_classes": UNLABELLED},
)
def test_scikit_learn(estimator: NetworkClassifier, check: Callable[[NetworkClassifier], None]) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X[:400], y[:400]


def test_classes_of_minus_one_and_one_but_for_the_unlabelled(digits: tuple[np.ndarray, np.ndarray]) -> None:
    """What the exempted check would test, with labels that do not collide: any classes, in sorted order."""
    X, y = digits
    for names in (np.array(["zero", "one"], object), np.array([7, 3]), np.array([-2, 1])):
        model = small(epochs=5).fit(X[y < 2], names[y[y < 2]])
        assert list(model.classes_) == sorted(names)
        assert set(model.predict(X[y < 2])) <= set(names)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_unlabelled_images_and_vectors(name: str, digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = digits
    y = np.where(np.arange(len(y)) < 100, y, -1)
    model = CLASSIFIERS[name]()
    if isinstance(model, NetworkClassifier):
        narrow = dict.fromkeys({"hidden", "generator_hidden", "critic_hidden"} & set(model.get_params()), (64,))
        model.set_params(epochs=8, batch=32, average=0.9, random_state=0, **narrow)
    fitted = clone(model).fit(X, y)
    flat = fitted.predict_proba(X)
    images = clone(model).fit(X.reshape(-1, 1, 8, 8), y).predict_proba(X.reshape(-1, 1, 8, 8))
    assert flat.shape == (400, 10)
    np.testing.assert_allclose(flat.sum(1), 1, atol=1e-5)
    assert images.shape == (400, 10)
    assert fitted.score(X[:100], y[:100]) > 0.5


def test_unlabelled_samples_are_used(digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = digits
    few = np.where(np.arange(len(y)) < 30, y, -1)
    with_them = small(epochs=5).fit(X, few).predict_proba(X)
    without = small(epochs=5).fit(X[:60], few[:60]).predict_proba(X)
    assert not np.allclose(with_them, without)


def test_same_seed_same_answer_and_resume(digits: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    X, y = digits
    once = small(epochs=4).fit(X, y).predict_proba(X)
    again = small(epochs=4, checkpoint=tmp_path / "checkpoint.safetensors").fit(X, y)
    np.testing.assert_array_equal(once, again.predict_proba(X))
    finished = small(epochs=4, checkpoint=tmp_path / "checkpoint.safetensors").fit(X, y)
    np.testing.assert_array_equal(once, finished.predict_proba(X))
    assert not np.array_equal(once, small(epochs=4, random_state=1).fit(X, y).predict_proba(X))


def test_in_a_pipeline(digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = digits
    model = make_pipeline(StandardScaler(), small(epochs=20))
    assert cross_val_score(model, X, y, cv=3).mean() > 0.8


def test_a_grid_search_over_a_pipeline(digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = digits
    grid = {"featurematchingganclassifier__epochs": [1, 15]}
    search = GridSearchCV(make_pipeline(StandardScaler(), small()), grid, cv=2).fit(X, y)
    assert search.best_params_ == {"featurematchingganclassifier__epochs": 15}
    assert search.score(X, y) > 0.9


def test_needs_a_label(digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, _ = digits
    with pytest.raises(InputError, match="label at least one sample"):
        small().fit(X, np.full(len(X), -1))


def test_augmentation_needs_images(digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = digits
    with pytest.raises(InputError, match="need images"):
        supervised(augment=1.0).fit(X, y)
    images = X.reshape(-1, 8, 8)
    assert supervised(network="conv", width=8, augment=0.5, epochs=20).fit(images, y).score(images, y) > 0.8

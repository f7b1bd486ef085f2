"""Self-training: whose answers become labels, and that real samples without labels help."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from domain import estimators
from domain.classifiers import SelfTrainingClassifier, SupervisedClassifier
from domain.classifiers.supervised import pseudo_labels

SMALL = {"hidden": (32,), "epochs": 15, "batch": 32, "average": 0.9, "precision": "float32", "random_state": 0}


def test_each_class_keeps_its_surest_answers() -> None:
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.45, 0.55], [0.3, 0.7], [0.55, 0.45]])
    np.testing.assert_array_equal(pseudo_labels(p, 0.5, 0.0), [0, -1, 0, -1, 1, -1])
    np.testing.assert_array_equal(pseudo_labels(p, 1.0, 0.0), [0, 0, 0, 1, 1, 0])
    np.testing.assert_array_equal(pseudo_labels(p, 1.0, 0.65), [0, -1, 0, -1, 1, -1])
    np.testing.assert_array_equal(pseudo_labels(p, 0.0, 0.0), np.full(6, -1))


def test_without_unlabelled_samples_it_is_supervised() -> None:
    X, y = load_digits(return_X_y=True)
    X, y = X[:100], y[:100]
    for labels in (y, y.astype(str).astype(object)):
        one, other = (kind(**SMALL).fit(X, labels) for kind in (SelfTrainingClassifier, SupervisedClassifier))
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_a_shifted_domain_is_learnt_without_its_labels(tmp_path: Path) -> None:
    """Two clouds that turn: the labelled ones say which is which, the unlabelled lead round the corner."""
    rng = np.random.default_rng(0)
    turn = np.repeat(np.linspace(0, 2.2, 20), 40)
    y = rng.integers(0, 2, len(turn))
    X = np.stack([np.cos(turn), np.sin(turn)], 1) * (2 * y - 1)[:, None] + 0.1 * rng.normal(size=(len(turn), 2))
    labelled = turn < 0.3
    given = np.where(labelled, y, -1)
    alone = SupervisedClassifier(**SMALL).fit(X, given)
    model = SelfTrainingClassifier(**SMALL, shares=(0.3, 0.5, 0.7, 0.9)).fit(X, given)
    assert model.score(X, y) > 0.98 and alone.score(X, y) < 0.9
    estimators.save(tmp_path / "model", model)
    back = estimators.load(tmp_path / "model")
    assert type(back) is SelfTrainingClassifier
    np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))
    again = SelfTrainingClassifier(**SMALL, shares=(0.3, 0.5, 0.7, 0.9), checkpoint=tmp_path / "checkpoint").fit(X, given)
    resumed = SelfTrainingClassifier(**SMALL, shares=(0.3, 0.5, 0.7, 0.9), checkpoint=tmp_path / "checkpoint").fit(X, given)
    for other in (again, resumed):
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))

"""Classifier two-sample test: if a fresh classifier cannot tell two sets apart, they look alike.

Lopez-Paz and Oquab 2017, arXiv 1610.06545, with the area under the ROC curve (AUC) in place of
accuracy. 0.5 means that this classifier finds no difference, 1 that it finds a certain one. A
figure belongs to its judge, its count and its features: compare only figures that share all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from domain.config import Config, Count, NonNegative, Range
from domain.errors import InputError


@dataclass(frozen=True)
class Judge(Config):
    """The classifier, a perceptron with two hidden layers, and how it is trained.

    Attributes:
        width: units in each hidden layer.
        folds: each fold is judged by a network trained on the others.
        epochs: the most passes over the training rows.
        patience: passes without a better validation accuracy before it stops; a tenth of the
            training rows is the validation set, and the best weights are kept.
        decay: L2 penalty on the weights.
    """

    width: Count = 128
    folds: Annotated[int, Range(2)] = 5
    epochs: Count = 300
    patience: Count = 20
    decay: NonNegative = 1e-3


def classifier_two_sample_test(
    a: np.ndarray, b: np.ndarray, seed: int, judge: Judge = Judge()
) -> dict[str, float]:
    """Train a fresh classifier to tell ``a`` from ``b``, and judge it on rows it has not seen.

    The larger set is thinned to the size of the smaller, by chance. A row of ``a`` that is also in
    ``b`` drags the AUC below one half, as its twin was learnt with the other label.

    Args:
        a: samples, (N, ...), flattened.
        b: samples, (M, ...), of the same shape.
        seed: draws rows, folds, initial weights and batches.
        judge: the classifier.

    Returns:
        ``auc``, the mean over folds; ``auc_error``, its standard error from the held-out rows alone
        (training varies too: over fresh samples the null spreads 1.1 to 1.2 times as wide);
        ``accuracy``; and ``count``, rows a side.
    """
    a, b = _rows(a, "a", judge), _rows(b, "b", judge)
    if a.shape[1] != b.shape[1]:
        raise InputError(f"two-sample test: 'a' has {a.shape[1]} columns, 'b' {b.shape[1]}; make them equal")
    rng = np.random.default_rng(seed)
    count = min(len(a), len(b))
    x = np.concatenate([rng.choice(side, count, replace=False) for side in (a, b)])
    y = np.repeat([0, 1], count)
    folds = StratifiedKFold(judge.folds, shuffle=True, random_state=int(rng.integers(2**31)))
    with threadpool_limits(1):  # sums in one order on any machine
        results = [_fold(x, y, train, test, judge, rng) for train, test in folds.split(x, y)]
    auc, error, accuracy = np.array(results).T
    return {
        "auc": float(auc.mean()),
        "auc_error": float(np.sqrt((error**2).sum()) / judge.folds),
        "accuracy": float(accuracy.mean()),
        "count": count,
    }


def null(a: np.ndarray, seed: int, judge: Judge = Judge()) -> dict[str, float]:
    """The same test between two random halves of one set: what "no difference" reads like.

    Args:
        a: samples, (N, ...). The halves hold N // 2, so judge N // 2 a side elsewhere too.
        seed: draws the halves and everything in the test.
        judge: the classifier.
    """
    order = np.random.default_rng(seed).permutation(len(a))
    half = len(a) // 2
    return classifier_two_sample_test(a[order[:half]], a[order[half : 2 * half]], seed, judge)


def auc_standard_error(auc: float, positives: int, negatives: int) -> float:
    """Standard error of an AUC (Hanley and McNeil 1982, Radiology 143:29, equations 1 and 2)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return float(np.sqrt(max(variance, 0.0) / (positives * negatives)))


def _fold(
    x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, judge: Judge, rng: np.random.Generator
) -> tuple[float, float, float]:
    """AUC, its standard error and the accuracy on the rows ``test``."""
    model = _classifier(judge, len(train), int(rng.integers(2**31))).fit(x[train], y[train])
    probability = model.predict_proba(x[test])[:, 1]
    auc = roc_auc_score(y[test], probability)
    positives = int(y[test].sum())
    error = auc_standard_error(auc, positives, len(test) - positives)
    return auc, error, float(((probability > 0.5) == y[test]).mean())


def _classifier(judge: Judge, rows: int, seed: int) -> Pipeline:
    network = MLPClassifier(
        hidden_layer_sizes=(judge.width, judge.width),
        alpha=judge.decay,
        batch_size=min(200, max(rows // 10, 8)),  # some ten steps an epoch, or few rows stop it untrained
        max_iter=judge.epochs,
        early_stopping=True,
        n_iter_no_change=judge.patience,
        random_state=seed,
    )
    return make_pipeline(StandardScaler(), network)


def _rows(values: np.ndarray, name: str, judge: Judge) -> np.ndarray:
    values = np.asarray(values, np.float64)
    least = 4 * judge.folds  # two rows a class in the smallest validation set
    if values.ndim < 2 or len(values) < least:
        raise InputError(f"two-sample test: {name!r} has shape {values.shape}; give (N, ...), N ≥ {least}")
    if not np.isfinite(values).all():
        raise InputError(f"two-sample test: {name!r} holds NaN or infinite values; remove those samples")
    return values.reshape(len(values), -1)

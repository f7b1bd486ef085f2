"""Train on one set, test on another: do generated samples teach what real ones teach?

For two kinds of labelled samples, real and generated, a fresh classifier is trained on each and
judged on held-out rows of both. If generated samples carry the classes as real ones do (electron
or photon, W boson or QCD jet), all four accuracies agree.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from domain.errors import InputError
from domain.metrics.base import pair

SIDES = ("real", "generated")


def perceptron(seed: int) -> ClassifierMixin:
    """The default classifier: standardised columns, two hidden layers of 128, the best epoch by validation."""
    network = MLPClassifier(
        hidden_layer_sizes=(128, 128),
        alpha=1e-3,
        batch_size=32,  # of few rows, larger batches make so few steps that it stops untrained
        max_iter=300,
        early_stopping=True,
        n_iter_no_change=20,
        random_state=seed,
    )
    return make_pipeline(StandardScaler(), network)


def transfer(
    real: np.ndarray,
    real_labels: np.ndarray,
    generated: np.ndarray,
    generated_labels: np.ndarray,
    seed: int,
    make: Callable[[int], ClassifierMixin] = perceptron,
    folds: int = 5,
) -> dict[str, float]:
    """The accuracies of training on one kind and testing on the other, each row tested once.

    Each class is thinned, by chance, to the smaller of its two counts, so that both kinds train with
    equally many rows of equal classes. The floor of ``loss``: the same call with other real samples
    in place of the generated ones.

    Args:
        real: features, (N, ...), flattened.
        real_labels: (N,) integers.
        generated: the same features, (M, ...).
        generated_labels: (M,) integers, the same classes.
        seed: draws rows, folds and the classifiers' seeds.
        make: a seed → a fresh scikit-learn classifier.
        folds: each fold is tested by classifiers trained on the others.

    Returns:
        ``real_to_real``, ``real_to_generated``, ``generated_to_real``, ``generated_to_generated``:
        accuracy of training on the first and testing on the second; ``error``, the largest of their
        standard errors; ``loss``, real_to_real − generated_to_real, and ``loss_error``, from the same
        test rows, so smaller than the errors suggest; ``count``, rows of each kind.
    """
    real, generated = pair(real, generated, "transfer", SIDES)
    real_labels = _labels(real_labels, real, "real")
    generated_labels = _labels(generated_labels, generated, "generated")
    rng = np.random.default_rng(seed)
    chosen = _matched(real_labels, generated_labels, folds, rng)
    x, y = (real[chosen[0]], generated[chosen[1]]), real_labels[chosen[0]]
    splitter = StratifiedKFold(folds, shuffle=True, random_state=int(rng.integers(2**31)))
    right = np.zeros((2, 2, len(y)), bool)  # trained on, tested on, row
    with threadpool_limits(1):  # sums in one order on any machine
        for train, test in splitter.split(x[0], y):
            for source in range(2):
                model = make(int(rng.integers(2**31))).fit(x[source][train], y[train])
                for target in range(2):
                    right[source, target, test] = model.predict(x[target][test]) == y[test]
    accuracy = right.mean(axis=2)
    lost = right[0, 0].astype(float) - right[1, 0]
    return {
        **{f"{a}_to_{b}": float(accuracy[i, j]) for i, a in enumerate(SIDES) for j, b in enumerate(SIDES)},
        "error": float(np.sqrt(accuracy * (1 - accuracy) / len(y)).max()),
        "loss": float(lost.mean()),
        "loss_error": float(lost.std() / np.sqrt(len(y))),
        "count": len(y),
    }


def _matched(
    real: np.ndarray, generated: np.ndarray, folds: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of both kinds, class by class, equally many of each."""
    classes = np.unique(real)
    if len(classes) < 2 or not np.array_equal(classes, np.unique(generated)):
        raise InputError(
            f"transfer: real classes are {classes.tolist()}, generated {np.unique(generated).tolist()}; "
            "give two or more classes, the same on both sides"
        )
    where = [[np.flatnonzero(labels == c) for labels in (real, generated)] for c in classes]
    counts = [min(len(a), len(b)) for a, b in where]
    least = 20 * folds  # so that a perceptron's batch is full
    if min(counts) < least:
        raise InputError(
            f"transfer: class {classes[np.argmin(counts)]} has {min(counts)} samples; give at least {least}"
        )
    chosen = [[rng.choice(rows, count, replace=False) for rows in both] for both, count in zip(where, counts)]
    return tuple(np.concatenate(side) for side in zip(*chosen))


def _labels(labels: np.ndarray, rows: np.ndarray, name: str) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (len(rows),) or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"transfer: {name} labels are {labels.shape} {labels.dtype}; give {len(rows)} integers"
        )
    return labels

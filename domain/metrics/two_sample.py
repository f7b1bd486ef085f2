"""Classifier two-sample test: if a fresh classifier cannot tell two sets apart, they look alike.

Lopez-Paz and Oquab 2017, arXiv 1610.06545, with the area under the ROC curve (AUC) in place of
accuracy. 0.5 means that this classifier finds no difference, 1 that it finds a certain one. A
figure belongs to its judge, its count and its features: compare only figures that share all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from domain.config import Config, Count, NonNegative, Positive, Range
from domain.metrics.base import halves, pair
from domain.nets.mlp import mlp
from domain.randomness import scoped_seed
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms
from domain.training import Budget, Run

PARTS = (0.6, 0.2)  # of the rows, for training and for validation, in the CaloChallenge
LEAST, MOST = 1e-6, 1 - 1e-6  # calibrated probabilities, in the CaloChallenge
CHUNK = 10_000  # rows that a network judges at once


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

    @property
    def least(self) -> int:
        """Rows a side that it needs: two of each class in the smallest validation set."""
        return 4 * self.folds

    def compare(
        self, x: np.ndarray, y: np.ndarray, rng: np.random.Generator, device: torch.device | str
    ) -> dict[str, float]:
        """Scores over the folds; it knows the CPU only. Arguments as :meth:`CaloChallengeJudge.compare` takes them."""
        folds = StratifiedKFold(self.folds, shuffle=True, random_state=int(rng.integers(2**31)))
        with threadpool_limits(1):  # sums in one order on any machine
            results = [_fold(x, y, train, test, self, rng) for train, test in folds.split(x, y)]
        auc, error, accuracy = np.array(results).T
        return {
            "auc": float(auc.mean()),
            "auc_error": float(np.sqrt((error**2).sum()) / self.folds),
            "accuracy": float(accuracy.mean()),
        }


@dataclass(frozen=True)
class CaloChallengeJudge(Config):
    """The CaloChallenge's classifier, by its defaults (Krause et al. 2024, arXiv 2410.21611; ``evaluate.py``).

    One perceptron with leaky rectifiers is trained on 60 % of each set. The epoch with the best
    accuracy on 20 % is kept, and isotonic regression fitted there to the probabilities. The last 20 %,
    which chose nothing, are judged. The challenge's tables are means of ten such runs. It computes in
    float64, here float32; its columns are not standardised.

    Attributes:
        width: units in each hidden layer.
        layers: hidden layers: the challenge's "input layer" and its two hidden ones.
        rate: learning rate of Adam.
        batch: rows in a step.
        epochs: passes over the training rows.
        standardise: scale columns by the training rows' mean and standard deviation; for features that
            are not of order one.
    """

    width: Count = 2048
    layers: Count = 3
    rate: Positive = 2e-4
    batch: Count = 1000
    epochs: Count = 50
    standardise: bool = False

    least = 10  # two rows a side in the smallest part

    def compare(
        self, x: np.ndarray, y: np.ndarray, rng: np.random.Generator, device: torch.device | str
    ) -> dict[str, float]:
        """Scores on the test part.

        Args:
            x: rows of one set, then equally many of the other, each in random order, (2N, D).
            y: 0 and 1, (2N,).
            rng: draws start values and batches.
            device: where to train.
        """
        count = len(x) // 2
        cuts = (np.cumsum(PARTS) * count).astype(int)
        parts = np.split(np.arange(count), cuts)
        train, validation, test = (np.concatenate([part, part + count]) for part in parts)
        if self.standardise:
            x = StandardScaler().fit(x[train]).transform(x)
        network = _Perceptron(self, x, y, int(rng.integers(2**31)), device)
        network.train_on(train, validation)
        calibration = IsotonicRegression(y_min=LEAST, y_max=MOST, out_of_bounds="clip")
        calibration.fit(network.probability(validation), y[validation])
        probability = calibration.predict(network.probability(test))
        auc = roc_auc_score(y[test], probability)
        divergence, error = jensen_shannon(y[test], probability)
        return {
            "auc": float(auc),
            "auc_error": auc_standard_error(auc, len(test) // 2, len(test) // 2),
            "accuracy": float(((probability > 0.5) == y[test]).mean()),
            "jsd": divergence,
            "jsd_error": error,
        }


def classifier_two_sample_test(
    a: np.ndarray,
    b: np.ndarray,
    seed: int,
    judge: Judge | CaloChallengeJudge = Judge(),
    device: torch.device | str = "cpu",
) -> dict[str, float]:
    """Train a fresh classifier to tell ``a`` from ``b``, and judge it on rows it has not seen.

    The larger set is thinned to the size of the smaller, by chance. A row of ``a`` that is also in
    ``b`` drags the AUC below one half, as its twin was learnt with the other label.

    Args:
        a: samples, (N, ...), flattened.
        b: samples, (M, ...), of the same shape.
        seed: draws rows, folds, initial weights and batches.
        judge: the classifier.
        device: where a :class:`CaloChallengeJudge` trains.

    Returns:
        ``auc``, of a :class:`Judge` the mean over folds; ``auc_error``, its standard error from the
        held-out rows alone (training varies too: over fresh samples a :class:`Judge`'s null spreads 1.1
        to 1.2 times as wide); ``accuracy``; and ``count``, rows a side. A :class:`CaloChallengeJudge`
        adds ``jsd`` and ``jsd_error``, see :func:`jensen_shannon`.
    """
    a, b = pair(a, b, "two-sample test", least=judge.least)
    rng = np.random.default_rng(seed)
    count = min(len(a), len(b))
    x = np.concatenate([rng.choice(side, count, replace=False) for side in (a, b)])
    y = np.repeat([0, 1], count)
    return {**judge.compare(x, y, rng, device), "count": count}


def null(
    a: np.ndarray, seed: int, judge: Judge | CaloChallengeJudge = Judge(), device: torch.device | str = "cpu"
) -> dict[str, float]:
    """The same test between two random halves of one set: what "no difference" reads like.

    Args:
        a: samples, (N, ...). The halves hold N // 2, so judge N // 2 a side elsewhere too.
        seed: draws the halves and everything in the test.
        judge: the classifier.
        device: where a :class:`CaloChallengeJudge` trains.
    """
    return classifier_two_sample_test(*halves(a, seed), seed, judge, device)


def jensen_shannon(y: np.ndarray, probability: np.ndarray) -> tuple[float, float]:
    """The Jensen-Shannon divergence that a classifier shows, in bits, and its standard error.

    It is 1 + E log₂ p(truth), for equally many rows of each set. The best classifier reaches the
    divergence, from 0 (equal) to 1 (disjoint); any other shows less, one worse than guessing below 0.

    Args:
        y: 0 and 1, (N,).
        probability: of a 1, (N,), between 0 and 1.
    """
    bits = 1 + np.log2(np.where(y == 1, probability, 1 - probability))
    return float(bits.mean()), float(bits.std() / np.sqrt(len(bits)))


def auc_standard_error(auc: float, positives: int, negatives: int) -> float:
    """Standard error of an AUC (Hanley and McNeil 1982, Radiology 143:29, equations 1 and 2)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return float(np.sqrt(max(variance, 0.0) / (positives * negatives)))


def _fold(
    x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, judge: Judge, rng: np.random.Generator
) -> tuple[float, float, float]:
    """AUC, its standard error and the accuracy on the rows ``test``."""
    model = _classifier(judge, len(train), int(rng.integers(2**31)))
    scaler = StandardScaler().fit(x[train])
    x = scaler.transform(x).astype(np.float32)  # in which the classifier then computes, in three fifths of the time
    probability = model.fit(x[train], y[train]).predict_proba(x[test])[:, 1]
    auc = roc_auc_score(y[test], probability)
    positives = int(y[test].sum())
    error = auc_standard_error(auc, positives, len(test) - positives)
    return auc, error, float(((probability > 0.5) == y[test]).mean())


def _classifier(judge: Judge, rows: int, seed: int) -> MLPClassifier:
    return MLPClassifier(
        hidden_layer_sizes=(judge.width, judge.width),
        alpha=judge.decay,
        batch_size=min(200, max(rows // 10, 8)),  # some ten steps an epoch, or few rows stop it untrained
        max_iter=judge.epochs,
        early_stopping=True,
        n_iter_no_change=judge.patience,
        random_state=seed,
    )


class _Perceptron(System):
    """A :class:`CaloChallengeJudge`'s network, and the rows it is trained on and judges."""

    def __init__(
        self, judge: CaloChallengeJudge, x: np.ndarray, y: np.ndarray, seed: int, device: torch.device | str
    ) -> None:
        super().__init__()
        self.judge, self.seed, self.device = judge, seed, torch.device(device)
        self.x, self.y = (torch.from_numpy(values).float().to(self.device) for values in (x, y))
        with scoped_seed(seed, "judge"):
            self.network = mlp((x.shape[1], *[judge.width] * judge.layers, 1), nn.LeakyReLU)
        self.players = (Player("judge", ("network",), self.terms, Adam(rate=judge.rate, beta1=0.9)),)

    def terms(self, batch: Batch, noise: Noise) -> Terms:
        x, y = batch["rows"]
        return {"cross_entropy": binary_cross_entropy_with_logits(self.network(x)[:, 0], y)}

    def train_on(self, train: np.ndarray, validation: np.ndarray) -> None:
        """Take the weights after the epoch with the best accuracy on the rows ``validation``."""
        stream = Stream((self.x[train], self.y[train]), min(self.judge.batch, len(train)))
        steps = -(-len(train) // stream.batch)
        budget = Budget(steps=self.judge.epochs * steps, precision="float32")
        run = Run([self], [{"rows": stream}], budget, [self.seed], self.device)
        run.start()
        best, weights = -1.0, self._weights()
        for _ in range(self.judge.epochs):
            for _ in range(steps):
                run.play()
            run.log()
            accuracy = ((self._logits(validation) > 0) == self.y[validation]).double().mean().item()
            if accuracy > best:
                best, weights = accuracy, self._weights()
        self.load_state_dict(weights)

    def probability(self, rows: np.ndarray) -> np.ndarray:
        """(N,) of belonging to the second set, in float64."""
        return expit(self._logits(rows).double().cpu().numpy())

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.state_dict().items()}

    @torch.no_grad()
    def _logits(self, rows: np.ndarray) -> Tensor:
        return torch.cat([self.network(part)[:, 0] for part in self.x[rows].split(CHUNK)])

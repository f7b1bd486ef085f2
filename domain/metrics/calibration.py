"""Can a classifier's probabilities be trusted, and do its doubts point at its errors?

Calibration: of all answers given with 90 % confidence, are 90 % right? Selective prediction: if
the least confident answers are left to a human, how many errors go with them?

Every function takes what a classifier gave for samples with known labels. Choose a temperature on
a validation split, never on the test split that it is judged on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

from domain.errors import InputError
from domain.metrics.classification import CALIBRATION_BINS, checked

TEMPERATURES = (1e-2, 1e2)  # a classifier outside needs more than one number


@dataclass(frozen=True)
class Reliability:
    """Answers binned by their confidence, the probability of the predicted class.

    Attributes:
        edges: (B + 1,) of the bins, in [0, 1], rising; a bin holds its upper edge.
        confidence: (B,) mean confidence in each bin; NaN in an empty one.
        accuracy: (B,) share of right answers in each bin; NaN in an empty one.
        count: (B,) answers in each bin.
    """

    edges: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error Σ_b (n_b / N) |accuracy_b − confidence_b|, in [0, 1]."""
        gap = np.abs(self.accuracy - self.confidence)[self.count > 0]
        return float(gap @ self.count[self.count > 0] / self.count.sum())


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS, equal_mass: bool = False
) -> Reliability:
    """What a reliability diagram shows (Guo et al. 2017, arXiv 1706.04599).

    Equal widths are the published choice, but leave most bins of a good classifier almost empty.
    Bins of equal mass hold the same number of answers, up to ties (Nixon et al. 2019, arXiv 1904.01685).

    Args:
        labels: (N,) true classes, integers from 0 to K − 1.
        probabilities: (N, K) in [0, 1], each row summing to one.
        bins: how many, B; ties may leave fewer of equal mass.
        equal_mass: bins between quantiles of the confidence instead of bins of equal width.
    """
    labels, probabilities = checked(labels, probabilities, "reliability")
    confidence = np.minimum(probabilities.max(axis=1), 1)
    right = probabilities.argmax(axis=1) == labels
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    if equal_mass:
        inner = np.unique(np.quantile(confidence, inner, method="inverted_cdf"))
        inner = inner[inner < confidence.max()]
    where = np.digitize(confidence, inner, right=True)
    sums = [np.bincount(where, weights, minlength=len(inner) + 1) for weights in (confidence, right)]
    count = np.bincount(where, minlength=len(inner) + 1)
    means = [np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0) for total in sums]
    return Reliability(np.concatenate([[0.0], inner, [1.0]]), *means, count)


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of Σ_k (p_k − [k is true])², in [0, 2] (Brier 1950); guessing evenly gives 1 − 1/K.

    Args:
        labels: (N,) true classes, integers from 0 to K − 1.
        probabilities: (N, K) in [0, 1], each row summing to one.
    """
    labels, probabilities = checked(labels, probabilities, "brier")
    return float(np.square(probabilities - np.eye(probabilities.shape[1])[labels]).sum(axis=1).mean())


def temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The T in ``TEMPERATURES`` that gives ``tempered(probabilities, T)`` the highest likelihood.

    Above one, the classifier was too sure of itself (Guo et al. 2017, section 4.2). The likelihood is
    convex in 1/T, so there is one minimum.

    Args:
        labels: (N,) true classes, integers from 0 to K − 1.
        probabilities: (N, K) in [0, 1], each row summing to one.
    """
    logits = _logits(probabilities)
    labels, _ = checked(labels, probabilities, "temperature")
    of_truth = logits[np.arange(len(labels)), labels]

    def nll(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float((logsumexp(scale * logits, axis=1) - scale * of_truth).mean())

    found = minimize_scalar(nll, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-8})
    return float(np.exp(found.x))


def tempered(probabilities: np.ndarray, T: float) -> np.ndarray:
    """softmax(log p / T): the same ranking of classes, more even for T > 1.

    Args:
        probabilities: (N, K) in [0, 1], each row summing to one.
        T: above 0.

    Returns:
        (N, K) float64.
    """
    if not T > 0:
        raise InputError(f"tempered: the temperature is {T!r}, must be above 0")
    return softmax(_logits(probabilities) / T, axis=1)


def _logits(probabilities: np.ndarray) -> np.ndarray:
    """log p, float64; a zero counts as the smallest number of its type, below which p was rounded away."""
    probabilities = np.asarray(probabilities)
    kind = probabilities.dtype if probabilities.dtype.kind == "f" else np.float64
    return np.log(np.maximum(probabilities.astype(np.float64), float(np.finfo(kind).tiny)))


def risk_coverage(right: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The error rate among the k most confident answers, for every k (El-Yaniv & Wiener 2010).

    Equal confidences are in random order, and the risk is the mean over these orders; so the curve
    does not depend on the order of the rows. The oracle's curve is ``risk_coverage(right, right)``.

    Args:
        right: (N,) bool, whether each answer is right.
        confidence: (N,) any number that is higher where an answer is more likely right.

    Returns:
        coverage k / N, (N,), rising to 1, and risk, (N,), in [0, 1]; the last is the error rate.
    """
    count = np.arange(1, len(np.asarray(right)) + 1)
    return count / len(count), _errors_kept(right, confidence)[1:] / count


def aurc(right: np.ndarray, confidence: np.ndarray) -> float:
    """Area under the risk-coverage curve, the mean risk (Geifman et al. 2019, arXiv 1805.08206).

    Its null, a random order, is the error rate; its floor is ``aurc(right, right)``.

    Args:
        right, confidence: as :func:`risk_coverage` takes them.
    """
    return float(risk_coverage(right, confidence)[1].mean())


def errors_removed(
    right: np.ndarray, confidence: np.ndarray, rejected: float = 0.01
) -> dict[str, float | None]:
    """The share of all errors that lie among the least confident answers.

    Args:
        right, confidence: as :func:`risk_coverage` takes them.
        rejected: share of the answers to reject, in [0, 1]; parts of a row count in proportion.

    Returns:
        ``removed``, in [0, 1]; ``random``, its null, what a random choice removes; ``oracle``, its ceiling,
        what a choice that knows the labels removes. All but the null are None where there is no error.
    """
    if not 0 <= rejected <= 1:
        raise InputError(f"errors_removed: 'rejected' is {rejected!r}, must be at least 0 and at most 1")

    def removed(signal: np.ndarray) -> float | None:
        kept = _errors_kept(right, signal)
        left = np.interp((1 - rejected) * (len(kept) - 1), np.arange(len(kept)), kept)
        return float(1 - left / kept[-1]) if kept[-1] else None

    return {"removed": removed(confidence), "random": rejected, "oracle": removed(right)}


def _errors_kept(right: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Expected errors among the k most confident answers, (N + 1,) for k = 0 … N."""
    right, confidence = np.asarray(right), np.asarray(confidence, np.float64)
    if right.dtype != bool or right.ndim != 1 or right.shape != confidence.shape or not right.size:
        raise InputError(
            f"risk-coverage: 'right' {right.shape} {right.dtype} and 'confidence' {confidence.shape} must be "
            "a bool and a number for each answer, (N,) with N at least 1"
        )
    if np.isnan(confidence).any():
        raise InputError("risk-coverage: 'confidence' holds NaN; leave those answers out and say so")
    _, group = np.unique(-confidence, return_inverse=True)
    share = np.bincount(group, ~right) / np.bincount(group)
    return np.concatenate([[0.0], np.cumsum(share[np.sort(group)])])

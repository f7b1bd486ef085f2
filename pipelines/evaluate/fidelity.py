"""How faithful samples are: every figure of a surrogate's samples against the simulator's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler

from domain.metrics.coverage import copying, prdc
from domain.metrics.physics_distance import fpd, kpd
from domain.metrics.separation import separation_power, wasserstein
from domain.metrics.transfer import transfer
from domain.metrics.two_sample import CaloChallengeJudge, Judge, classifier_two_sample_test
from pipelines.evaluate.sides import Side

HALVES = 2  # folds of a classifier that tells groups apart: a half trains, the other is tested

def compared(
    side: Side,
    reference: Side,
    known: np.ndarray,
    judge: Judge | CaloChallengeJudge,
    seed: int,
    bins: Sequence[float],
    device: torch.device,
) -> dict[str, float]:
    """Every figure of one set of samples against the reference.

    Args:
        side: under test.
        reference: what it should look like, given the same.
        known: high-level features of the training samples, (M, D).
        judge: the two-sample tests' classifier.
        seed: of the judge.
        bins: edges of energy bins in GeV, for the response.
        device: where a judge that can trains.

    Returns:
        ``auc_<test>`` for each test of the kind; ``fpd`` and ``kpd`` of the high-level features as they are; for each
        observable ``separation_`` and, where the reference has any spread, ``wasserstein_``, both less what they are
        expected to be if nothing differs; ``separation_worst``; the kind's response; precision, recall, density and
        coverage, and ``copies``, the share nearer to the training samples than half of the reference, all of
        standardised features.
    """
    features, real = side.features, reference.features
    high = real["high"]
    scaler = StandardScaler().fit(high)
    a, b, learned = (scaler.transform(each) for each in (features["high"], high, known))
    ours, theirs = side.observables, reference.observables
    separation = {name: separation_power(ours[name], theirs[name])["separation"] for name in theirs}
    spread = [name for name in theirs if theirs[name].std() > 0]
    return {
        **{f"auc_{name}": classifier_two_sample_test(features[name], real[name], seed, judge, device)["auc"] for name in real},
        "fpd": fpd(high, features["high"], min_samples=len(high) // 2, max_samples=len(high))["fpd"],
        "kpd": kpd(high, features["high"], batch_size=min(5000, len(high)))["kpd"],
        **{f"separation_{name}": value for name, value in separation.items()},
        "separation_worst": max(separation.values()),
        **{f"wasserstein_{name}": wasserstein(ours[name], theirs[name])["wasserstein"] for name in spread},
        **side.response(reference, bins),
        **prdc(b, a),
        "copies": copying(a, learned, b)["nearer"],
    }


def transferred(real: Sequence[Side], generated: Sequence[Side], count: int, seed: int) -> dict[str, float]:
    """Telling the groups apart by their observables, trained on one kind of samples and tested on the other."""
    kinds = [[side.features["high"][:count] for side in sides] for sides in (real, generated)]
    labels = [np.repeat(np.arange(len(kind)), [len(part) for part in kind]) for kind in kinds]
    pooled = [values for kind, label in zip(kinds, labels) for values in (np.concatenate(kind), label)]
    told = transfer(*pooled, seed, folds=HALVES)
    return {f"transfer_{name}": value for name, value in told.items()}

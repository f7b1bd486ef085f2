"""The Inception score against torchmetrics and known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.image.inception import InceptionScore

from domain.errors import InputError
from domain.metrics.class_score import class_score


def logits(count: int = 300, classes: int = 6) -> np.ndarray:
    return 3 * np.random.default_rng(1).normal(size=(count, classes))


def softmax(values: np.ndarray) -> np.ndarray:
    weights = np.exp(values)
    return weights / weights.sum(1, keepdims=True)


def test_agrees_with_torchmetrics() -> None:
    ready = torch.nn.Identity()
    reference = InceptionScore(feature=ready, splits=1).set_dtype(torch.float64)
    reference.update(torch.from_numpy(logits()))
    found = class_score(softmax(logits()), splits=1)
    assert found["class_score"] == pytest.approx(reference.compute()[0].item(), rel=1e-6)


def test_splits_are_parts_of_the_rows() -> None:
    p = softmax(logits())
    parts = [class_score(part, 1)["class_score"] for part in (p[:100], p[100:200], p[200:])]
    found = class_score(p, 3)
    assert found["class_score"] == pytest.approx(np.mean(parts)) and found["class_score_spread"] == pytest.approx(np.std(parts))


def test_known_answers() -> None:
    sure = np.eye(5)[np.arange(100) % 5]
    assert class_score(sure) == {"class_score": pytest.approx(5), "class_score_spread": pytest.approx(0, abs=1e-12)}
    assert class_score(np.full((50, 4), 0.25))["class_score"] == pytest.approx(1)  # sure of nothing
    assert class_score(np.eye(4)[np.zeros(50, int)])["class_score"] == pytest.approx(1)  # one class only


@pytest.mark.parametrize("bad", [np.ones(4), np.full((3, 2), 0.5), np.full((20, 2), 0.7), np.full((20, 2), [2.0, -1.0])])
def test_refuses(bad: np.ndarray) -> None:
    with pytest.raises(InputError, match="class score"):
        class_score(bad)

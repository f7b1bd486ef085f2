"""Smooth answers: labels from the graph, and a teacher's opinion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

from domain.classifiers.smooth_matching import SmoothMatchingGANClassifier


def test_ten_labels_and_the_graph() -> None:
    """With one label a class, labels from the graph are worth more than none."""
    X, y = (part[:900] for part in load_digits(return_X_y=True))
    rng = np.random.default_rng(0)
    known = np.concatenate([rng.choice(np.flatnonzero(y == k), 1) for k in range(10)])
    partial = np.full(len(y), -1)
    partial[known] = y[known]
    options = {
        "hidden": (64, 64), "generator_hidden": (64,), "latent": 16, "input_noise": 0.1, "layer_noise": 0.2,
        "epochs": 30, "average": 0.99, "precision": "float32", "random_state": 0,
    }
    plain, graph = (
        SmoothMatchingGANClassifier(**options, spread=each).fit(X, partial).score(X, y) for each in (0, 50)
    )
    assert graph > plain + 0.1


def test_a_teacher_leads_and_then_is_forgotten() -> None:
    """With one that knows every class, training without a warp or a label's help starts from its answers."""
    digits, label = load_digits(return_X_y=True)
    digits, label = digits[:300].astype(np.float32), label[:300]
    few = np.where(np.arange(300) < 20, label, -1)
    options: dict[str, Any] = {"hidden": (32,), "input_noise": 0.0, "layer_noise": 0.0, "epochs": 40, "batch": 50, "average": 0.0}

    class Knows(SmoothMatchingGANClassifier):
        def fit(self, X: Any, y: Any) -> Knows:
            self.classes_ = np.unique(y[y >= 0])
            return self

        def predict_proba(self, X: Any) -> np.ndarray:
            return np.eye(10)[label]

    plain = SmoothMatchingGANClassifier(**options, random_state=0).fit(digits, few)
    led = SmoothMatchingGANClassifier(**options, random_state=0, teacher=Knows(), fade=300).fit(digits, few)
    assert led.score(digits, label) > 0.97 > plain.score(digits, label)
    assert led.system_.turns == 40 * 6
    gone = led.system_.taught(torch.zeros(1, 10), torch.eye(10)[:1])
    torch.testing.assert_close(gone.exp(), torch.lerp(torch.full((1, 10), 0.1), torch.eye(10)[:1], 0.2), atol=1e-6, rtol=0)


def test_a_teacher_shares_the_seed_and_resumes(tmp_path: Path) -> None:
    digits, label = load_digits(return_X_y=True)
    few = np.where(np.arange(len(label)) < 50, label, -1)[:200]
    options: dict[str, Any] = {"hidden": (8,), "epochs": 2, "batch": 50, "random_state": 3}
    teacher = SmoothMatchingGANClassifier(hidden=(16,), epochs=2, batch=50)
    alone = SmoothMatchingGANClassifier(**options, teacher=teacher).fit(digits[:200], few)
    place = tmp_path / "checkpoint.safetensors"
    for _ in range(2):  # the second time from what the first has left
        again = SmoothMatchingGANClassifier(**options, teacher=teacher, checkpoint=place).fit(digits[:200], few)
        assert np.array_equal(again.predict_proba(digits), alone.predict_proba(digits))
    assert sorted(path.name for path in tmp_path.iterdir()) == [place.name, f"{place.name}.teacher"]

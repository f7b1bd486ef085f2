"""Smooth answers of an adversarial autoencoder: its further terms, and what they are worth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from domain.classifiers.smooth_autoencoder import SmoothAutoencoder, SmoothAutoencoderClassifier, SmoothAutoencoderConfig
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space


@pytest.fixture
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples, their classes, and the labels that are seen: three of each class."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    few = np.concatenate([rng.permutation(np.flatnonzero(y == k))[:3] for k in range(10)])
    label = np.full(len(y), -1)
    label[few] = y[few]
    return X, y, label


def test_without_a_weight_it_is_the_published_game() -> None:
    config = {"hidden": (16,), "critic_hidden": (8,), "style": 4, "labelled_batch": 8, "batch": 16}
    with scoped_seed(0, "start values"):
        model = SmoothAutoencoder(SmoothAutoencoderConfig(**config), Space("table", (6,), (-1.0, 1.0), classes=3))
    x = 2 * torch.rand(16, 6, generator=torch_generator(0, "x")) - 1
    batch = {"labelled": (x[:8], torch.arange(8) % 3), "unlabelled": (x,)}
    player = model.players[1]
    terms = model(player, batch, model.noise(player, torch_generator(0, "n")))
    assert list(terms) == ["reconstruction", "category", "style", "classes"]


def test_each_term_by_itself(digits: tuple[np.ndarray, ...]) -> None:
    """A weight adds its term to the curves, the labels' weight multiplies theirs, and a fit takes each."""
    X, _, label = digits
    small = {"hidden": (16,), "critic_hidden": (8,), "batch": 50, "labelled_batch": 30, "epochs": 1, "random_state": 0}
    for option, term in {"warp": "warp", "radius": "smoothness", "entropy": "entropy"}.items():
        model = SmoothAutoencoderClassifier(**small, **{option: 1.0}).fit(X, label)
        assert [key for key in model.history_[-1] if key.startswith("model.")][4:] == [f"model.{term}"]
        assert model.history_[-1][f"model.{term}"] > 0
        assert model.system_.warps is None
    once, twice = (SmoothAutoencoderClassifier(**small, label_weight=each).fit(X, label).history_ for each in (0.0, 0.5))
    assert once[0]["model.classes"] == 0 < twice[0]["model.classes"]


def test_answers_are_smooth_where_asked(digits: tuple[np.ndarray, ...]) -> None:
    """Trained so, they change less under the same noise, and know more of what was not labelled."""
    X, y, label = digits
    options = {
        "hidden": (64,), "critic_hidden": (32,), "style": 4, "batch": 100, "labelled_batch": 30, "epochs": 20, "average": 0.9,
        "precision": "float32", "random_state": 0, "label_weight": 5.0, "input_noise": 0.0,
    }
    plain, smooth = (SmoothAutoencoderClassifier(**options, radius=each).fit(X, label) for each in (0.0, 0.5))
    moved = X + np.random.default_rng(1).normal(0, 1, X.shape)

    def change(model: SmoothAutoencoderClassifier) -> float:
        return float(np.abs(model.predict_proba(moved) - model.predict_proba(X)).sum(1).mean())

    assert change(smooth) < 0.8 * change(plain)
    assert smooth.score(X, y) > plain.score(X, y)

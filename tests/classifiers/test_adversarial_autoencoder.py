"""The classifier that is an adversarial autoencoder: scikit-learn's contract, its terms, and digits."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks

from domain.classifiers.adversarial_autoencoder import AdversarialAutoencoderClassifier, AdversarialAutoencoderNetwork
from domain.classifiers.base.codes import CodesConfig
from domain.classifiers.base.estimator import NetworkClassifier
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space

UNLABELLED = "labels of -1 mean unlabelled; scikit-learn exempts its own semi-supervised estimators by name"


def small(**options: object) -> AdversarialAutoencoderClassifier:
    defaults = {
        "hidden": (32,), "critic_hidden": (16,), "style": 4, "labelled_batch": 32, "batch": 32,
        "epochs": 15, "average": 0.9, "precision": "float32", "random_state": 0,
    }
    return AdversarialAutoencoderClassifier(**{**defaults, **options})


@parametrize_with_checks(
    [small()], expected_failed_checks=lambda estimator: {"check_classifiers_classes": UNLABELLED}
)
def test_scikit_learn(estimator: NetworkClassifier, check: Callable[[NetworkClassifier], None]) -> None:
    check(estimator)


def test_terms_of_networks_that_know_nothing() -> None:
    """Zero weights in the last layers: every category as likely, every pixel grey, no critic can tell."""
    config = CodesConfig((16,), (8,), style=4, reconstruction=0.5, labelled_batch=8, batch=16)
    with scoped_seed(0, "start values"):
        model = AdversarialAutoencoderNetwork(config, Space("table", (6,), (-1.0, 1.0), classes=3))
    for net in (model.encoder, model.decoder, model.category_critic, model.style_critic):
        torch.nn.init.zeros_(net[-1].weight)
        torch.nn.init.zeros_(net[-1].bias)
    x = 2 * torch.rand(16, 6, generator=torch_generator(0, "x")) - 1
    batch = {"labelled": (x[:8], torch.arange(8) % 3), "unlabelled": (x,)}
    critic, deceit = (model(player, batch, model.noise(player, torch_generator(0, "n"))) for player in model.players)
    assert {key: term.item() for key, term in critic.items()} == pytest.approx(dict.fromkeys(critic, 2 * math.log(2)))
    assert {key: term.item() for key, term in deceit.items()} == pytest.approx({
        "reconstruction": 0.5 * 6 * math.log(2), "category": math.log(2), "style": math.log(2), "classes": math.log(3),
    })


def test_digits() -> None:
    """Fifty labels of 1,797 in a short training, far above chance; then what the same network draws, rebuilds and codes."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    few = np.concatenate([rng.permutation(np.flatnonzero(y == k))[:5] for k in range(10)])
    label = np.full(len(y), -1)
    label[few] = y[few]
    model = small(hidden=(128, 64), epochs=25, batch=100, average=0.98, reconstruction=0.1).fit(X, label)
    assert model.score(X[label < 0], y[label < 0]) > 0.75
    assert model.sample(3, random_state=0).shape == (3, 64)
    x = model.encoded(X.astype(np.float32))
    code = model.system_.encode(x)
    torch.testing.assert_close(code[:, :10], model.system_.classify(x))
    error = (model.system_.decode(code) - x).square().mean() / (x - x.mean(0)).square().mean()
    assert error < 0.8

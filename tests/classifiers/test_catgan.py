"""The categorical GAN: its entropies against known answers, what its players move, and digits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import Tensor

from domain.classifiers.base.estimator import NetworkClassifier
from domain.classifiers.catgan import (
    CatGAN,
    CatGANClassifier,
    CatGANConfig,
)
from domain.errors import InputError
from domain.objectives.entropy import conditional_entropy, marginal_entropy
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.training import Budget, fit

UNLABELLED = "labels of -1 mean unlabelled; scikit-learn exempts its own semi-supervised estimators by name"
SURE = 200 * torch.eye(10)
UNIFORM = torch.zeros(7, 10)


def small(**options: object) -> CatGANClassifier:
    defaults = {
        "hidden": (32,), "generator_hidden": (32,), "latent": 16, "labelled_batch": 32, "batch": 32,
        "epochs": 10, "average": 0.9, "precision": "float32", "rate": 1e-3,
        "random_state": 0,
    }
    return CatGANClassifier(**{**defaults, **options})


def system() -> CatGAN:
    config = CatGANConfig(hidden=(32, 16), generator_hidden=(16,), latent=8, batch=16, labelled_batch=8)
    with scoped_seed(0, "start values"):
        return CatGAN(config, Space("table", (6,), (-1.0, 1.0), classes=3))


def vectors() -> tuple[Tensor, Tensor]:
    x = 2 * torch.rand(60, 6, generator=torch_generator(0, "vectors")) - 1
    return x, torch.arange(60) % 4 - 1


@parametrize_with_checks(
    [small()], expected_failed_checks=lambda estimator: {"check_classifiers_classes": UNLABELLED}
)
def test_scikit_learn(estimator: NetworkClassifier, check: Callable[[NetworkClassifier], None]) -> None:
    check(estimator)


@pytest.mark.parametrize(
    ("logits", "conditional", "marginal"),
    [
        pytest.param(UNIFORM, math.log(10), math.log(10), id="no sample is sure"),
        pytest.param(SURE, 0.0, math.log(10), id="each of its own class"),
        pytest.param(SURE[[3, 3, 3]], 0.0, 0.0, id="all of one class"),
        pytest.param(SURE[[0, 0, 0, 1]], 0.0, math.log(4) - 0.75 * math.log(3), id="three to one"),
        pytest.param(torch.cat([SURE, 0 * SURE]), math.log(10) / 2, math.log(10), id="half are sure"),
    ],
)
def test_entropies_of_known_probabilities(logits: Tensor, conditional: float, marginal: float) -> None:
    torch.testing.assert_close(conditional_entropy(logits), torch.tensor(conditional), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(marginal_entropy(logits), torch.tensor(marginal), atol=1e-6, rtol=1e-6)


def test_the_information_in_a_class_is_never_negative() -> None:
    """H[E p] ≥ E H[p]: entropy is concave."""
    logits = 3 * torch.randn(50, 8, 5, generator=torch_generator(0, "logits"))
    assert all(marginal_entropy(part) >= conditional_entropy(part) - 1e-6 for part in logits)


def test_gradients_stay_finite_where_probabilities_underflow() -> None:
    logits = (1e4 * torch.eye(10)[[0, 0, 1]]).requires_grad_()
    (conditional_entropy(logits) - marginal_entropy(logits)).backward()
    assert logits.grad.isfinite().all()


def test_a_batch_underestimates_the_marginal_entropy() -> None:
    """By (K − 1) / 2N to first order, for sure samples (Miller 1955)."""
    draws = torch.randint(10, (2000, 100), generator=torch_generator(0, "draws"))
    mean = torch.stack([marginal_entropy(SURE[rows]) for rows in draws]).mean()
    assert math.log(10) - mean == pytest.approx(9 / 200, rel=0.1)


def test_terms_of_an_unsure_discriminator() -> None:
    """Zero weights in the head give uniform probabilities: every term is plus or minus log K."""
    model = system().train()
    torch.nn.init.zeros_(model.discriminator.head.weight)
    torch.nn.init.zeros_(model.discriminator.head.bias)
    x, label = vectors()
    batch = {"labelled": (x[label >= 0][:8], label[label >= 0][:8]), "unlabelled": (x[:16],)}
    first, second = (
        model(player, batch, model.noise(player, torch_generator(0, "noise"))) for player in model.players
    )
    signs = {"classes": 1, "real": 1, "balance": -1, "fake": -1}, {"sure": 1, "balance": -1}
    for terms, sign in zip((first, second), signs):
        assert {key: term.item() / math.log(3) for key, term in terms.items()} == pytest.approx(sign)


def test_players_move_their_own_network() -> None:
    for index, moved in enumerate(("discriminator", "generator")):
        model = system()
        model.players = (dataclasses.replace(model.players[index]),)
        before = {key: value.clone() for key, value in model.named_parameters()}
        fit(model, model.streams(*vectors()), Budget(steps=3, precision="float32"), seed=0)
        changed = {key for key, value in model.named_parameters() if not torch.equal(value, before[key])}
        assert {key.split(".")[0] for key in changed} == {moved}


def test_digits() -> None:
    """Fifty labels of 1,797; a network of the labels alone has about 80 % right."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    few = np.concatenate([rng.permutation(np.flatnonzero(y == k))[:5] for k in range(10)])
    label = np.full(len(y), -1)
    label[few] = y[few]
    model = small(hidden=(128, 64), epochs=20, batch=100, hold=0.5, average=0.99).fit(X, label)
    assert model.score(X[label < 0], y[label < 0]) > 0.84
    assert model.system_.sample(3, torch_generator(0, "sample")).shape == (3, 64)


def test_a_batch_of_one_has_no_statistics() -> None:
    with pytest.raises(InputError, match="batch: is 1, must be at least 2"):
        CatGANConfig(batch=1)

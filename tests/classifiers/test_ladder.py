"""The ladder network: its equations by hand, what reaches what, and digits with few labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks

from domain.classifiers import LadderClassifier
from domain.classifiers.ladder import LadderConfig, LadderNetwork, combine, denoising_cost
from domain.errors import InputError
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space

UNLABELLED = "labels of -1 mean unlabelled; scikit-learn exempts its own semi-supervised estimators by name"
VECTORS = Space("table", (6,), (-1.0, 1.0), classes=3)


def small(**options: object) -> LadderClassifier:
    defaults = {"hidden": (64,), "epochs": 25, "batch": 32, "rate": 1e-2, "precision": "float32"}
    return LadderClassifier(**{**defaults, "random_state": 0, **options})


def network(**options: object) -> LadderNetwork:
    with scoped_seed(0, "start values"):
        return LadderNetwork(LadderConfig(**{"hidden": (5,), "batch": 40, **options}), VECTORS)


def batch(count: int = 40) -> tuple[torch.Tensor, dict[str, tuple[torch.Tensor, ...]]]:
    x = 2 * torch.rand(count, 6, generator=torch_generator(0, "x")) - 1
    return x, {"labelled": (x, torch.arange(count) % 3), "unlabelled": (x,)}


@parametrize_with_checks(
    [small()], expected_failed_checks=lambda estimator: {"check_classifiers_classes": UNLABELLED}
)
def test_scikit_learn(estimator: LadderClassifier, check: Callable[[LadderClassifier], None]) -> None:
    check(estimator)


def test_combinator() -> None:
    """g(z̃, u) = (z̃ − μ(u)) v(u) + μ(u), in numpy."""
    rng = np.random.default_rng(0)
    z, u, a = rng.normal(size=(7, 4)), rng.normal(size=(7, 4)), rng.normal(size=(5, 2, 1, 4))
    mean, gain = (p[0] * expit(p[1] * u + p[2]) + p[3] * u + p[4] for p in a[:, :, 0].swapaxes(0, 1))
    result = combine(*map(torch.from_numpy, (z, u, a)))
    np.testing.assert_allclose(result, (z - mean) * gain + mean, rtol=1e-12)


def test_denoising_cost_normalises_both_sides() -> None:
    """The cancelled form equals the paper's: both by the clean mean and variance, then squared."""
    rng = np.random.default_rng(0)
    estimate, clean = rng.normal(2, 1, (50, 4)), rng.normal(-1, 3, (50, 4))
    mean, deviation = clean.mean(0), clean.std(0)
    expected = np.square((estimate - mean) / deviation - (clean - mean) / deviation).mean()
    args = torch.from_numpy(estimate), torch.from_numpy(clean)
    assert denoising_cost(*args, normalised=True).item() == pytest.approx(expected, rel=1e-5)
    assert denoising_cost(*args, normalised=False).item() == pytest.approx(np.square(estimate - clean).mean())


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_cost_at_the_start(layer: int) -> None:
    """At its start every combinator gives μ = v = 0, so ẑ = 0 and the cost is mean(a²) / var(a)."""
    weights = tuple(float(k == layer) for k in range(3))
    system, (x, data) = network(denoising=weights, deviation=0.0), batch()
    cost = system.terms(data, system.noise(system.players[0], torch_generator(0, "noise")))["denoising"]
    a = h = (x.numpy() + 1) / 2
    for linear in list(system.encoder.layers)[:layer]:
        a = h @ linear.weight.detach().numpy().T
        h = np.maximum((a - a.mean(0)) / a.std(0), 0)
    expected = np.square(a).mean(0) / (a.var(0) if layer else 1)
    assert cost.item() == pytest.approx(expected.mean(), rel=2e-3)  # but for the epsilon beside the variance


def test_a_decoder_that_copies() -> None:
    """μ = 0 and v = 1 return the noisy input, whose squared error per unit is σ²."""
    for deviation in (0.0, 0.5):
        system, (_, data) = network(denoising=(1.0, 0.0), deviation=deviation, batch=4000), batch(4000)
        with torch.no_grad():
            system.decoder.combinators[0][4, 1] = 1
        cost = system.terms(data, system.noise(system.players[0], torch_generator(0, "noise")))["denoising"]
        assert cost.item() == pytest.approx(deviation**2, rel=0.03, abs=1e-10)


def test_groups_are_normalised_apart() -> None:
    """Labelled and unlabelled rows of one noisy pass do not see each other's statistics."""
    system, (x, _) = network(deviation=0.0), batch()
    alone, beside = system.encoder(x), system.encoder(torch.stack([x, 3 * x + 1], 1))
    torch.testing.assert_close(alone.logits, beside.logits[:, 0])


def test_clean_path_is_what_classifies() -> None:
    system, (x, data) = network(), batch()
    clean = system.encoder(system.unit(x)).logits.softmax(1)
    system.finish(system.streams(x, data["labelled"][1]), torch_generator(0, "finish"))
    torch.testing.assert_close(system.eval().classify(x), clean, rtol=1e-4, atol=1e-5)


def test_denoising_weights() -> None:
    assert network(hidden=(5, 4, 3), denoising=(9.0, 1.0)).weights == (9.0, 1.0, 1.0, 1.0, 1.0)
    for wrong in ((), (1.0,) * 4):
        with pytest.raises(InputError, match="denoising: has . entries, must have 1 to 3"):
            LadderConfig(hidden=(5,), denoising=wrong)


def test_digits_with_fifty_labels() -> None:
    """Unlabelled digits help: with weight 0 for them, the same network errs on a fifth."""
    X, y = load_digits(return_X_y=True)
    few = np.where(np.arange(len(y)) < 50, y, -1)
    model = small(hidden=(100, 50), epochs=15, batch=50)
    ladder = model.fit(X, few).score(X[50:], y[50:])
    alone = model.set_params(denoising=(0.0,)).fit(X, few).score(X[50:], y[50:])
    assert ladder > 0.87 and ladder > alone + 0.05

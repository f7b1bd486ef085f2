"""Feature matching's ingredients, each against what it should do."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits

from domain.classifiers.base.matching import MatchingGame
from domain.classifiers.feature_matching import (
    FeatureMatchingConfig,
    FeatureMatchingGAN,
    FeatureMatchingGANClassifier,
)
from domain.classifiers.smooth_matching import SmoothMatchingConfig, SmoothMatchingGAN
from domain.errors import InputError
from domain.nets.history import ParameterHistory
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.system import Adam
from domain.training import Budget, fit

IMAGES = Space("image", (1, 12, 12), (0.0, 1.0), classes=3)
SMALL: dict[str, Any] = {
    "hidden": (16, 12), "generator_hidden": (8,), "latent": 4, "width": 4, "batch": 8, "optimiser": Adam(1e-3)
}
OPTIONS: dict[str, dict[str, Any]] = {
    "published": {},
    "batch normalisation": {"normalisation": "batch"},
    "conv": {"network": "conv", "matching": "mean_absolute"},
    "mean absolute": {"matching": "mean_absolute"},
    "per sample": {"matching": "per_sample"},
    "minibatch discrimination": {"matching": "none", "kernels": 5},
    "minibatch discrimination, conv": {"network": "conv", "matching": "none", "kernels": 5},
    "label noise": {"label_noise": 0.3},
    "consistency": {"consistency": 1.0},
    "virtual adversarial": {"radius": 0.5, "normalisation": "batch"},
    "virtual adversarial, conv": {"network": "conv", "radius": 0.5},
    "entropy and balance": {"entropy": 0.1, "balance": 0.1},
    "manifold": {"manifold": 1.0, "manifold_step": 0.5},
    "pull away": {"pull_away": 0.8},
    "historical": {"historical": 0.1},
    "augment": {"augment": 1.0, "consistency": 1.0},
    "larger unlabelled batch": {"unlabelled_batch": 16, "consistency": 1.0},
    "larger unlabelled batch, smooth": {"unlabelled_batch": 16, "warp": 1.0, "radius": 0.5},
    "no noise": {"input_noise": 0.0, "layer_noise": 0.0},
    "spread": {"spread": 13},
    "warp": {"warp": 1.0},
    "plane": {"network": "plane", "side": 12},
    "plane, all": {"network": "plane", "side": 8, "warp": 1.0, "radius": 0.5, "kernels": 5, "matching": "none"},
}


def made(options: dict[str, Any]) -> MatchingGame:
    """The published game, or the smooth one where an option asks for it."""
    published = {field.name for field in fields(FeatureMatchingConfig)}
    plain = published >= set(options) and options.get("network") != "plane"
    system, config = (
        (FeatureMatchingGAN, FeatureMatchingConfig) if plain else (SmoothMatchingGAN, SmoothMatchingConfig)
    )
    with scoped_seed(0, "start values"):
        return system(config(**{**SMALL, **options}), IMAGES)


def data(count: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    x = 2 * torch.rand(count, *IMAGES.shape, generator=torch_generator(0, "x")) - 1
    return x, torch.arange(count) % 4 - 1


def trained(options: dict[str, Any], steps: int = 3) -> MatchingGame:
    system = made(options)
    fit(system, system.streams(*data()), Budget(steps=steps, average=0.9, precision="float32"), seed=0)
    return system


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_option_trains_and_changes_the_outcome(options: dict[str, Any]) -> None:
    system, plain = trained(options), trained({})
    x, _ = data()
    answers = system.classify(x)
    torch.testing.assert_close(answers.sum(1), torch.ones(len(x)))
    assert bool(options) != bool(torch.equal(answers, plain.classify(x)))
    assert system.sample(5, torch_generator(0, "sample")).shape == (5, *IMAGES.shape)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_an_answer_does_not_depend_on_its_batch(options: dict[str, Any]) -> None:
    system = trained(options)
    x, _ = data()
    torch.testing.assert_close(system.classify(x)[:1], system.classify(x[:1]), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(system.realness(x)[:1], system.realness(x[:1]), atol=1e-5, rtol=1e-5)


def test_the_start_standardises_every_layer() -> None:
    system = made({"hidden": (64, 64), "input_noise": 0.3, "layer_noise": 0.5})
    streams = system.streams(*data(400))
    system.start(streams, torch_generator(0, "start"))
    x = streams["unlabelled"].tensors[0]
    noise = system.discriminator.draw(len(x), torch_generator(1, "noise"))
    logits, _ = system.discriminator(system.shown(x, torch.zeros(len(x), 6)), noise)
    assert logits.mean(0).abs().max() < 0.5 and (logits.std(0) - 1).abs().max() < 0.5


def test_historical_averaging_remembers_the_mean() -> None:
    """Of steps at 0 and at 3 the mean is 1.5, and every parameter is 1.5 away from it."""
    net = made({}).discriminator
    past = ParameterHistory(net)
    assert past.distance(net) == 0, "before the first step"
    for value in (0.0, 3.0):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.fill_(value)
        past.follow(net)
    count = sum(parameter.numel() for parameter in net.parameters())
    torch.testing.assert_close(past.distance(net), torch.tensor(1.5**2 * count))


def test_historical_averaging_follows_every_step() -> None:
    assert all(past.steps == 3 for past in trained({"historical": 0.1}, steps=3).past.values())


def test_label_noise_replaces_its_share() -> None:
    system = made({"label_noise": 0.5})
    label = torch.zeros(100_000, dtype=torch.long)
    noisy = system.noisy_labels(label, torch.rand(len(label), 2, generator=torch_generator(0, "draw")))
    assert abs((noisy != label).float().mean() - 0.5 * 2 / 3) < 0.01


def test_conv_needs_square_images() -> None:
    with pytest.raises(InputError, match="squares of at least 12"):
        FeatureMatchingGAN(FeatureMatchingConfig(network="conv"), Space("image", (1, 8, 8), (0.0, 1.0), classes=3))
    X, y = load_digits(return_X_y=True)
    with pytest.raises(InputError, match="need images"):
        FeatureMatchingGANClassifier(network="conv", epochs=1).fit(X, y)


def test_the_smooth_game_without_its_parts_is_the_published_one() -> None:
    x, _ = data()
    with scoped_seed(0, "start values"):
        smooth = SmoothMatchingGAN(SmoothMatchingConfig(**SMALL), IMAGES)
    fit(smooth, smooth.streams(*data()), Budget(steps=3, average=0.9, precision="float32"), seed=0)
    assert torch.equal(smooth.classify(x), trained({}).classify(x))

"""Feature matching's ingredients, each against what it should do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from domain.classifiers.feature_matching import (
    FeatureMatchingConfig,
    FeatureMatchingGAN,
    FeatureMatchingGANClassifier,
)
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
    "larger unlabelled batch": {"unlabelled_batch": 16, "consistency": 1.0, "radius": 0.5},
    "no noise": {"input_noise": 0.0, "layer_noise": 0.0},
    "spread": {"spread": 13},
    "warp": {"warp": 1.0},
    "plane": {"network": "plane", "side": 12},
    "plane, all": {"network": "plane", "side": 8, "warp": 1.0, "radius": 0.5, "kernels": 5, "matching": "none"},
}


def made(options: dict[str, Any]) -> FeatureMatchingGAN:
    with scoped_seed(0, "start values"):
        return FeatureMatchingGAN(FeatureMatchingConfig(**{**SMALL, **options}), IMAGES)


def data(count: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    x = 2 * torch.rand(count, *IMAGES.shape, generator=torch_generator(0, "x")) - 1
    return x, torch.arange(count) % 4 - 1


def trained(options: dict[str, Any], steps: int = 3) -> FeatureMatchingGAN:
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
        FeatureMatchingGANClassifier(**options, spread=each).fit(X, partial).score(X, y) for each in (0, 50)
    )
    assert graph > plain + 0.1


def test_a_teacher_leads_and_then_is_forgotten() -> None:
    """With one that knows every class, training without a warp or a label's help starts from its answers."""
    digits, label = load_digits(return_X_y=True)
    digits, label = digits[:300].astype(np.float32), label[:300]
    few = np.where(np.arange(300) < 20, label, -1)
    options: dict[str, Any] = {"hidden": (32,), "input_noise": 0.0, "layer_noise": 0.0, "epochs": 40, "batch": 50, "average": 0.0}

    class Knows(FeatureMatchingGANClassifier):
        def fit(self, X: Any, y: Any) -> Knows:
            self.classes_ = np.unique(y[y >= 0])
            return self

        def predict_proba(self, X: Any) -> np.ndarray:
            return np.eye(10)[label]

    plain = FeatureMatchingGANClassifier(**options, random_state=0).fit(digits, few)
    led = FeatureMatchingGANClassifier(**options, random_state=0, teacher=Knows(), fade=300).fit(digits, few)
    assert led.score(digits, label) > 0.97 > plain.score(digits, label)
    assert led.system_.turns == 40 * 6
    gone = led.system_.taught(torch.zeros(1, 10), torch.eye(10)[:1])
    torch.testing.assert_close(gone.exp(), torch.lerp(torch.full((1, 10), 0.1), torch.eye(10)[:1], 0.2), atol=1e-6, rtol=0)


def test_a_teacher_shares_the_seed_and_resumes(tmp_path: Path) -> None:
    digits, label = load_digits(return_X_y=True)
    few = np.where(np.arange(len(label)) < 50, label, -1)[:200]
    options: dict[str, Any] = {"hidden": (8,), "epochs": 2, "batch": 50, "random_state": 3}
    teacher = FeatureMatchingGANClassifier(hidden=(16,), epochs=2, batch=50)
    alone = FeatureMatchingGANClassifier(**options, teacher=teacher).fit(digits[:200], few)
    place = tmp_path / "checkpoint.safetensors"
    for _ in range(2):  # the second time from what the first has left
        again = FeatureMatchingGANClassifier(**options, teacher=teacher, checkpoint=place).fit(digits[:200], few)
        assert np.array_equal(again.predict_proba(digits), alone.predict_proba(digits))
    assert sorted(path.name for path in tmp_path.iterdir()) == [place.name, f"{place.name}.teacher"]

"""SimGAN: its history, its limits, and the labels it must not touch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from domain.randomness import scoped_seed, torch_generator
from domain.refiners.simgan import SimGAN, SimGANConfig
from domain.space import Space
from domain.training import Budget, fit

SPACE = Space("image", (1, 8, 8), (0.0, 16.0), integer=True)
CONFIG = SimGANConfig(width=8, blocks=1, critic_width=8, history=20, batch=8)


def build(**options: object) -> SimGAN:
    with scoped_seed(0, "test"):
        return SimGAN(dataclasses.replace(CONFIG, **options), SPACE)


def images(value: float, count: int = 8) -> torch.Tensor:
    return torch.full((count, *SPACE.shape), value)


def test_history_fills_then_evicts() -> None:
    model = build()
    for push in range(1, 6):
        model.history.add(images(push / 10), torch.zeros(4))
        assert model.history.kept == min(4 * push, 20)
    np.testing.assert_allclose(model.history.past[:, 0, 0, 0], np.repeat([0.1, 0.2, 0.3, 0.4, 0.5], 4), rtol=1e-6)
    model.history.add(images(0.9), torch.tensor([0.0, 0.26, 0.5, 0.99]))
    assert model.history.kept == 20
    replaced = np.flatnonzero(np.isclose(model.history.past[:, 0, 0, 0], 0.9))
    assert list(replaced) == [0, 5, 10, 19]


def test_half_of_what_the_critic_sees_is_past() -> None:
    model = build()
    shown = torch.tensor([0.0, 0.3, 0.6, 0.99])
    assert torch.equal(model.history.mixed(images(0.5), shown), images(0.5)), "an empty history shows nothing"
    model.history.add(images(-1.0), torch.zeros(4))
    mixed = model.history.mixed(images(0.5), shown)
    assert torch.equal(mixed[:4], images(-1.0, 4)) and torch.equal(mixed[4:], images(0.5, 4))


def test_history_is_switched_off() -> None:
    model = build(history=0)
    fit(model, model.streams(images(0.0), images(0.5)), Budget(steps=2, precision="float32"), 0)
    assert torch.equal(model.history.mixed(images(0.5), torch.rand(4)), images(0.5))


def test_the_history_holds_refined_images_only_after_steps() -> None:
    model = build()
    fit(model, model.streams(images(-0.5, 30), images(0.5, 30)), Budget(steps=3, precision="float32"), 0)
    assert model.history.kept == 12
    assert (model.history.past[:12].abs().sum((1, 2, 3)) > 0).all() and (model.history.past[12:] == 0).all()


def test_an_untrained_refiner_is_the_identity() -> None:
    x = torch.rand(5, *SPACE.shape, generator=torch_generator(0, "x")) * 2 - 1
    assert torch.equal(build().translate(x, torch_generator(0, "t")), x)


def test_very_strong_similarity_leaves_images_alone() -> None:
    x = torch.rand(40, *SPACE.shape, generator=torch_generator(0, "x")) - 0.9
    changes = {}
    for similarity in (0.0, 1e4):
        model = build(similarity=similarity)
        fit(model, model.streams(x, x + 0.8), Budget(steps=60, precision="float32"), 0)
        changes[similarity] = float((model.translate(x, torch_generator(0, "t")) - x).abs().mean())
    assert changes[1e4] < 0.01 < changes[0.0]


def test_similarity_is_a_mean_per_pixel() -> None:
    """So that its weight means the same at any image size."""
    for side in (8, 16):
        with scoped_seed(0, "test"):
            model = SimGAN(dataclasses.replace(CONFIG, similarity=1.0), Space("image", (1, side, side), (0.0, 1.0)))
        torch.nn.init.constant_(model.refiner.head.bias, 0.25)
        torch.nn.init.zeros_(model.refiner.head.weight)
        terms = model.refiner_terms({"simulated": (torch.zeros(8, 1, side, side),)}, {})
        assert terms["similarity"].item() == pytest.approx(0.25)


def test_images_stay_in_range() -> None:
    model = build()
    torch.nn.init.constant_(model.refiner.head.bias, 5.0)
    assert model.translate(images(0.0), torch_generator(0, "t")).max() <= 1

"""LAGAN on small images, and its blocks at the published size."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from domain.errors import InputError
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.surrogates.lagan import LAGAN, Critic, Generator, LAGANConfig
from domain.system import Adam
from domain.training import Budget, fit

CONFIG = LAGANConfig(
    latent=8, start_width=8, widths=(8, 4, 4), critic_widths=(8, 4, 4, 4), kernels=4, dimensions=4, batch=50,
    generator=Adam(rate=2e-3), critic=Adam(rate=2e-3),
)
SPACE = Space("jet", (1, 8, 8), (0.0, 600.0), classes=2, condition=("pt",), units=("GeV",))


def jets(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (count, 1, 8, 8) in GeV, classes (count,), pT (count, 1): class 0 lies above, class 1 below."""
    generator = torch_generator(seed, "jets")
    label, pt = torch.arange(count) % 2, 200 + 100 * torch.rand(count, 1, generator=generator)
    x = torch.rand(count, 1, 8, 8, generator=generator) * (torch.rand(count, 1, 8, 8, generator=generator) < 0.5)
    rows = torch.arange(8)[None, :, None] // 4
    x = x * (rows == label[:, None, None])[:, None]
    return x * (pt[:, :, None, None] / x.sum((1, 2, 3), keepdim=True)), label, pt


def build(config: LAGANConfig = CONFIG, space: Space = SPACE) -> LAGAN:
    with scoped_seed(0, "start values"):
        return LAGAN(config, space)


@pytest.fixture(scope="module")
def trained() -> LAGAN:
    system = build()
    data = system.streams(*jets(2000)[:2])
    fit(system, data, Budget(steps=100, average=0.9, precision="float32"), seed=0)
    return system


def test_each_class_looks_like_itself(trained: LAGAN) -> None:
    for label in (0, 1):
        x = trained.sample(500, torch_generator(0, "draw"), label=torch.full((500,), label))
        above, below = x[:, :, :4].sum(), x[:, :, 4:].sum()
        own, other = (above, below) if label == 0 else (below, above)
        assert own > 3 * other


def test_samples_are_seeded_and_some_pixels_are_exactly_empty(trained: LAGAN) -> None:
    first, again, other = (trained.sample(200, torch_generator(seed, "draw")) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (200, 1, 8, 8) and (first >= 0).all() and 0.05 < (first == 0).float().mean() < 0.95


def test_the_published_networks_have_the_published_sizes() -> None:
    """Counted by hand from the recipe: each layer's weights and biases, place by place."""
    with torch.device("meta"):
        generator = Generator(200, (25, 25), LAGANConfig())
        critic = Critic((25, 25), 2, 0, LAGANConfig())
    grow = 201 * 128 * 49 + 64 * (128 * 25 + 1) + 2 * 64 + 14 * 14 * 6 * (64 * 25 + 1) + 2 * 6
    paint = 26 * 26 * 6 * (6 * 9 + 1) + 25 * 25 * 6 * 4
    assert sum(p.numel() for p in generator.parameters()) == grow + paint
    body = 32 * 26 + 13 * 13 * 8 * (32 * 25 + 1) + 13 * 13 * 8 * (8 * 25 + 1) + 7 * 7 * 8 * (8 * 9 + 1) + 3 * 2 * 8
    heads = 72 * 20 * 10 + (72 + 20 + 1) * 3
    assert sum(p.numel() for p in critic.parameters()) == body + heads


@pytest.mark.parametrize("side", [(5, 5), (8, 16), (25, 25), (6, 27)])
def test_any_size_fits(side: tuple[int, int]) -> None:
    system = build(space=dataclasses.replace(SPACE, shape=(1, *side)))
    assert system.sample(3, torch_generator(0, "draw")).shape == (3, 1, *side)
    x, noise = torch.rand(4, 1, *side), system.critic.draw(4, torch_generator(0, "noise"))
    real, classes = system.critic(x, torch.zeros(4, 0), noise)
    assert real.shape == (4,) and classes.shape == (4, 2)


def test_flipped_labels_are_another_class() -> None:
    system = build(space=dataclasses.replace(SPACE, classes=4))
    label, other = torch.arange(4).repeat_interleave(3), torch.arange(3).repeat(4)
    assert torch.equal(system.flipped(label, torch.zeros(12, dtype=torch.bool), other), label)
    flipped = system.flipped(label, torch.ones(12, dtype=torch.bool), other)
    assert all(set(flipped[label == k].tolist()) == {0, 1, 2, 3} - {k} for k in range(4))


def test_conditions_reach_both_networks() -> None:
    system = build(dataclasses.replace(CONFIG, conditional=True))
    assert system.given == ("label", "condition")
    x, label, pt = jets(100)
    system.streams(x, label=label, condition=pt)
    low, high = (
        system.sample(4, torch_generator(0, "draw"), torch.zeros(4).long(), torch.full((4, 1), value))
        for value in (210.0, 290.0)
    )
    assert not torch.equal(low, high)
    noise = system.critic.draw(4, torch_generator(0, "noise"))
    scores = [system.critic(x[:4] / 100, torch.full((4, 1), value), noise)[0] for value in (-1.0, 1.0)]
    assert not torch.equal(*scores)
    with pytest.raises(InputError, match="'pt'.*training range"):
        system.sample(2, torch_generator(0, "draw"), condition=torch.full((2, 1), 900.0))


def test_samples_without_classes_are_learnt_given_conditions_alone() -> None:
    space = dataclasses.replace(SPACE, classes=0)
    system = build(dataclasses.replace(CONFIG, conditional=True), space)
    assert system.given == ("condition",)
    x, _, pt = jets(60)
    history = fit(system, system.streams(x, condition=pt), Budget(steps=1, precision="float32"), seed=0)
    assert set(history[0]) == {"step", "critic.real", "critic.fake", "generator.adversarial"}


def test_other_samples_are_refused() -> None:
    for change in ({"kind": "image"}, {"shape": (25, 25)}, {"shape": (3, 25, 25)}, {"shape": (1, 4, 25)}):
        with pytest.raises(InputError, match="give jet images"):
            build(space=dataclasses.replace(SPACE, **change))
    with pytest.raises(InputError, match="reach down to -1"):
        build(space=dataclasses.replace(SPACE, range=(-1.0, 1.0)))
    with pytest.raises(InputError, match="no conditions; set it to false"):
        build(dataclasses.replace(CONFIG, conditional=True), dataclasses.replace(SPACE, condition=(), units=()))
    x, label, _ = jets(10)
    with pytest.raises(InputError, match="no label"):
        build().streams(x, label - 1)

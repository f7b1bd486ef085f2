"""CaloGAN on a small calorimeter, and its blocks on the published one."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from domain.errors import InputError
from domain.geometry import CALOGAN
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.surrogates.calogan import Attention, CaloGAN, CaloGANConfig, Generator, LayerFeatures, Likeness
from domain.system import Adam
from domain.training import Budget, fit

SHAPES = ((2, 8), (4, 4), (4, 2))
CONFIG = CaloGANConfig(
    shapes=SHAPES, latent=8, start_width=6, widths=(6, 4), critic_widths=(6, 6, 4, 4), kernels=4, dimensions=4,
    batch=32, generator=Adam(rate=3e-3), critic=Adam(rate=3e-4),
)
SPACE = Space("shower", (40,), (0.0, 1e5), condition=("energy",), units=("GeV",))


def showers(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Cells (count, 40) in MeV that hold all of the energies (count, 1) in GeV; a third are empty."""
    generator = torch_generator(seed, "showers")
    energy = 1 + 99 * torch.rand(count, 1, generator=generator)
    share = torch.linspace(2, 0.1, 40) * torch.randn(count, 40, generator=generator).mul(0.3).exp()
    share = share * (torch.rand(count, 40, generator=generator) < 2 / 3)
    return 1000 * energy * share / share.sum(1, keepdim=True), energy


def build(config: CaloGANConfig = CONFIG) -> CaloGAN:
    with scoped_seed(0, "start values"):
        return CaloGAN(config, SPACE)


@pytest.fixture(scope="module")
def trained() -> CaloGAN:
    system = build()
    fit(system, system.streams(*showers(2000)), Budget(steps=100, average=0.9, precision="float32"), seed=0)
    return system


def test_the_energy_asked_for_is_drawn(trained: CaloGAN) -> None:
    for energy in (20.0, 80.0):
        x = trained.sample(500, torch_generator(0, "draw"), torch.full((500, 1), energy))
        assert (x.sum(1) / 1000).mean() == pytest.approx(energy, rel=0.15)


def test_samples_are_seeded_and_some_cells_are_exactly_empty(trained: CaloGAN) -> None:
    first, again, other = (trained.sample(200, torch_generator(seed, "draw")) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (200, 40) and (first >= 0).all() and 0.05 < (first == 0).float().mean() < 0.95


def test_it_resumes_to_the_same_bits(tmp_path: Path) -> None:
    budget, data = Budget(steps=6, precision="float32", average=0.5), showers(200)
    whole, halved = build(), build()
    fit(whole, whole.streams(*data), budget, seed=0)
    checkpoint = tmp_path / "checkpoint.safetensors"

    steps = itertools.count()

    def killed(*_: object) -> None:
        if next(steps) == 7:  # in the third round
            raise KeyboardInterrupt

    halved.after = killed
    with pytest.raises(KeyboardInterrupt):
        fit(halved, halved.streams(*data), budget, seed=0, checkpoint=checkpoint, save_seconds=0)
    resumed = build()
    fit(resumed, resumed.streams(*data), budget, seed=0, checkpoint=checkpoint)
    assert all(torch.equal(value, resumed.state_dict()[key]) for key, value in whole.state_dict().items())


def test_the_published_networks_have_the_published_sizes() -> None:
    """Counted by hand from the recipe: Dense, convolution, normalisation, two locally connected layers."""
    with torch.device("meta"):
        generator = Generator(CaloGANConfig())
        counts = [sum(p.numel() for p in stream.parameters()) for stream in generator.streams]
        features = LayerFeatures((12, 6), CaloGANConfig())
    for count, (r, c) in zip(counts, CALOGAN.shapes, strict=True):
        dense = (1024 + 1) * 36 * (r + 2) * (c + 2)
        convolution, norm = 16 * (36 * 4 + 1), 2 * 16
        first, last = (r + 1) * (c + 1) * 6 * (16 * 4 + 1), r * c * 6 * 4
        assert count == dense + convolution + norm + first + last
    assert features.width == 8 * 14 * 3 + 1 + 20  # 12×6 → 12×3 → 13×4 → 14×3 places of 8 channels


def test_layers_are_resampled_as_published() -> None:
    """Upsampled fourfold along rows and averaged over eight columns; averaged over two columns."""
    first, second = torch.randn(2, 1, 3, 96), torch.randn(2, 1, 12, 12)
    for shape, before, published in (
        ((12, 12), first, avg_pool2d(interpolate(first, scale_factor=(4, 1)), (1, 8))),
        ((12, 6), second, avg_pool2d(second, (1, 2))),
    ):
        attention = Attention(shape, bias=100.0)  # takes the layer before, whatever it is
        torch.testing.assert_close(attention(torch.randn(2, 1, *shape), before), published)
        attention = Attention(shape, bias=-100.0)
        own = torch.randn(2, 1, *shape)
        torch.testing.assert_close(attention(own, before), own)


def test_equal_showers_are_wholly_alike_and_distant_ones_only_to_themselves() -> None:
    net = Likeness(3, kernels=2, dimensions=4)
    torch.testing.assert_close(net(torch.ones(8, 3)), torch.full((8, 2), 1.0).tanh())
    far = torch.arange(8.0)[:, None].expand(8, 3) * 1e4
    torch.testing.assert_close(net(far), torch.full((8, 2), 1 / 8).tanh())


def test_the_energy_term_is_the_mean_miss_in_gev() -> None:
    system = build(dataclasses.replace(CONFIG, energy_weight=1.0))
    x, energy = showers(CONFIG.batch)
    noise = system.noise(system.players[1], torch_generator(0, "noise"))
    fake = system.generator(noise["z"], energy)
    terms = system.generator_terms({"simulated": (x / 1000, energy)}, noise)
    torch.testing.assert_close(terms["energy"], (fake.sum(1) - energy[:, 0]).abs().mean())


def test_other_samples_and_energies_are_refused(trained: CaloGAN) -> None:
    with pytest.raises(InputError, match="shapes.*40 cells"):
        CaloGAN(CONFIG, dataclasses.replace(SPACE, shape=(504,)))
    with pytest.raises(InputError, match="incident energy"):
        CaloGAN(CONFIG, dataclasses.replace(SPACE, condition=(), units=()))
    with pytest.raises(InputError, match="0 or below"):
        build().streams(torch.zeros(3, 40), torch.zeros(3, 1))
    with pytest.raises(InputError, match="'energy'.*training range"):
        trained.sample(2, torch_generator(0, "draw"), torch.tensor([[50.0], [200.0]]))
    with pytest.raises(InputError, match=r"must be \(2, 1\)"):
        trained.sample(2, torch_generator(0, "draw"), torch.tensor([50.0, 60.0]))

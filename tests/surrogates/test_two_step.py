"""Two-step surrogates on a small, invented calorimeter."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from domain.errors import InputError
from domain.nets.deposits import FAINT, layer_energies, rank_cells, shared_out, unrank_cells
from domain.nets.ranks import RankMap, break_sticks, join_sticks, mirrors
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.surrogates import SURROGATES
from domain.surrogates.base import TwoStep, TwoStepConfig
from domain.surrogates.copula import CopulaConfig
from domain.surrogates.flow import FlowConfig
from domain.surrogates.flow_matching import FlowMatchingConfig
from domain.surrogates.vae_flow import VAEFlowConfig
from domain.system import Player
from domain.training import Budget, fit

SHAPES = ((2, 4), (3, 3))
SHARED: dict[str, Any] = {
    "shapes": SHAPES, "mirror": False, "knots": 4, "quantiles": 17, "splines": 2, "splines_width": 16, "batch": 64
}
CONFIGS: dict[str, TwoStepConfig] = {
    "copula": CopulaConfig(**SHARED),
    "flow": FlowConfig(**SHARED, couplings=2, width=16),
    "flow_matching": FlowMatchingConfig(**SHARED, width=16, blocks=1, steps=2),
    "vae_flow": VAEFlowConfig(**SHARED, latent=3, width=16, couplings=1, couplings_width=8),
}
SPACE = Space("shower", (17,), (0.0, 1e5), condition=("energy",), units=("GeV",))
BUDGET = Budget(steps=100, average=0.9, precision="float32", log_every=10)


def showers(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Cells (count, 17) in MeV and energies (count, 1) in GeV; a tilt across each."""
    generator = torch_generator(seed, "showers")
    energy = 1 + 99 * torch.rand(count, 1, generator=generator)
    mean = torch.tensor([3.0, 1, 0.1, 0.01] * 2 + [0.02] * 4 + [0.01] * 5)
    tilt = 0.5 * torch.randn(count, 1, generator=generator) * torch.linspace(-1, 1, 17)
    x = 100 * energy * mean * (tilt + 0.3 * torch.randn(count, 17, generator=generator)).exp()
    return torch.where(x > 2, x, 0.0), energy


def build(name: str = "flow", space: Space = SPACE, **changes: Any) -> TwoStep:
    with scoped_seed(0, "start values"):
        return SURROGATES[name](dataclasses.replace(CONFIGS[name], **changes), space)


@pytest.fixture(scope="module", params=CONFIGS)
def trained(request: pytest.FixtureRequest) -> TwoStep:
    system = build(request.param)
    fit(system, system.streams(*showers(2000)), BUDGET, seed=0)
    return system


def test_sampling_is_seeded_finite_and_has_empty_cells(trained: TwoStep) -> None:
    first, again, other = (trained.sample(200, torch_generator(seed, "draw")) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (200, 17) and torch.isfinite(first).all()
    assert (first >= 0).all() and (first == 0).any() and (first > 0).any()


def test_sampling_leaves_the_global_generator_alone(trained: TwoStep) -> None:
    before = torch.get_rng_state()
    trained.sample(3, torch_generator(0, "draw"))
    assert torch.equal(before, torch.get_rng_state())


def test_cells_sum_to_the_layer_energies(trained: TwoStep) -> None:
    rank = torch.rand(500, 17, generator=torch_generator(0, "ranks"))
    energies = layer_energies(showers(500, 1)[0], trained.sizes)
    energies[:5, 1] = 0
    expected = energies.sum(1).log()
    cells = unrank_cells(trained.cell_ranks, rank, energies, expected, trained.least)
    torch.testing.assert_close(layer_energies(cells, trained.sizes), energies)
    nearly_empty = unrank_cells(trained.cell_ranks, torch.full((500, 17), 1e-6), energies, expected, trained.least)
    torch.testing.assert_close(layer_energies(nearly_empty, trained.sizes), energies)


def test_ranking_is_undone_by_unranking(trained: TwoStep) -> None:
    x, energy = showers(2000)
    expected = trained.trend(trained.range.scaled(energy))
    low, high = rank_cells(trained.cell_ranks, x, expected, trained.least)
    assert torch.equal(low[x > 0], high[x > 0])
    for share in (0.0, 0.5, 0.99):  # a zero stays zero wherever in its interval it falls
        ranks, energies = torch.lerp(low, high, share), layer_energies(x, trained.sizes)
        back = unrank_cells(trained.cell_ranks, ranks, energies, expected, trained.least)
        assert torch.equal(back > 0, x > 0)
        error = ((back - x).abs() / x.clamp(min=1e-6)).amax(1)
        assert error.quantile(0.9) < 1e-4  # the rest hold a value beyond the interpolated quantiles


def test_a_threshold_is_kept(trained: TwoStep) -> None:
    x, _ = showers(2000)
    assert trained.least == x[x > 0].min() >= 2
    drawn = trained.sample(1000, torch_generator(0, "draw"))
    energies = layer_energies(drawn, trained.sizes)
    hits = torch.stack([(part > 0).sum(1) for part in drawn.split(trained.sizes, 1)], 1)
    enough = (energies >= hits * trained.least).repeat_interleave(torch.tensor(trained.sizes), 1)
    assert drawn[enough & (drawn > 0)].min() >= 0.999 * trained.least


def test_energy_is_shared_out() -> None:
    excess = torch.tensor([[0.0, 1.0, 5.0], [0.0, 2.0, 10.0], [0.0, 0.0, 7.0], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    hit = torch.tensor([[0, 1, 1], [0, 1, 1], [0, 1, 1], [1, 1, 0], [0, 1, 1]])
    energy, least = torch.tensor([8.0, 8.0, 8.0, 0.5, 8.0]), torch.tensor(1.0)
    above = hit * (excess + FAINT * least) / energy[:, None]
    expected = [[0.0, 2.0, 6.0], [0.0, 2.0, 6.0], [0.0, 1.0, 7.0], [0.25, 0.25, 0.0], [0.0, 4.0, 4.0]]
    torch.testing.assert_close(shared_out(above, energy, least), torch.tensor(expected))


def test_sticks_are_joined_exactly() -> None:
    energies = torch.tensor([[1.0, 5.0, 2.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(break_sticks(energies, order)[0], torch.tensor([8.0, 0.25, 1 / 6]))
    torch.testing.assert_close(join_sticks(break_sticks(energies, order), order), energies)


def test_ranks_of_fresh_values_are_uniform() -> None:
    generator = torch_generator(0, "uniform")
    coordinate = torch.rand(20000, generator=generator)
    x = (coordinate[:, None] + torch.randn(20000, 1, generator=generator)).exp()
    ranks = RankMap(1, knots=8, quantiles=33)
    ranks.fit(x[:10000], coordinate[:10000])
    rank = ranks.encode(x[10000:], coordinate[10000:])[0].sort(0).values[:, 0]
    assert (rank - torch.linspace(0, 1, 10000)).abs().max() < 0.03


def test_mirrors_flip_each_layer() -> None:
    x = torch.arange(17)
    _, along_y, along_x, _ = (x[order] for order in mirrors(SHAPES))
    assert along_y[:8].tolist() == [3, 2, 1, 0, 7, 6, 5, 4]
    assert along_x[8:].tolist() == [14, 15, 16, 11, 12, 13, 8, 9, 10]


def test_a_saved_state_draws_the_same_showers(trained: TwoStep) -> None:
    loaded = type(trained)(trained.config, SPACE)
    loaded.load_state_dict(trained.state_dict())
    expected = trained.sample(20, torch_generator(0, "draw"))
    assert torch.equal(loaded.eval().sample(20, torch_generator(0, "draw")), expected)


def loud_and_quiet(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cells (count, 17) and energies (count, 1): half of the showers scatter twelve times as much, which no covariance holds."""
    generator = torch_generator(0, "loud and quiet")
    energy = 1 + 99 * torch.rand(count, 1, generator=generator)
    loud = torch.where(torch.rand(count, 1, generator=generator) < 0.5, 0.1, 1.2)
    return 10 * energy * (loud * torch.randn(count, 17, generator=generator)).exp(), energy


@pytest.mark.parametrize("name", CONFIGS)
def test_training_lowers_each_loss(name: str) -> None:
    """On the same samples with the same noise, before and after."""
    system = build(name)
    data = system.streams(*loud_and_quiet(2000))
    batches = [{k: tuple(t[at : at + 64] for t in each.tensors) for k, each in data.items()} for at in range(0, 512, 64)]

    @torch.no_grad()
    def loss(player: Player) -> float:
        noise = [system.noise(player, torch_generator(seed, "noise")) for seed in range(40)]
        terms = [system(player, batches[k % len(batches)], each) for k, each in enumerate(noise)]
        return sum(float(sum(each.values())) for each in terms)

    before = [loss(player) for player in system.players]
    fit(system, data, dataclasses.replace(BUDGET, steps=200), seed=0)
    assert all(loss(player) < start for player, start in zip(system.players, before, strict=True))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("mirror", [False, True])
def test_gradients_reach_every_parameter(name: str, mirror: bool) -> None:
    system = build(name, mirror=mirror)
    for parameter in system.parameters():  # past start values of zero, behind which no gradient comes
        parameter.data += 0.01
    data = system.streams(*showers(64))
    batch = {name: stream.tensors for name, stream in data.items()}
    for player in system.players:
        terms = system(player, batch, system.noise(player, torch_generator(0, "noise")))
        sum(terms.values()).backward()
    assert all(p.grad is not None and p.grad.any() for p in system.parameters())


def test_total_energy_follows_the_condition(trained: TwoStep) -> None:
    for energy in (10.0, 50.0, 90.0):
        drawn = trained.sample(500, torch_generator(0, "draw"), condition=torch.full((500, 1), energy))
        x, condition = showers(20000, seed=2)
        near = (condition[:, 0] - energy).abs() < 2
        ratio = (x[near].sum(1) / condition[near, 0]).mean()
        assert (drawn.sum(1) / energy).mean() == pytest.approx(ratio.item(), rel=0.08)


def test_a_condition_out_of_range_is_refused(trained: TwoStep) -> None:
    with pytest.raises(InputError, match="'energy'.*training range"):
        trained.sample(2, torch_generator(0, "draw"), condition=torch.tensor([[50.0], [200.0]]))
    with pytest.raises(InputError, match=r"must be \(2, 1\)"):
        trained.sample(2, torch_generator(0, "draw"), condition=torch.tensor([50.0, 60.0]))


def test_other_samples_are_refused() -> None:
    with pytest.raises(InputError, match="shapes.*17 cells"):
        build(space=dataclasses.replace(SPACE, shape=(504,)))
    with pytest.raises(InputError, match="given conditions"):
        build(space=dataclasses.replace(SPACE, condition=(), units=()))
    with pytest.raises(InputError, match="give more"):
        build().streams(*showers(3))


def test_any_conditions_in_any_unit() -> None:
    """A picture whose blob moves with one condition, and whose sum follows another, in other units."""
    generator = torch_generator(0, "pictures")
    place, strength = torch.rand(2, 3000, 1, generator=generator)
    condition = torch.cat([20 * place - 10, 10 ** (3 * strength)], 1)
    pixels = torch.arange(12.0)
    blob = torch.exp(-0.5 * (pixels - 11 * place) ** 2)
    x = 1e-6 * condition[:, 1:] * (blob + 0.01) * (0.1 * torch.randn(3000, 12, generator=generator)).exp()
    space = Space("shower", (1, 3, 4), (0.0, 1.0), condition=("place", "strength"), units=("mm", "keV"))
    system = build(space=space, shapes=(), couplings=4, width=48)
    fit(system, system.streams(x.unflatten(1, (1, 3, 4)), condition), dataclasses.replace(BUDGET, steps=400), seed=0)
    asked = torch.tensor([[-8.0, 50.0], [8.0, 500.0]]).repeat_interleave(300, 0)
    drawn = system.sample(600, torch_generator(0, "draw"), condition=asked)
    assert drawn.shape == (600, 1, 3, 4)
    assert system.range.logarithmic.tolist() == [False, True]
    sums = drawn.sum((1, 2, 3))
    assert (sums[300:].mean() / sums[:300].mean()).item() == pytest.approx(10, rel=0.2)
    centres = (drawn.flatten(1) * pixels).sum(1) / drawn.flatten(1).sum(1)
    assert centres[:300].mean() < 3.5 and centres[300:].mean() > 7.5


@pytest.mark.parametrize("name", CONFIGS)
def test_samples_of_classes_alone(name: str) -> None:
    """Two kinds of pictures, the one with twice the deposits at the other end; conditions are left aside."""
    generator = torch_generator(0, "classes")
    label = torch.arange(2000) % 2
    blob = torch.exp(-0.5 * (torch.arange(12.0) - 2 - 7 * label[:, None]) ** 2)
    x = (1 + label[:, None]) * (blob + 0.01) * (0.1 * torch.randn(2000, 12, generator=generator)).exp()
    space = Space("jet", (1, 3, 4), (0.0, 100.0), classes=2, condition=("mass",), units=("GeV",))
    system = build(name, space=space, shapes=(), conditional=False, knots=2)
    assert system.given == ("label",)
    fit(system, system.streams(x.unflatten(1, (1, 3, 4)), label=label), BUDGET, seed=0)
    drawn = system.sample(600, torch_generator(0, "draw"), label=torch.arange(600) % 2).flatten(1)
    totals = x.sum(1)
    for k in range(2):
        assert drawn[k::2].sum(1).mean().item() == pytest.approx(totals[label == k].mean().item(), rel=0.03)
        assert drawn[k::2].mean(0).argmax() == 2 + 7 * k
    assert system.sample(3, torch_generator(0, "draw")).shape == (3, 1, 3, 4)


def test_samples_without_a_label_are_refused() -> None:
    space = dataclasses.replace(SPACE, classes=2)
    system = build(space=space)
    assert system.given == ("label", "condition")
    x, energy = showers(64)
    with pytest.raises(InputError, match="have no label"):
        system.streams(x, energy, torch.arange(64) % 3 - 1)


def test_the_path_stands_still_before_training() -> None:
    """Normal scores that do not depend on one another need no velocity: training starts from there."""
    system = build("flow_matching")
    z, context = torch.randn(4, 17, generator=torch_generator(0, "z")), torch.zeros(4, system.context_width)
    assert not system.cells(z, torch.full((4, 1), 0.3), context).any()

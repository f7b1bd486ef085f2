"""Outlines of layers: measured as by hand, undone, and met by cells that were drawn without them."""

from __future__ import annotations

import pytest
import torch

from domain.nets.deposits import cell_maps, fit_cells, layer_energies, least_deposit, unrank_cells
from domain.nets.outlines import Outlines, layer_outlines, solved, towards, with_hits
from domain.randomness import torch_generator

SHAPES = ((6, 6), (4, 8))
CELLS, SIZES = 68, [36, 32]


def blobs(count: int, seed: int = 0) -> torch.Tensor:
    """Deposits (count, 68), at least 1 or 0: in each layer a blob somewhere near the middle, of some width; cell 0 is never hit."""
    generator, parts = torch_generator(seed, "blobs"), []
    for rows, columns in SHAPES:
        middle = 0.4 * torch.rand(count, 2, 1, generator=generator) - 0.2
        width = 0.25 + 0.25 * torch.rand(count, 2, 1, generator=generator)
        row, column = torch.linspace(1 / rows - 1, 1 - 1 / rows, rows), torch.linspace(1 / columns - 1, 1 - 1 / columns, columns)
        along = [torch.exp(-0.5 * ((place - middle[:, k]) / width[:, k]) ** 2) for k, place in enumerate((row, column))]
        noise = torch.randn(count, rows, columns, generator=generator)
        parts.append((along[0][:, :, None] * along[1][:, None] * (0.8 * noise).exp()).flatten(1))
    x = 100 * torch.cat(parts, 1)
    x[:, 0] = 0
    return torch.where(x > 1, x, 0.0)


def test_an_outline_is_what_can_be_counted_by_hand() -> None:
    x = torch.zeros(1, 68)
    x[0, 0], x[0, 7] = 3.0, 1.0  # rows −5/6 and −1/2, columns too; of the second layer nothing
    first, second = layer_outlines(x, SHAPES, placed=True)
    spread, middle = (3 / 16) ** 0.5 / 3, -5 / 6 + 1 / 12
    torch.testing.assert_close(first, torch.tensor([[2.0, spread, spread, middle, middle, spread**2]]))
    assert not second.any()
    torch.testing.assert_close(layer_outlines(x, SHAPES, placed=False)[0], first[:, :3])


@pytest.mark.parametrize("placed", [False, True])
def test_ranks_of_outlines_are_undone(placed: bool) -> None:
    x = blobs(2000)
    energies, expected = layer_energies(x, SIZES), x.sum(1).log()
    outlines = Outlines(SHAPES, placed, knots=4, quantiles=33)
    low, high = outlines.fit(x, energies, expected)
    found = outlines.decode(torch.special.ndtri(torch.lerp(low, high, 0.5).clamp(1e-4, 1 - 1e-4)), energies, expected)
    for back, outline in zip(found, layer_outlines(x, SHAPES, placed), strict=True):
        error = (back - outline).abs().quantile(0.95, 0)
        assert error[0] == 0 and (error[1:] < 0.01).all()


def test_a_positive_definite_system_is_solved() -> None:
    generator = torch_generator(0, "systems")
    root = torch.randn(50, 5, 8, generator=generator, dtype=torch.float64)
    matrix, right = root @ root.mT, torch.randn(50, 5, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(solved(matrix, right), torch.linalg.solve(matrix, right))


def test_as_many_ranks_lie_above_as_are_asked_for() -> None:
    ranks, empty = torch.rand(2, 40, 12, generator=torch_generator(0, "hits"))
    empty[:, 0] = 1.0  # never hit
    hits = torch.arange(40.0) % 12 + 1
    assert torch.equal((with_hits(ranks, empty, hits) > empty).sum(1), hits.long().clamp(max=11))
    already = (ranks > empty).sum(1)
    some = already > 0
    assert torch.equal(with_hits(ranks, empty, already)[some], ranks[some])


@pytest.mark.parametrize("placed", [False, True])
def test_turns_lead_to_the_outlines_told(placed: bool) -> None:
    """Cells of independent scores know nothing of the outline; energies are kept, and what is never hit stays dark."""
    x, told = blobs(4000), blobs(500, seed=1)
    least, one = least_deposit(x), torch.arange(CELLS)[None]
    maps = cell_maps(SIZES, knots=4, quantiles=33)
    fit_cells(maps, x, x.sum(1).log(), least, one)
    outlines, energies, expected = Outlines(SHAPES, placed, knots=4, quantiles=33), layer_energies(told, SIZES), told.sum(1).log()
    wanted, scores = layer_outlines(told, SHAPES, placed), torch.randn(500, CELLS, generator=torch_generator(0, "scores"))
    missed = []
    for turns in (0, 12):
        met = outlines.met(maps, scores, wanted, energies, expected, least, turns)
        torch.testing.assert_close(layer_energies(met, SIZES), energies)
        assert not met[:, 0].any() and met[met > 0].min() >= least
        errors = [(got - outline).abs().mean(0) for got, outline in zip(layer_outlines(met, SHAPES, placed), wanted)]
        assert all(error[0] < 0.05 for error in errors)
        missed.append(torch.stack([error[1:] for error in errors]))
    assert (missed[1] < 0.4 * missed[0]).all()
    drawn = unrank_cells(maps, torch.special.ndtr(scores), energies, expected, least)
    hits = [(got[:, 0] - outline[:, 0]).abs().mean() for got, outline in zip(layer_outlines(drawn, SHAPES, placed), wanted)]
    assert min(hits) > 1  # what counting them is for


def test_rounding_decides_no_move() -> None:
    """Hits in one row tell nothing of the heights: what single precision leaves of them must not drive the step."""
    generator = torch_generator(0, "a row")
    cells, often = torch.zeros(300, 6, 6), torch.rand(300, 36, generator=generator)
    cells[torch.arange(300), torch.arange(300) % 6] = torch.rand(300, 6, generator=generator) + 0.1
    told = layer_outlines(torch.rand(300, 36, generator=generator) ** 8, SHAPES[:1], placed=True)[0]
    single, double = (towards(told.to(t), cells.flatten(1).to(t), SHAPES[0], often.to(t)) for t in (torch.float32, torch.float64))
    assert single.abs().amax(1).min() > 0.01
    torch.testing.assert_close(single, double.float(), atol=1e-3, rtol=0)

"""Ranks among samples of like energy."""

from __future__ import annotations

import pytest
import torch

from domain.nets.ranks import RankMap, slices
from domain.randomness import torch_generator


@pytest.mark.parametrize(("count", "number"), [(16, 16), (17, 16), (100, 2), (5, 4), (20_000, 16)])
def test_every_slice_has_a_sample_and_the_ends_have_fewest(count: int, number: int) -> None:
    sizes = [len(part) for part in torch.arange(count).tensor_split(slices(count, number))]
    assert len(sizes) == number and min(sizes) >= 1 and sum(sizes) == count
    if count > 100 * number:
        assert sizes == sorted(sizes[: number // 2]) + sorted(sizes[number // 2 :], reverse=True)


def test_ranks_at_the_ends_are_as_even_as_in_the_middle() -> None:
    """What a value is changes by decades among the lowest energies; its ranks there still fill 0 to 1 evenly."""
    generator = torch_generator(0, "ranks")
    coordinate = torch.randn(20_000, generator=generator)
    value = (3 * coordinate.clamp(max=-1.5) + 0.3 * torch.randn(20_000, generator=generator)).exp()[:, None]
    ranks = RankMap(1, 16, 33)
    ranks.fit(value, coordinate)
    rank = ranks.encode(value, coordinate)[0][:, 0]
    for low, high in ((-2.3, -1.8), (-0.5, 0.5)):
        inside = rank[(coordinate > low) & (coordinate < high)]
        assert abs(inside.mean() - 0.5) < 0.1 and abs(inside.std() - 0.289) < 0.08

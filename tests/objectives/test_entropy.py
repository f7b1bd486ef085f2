"""Entropies of draws against exact ones."""

from __future__ import annotations

import math

import pytest
import torch

from domain.objectives.entropy import differential_entropy
from domain.randomness import torch_generator


@pytest.mark.parametrize("size", [1, 2, 3])
def test_entropy_of_draws(size: int) -> None:
    """Of a normal law and of a cube, twice as large in every direction; what the cube's faces cut off costs a little."""
    generator = torch_generator(0, "draws")
    normal = 2 * torch.randn(8, 1000, size, generator=generator)
    uniform = 2 * torch.rand(8, 1000, size, generator=generator)
    exact = torch.tensor([size * (math.log(2) + 0.5 * math.log(2 * math.pi * math.e)), size * math.log(2)])
    found = torch.stack([differential_entropy(draws).mean() for draws in (normal, uniform)])
    torch.testing.assert_close(found, exact, atol=0.1, rtol=0)

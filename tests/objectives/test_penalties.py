"""Penalties, discrepancy and the smallest game against exact answers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from domain.objectives.games import orbit
from domain.objectives.moments import squared_mmd
from domain.objectives.penalties import gradient_penalty, places
from domain.randomness import scoped_seed

REAL, FAKE = torch.zeros(5, 2, 3), torch.ones(5, 2, 3)
SHARE = torch.linspace(0, 1, 5)


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_a_linear_critic_pays_for_its_norm(target: float) -> None:
    weight = torch.tensor([3.0, 4.0])
    penalty = gradient_penalty(lambda x: x @ weight, torch.randn(7, 2), target)
    assert penalty.tolist() == [(5 - target) ** 2] * 7


def test_the_penalty_lowers_a_steep_critic_and_survives_a_flat_one() -> None:
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    gradient_penalty(lambda x: x @ weight, torch.randn(7, 2), 1.0).mean().backward()
    torch.testing.assert_close(weight.grad, 2 * (5 - 1) * weight.detach() / 5)
    flat = torch.zeros(2, requires_grad=True)
    gradient_penalty(lambda x: x @ flat, torch.randn(7, 2), 0.0).mean().backward()
    assert flat.grad.tolist() == [0, 0]


def test_each_sample_has_a_share_of_its_own() -> None:
    at = places("interpolates", REAL, FAKE, SHARE, FAKE)
    assert at.flatten(1).unique(dim=1)[:, 0].tolist() == SHARE.tolist()


def test_where_the_gradient_is_taken() -> None:
    shift = torch.full_like(REAL, 0.5)
    real = torch.arange(30.0).reshape(REAL.shape)
    assert torch.equal(places("real", real, FAKE, SHARE, shift), real)
    assert torch.equal(places("fake", real, FAKE, SHARE, shift), FAKE)
    moved = places("perturbed", real, FAKE, SHARE, shift) - real
    torch.testing.assert_close(moved[:, 0, 0], SHARE * 0.25 * real.std())


def test_equal_samples_have_no_discrepancy() -> None:
    x = torch.randn(20, 3)
    assert squared_mmd(x, x.clone(), (0.5, 2.0)).item() == pytest.approx(0, abs=1e-6)


def test_discrepancy_of_two_points() -> None:
    """k(x, x) + k(y, y) − 2 k(x, y), with one kernel a scale."""
    expected = sum(2 - 2 * math.exp(-25 / (2 * scale**2)) for scale in (1, 5))
    found = squared_mmd(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), (1, 5))
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_discrepancy_agrees_with_loops() -> None:
    with scoped_seed(0, "test"):
        x, y = torch.randn(6, 2), 1 + torch.randn(4, 2)

    def mean(a: torch.Tensor, b: torch.Tensor) -> float:
        return sum(math.exp(-(p - q).square().sum().item() / 2) for p in a for q in b) / (len(a) * len(b))

    assert squared_mmd(x, y, (1.0,)).item() == pytest.approx(mean(x, x) + mean(y, y) - 2 * mean(x, y), rel=1e-4)


def test_together_the_players_spiral_out() -> None:
    """Each pair of steps turns by atan η and multiplies the radius by √(1 + η²)."""
    rate, steps = 0.1, 50
    points = orbit((1.0, 0.0), rate, steps, in_turn=False)
    k = torch.arange(steps + 1, dtype=torch.float64)
    radius, angle = (1 + rate**2) ** (k / 2), k * math.atan(rate)
    torch.testing.assert_close(points, torch.stack([radius * angle.cos(), radius * angle.sin()], 1))


def test_in_turn_the_players_stay_on_an_ellipse() -> None:
    """a² + b² − η a b is kept; the step turns by θ with 2 cos θ = 2 − η², the trace of its matrix."""
    rate, steps = 0.1, 500
    a, b = orbit((1.0, 0.5), rate, steps, in_turn=True).T
    kept = a**2 + b**2 - rate * a * b
    torch.testing.assert_close(kept, kept[:1].expand_as(kept))
    k, theta = torch.arange(steps + 1, dtype=torch.float64), math.acos(1 - rate**2 / 2)
    first = a[0] * torch.cos(k * theta) + (a[1] - a[0] * math.cos(theta)) / math.sin(theta) * torch.sin(k * theta)
    torch.testing.assert_close(a, first)


def test_a_penalty_reaches_every_layer() -> None:
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    gradient_penalty(lambda x: net(x).squeeze(1), torch.randn(9, 2), 1.0).mean().backward()
    assert net[0].weight.grad.abs().sum() > 0 and net[2].weight.grad.abs().sum() > 0

"""Bounds from importance weights, and gradients that must be right on average."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from domain.nets.codes import Gaussian
from domain.objectives.bounds import doubly_reparameterised, importance_sampled, importance_weighted, warm_up
from domain.objectives.likelihood import bernoulli
from domain.randomness import torch_generator


def test_importance_weighted_by_hand() -> None:
    weights = torch.tensor([[1.0, 2.0], [3.0, 2.0]])
    torch.testing.assert_close(importance_weighted(weights.log()), torch.tensor([2.0, 2.0]).log())


def test_parts_give_what_all_draws_at_once_give() -> None:
    weights = torch.randn(10, 4, generator=torch_generator(0, "w")).double()
    rest = iter(weights.split([4, 4, 2]))
    found = importance_sampled(lambda count: next(rest), 10, 4)
    torch.testing.assert_close(found.value, importance_weighted(weights))
    torch.testing.assert_close(found.single, weights.mean(0))
    w = weights.exp()
    torch.testing.assert_close(found.effective, w.sum(0) ** 2 / (w**2).sum(0))


def gradients(doubly: bool, mean: Tensor, decoder: Tensor, rows: int = 200_000, k: int = 3) -> list[float]:
    """Of the mean bound for q = N(mean, 1), p(z) = N(0, 1), p(x | z) = N(decoder·z, 1) at x = 1."""
    code = Gaussian(mean.expand(rows, 1), torch.zeros(rows, 1))
    z = code.draw(Gaussian.noise((k, rows), 1, torch_generator(int(doubly), "noise")))

    def log_weights(z: Tensor, code: Gaussian) -> Tensor:
        return -0.5 * (1 - decoder * z[..., 0]) ** 2 - 0.5 * z[..., 0] ** 2 - code.log_prob(z)

    bound = doubly_reparameterised(z, lambda z: log_weights(z, code.constant)) if doubly else (
        importance_weighted(log_weights(z, code))
    )
    return [float(g) for g in torch.autograd.grad(bound.mean(), (mean, decoder))]


def test_the_doubly_reparameterised_gradient_is_the_same_on_average() -> None:
    mean, decoder = torch.tensor(0.7, requires_grad=True), torch.tensor(0.9, requires_grad=True)
    assert gradients(True, mean, decoder) == pytest.approx(gradients(False, mean, decoder), abs=5e-3)


def test_the_doubly_reparameterised_bound_has_the_bound_s_value() -> None:
    z = torch.randn(3, 4, 2, generator=torch_generator(0, "z"), requires_grad=True)
    bound = doubly_reparameterised(z, lambda z: -z.square().sum(-1))
    torch.testing.assert_close(bound, importance_weighted(-z.square().sum(-1)))
    (gradient,) = torch.autograd.grad(bound.sum(), z)
    share = (-z.square().sum(-1)).softmax(0)[..., None]
    torch.testing.assert_close(gradient, share**2 * -2 * z)


def test_warm_up_rises_in_equal_parts() -> None:
    weights = [float(warm_up(torch.tensor(float(step)), 4)) for step in (0, 1, 4, 9)]
    assert weights == [0, 0.25, 1, 1] and float(warm_up(torch.zeros(()), 0)) == 1


def test_bernoulli_by_hand_and_far_out() -> None:
    x, logits = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [-200.0, -200.0]])
    expected = torch.tensor([-torch.tensor(2.0).log() - (1 + torch.tensor(1.0).exp()).log(), -200.0])
    torch.testing.assert_close(bernoulli(x, logits), expected)

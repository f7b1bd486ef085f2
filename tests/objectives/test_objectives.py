"""Objectives against torch's distributions and known values."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from domain.objectives import likelihood
from domain.objectives.adversarial import COSTS
from domain.objectives.divergences import kl_to_standard_normal

X = torch.linspace(-2, 2, 24).reshape(2, 3, 2, 2)


def test_kl_to_the_standard_normal() -> None:
    mean, log_variance = X.flatten(1), X.flatten(1).flip(1)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0, 1)).sum(1)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)
    assert kl_to_standard_normal(torch.zeros(1, 4), torch.zeros(1, 4)) == 0


def test_gaussian_likelihood() -> None:
    expected = Normal(X.flip(0), 0.3).log_prob(X).flatten(1).sum(1)
    torch.testing.assert_close(likelihood.gaussian(X, X.flip(0), torch.tensor(0.3).log()), expected)


def test_bernoulli_likelihood() -> None:
    x = (X > 0).float()
    torch.testing.assert_close(likelihood.bernoulli(x, X.flip(0)), Bernoulli(logits=X.flip(0)).log_prob(x).flatten(1).sum(1))


@pytest.mark.parametrize("name", COSTS)
def test_a_better_critic_pays_less_and_a_better_generator_too(name: str) -> None:
    cost = COSTS[name]
    right, wrong = torch.tensor(0.9), torch.tensor(0.1)
    assert cost.critic(right, wrong) < cost.critic(wrong, right)
    fake = torch.tensor(0.0, requires_grad=True)
    cost.generator(*[fake, right][: 1 + cost.relative]).mean().backward()
    assert fake.grad < 0, "raising the score of a generated sample must pay"


def test_a_blind_critic_pays_two_log_two() -> None:
    for name in ("minimax", "non_saturating", "maximum_likelihood"):
        assert COSTS[name].critic(torch.zeros(()), torch.zeros(())).item() == pytest.approx(2 * math.log(2))


def test_only_one_cost_saturates() -> None:
    """Where the critic is sure of a fake, minimax gives no gradient (Goodfellow et al. 2014, section 3)."""
    slopes = {}
    for name in ("minimax", "non_saturating"):
        fake = torch.tensor(-10.0, requires_grad=True)
        COSTS[name].generator(fake).backward()
        slopes[name] = abs(fake.grad.item())
    assert slopes["minimax"] < 1e-4 and slopes["non_saturating"] > 0.99


def test_maximum_likelihood_gradient() -> None:
    """−exp(score) weighs samples by the density ratio that the score is the logarithm of."""
    fake = torch.tensor(0.7, requires_grad=True)
    COSTS["maximum_likelihood"].generator(fake).backward()
    assert fake.grad.item() == pytest.approx(-math.exp(0.7))

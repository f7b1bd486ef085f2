"""Log-likelihood of held-out samples by importance sampling, for models with codes."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from domain.objectives.bounds import Estimate
from domain.randomness import torch_generator


class CanEstimate(Protocol):
    """Draws codes for a sample and weighs them."""

    def estimate(self, x: Tensor, generator: torch.Generator, draws: int) -> Estimate:
        """x: (N, *shape) → what ``draws`` codes for each sample say of log p(x)."""


@runtime_checkable
class CanFit(CanEstimate, Protocol):
    """And can fit the distribution of its draws to each sample."""

    def estimate_fitted(self, x: Tensor, generator: torch.Generator, draws: int, steps: int) -> Estimate:
        """The same, after ``steps`` steps of fitting."""


def importance_sampled(model: CanEstimate, x: Tensor, draws: int = 5000, seed: int = 0) -> dict[str, float]:
    """Mean negative log-likelihood in nats a sample, in float32 (Burda et al. 2015, arXiv 1509.00519, section 5).

    Its mean over draws of codes is above the true value, by an amount that only many effective draws make small:
    trust a figure no further than these.

    Args:
        model: evaluated as it is.
        x: held-out samples, (N, *shape), N at least 2, in what the model takes.
        draws: codes for each sample.
        seed: draws them.

    Returns:
        ``nll``; ``nll_error``, its standard error from the finite number of samples; ``elbo``, the bound that a
        single draw gives on average, as a loss; ``effective_median`` and ``effective_least``, draws that count
        among ``draws``, over the samples.
    """
    return means(model.estimate(x, torch_generator(seed, "importance"), draws), draws)


def importance_sampled_fitted(model: CanFit, x: Tensor, draws: int = 5000, seed: int = 0, steps: int = 100) -> dict[str, float]:
    """The same with draws whose distribution takes ``steps`` steps of fitting to each sample.

    Its mean too is above the true value, and nearer where more draws count: compare ``effective_median`` of both.
    """
    return means(model.estimate_fitted(x, torch_generator(seed, "importance"), draws, steps), draws)


def means(found: Estimate, draws: int) -> dict[str, float]:
    """What :func:`importance_sampled` returns."""
    return {
        "nll": -float(found.value.mean()),
        "nll_error": float(found.value.std() / len(found.value) ** 0.5),
        "elbo": -float(found.single.mean()),
        "effective_median": float(found.effective.median()),
        "effective_least": float(found.effective.min()),
        "draws": float(draws),
    }

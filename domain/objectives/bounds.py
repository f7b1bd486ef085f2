"""Bounds on log p(x) from importance weights w = p(x | z) p(z) / q(z | x) of codes z drawn from q."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

ROWS = 20  # samples whose draws are taken together
AT_ONCE = 2000  # draws decoded at once, so that they stay in the cache


def importance_weighted(log_weights: Tensor) -> Tensor:
    """log of the mean weight: Burda et al. 2015 (arXiv 1509.00519), equation 8, which tightens as draws are added.

    log_weights: (k, N) → (N,)
    """
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def doubly_reparameterised(z: Tensor, log_weights: Callable[[Tensor], Tensor]) -> Tensor:
    """:func:`importance_weighted` with the gradient of Tucker et al. 2018 (arXiv 1810.04152), equation 8.

    The encoder's gradient keeps its signal as k grows. It flows through the draws alone, each weighed by the
    square of its share; all other parameters' gradients are weighed by the share.

    Args:
        z: (k, N, d), differentiable draws.
        log_weights: z → (k, N); in it q's own parameters must be constant.
    """
    z = z.view_as(z)  # a node of its own, so that the hook meets only this use
    values = log_weights(z)
    share = values.detach().softmax(0)
    if z.requires_grad:
        z.register_hook(lambda gradient: gradient * share[..., None])
    surrogate = (share * values).sum(0)
    return importance_weighted(values.detach()) + surrogate - surrogate.detach()


class Estimate(NamedTuple):
    """What k draws a sample say of log p(x) in nats, (N,) each.

    value: log of the mean weight; below log p(x) on average, and closer the more draws.
    single: estimates the evidence lower bound: the mean of log w, where draws are of the code that the bound is of.
    effective: the effective number of draws, (Σw)² / Σw², from 1 to k.
    """

    value: Tensor
    single: Tensor
    effective: Tensor


def importance_sampled(log_weights: Callable[[int], Tensor], draws: int, at_once: int) -> Estimate:
    """Many draws, in parts that fit into memory.

    Args:
        log_weights: number of draws k → (k, N), fresh ones at each call.
        draws: in all.
        at_once: in each call, at most.
    """
    means, sums, squares = [], [], []
    for start in range(0, draws, at_once):
        part = log_weights(min(at_once, draws - start)).double()
        means.append(part.sum(0) / draws)
        sums.append(part.logsumexp(0))
        squares.append((2 * part).logsumexp(0))
    total, square = torch.stack(sums).logsumexp(0), torch.stack(squares).logsumexp(0)
    return Estimate(total - math.log(draws), torch.stack(means).sum(0), (2 * total - square).exp())


def sample_by_sample(log_weights: Callable[..., Callable[[int], Tensor]], draws: int, *samples: Tensor) -> Estimate:
    """:func:`importance_sampled` of a few samples at a time.

    Args:
        log_weights: some of the samples → number of draws k → (k, that many).
        draws: of each.
        samples: (N, …), and what belongs to them.
    """
    parts = zip(*(each.split(ROWS) for each in samples))
    estimates = [importance_sampled(log_weights(*some), draws, AT_ONCE // len(some[0])) for some in parts]
    return Estimate(*(torch.cat(each) for each in zip(*estimates)))


def warm_up(step: Tensor, steps: int) -> Tensor:
    """Weight of the KL terms: from 0 to 1 in equal parts over ``steps`` steps (Sønderby et al. 2016, arXiv 1602.02282).

    step: scalar, steps done so far.
    """
    return (step / steps).clamp(max=1.0) if steps else torch.ones_like(step)

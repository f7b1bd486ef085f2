"""Gradient penalties: how steep a critic may be, and where.

============  ======  =======================================================================
at            target
============  ======  =======================================================================
interpolates  1       WGAN-GP: Gulrajani et al. 2017, arXiv 1704.00028, eq. 3
perturbed     1       DRAGAN: Kodali et al. 2017, arXiv 1705.07215; noise as in their code
real          0       R1: Mescheder et al. 2018, arXiv 1801.04406, eq. 9; the weight is γ/2
fake          0       R2: the same, eq. 10
============  ======  =======================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.func import grad

from domain.config import Config, NonNegative, Positive

At = Literal["interpolates", "perturbed", "real", "fake"]


@dataclass(frozen=True)
class Penalty(Config):
    """Weight · mean (‖∇ critic‖ − target)².

    Attributes:
        at: where the gradient is taken; the module's table has the published choices.
        target: the norm that costs nothing.
        weight: of the mean.
    """

    at: At
    target: NonNegative
    weight: Positive


def places(at: At, real: Tensor, fake: Tensor, share: Tensor, shift: Tensor) -> Tensor:
    """Where the gradient is taken, (N, ...): on the way from a real sample, by a share of its own.

    Args:
        at: as in :class:`Penalty`.
        real, fake: (N, ...).
        share: ε of each sample, (N,) in [0, 1]; used between two ends.
        shift: uniform in [0, 1], shaped as ``real``; times half the deviation of the real batch it leads
            to a perturbed sample.
    """
    if at == "real":
        return real
    if at == "fake":
        return fake
    end = fake if at == "interpolates" else real + 0.5 * real.std() * shift
    return real + share.reshape(-1, *[1] * (real.ndim - 1)) * (end - real)


def gradient_penalty(critic: Callable[[Tensor], Tensor], x: Tensor, target: float) -> Tensor:
    """(‖∇ₓ critic(x)‖ − target)² of each sample, (N,), differentiable in the critic's parameters.

    Args:
        critic: (N, ...) → scores (N,), each from its own sample.
        x: (N, ...).
        target: the norm that costs nothing.
    """
    slope = grad(lambda at: critic(at).sum())(x).float().flatten(1)
    return (torch.linalg.vector_norm(slope, dim=1) - target).square()

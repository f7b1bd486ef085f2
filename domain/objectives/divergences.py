"""Divergences between distributions, in nats, one number a sample."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) ‖ N(0, 1)), summed over the latent axis.

    (N, d), (N, d) → (N,). Kingma & Welling 2013 (arXiv 1312.6114), appendix B.
    """
    return 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(-1)


def kl_between_normals(mean: Tensor, log_variance: Tensor, other_mean: Tensor, other_log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) ‖ N(other_mean, exp(other_log_variance))), summed over the last axis."""
    ratio = log_variance - other_log_variance
    distance = (mean - other_mean).square() * (-other_log_variance).exp()
    return 0.5 * (ratio.exp() + distance - 1 - ratio).sum(-1)


def kl_to_uniform_on_sphere(concentration: Tensor, log_normaliser: Tensor, latent: int) -> Tensor:
    """KL(power spherical ‖ uniform) on the sphere of ``latent`` dimensions; (...), (...) → (...).

    De Cao & Aziz 2020 (arXiv 2006.04437), equation 19: the uniform density's logarithm less the entropy.
    """
    b = 0.5 * latent
    a = b + concentration
    expected = concentration * (math.log(2) + torch.digamma(a) - torch.digamma(a + b))
    return expected - log_normaliser + log_area(latent)


def log_area(latent: int) -> float:
    """Logarithm of the area of the unit sphere of ``latent`` dimensions, 2 π^{m/2} / Γ(m/2) with m = latent + 1."""
    m = latent + 1
    return math.log(2) + 0.5 * m * math.log(math.pi) - math.lgamma(0.5 * m)

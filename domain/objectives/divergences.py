"""Divergences between distributions, in nats, one number a sample."""

from __future__ import annotations

from torch import Tensor


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) ‖ N(0, 1)), summed over the latent axis.

    (N, d), (N, d) → (N,). Kingma & Welling 2013 (arXiv 1312.6114), appendix B.
    """
    return 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(-1)

"""How much a classifier's answer changes near a sample (Miyato et al. 2017, arXiv 1704.03976)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import kl_div, normalize


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """KL[p ‖ q] in nats, (N,), of the class probabilities that logits p and q, (N, K), stand for."""
    return kl_div(q.log_softmax(1), p.log_softmax(1), reduction="none", log_target=True).sum(1)


def adversarial_direction(
    logits: Callable[[Tensor], Tensor],
    x: Tensor,
    clean: Tensor,
    start: Tensor,
    difference: float,
    iterations: int = 1,
) -> Tensor:
    """Unit vectors along which the divergence from ``clean`` grows fastest, by power iteration.

    The gradient of the divergence vanishes at r = 0, so F d ≈ ∇_r KL[p(·|x) ‖ p(·|x + r)] / ξ at r = ξ d
    (arXiv 1704.03976, section 3.3). Rounding bounds ξ from below, curvature from above. Where the
    gradient is below 1e-12, no direction is to be had and the vector is shorter.

    Args:
        logits: (N, F) → (N, K).
        x: samples (N, F).
        clean: their logits, a constant, (N, K).
        start: any vectors (N, F), such as normal noise.
        difference: ξ.
        iterations: steps of power iteration.
    """
    d = normalize(start)
    for _ in range(iterations):
        r = (difference * d).requires_grad_()
        (growth,) = torch.autograd.grad(divergence(clean, logits(x + r)).sum(), r)
        d = normalize(growth)
    return d


def adversarial_divergence(
    logits: Callable[[Tensor], Tensor],
    x: Tensor,
    clean: Tensor,
    start: Tensor,
    radius: float,
    difference: float = 1.0,
    iterations: int = 1,
) -> Tensor:
    """Mean divergence from ``clean`` at distance ``radius`` along :func:`adversarial_direction`, whose arguments it takes."""
    direction = adversarial_direction(logits, x, clean, start, difference, iterations)
    return divergence(clean, logits(x + radius * direction)).mean()

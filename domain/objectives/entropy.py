"""Entropies in nats: of class probabilities, and of what can only be drawn from."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def conditional_entropy(logits: Tensor) -> Tensor:
    """E_x H[p(y|x)] in [0, ln K]: 0 if every sample's class is sure (Grandvalet & Bengio 2004); logits: (N, K)."""
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1).mean()


def marginal_entropy(logits: Tensor) -> Tensor:
    """H[E_x p(y|x)] in [0, ln K]: ln K if all classes are used equally; logits: (N, K)."""
    log_p = logits.log_softmax(1).logsumexp(0) - math.log(len(logits))  # finite where the mean underflows
    return -(log_p.exp() * log_p).sum()


def differential_entropy(draws: Tensor) -> Tensor:
    """Of distributions that can be drawn from but not written down, for a few dimensions.

    By each draw's distance to the nearest other (Kozachenko & Leonenko 1987, Problems of Information Transmission 23:95).

    Args:
        draws: (N, K, D), K of each of N distributions.

    Returns:
        (N,)
    """
    count, size = draws.shape[1:]
    apart = torch.cdist(draws, draws, compute_mode="donot_use_mm_for_euclid_dist")
    apart = apart.masked_fill(torch.eye(count, dtype=torch.bool, device=draws.device), torch.inf)
    nearest = apart.amin(2).clamp(min=torch.finfo(draws.dtype).tiny).log().mean(1)
    ball = 0.5 * size * math.log(math.pi) - math.lgamma(0.5 * size + 1)  # volume of the unit ball
    return size * nearest + ball + float(torch.digamma(torch.tensor(count)) - torch.digamma(torch.tensor(1.0)))

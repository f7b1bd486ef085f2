"""Entropies of class probabilities, in nats."""

from __future__ import annotations

import math

from torch import Tensor


def conditional_entropy(logits: Tensor) -> Tensor:
    """E_x H[p(y|x)] in [0, ln K]: 0 if every sample's class is sure (Grandvalet & Bengio 2004); logits: (N, K)."""
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1).mean()


def marginal_entropy(logits: Tensor) -> Tensor:
    """H[E_x p(y|x)] in [0, ln K]: ln K if all classes are used equally; logits: (N, K)."""
    log_p = logits.log_softmax(1).logsumexp(0) - math.log(len(logits))  # finite where the mean underflows
    return -(log_p.exp() * log_p).sum()

"""Log-likelihoods of pixels given a decoder's output, in nats, one number a sample; and of labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy


def bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    """Σ x log p + (1 − x) log(1 − p), p = sigmoid(logits).

    x: (N, ...) in [0, 1]; a likelihood only where x is 0 or 1. → (N,)
    """
    return -binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def gaussian(x: Tensor, mean: Tensor, log_deviation: Tensor) -> Tensor:
    """Σ log N(x; mean, exp(log_deviation)²) with one deviation shared by all pixels.

    Learned, it balances reconstruction against KL by itself (Rybkin et al. 2020, arXiv 2006.13202).
    x, mean: (N, ...); log_deviation: scalar. → (N,)
    """
    z = (x - mean) * torch.exp(-log_deviation)
    return (-0.5 * z**2 - log_deviation - 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)


def labelled_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Mean negative log-likelihood of the labels in nats, 0 where there are none.

    logits: (N, K); label: (N,) int64, −1 where unlabelled. → scalar
    """
    known = (label >= 0).sum().clamp_min(1)
    return cross_entropy(logits, label, ignore_index=-1, reduction="sum") / known

"""Distances between the features of real and of generated batches, and terms on generated features."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize


def mean_square(real: Tensor, fake: Tensor) -> Tensor:
    """Mean squared distance of the batch means (Salimans et al. 2016, their MNIST code); features (N, F)."""
    return (real.mean(0) - fake.mean(0)).square().mean()


def mean_absolute(real: Tensor, fake: Tensor) -> Tensor:
    """Mean absolute distance of the batch means (their CIFAR-10 and SVHN code); features (N, F)."""
    return (real.mean(0) - fake.mean(0)).abs().mean()


def per_sample(real: Tensor, fake: Tensor) -> Tensor:
    """Mean squared distance of arbitrary pairs: a common misreading, which also pulls samples together."""
    return (real - fake).square().mean()


MATCHING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean_square": mean_square,
    "mean_absolute": mean_absolute,
    "per_sample": per_sample,
}


def pull_away(features: Tensor) -> Tensor:
    """Mean squared cosine of all pairs (Zhao et al. 2016, arXiv 1609.03126, equation 4); features (N, F)."""
    unit = normalize(features, dim=1)
    cosines = (unit @ unit.T).square()
    count = len(features)
    return (cosines.sum() - torch.diagonal(cosines).sum()) / (count * (count - 1))

"""Maximum mean discrepancy: how far apart two samples are in the mean of a kernel's features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def squared_mmd(x: Tensor, y: Tensor, scales: Sequence[float]) -> Tensor:
    """MMD² with the sum of Gaussian kernels exp(−‖a − b‖² / 2σ²), a scalar, at least 0.

    The biased estimate of Gretton et al. 2012 (JMLR 13, eq. 5), which Li, Swersky & Zemel 2015
    (arXiv 1502.02761) train with; 0 for equal samples.

    Args:
        x: (N, D).
        y: (M, D).
        scales: σ of each kernel, in the units of x.
    """
    both = torch.cat([x, y]).float()
    norms = both.square().sum(1)
    squared = (norms[:, None] + norms[None] - 2 * both @ both.T).clamp(min=0)
    kernel = torch.stack([torch.exp(squared / (-2 * scale**2)) for scale in scales]).sum(0)
    sign = torch.cat([torch.full_like(norms[: len(x)], 1 / len(x)), torch.full_like(norms[len(x) :], -1 / len(y))])
    return (sign @ kernel @ sign).clamp(min=0)

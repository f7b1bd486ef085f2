"""Minibatch discrimination: let a discriminator see how close a batch's samples are to each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class MinibatchDiscrimination(nn.Module):
    """Append Σ_{j≠i} exp(−‖M_i − M_j‖₁) for each of several kernels (Salimans et al. 2016, section 3.2).

    A sample's class must not depend on its neighbours in a batch, so outside training the sums are
    replaced by their mean over real batches, the buffer ``typical``.

    Args:
        inputs: width F of the features.
        kernels: numbers appended; 0 leaves features as they are.
        dimensions: of each kernel's space.
    """

    def __init__(self, inputs: int, kernels: int, dimensions: int = 5) -> None:
        super().__init__()
        self.kernels, self.dimensions = kernels, dimensions
        if kernels:
            self.tensor = nn.Parameter(torch.randn(inputs, kernels * dimensions) * 0.05)
            self.register_buffer("typical", torch.zeros(kernels))

    def forward(self, features: Tensor, sizes: Sequence[int]) -> Tensor:
        """features: (N, F) → (N, F + kernels); sizes: rows of each batch, Σ = N."""
        if not self.kernels:
            return features
        if self.training:
            sums = torch.cat([self.closeness(part) for part in features.split(sizes)])
        else:
            sums = self.typical.expand(len(features), -1)
        return torch.cat([features, sums.to(features.dtype)], 1)

    def closeness(self, features: Tensor) -> Tensor:
        """features of one batch: (N, F) → (N, kernels)."""
        m = (features @ self.tensor).float().unflatten(1, (self.kernels, self.dimensions))
        distance = (m.unsqueeze(0) - m.unsqueeze(1)).abs().sum(-1)
        return torch.exp(-distance).sum(1) - 1

    @torch.no_grad()
    def calibrate(self, features: Tensor, size: int) -> None:
        """Measure ``typical`` on features of real samples, (N, F), in batches of ``size``."""
        if self.kernels:
            self.typical.copy_(torch.cat([self.closeness(part) for part in features.split(size)]).mean(0))

"""Spectral normalisation whose forward pass changes nothing.

torch's own parametrisation takes a step of the power iteration inside the forward pass, so the same
batch would give other terms the second time. Here :func:`advance` takes it, after a step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils.parametrize import ParametrizationList, register_parametrization

START = 15  # steps of the power iteration on the start values


class SpectralNorm(nn.Module):
    """Divide a weight by an estimate of its largest singular value (Miyato et al. 2018, arXiv 1802.05957).

    A convolution's weight is taken as the matrix (outputs, inputs · kernel), as the paper does; its
    Lipschitz constant is then bounded, though not by 1.
    """

    left: Tensor
    right: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("left", normalize(torch.randn(len(matrix)), dim=0))
        self.register_buffer("right", normalize(matrix.T @ self.left, dim=0))
        for _ in range(START):
            self.advance(weight)

    def forward(self, weight: Tensor) -> Tensor:
        return weight / (self.left @ weight.flatten(1) @ self.right)

    @torch.no_grad()
    def advance(self, weight: Tensor) -> None:
        """One step of the power iteration, in place."""
        matrix = weight.flatten(1)
        self.left.copy_(normalize(matrix @ self.right, dim=0))
        self.right.copy_(normalize(matrix.T @ self.left, dim=0))


def constrain(net: nn.Module) -> None:
    """Normalise the weight of every linear and convolutional layer."""
    for module in list(net.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d):
            register_parametrization(module, "weight", SpectralNorm(module.weight))


def advance(net: nn.Module) -> None:
    """Take one step of every power iteration; after a step of the optimiser."""
    for module in net.modules():
        if isinstance(module, ParametrizationList) and isinstance(norm := module[0], SpectralNorm):
            norm.advance(module.original)

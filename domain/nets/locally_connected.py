"""Locally connected layers: convolutions whose weights differ from place to place."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold


class LocallyConnected2d(nn.Module):
    """A convolution with a kernel and a bias of its own at each output pixel; zeros beyond the edge.

    Start values are He's uniform ones (He et al. 2015, arXiv 1502.01852), the fan counted over all
    output pixels, as Keras 2 counts it: a network that ends in such layers starts with small outputs.

    Args:
        inputs, outputs: channels.
        shape: (H, W) of the input.
        kernel: side of the kernels.
        stride: steps along rows and columns.
        padding: zeros put around the input.
        bias: learn a bias for each output.

    Attributes:
        shape: (h, w) of the output.
    """

    def __init__(
        self, inputs: int, outputs: int, shape: tuple[int, int], kernel: int,
        stride: tuple[int, int] = (1, 1), padding: int = 0, bias: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding
        h, w = self.shape = tuple((n + 2 * padding - kernel) // s + 1 for n, s in zip(shape, stride))
        self.weight = nn.Parameter(torch.empty(h * w, inputs * kernel**2, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs, h, w)) if bias else None
        bound = math.sqrt(6 / (h * w * inputs * kernel**2))
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, inputs, H, W) → (N, outputs, h, w)."""
        patches = unfold(x, self.kernel, padding=self.padding, stride=self.stride)  # (N, inputs · kernel², h · w)
        y = torch.bmm(patches.permute(2, 0, 1), self.weight).permute(1, 2, 0).unflatten(2, self.shape)
        return y if self.bias is None else y + self.bias

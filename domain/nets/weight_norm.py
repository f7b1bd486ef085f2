"""Weight normalisation with a data-dependent start (Salimans & Kingma 2016, arXiv 1602.07868).

The scale g/‖v‖ multiplies a layer's outputs rather than its weights: the same function with fewer
passes over large arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear


class InverseNorm(torch.autograd.Function):
    """1/‖v‖ of each row of v, (O, I) → (O,), whose gradient −v/‖v‖³ takes one pass instead of torch's four."""

    generate_vmap_rule = True

    @staticmethod
    def forward(v: Tensor) -> Tensor:
        return v.norm(dim=1).reciprocal()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        v, inverse = ctx.saved_tensors
        return v * (-gradient * inverse**3).unsqueeze(1)


class WeightNorm(nn.Module):
    """A layer y = g · (v / ‖v‖) x + b, with its scale g frozen or learned.

    Args:
        shape: of v, outputs first.
        learn_scale: learn g; otherwise it keeps the value that :meth:`start` gave it.
        deviation: standard deviation of v at the start.
    """

    def __init__(self, shape: tuple[int, ...], learn_scale: bool, deviation: float) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.randn(shape) * deviation)
        self.bias = nn.Parameter(torch.zeros(shape[0]))
        scale = torch.ones(shape[0])
        if learn_scale:
            self.scale = nn.Parameter(scale)
        else:
            self.register_buffer("scale", scale)

    def apply_direction(self, x: Tensor) -> Tensor:
        """v x, channels second."""
        raise NotImplementedError

    def forward(self, x: Tensor, sizes: Sequence[int] = ()) -> Tensor:
        """x → y; rows do not see each other, so ``sizes`` of the batches among them do not matter."""
        y = self.apply_direction(x)
        shape = (-1, *[1] * (y.ndim - 2))
        factor = self.scale * InverseNorm.apply(self.direction.flatten(1))
        return torch.addcmul(self.bias.to(y.dtype).view(shape), y, factor.to(y.dtype).view(shape))

    @torch.no_grad()
    def start(self, x: Tensor, deviation: float = 1.0) -> Tensor:
        """Choose g and b so that each output has zero mean and this deviation on ``x``; return it."""
        y = self.forward(x)
        axes = [0, *range(2, y.ndim)]
        mean = y.mean(axes)
        factor = deviation / y.std(axes, unbiased=False).clamp_min(1e-6)
        self.scale.mul_(factor)
        self.bias.sub_(mean).mul_(factor)
        return self.forward(x)


class WeightNormLinear(WeightNorm):
    """A weight-normalised linear layer, (N, inputs) → (N, outputs)."""

    def __init__(self, inputs: int, outputs: int, learn_scale: bool, deviation: float = 0.1) -> None:
        super().__init__((outputs, inputs), learn_scale, deviation)

    def apply_direction(self, x: Tensor) -> Tensor:
        return linear(x, self.direction)


class WeightNormConv2d(WeightNorm):
    """A weight-normalised convolution, (N, inputs, H, W) → (N, outputs, h, w)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, learn_scale: bool = False,
        deviation: float = 0.05,
    ) -> None:
        super().__init__((outputs, inputs, kernel, kernel), learn_scale, deviation)
        self.stride, self.padding = stride, padding

    def apply_direction(self, x: Tensor) -> Tensor:
        return conv2d(x, self.direction, stride=self.stride, padding=self.padding)

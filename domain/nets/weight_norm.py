"""Weight normalisation with a data-dependent start (Salimans & Kingma 2016, arXiv 1602.07868)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WeightNormLinear(nn.Module):
    """A linear layer y = g · (v / ‖v‖) x + b, with its scale g frozen or learned.

    Args:
        inputs: width of the input.
        outputs: width of the output.
        learn_scale: learn g; otherwise it keeps the value that :meth:`start` gave it.
        deviation: standard deviation of v at the start.
    """

    def __init__(self, inputs: int, outputs: int, learn_scale: bool, deviation: float = 0.1) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.randn(outputs, inputs) * deviation)
        self.bias = nn.Parameter(torch.zeros(outputs))
        scale = torch.ones(outputs)
        if learn_scale:
            self.scale = nn.Parameter(scale)
        else:
            self.register_buffer("scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.direction * (self.scale / self.direction.norm(dim=1)).unsqueeze(1)
        return nn.functional.linear(x, weight, self.bias)

    @torch.no_grad()
    def start(self, x: Tensor) -> Tensor:
        """Choose g and b so that each output has zero mean and unit deviation on ``x``; return it."""
        y = self.forward(x)
        mean, deviation = y.mean(0), y.std(0, unbiased=False).clamp_min(1e-6)
        self.scale.div_(deviation)
        self.bias.sub_(mean).div_(deviation)
        return (y - mean) / deviation

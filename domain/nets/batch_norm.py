"""Batch normalisation whose forward pass changes nothing.

torch's own layer updates running statistics as a side effect of the forward pass; that would
couple players (a critic step would move the generator's statistics), break averaged weights
(whose statistics differ) and forbid stacking seeds. Here a training pass uses the batch's own
statistics, and :func:`calibrate` measures, once, those that are used after training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn


class BatchNorm(nn.Module):
    """Normalise each channel over batch and pixels (Ioffe & Szegedy 2015, arXiv 1502.03167).

    Args:
        channels: C of the input, (N, C) or (N, C, H, W).
        scale: learn a factor per channel; the shift is always learned.
    """

    def __init__(self, channels: int, scale: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels)) if scale else None
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.measured: list[tuple[Tensor, Tensor]] | None = None

    def forward(self, x: Tensor, sizes: Sequence[int] = ()) -> Tensor:
        """``sizes``: rows of each batch that is normalised by itself; by default all are one."""
        if len(sizes) > 1:
            return torch.cat([self(part) for part in x.split(sizes)])
        if self.measured is not None:
            self.measured.append(_moments(x))
        if self.training:
            return nn.functional.batch_norm(x, None, None, self.weight, self.bias, training=True)
        return nn.functional.batch_norm(x, self.mean, self.variance, self.weight, self.bias)


class BatchNormLinear(nn.Module):
    """A linear layer without a bias, then batch normalisation of each batch among the rows."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.norm = BatchNorm(outputs)

    def forward(self, x: Tensor, sizes: Sequence[int]) -> Tensor:
        """x: (N, inputs) → (N, outputs); sizes: rows of each batch that is normalised by itself, Σ = N."""
        return self.norm(self.linear(x), sizes)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    axes = [0, *range(2, x.ndim)]
    return x.float().mean(axes), x.float().var(axes, unbiased=False)


@torch.no_grad()
def calibrate(net: nn.Module, passes: Callable[[], object]) -> None:
    """Set every layer's statistics from the training-mode forward passes that ``passes`` makes."""
    layers = [module for module in net.modules() if isinstance(module, BatchNorm)]
    if not layers:
        return
    was_training = net.training
    net.train()
    for layer in layers:
        layer.measured = []
    passes()
    for layer in layers:
        means, variances = (torch.stack(m) for m in zip(*layer.measured))
        layer.mean.copy_(means.mean(0))
        layer.variance.copy_(variances.mean(0))
        layer.measured = None
    net.train(was_training)


def random_batches(x: Tensor, size: int, generator: torch.Generator, count: int = 10) -> Iterator[Tensor]:
    """``count`` times ``size`` samples of x, (N, ...), with repeats: what :func:`calibrate` may look at."""
    for _ in range(count):
        yield x[torch.randint(len(x), (size,), generator=generator, device=x.device)]

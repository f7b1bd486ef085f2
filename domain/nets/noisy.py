"""Discriminators that are regularised by noise, of Salimans et al. 2016 (arXiv 1606.03498).

Their noise is an argument, drawn beforehand by :meth:`draw`; without it a pass is deterministic.
In weight-normalised layers hidden scales keep their data-dependent start; only the output layer's
scale is learned.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from domain.nets.batch_norm import BatchNormLinear
from domain.nets.minibatch import MinibatchDiscrimination
from domain.nets.weight_norm import WeightNormConv2d, WeightNormLinear
from domain.randomness import torch_generator

BANK = 1 << 24
Normalisation = Literal["weight", "batch"]


@functools.cache
def _bank() -> Tensor:
    """Standard normal numbers, drawn once: a window at a random place costs a processor nothing."""
    return torch.randn(BANK, generator=torch_generator(0, "noise bank")).bfloat16()


def normal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """Standard normal noise, (rows, columns); on a CPU a window of a bank, in bfloat16."""
    size = rows * columns
    if generator.device.type != "cpu" or size > BANK:
        return torch.randn(rows, columns, generator=generator, device=generator.device)
    first = int(torch.randint(BANK - size + 1, (), generator=generator))
    return _bank()[first : first + size].view(rows, columns)


class NoisyMLP(nn.Module):
    """Linear layers with Gaussian noise before each.

    Args:
        inputs, hidden, outputs: widths.
        deviations: of the noise before each layer, one number a layer; all zero for none.
        normalisation: ``weight``, as published, or ``batch``, which trains faster and also
            normalises the outputs.
        kernels: of minibatch discrimination before the output layer; 0 for none.
    """

    def __init__(
        self, inputs: int, hidden: tuple[int, ...], outputs: int, deviations: tuple[float, ...],
        normalisation: Normalisation = "weight", kernels: int = 0,
    ) -> None:
        super().__init__()
        self.widths, self.deviations = (inputs, *hidden), deviations
        self.minibatch = MinibatchDiscrimination(hidden[-1], kernels)
        last = hidden[-1] + kernels
        if normalisation == "weight":
            layers = [WeightNormLinear(a, b, learn_scale=False) for a, b in zip(self.widths, hidden)]
            self.head = WeightNormLinear(last, outputs, learn_scale=True)
        else:
            layers = [BatchNormLinear(a, b) for a, b in zip(self.widths, hidden)]
            self.head = BatchNormLinear(last, outputs)
        self.layers = nn.ModuleList(layers)

    def draw(self, count: int, generator: torch.Generator) -> Tensor | None:
        """Standard normal noise for every layer's input side by side, (count, Σ widths), or none."""
        return normal(count, sum(self.widths), generator) if any(self.deviations) else None

    def forward(
        self, x: Tensor, noise: Tensor | None = None, sizes: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """x: (N, inputs) → outputs (N, outputs) and features (N, last hidden width).

        ``sizes`` says how many rows each batch has, one after the other; by default all are one.
        """
        sizes, parts = sizes or (len(x),), self._split(noise)
        h = x
        for k, layer in enumerate(self.layers):
            h = relu(layer(self._noisy(h, parts, k), sizes))
        return self.head(self.minibatch(self._noisy(h, parts, -1), sizes), sizes).float(), h.float()

    def start(self, x: Tensor, noise: Tensor | None) -> None:
        """Data-dependent start of weight-normalised layers from one noisy pass; x: (N, inputs)."""
        if isinstance(self.head, BatchNormLinear):
            return
        parts = self._split(noise)
        for k, layer in enumerate(self.layers):
            x = relu(layer.start(self._noisy(x, parts, k)))
        self.head.start(self.minibatch(self._noisy(x, parts, -1), (len(x),)))

    def _split(self, noise: Tensor | None) -> tuple[Tensor, ...] | None:
        return None if noise is None else noise.split(self.widths, 1)

    def _noisy(self, h: Tensor, parts: tuple[Tensor, ...] | None, k: int) -> Tensor:
        return h if parts is None else torch.add(h, parts[k], alpha=self.deviations[k])


class NineLayers(nn.Module):
    """The paper's convolutional discriminator for CIFAR-10 and SVHN, with dropout; global average pooling.

    Args:
        channels, side: C of the images, and their height and width, at least 12.
        width: channels of the first three layers (96 for CIFAR-10, 64 for SVHN); then twice as many.
        outputs: width of the output.
        kernels: of minibatch discrimination before the output layer; 0 for none.
    """

    DROPPED = (0.2, 0.5, 0.5)

    def __init__(self, channels: int, side: int, width: int, outputs: int, kernels: int = 0) -> None:
        super().__init__()
        wide, half, quarter = 2 * width, (side + 1) // 2, (side + 3) // 4
        self.shapes = ((channels, side, side), (width, half, half), (wide, quarter, quarter))
        self.stages = nn.ModuleList(
            nn.ModuleList(WeightNormConv2d(*sizes) for sizes in stage)
            for stage in (
                ((channels, width, 3, 1, 1), (width, width, 3, 1, 1), (width, width, 3, 2, 1)),
                ((width, wide, 3, 1, 1), (wide, wide, 3, 1, 1), (wide, wide, 3, 2, 1)),
                ((wide, wide, 3), (wide, wide, 1), (wide, wide, 1)),
            )
        )
        self.minibatch = MinibatchDiscrimination(wide, kernels)
        self.head = WeightNormLinear(wide + kernels, outputs, learn_scale=True, deviation=0.05)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Uniform numbers for every stage's dropout side by side, (count, Σ C H W)."""
        size = sum(map(math.prod, self.shapes))
        return torch.rand(count, size, generator=generator, device=generator.device)

    def forward(
        self, x: Tensor, noise: Tensor | None = None, sizes: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """x: images (N, C, H, W) in [−1, 1] → outputs (N, outputs) and pooled features (N, 2 width)."""
        sizes, parts = sizes or (len(x),), self._split(noise)
        for k, stage in enumerate(self.stages):
            x = self._dropped(x, parts, k)
            for layer in stage:
                x = leaky_relu(layer(x), 0.2)
        features = x.mean((2, 3))
        return self.head(self.minibatch(features, sizes)).float(), features.float()

    def start(self, x: Tensor, noise: Tensor) -> None:
        """Data-dependent start of every layer from one noisy pass; x: (N, C, H, W)."""
        parts = self._split(noise)
        for k, stage in enumerate(self.stages):
            x = self._dropped(x, parts, k)
            for layer in stage:
                x = leaky_relu(layer.start(x), 0.2)
        self.head.start(self.minibatch(x.mean((2, 3)), (len(x),)), deviation=0.1)

    def _split(self, noise: Tensor | None) -> tuple[Tensor, ...] | None:
        return None if noise is None else noise.split([math.prod(shape) for shape in self.shapes], 1)

    def _dropped(self, x: Tensor, parts: tuple[Tensor, ...] | None, k: int) -> Tensor:
        if parts is None:
            return x
        kept = parts[k].unflatten(1, self.shapes[k]) >= self.DROPPED[k]
        return x * kept / (1 - self.DROPPED[k])

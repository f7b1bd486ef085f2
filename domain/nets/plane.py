"""A small convolutional network for vectors whose features have found their places in a plane."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, relu

from domain.nets.batch_norm import BatchNorm, BatchNormLinear
from domain.nets.minibatch import MinibatchDiscrimination

KERNEL = 5


class PlaneNetwork(nn.Module):
    """A vector becomes a picture of the plane; strided convolutions and linear layers follow, batch-normalised.

    Args:
        inputs: F features of a vector.
        side: of the picture in pixels, at least 8.
        channels: of the two convolutions of 5 × 5, each of stride 2.
        hidden: widths of the linear layers.
        outputs: width of the output.
        kernels: of minibatch discrimination before the output layer; 0 for none.
    """

    def __init__(
        self, inputs: int, side: int, channels: tuple[int, int], hidden: tuple[int, ...], outputs: int, kernels: int = 0
    ) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("picture", torch.zeros(side**2, inputs))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, KERNEL, stride=2, padding=KERNEL // 2, bias=False) for a, b in zip((1, *channels), channels)
        )
        self.norms = nn.ModuleList(BatchNorm(width) for width in channels)
        widths = (channels[-1] * (-(-side // 4)) ** 2, *hidden)
        self.layers = nn.ModuleList(BatchNormLinear(a, b) for a, b in zip(widths, hidden))
        self.minibatch = MinibatchDiscrimination(hidden[-1], kernels)
        self.head = BatchNormLinear(hidden[-1] + kernels, outputs)

    def place(self, picture: Tensor) -> None:
        """Say how the picture follows from a vector, a linear map (side², F); see :class:`domain.topology.Topology`."""
        self.picture.copy_(picture)

    def draw(self, count: int, generator: torch.Generator) -> None:
        """It has no noise."""

    def start(self, x: Tensor, noise: None) -> None:
        """Its start does not depend on data."""

    def forward(self, x: Tensor, noise: None = None, sizes: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
        """x: (N, F) → outputs (N, outputs) and features (N, last hidden width).

        ``sizes`` says how many rows each batch has, one after the other; by default all are one.
        """
        sizes = sizes or (len(x),)
        h = linear(x, self.picture).view(-1, 1, self.side, self.side).contiguous(memory_format=torch.channels_last)
        for convolution, norm in zip(self.convolutions, self.norms):
            h = relu(norm(convolution(h), sizes))
        h = h.flatten(1)
        for layer in self.layers:
            h = relu(layer(h, sizes))
        return self.head(self.minibatch(h, sizes), sizes).float(), h.float()

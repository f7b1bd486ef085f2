"""DCGAN's generator and critic for images of any size (Radford, Metz & Chintala 2015, arXiv 1511.06434).

The paper halves 64 pixels four times. Here a side is halved, rounding up, until it is at most
four pixels (28 → 14 → 7 → 4), and the generator climbs the same ladder back.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from domain.nets.batch_norm import BatchNorm


def ladder(height: int, width: int) -> list[tuple[int, int]]:
    """Image sizes from full down to at most 4×4, each half the one before, rounded up."""
    sizes = [(height, width)]
    while max(sizes[-1]) > 4:
        sizes.append(tuple((side + 1) // 2 for side in sizes[-1]))
    return sizes


def _start(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0, 0.02)


class Generator(nn.Module):
    """Latent vectors to images.

    Args:
        latent: width of the latent vector.
        shape: (C, H, W) of an image.
        width: channels before the last layer; doubled at each smaller size.
    """

    def __init__(self, latent: int, shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        channels, *size = shape
        self.sizes = ladder(*size)[::-1]
        steps = len(self.sizes) - 1
        widths = [width * 2 ** max(0, steps - 1 - k) for k in range(steps)] + [channels]
        self.start_width = widths[0]
        self.project = nn.Linear(latent, widths[0] * self.sizes[0][0] * self.sizes[0][1])
        self.norm = BatchNorm(widths[0])
        self.climb = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in itertools.pairwise(widths))
        self.norms = nn.ModuleList(BatchNorm(b) for b in widths[1:-1])
        self.apply(_start)

    def forward(self, z: Tensor) -> Tensor:
        """z: (N, latent) → unbounded images (N, C, H, W); a family applies its own link."""
        h = self.project(z).unflatten(1, (self.start_width, *self.sizes[0]))
        h = torch.relu(self.norm(h))
        for k, (layer, (height, width)) in enumerate(zip(self.climb, self.sizes[1:])):
            h = layer(h)[..., :height, :width]
            if k < len(self.norms):
                h = torch.relu(self.norms[k](h))
        return h


class Critic(nn.Module):
    """Images to ``outputs`` numbers each; :meth:`features` gives the last hidden layer.

    Args:
        shape: (C, H, W) of an image.
        width: channels of the first layer; doubled at each smaller size.
        outputs: width of the output.
        batch_norm: normalise all but the first layer, as the paper does. A critic that is
            shown real and generated images in batches of their own sees each batch's statistics.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, outputs: int = 1, batch_norm: bool = True) -> None:
        super().__init__()
        channels, *size = shape
        sizes = ladder(*size)
        widths = [channels] + [width * 2**k for k in range(max(1, len(sizes) - 1))]
        layers: list[nn.Module] = []
        for k, (a, b) in enumerate(itertools.pairwise(widths)):
            layers += [nn.Conv2d(a, b, 3, 2 if len(sizes) > 1 else 1, 1)]
            layers += [BatchNorm(b)] if batch_norm and k > 0 else []
            layers += [nn.LeakyReLU(0.2, inplace=True)]
        self.trunk = nn.Sequential(*layers, nn.Flatten()).to(memory_format=torch.channels_last)  # a fifth faster
        self.head = nn.Linear(widths[-1] * sizes[-1][0] * sizes[-1][1], outputs)
        self.apply(_start)

    def features(self, x: Tensor) -> Tensor:
        """x: images (N, C, H, W) → (N, F)."""
        return self.trunk(x)

    def forward(self, x: Tensor) -> Tensor:
        """x: images (N, C, H, W) → (N, outputs)."""
        return self.head(self.trunk(x))

"""U-Net with dropout as its noise (Isola et al. 2017, arXiv 1611.07004, after Ronneberger et al. 2015)."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import instance_norm, leaky_relu, relu

from domain.nets.dcgan import ladder

NOISY = 3  # decoder layers whose input is dropped out


class UNet(nn.Module):
    """Images to images through ever smaller sizes, each joined to its mirror image by a skip.

    The paper halves 256 pixels eight times; here a side is halved, rounding up, until it is at most four pixels.

    Args:
        shape: (C, H, W) of an image.
        width: channels at half size; doubled at each smaller size, up to eightfold.
        dropout: share of the units left out before each of the three deepest decoder layers, also when translating.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, dropout: float) -> None:
        super().__init__()
        channels, *size = shape
        self.sizes, self.dropout = ladder(*size), dropout
        self.widths = [width * 2 ** min(k, 3) for k in range(len(self.sizes) - 1)]
        down = itertools.pairwise([channels, *self.widths])
        up = [(2 * a if k else a, b) for k, (a, b) in enumerate(itertools.pairwise([*self.widths[::-1], channels]))]
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in down)
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in up)
        self.noisy = [(w, *s) for w, s in list(zip(self.widths, self.sizes[1:]))[::-1][:NOISY]]

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Uniform numbers for the dropout of every layer side by side, (count, Σ C H W)."""
        return torch.rand(count, sum(map(math.prod, self.noisy)), generator=generator, device=generator.device)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """x: images (N, C, H, W), noise: (N, Σ C H W) from :meth:`draw` → (N, C, H, W) in [−1, 1]."""
        skips: list[Tensor] = []
        for k, layer in enumerate(self.down):
            x = layer(leaky_relu(x, 0.2) if k else x)
            skips.append(instance_norm(x) if k else x)
            x = skips[-1]
        parts = noise.split([math.prod(shape) for shape in self.noisy], 1)
        for k, layer in enumerate(self.up):
            if k < len(parts):
                kept = parts[k].unflatten(1, self.noisy[k]) >= self.dropout
                x = x * kept / max(1 - self.dropout, 1e-6)
            height, width = self.sizes[-2 - k]
            x = layer(relu(torch.cat([x, skips[-1 - k]], 1) if k else x))[..., :height, :width]
            x = instance_norm(x) if k < len(self.up) - 1 else torch.tanh(x)
        return x.float()

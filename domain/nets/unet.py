"""U-Nets (Ronneberger et al. 2015, arXiv 1505.04597): image to image through ever smaller sizes, with skips between equals."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import instance_norm, interpolate, leaky_relu, relu

from domain.nets.dcgan import ladder

NOISY = 3  # decoder layers whose input is dropped out
LAST = 1 - 2**-23  # close to 1, whose normal number is infinite
FURTHEST, NOISIEST = 2.0, 0.2  # most that a pixel is changed by, and most noise, of values in [−1, 1]


class UNet(nn.Module):
    """Images to images, with dropout for noise (Isola et al. 2017, arXiv 1611.07004).

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


class UNetRefiner(nn.Module):
    """Images to corrections of the same shape, zero at the start, that look far: some five pixels of the smallest size.

    So they can change the light and the shade. They look at the noise they are given, and say of each pixel how much of it, made
    normal, is added as a sensor would: that part passes no layer. Corrected pixels stay in [−1, 1], yet gradients go on beyond:
    a refiner that overshoots to black at the start finds back. Where a side is odd what comes back up stands where it stood, as
    strides of 2 keep the corners; an even side is stretched by the one pixel that its last stride left out.

    Args:
        channels: C of the images.
        width: channels at full size; doubled at each smaller size, up to fourfold.
        halvings: how often sides are halved, rounding up.
        latent: numbers drawn for each image, as channels behind the image's.
        grain: pictures of noise, behind these.
    """

    def __init__(self, channels: int, width: int, halvings: int, latent: int = 0, grain: int = 0) -> None:
        super().__init__()
        self.channels, self.grain = channels, grain
        widths = [width * 2 ** min(k, 2) for k in range(halvings + 1)]
        self.first = nn.Conv2d(channels + latent + grain, width, 3, 1, 1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in itertools.pairwise(widths))
        self.middle = nn.Conv2d(widths[-1], widths[-1], 3, 1, 1)
        self.up = nn.ModuleList(nn.Conv2d(a + b, b, 3, 1, 1) for a, b in itertools.pairwise(widths[::-1]))
        self.head = nn.Conv2d(width, channels * (1 + grain), 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """x: images with what was drawn, uniform in [−1, 1], (N, C + latent + grain, H, W) → (N, C, H, W)."""
        h = leaky_relu(self.first(x), 0.2)
        skips = []
        for layer in self.down:
            skips.append(h)
            h = leaky_relu(layer(h), 0.2)
        h = leaky_relu(self.middle(h), 0.2)
        for layer in self.up:
            skip = skips.pop()
            h = interpolate(h, skip.shape[-2:], mode="bilinear", align_corners=True)
            h = leaky_relu(layer(torch.cat([h, skip], 1)), 0.2)
        change, *amplitudes = self.head(h).float().split(self.channels, 1)
        drawn = x[:, x.shape[1] - self.grain :].float()
        noise = math.sqrt(2) * torch.erfinv(drawn.clamp(-LAST, LAST))  # standard normal
        image = x[:, : self.channels].float()
        wished = image + bounded(change, FURTHEST)
        for k, amplitude in enumerate(amplitudes):
            wished = wished + bounded(amplitude, NOISIEST) * noise[:, k : k + 1]
        return wished + (wished.clamp(-LAST, LAST) - wished).detach() - image


def bounded(x: Tensor, most: float) -> Tensor:
    """x, bent so that it stays between −most and most."""
    return most * torch.tanh(x / most)

"""Networks that look at neighbourhoods only: SimGAN's refiner and local critic
(Shrivastava et al. 2016, arXiv 1612.07828)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions and a skip; no stride, no pooling."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1, padding_mode="replicate") for _ in range(2))

    def forward(self, h: Tensor) -> Tensor:
        change = self.second(self.first(h).relu_())
        return change.add_(h).relu_()  # in place, as memory is what it waits for


class Refiner(nn.Module):
    """Residual network from images to corrections of the same shape, zero at the start.

    Args:
        channels: C of the images.
        width: channels inside.
        blocks: number of residual blocks; each widens the field of view by four pixels.
        extra: further channels that it sees and does not correct, such as noise.
    """

    def __init__(self, channels: int, width: int, blocks: int, extra: int = 0) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels + extra, width, 3, padding=1, padding_mode="replicate"),
            nn.ReLU(inplace=True),
            *(ResidualBlock(width) for _ in range(blocks)),
        )
        self.head = nn.Conv2d(width, channels, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.to(memory_format=torch.channels_last)  # a step at 28×28 takes a processor half the time

    def forward(self, x: Tensor) -> Tensor:
        """x: images, (N, C + extra, H, W) → corrections (N, C, H, W), unbounded."""
        return self.head(self.body(x))


class PatchCritic(nn.Module):
    """A map of scores, one for each patch of the image (the paper's local adversarial loss).

    Args:
        channels: C of the images.
        width: channels of the first layer.
        strides: stride of each layer.
        kernels: side of each layer's kernel, 3 if left out; a patch spans ``1 + Σ_k (kernel_k − 1) Π_{j<k} stride_j``
            pixels. One that its stride divides looks at all pixels equally often; others weigh some more, in a
            comb (Odena et al. 2016, "Deconvolution and checkerboard artifacts").
    """

    def __init__(self, channels: int, width: int, strides: tuple[int, ...], kernels: tuple[int, ...] = ()) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for stride, kernel in zip(strides, kernels or [3] * len(strides), strict=True):
            layers += [nn.Conv2d(channels, width, kernel, stride, (kernel - 1) // 2), nn.LeakyReLU(0.2, inplace=True)]
            channels = width
        self.net = nn.Sequential(*layers, nn.Conv2d(channels, 1, 1)).to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """x: images (N, C, H, W) → scores (N, h, w)."""
        return self.net(x).squeeze(1)

"""Residual networks from image to image, in three parts: down, residual blocks, up.

After Zhu et al. 2017 (arXiv 1703.10593), who follow Johnson et al. 2016 (arXiv 1603.08155): instance normalisation
throughout, a quarter of the side in the middle. Images are enlarged to sides divisible by four and cut back.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad


def _normalised(layer: nn.Module, channels: int) -> list[nn.Module]:
    return [layer, nn.InstanceNorm2d(channels), nn.ReLU()]


def down(channels: int, width: int) -> nn.Sequential:
    """Images (N, channels, H, W) → (N, 4 width, H / 4, W / 4)."""
    return nn.Sequential(
        *_normalised(nn.Conv2d(channels, width, 7, 1, 3, padding_mode="reflect", bias=False), width),
        *_normalised(nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False), 2 * width),
        *_normalised(nn.Conv2d(2 * width, 4 * width, 3, 2, 1, bias=False), 4 * width),
    )


def up(width: int, channels: int) -> nn.Sequential:
    """(N, 4 width, H / 4, W / 4) → images (N, channels, H, W) in [−1, 1]."""
    return nn.Sequential(
        *_normalised(nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, 1, bias=False), 2 * width),
        *_normalised(nn.ConvTranspose2d(2 * width, width, 3, 2, 1, 1, bias=False), width),
        nn.Conv2d(width, channels, 7, 1, 3, padding_mode="reflect"),
        nn.Tanh(),
    )


class Block(nn.Module):
    """Two normalised 3×3 convolutions and a skip; keeps the shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, 1, 1, padding_mode="reflect", bias=False) for _ in range(2))
        self.body = nn.Sequential(*_normalised(first, width), second, nn.InstanceNorm2d(width))

    def forward(self, h: Tensor) -> Tensor:
        return h + self.body(h)


def residual(width: int, blocks: int) -> nn.Sequential:
    """(N, width, h, w) → the same shape, through so many blocks."""
    return nn.Sequential(*(Block(width) for _ in range(blocks)))


def enlarged(x: Tensor) -> Tensor:
    """x: images (N, C, H, W), their last row and column repeated until both sides are divisible by four."""
    height, width = x.shape[-2:]
    return pad(x, (0, -width % 4, 0, -height % 4), mode="replicate") if height % 4 or width % 4 else x


class Translator(nn.Module):
    """Images of one domain to images of another.

    Args:
        channels: C of the images.
        width: channels at full size; four times as many in the middle.
        blocks: number of residual blocks.
    """

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.net = nn.Sequential(down(channels, width), residual(4 * width, blocks), up(width, channels))

    def forward(self, x: Tensor) -> Tensor:
        """x: images (N, C, H, W) → (N, C, H, W) in [−1, 1]; sides of at least 8."""
        height, width = x.shape[-2:]
        return self.net(enlarged(x))[..., :height, :width].float()

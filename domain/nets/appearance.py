"""Random changes of an image's look that move nothing in it, through kornia, with their random numbers as an argument."""

from __future__ import annotations

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor


def looks(count: int, shape: tuple[int, ...], generator: torch.Generator) -> dict[str, Tensor]:
    """What :func:`appearance` draws for images (count, *shape): ``look``, its ``draw``, and ``grain``."""
    device = generator.device
    return {
        "look": 2 * torch.rand(count, 4, generator=generator, device=device) - 1,
        "grain": torch.randn(count, *shape, generator=generator, device=device),
    }


def appearance(x: Tensor, draw: Tensor, grain: Tensor, strength: float) -> Tensor:
    """Change contrast, brightness, sharpness and noise of each image; labels of place and direction stay true.

    At strength 1, contrast changes by up to e^±0.5, brightness by ±0.4; blur reaches σ = 1 pixel, noise σ = 0.15.

    Args:
        x: images (N, C, H, W) in [−1, 1].
        draw: (N, 4) uniform in [−1, 1]: contrast, brightness, blur, noise.
        grain: standard normal, as ``x``.
        strength: above 0.
    """
    contrast, brightness, blur, noise = (strength * draw).unbind(1)
    sigma = blur.abs().clamp(min=1e-2)[:, None].expand(-1, 2)
    x = gaussian_blur2d(x, (5, 5), sigma, "replicate")
    contrast, brightness, noise = (v[:, None, None, None] for v in (0.5 * contrast, 0.4 * brightness, 0.15 * noise.abs()))
    mean = x.mean((1, 2, 3), keepdim=True)
    return ((x - mean) * torch.exp(contrast) + mean + brightness + noise * grain).clamp(-1, 1)

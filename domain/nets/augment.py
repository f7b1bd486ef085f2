"""Random affine maps of images through kornia, with their random numbers as an argument."""

from __future__ import annotations

import math

import torch
from kornia.geometry.transform import get_affine_matrix2d, warp_affine
from torch import Tensor


def affine(x: Tensor, draw: Tensor, strength: float) -> Tensor:
    """Turn, shift, scale and shear each image at random.

    At strength 1, turns reach 15°, shifts 10 % of the side, scales 20 % and shears 15°.

    Args:
        x: images (N, C, H, W) in [−1, 1]; what enters from outside is −1.
        draw: (N, 6) uniform in [−1, 1]: angle, two shifts, scale, two shears.
        strength: at least 0.
    """
    draw = strength * draw
    height, width = x.shape[-2:]
    size = torch.tensor([width, height], device=x.device)
    center = (size - 1).expand(len(x), 2) / 2
    scale = torch.exp(0.2 * draw[:, 3:4]).expand(-1, 2)
    shear = math.radians(15) * draw[:, 4:6]
    matrix = get_affine_matrix2d(0.1 * size * draw[:, 1:3], center, scale, 15 * draw[:, 0], shear[:, 0], shear[:, 1])
    return warp_affine(x + 1, matrix[:, :2], (height, width)) - 1

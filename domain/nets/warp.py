"""Smooth warps of images, and of the labels that lie on them.

A *grid* (N, H, W, 2) says where in its input each pixel of a warped image comes from: x and y from
−1 to 1 between the outer edges, as ``torch.nn.functional.grid_sample`` takes it without aligned
corners. Points are in pixels from the upper left corner, so that the first pixel's centre is (0.5, 0.5).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, interpolate

from domain.nets.dcgan import Critic

INVERSIONS = 30  # of a warp at a point; each shrinks the error by the warp's strain


def identity_grid(height: int, width: int) -> Tensor:
    """The grid that leaves every pixel where it is, (H, W, 2)."""
    y, x = ((2 * torch.arange(side) + 1) / side - 1 for side in (height, width))
    return torch.stack((x.expand(height, width), y[:, None].expand(height, width)), -1)


def warped(x: Tensor, grid: Tensor) -> Tensor:
    """Images (N, C, H, W) seen through a grid; beyond the border lies what the border shows."""
    return grid_sample(x, grid, padding_mode="border", align_corners=False)


def warped_mask(mask: Tensor, grid: Tensor) -> Tensor:
    """Labels of pixels, (N, H, W), moved as :func:`warped` moves the image: each from the nearest pixel."""
    return grid_sample(mask[:, None].float(), grid, "nearest", "border", align_corners=False)[:, 0].to(mask.dtype)


def warped_points(points: Tensor, grid: Tensor) -> Tensor:
    """Points (N, P, 2) of the input, x and y in pixels, where a warped image shows them, (N, P, 2).

    A grid leads from the warped image back to its input, so the place q with q + u(q) = p is found by
    q ← p − u(q), which converges where the displacement u has a strain below 1.
    """
    height, width = grid.shape[1:3]
    size = torch.tensor([width, height], device=grid.device)
    places = 2 * points.to(grid) / size - 1
    displacement = (grid - identity_grid(height, width).to(grid)).permute(0, 3, 1, 2)
    found = places
    for _ in range(INVERSIONS):
        found = places - warped(displacement, found[:, None])[:, :, 0].transpose(1, 2)
    return (found + 1) / 2 * size


def mapped(places: Tensor, linear: Tensor) -> Tensor:
    """Places (H, W, 2) under linear maps (N, 2, 2), (N, H, W, 2); no matrix product, which autocast would round."""
    first, second = linear[:, None, None].unbind(-2)
    return places[..., :1] * first + places[..., 1:] * second


class SmoothWarp(nn.Module):
    """Predicts a warp of each image: an affine map and a displacement field (a spatial transformer,
    Jaderberg et al. 2015, arXiv 1506.02025). It starts as the identity.

    Args:
        shape: (C, H, W) of what it looks at.
        width: channels of its first layer.
        reach: how far each number of the map and each node of the field may move a point, as a share of the side.
        nodes: of the field along each side; between them it is interpolated bicubically.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, reach: float, nodes: int) -> None:
        super().__init__()
        self.reach, self.nodes = reach, nodes
        self.net = Critic(shape, width, 6 + 2 * nodes**2, batch_norm=False)
        nn.init.zeros_(self.net.head.weight)
        nn.init.zeros_(self.net.head.bias)
        self.register_buffer("pixels", identity_grid(*shape[1:]), persistent=False)
        line = torch.linspace(-1, 1, nodes)
        places = torch.stack((line.expand(nodes, nodes), line[:, None].expand(nodes, nodes)), -1)
        self.register_buffer("places", places, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (N, C, H, W) → grids (N, H, W, 2), and each one's mean squared strain, (N,)."""
        moves = 2 * self.reach * torch.tanh(self.net(x).float())
        linear, shift = moves[:, :4].unflatten(1, (2, 2)), moves[:, None, None, 4:6]
        field = moves[:, 6:].unflatten(1, (2, self.nodes, self.nodes))
        fine = interpolate(field, x.shape[-2:], mode="bicubic", align_corners=True).movedim(1, -1)
        grid = self.pixels + mapped(self.pixels, linear) + shift + fine
        return grid, self._strain(mapped(self.places, linear) + field.movedim(1, -1))

    def _strain(self, displacement: Tensor) -> Tensor:
        """Mean of ‖∇u‖² over displacements u between neighbouring nodes, (N, nodes, nodes, 2) → (N,)."""
        spacing = 2 / (self.nodes - 1)
        slopes = [displacement.diff(dim=axis) / spacing for axis in (1, 2)]
        return sum(slope.square().sum(-1).flatten(1).mean(1) for slope in slopes)

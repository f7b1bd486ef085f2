"""Warps that move an image, its mask and its points alike."""

from __future__ import annotations

import pytest
import torch

from domain.nets.warp import SmoothWarp, identity_grid, warped, warped_mask, warped_points
from domain.randomness import scoped_seed, torch_generator
from domain.simulators.strokes import Strokes


def translation(dx: float, dy: float, count: int, side: int) -> torch.Tensor:
    """The grid that moves everything by so many pixels right and down."""
    return (identity_grid(side, side) - 2 * torch.tensor([dx, dy]) / side).expand(count, -1, -1, -1)


def test_a_translation_moves_the_centre_line_with_the_digit() -> None:
    samples = Strokes(translation=0.0, scale=(0.7, 0.7)).simulate(20, 0)
    x, mask = torch.from_numpy(samples.x).float(), torch.from_numpy(samples.mask)
    grid = translation(2, -3, len(x), 28)
    torch.testing.assert_close(warped(x, grid), x.roll((2, -3), (3, 2)), atol=1e-2, rtol=0)
    moved, expected = warped_mask(mask, grid), mask.roll((2, -3), (2, 1))
    assert moved.dtype == mask.dtype
    assert (moved & expected).sum() == (moved | expected).sum() > 0, "intersection over union is 1"


def test_points_move_with_the_image() -> None:
    """A point is where the warped image shows it: at the peak that stood there."""
    points = torch.tensor([[[4.5, 10.5], [20.5, 3.5]]])
    torch.testing.assert_close(warped_points(points, translation(2, -3, 1, 28)), points + torch.tensor([2.0, -3.0]))
    with scoped_seed(0, "warp"):
        net = SmoothWarp((1, 28, 28), 4, 0.1, 4)
        torch.nn.init.normal_(net.net.head.weight, std=1.0)
    y, x = torch.meshgrid(*[torch.arange(28) + 0.5] * 2, indexing="ij")
    image = torch.exp(-((x - 12.3) ** 2 + (y - 15.8) ** 2) / 18)[None, None]
    with torch.no_grad():
        grid, strain = net(image)
    moved = warped(image, grid)[0, 0]
    found = warped_points(torch.tensor([[[12.3, 15.8]]]), grid)[0, 0]
    peak = divmod(int(moved.argmax()), 28)
    assert strain > 0 and (found - torch.tensor([12.3, 15.8])).norm() > 0.5, "it moves"
    assert abs(float(found[0]) - peak[1] - 0.5) < 1 and abs(float(found[1]) - peak[0] - 0.5) < 1


def test_strain_is_that_of_the_map() -> None:
    """Translations cost nothing; a stretch by s along x costs s², whatever the nodes."""
    for nodes in (2, 5):
        net = SmoothWarp((1, 8, 8), 4, 0.1, nodes)
        torch.nn.init.constant_(net.net.head.bias[4:6], 3.0)
        grid, strain = net(torch.zeros(2, 1, 8, 8))
        assert not torch.equal(grid[0], identity_grid(8, 8)) and strain.abs().max() < 1e-10
        torch.nn.init.constant_(net.net.head.bias[:1], 0.5)
        stretch = 0.2 * torch.tanh(torch.tensor(0.5))
        assert net(torch.zeros(2, 1, 8, 8))[1][0].item() == pytest.approx(float(stretch**2), rel=1e-4)


def test_reach_bounds_a_node() -> None:
    net = SmoothWarp((1, 8, 8), 4, 0.1, 3)
    torch.nn.init.normal_(net.net.head.bias[6:], std=100, generator=torch_generator(0, "bias"))
    moves = net(torch.zeros(1, 1, 8, 8))[0] - identity_grid(8, 8)
    assert moves.abs().max() < 1.5 * 0.2, "a tenth of the side, but for the overshoot of cubic interpolation"

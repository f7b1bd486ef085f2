"""Positions of features from their correlations, and warps of samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist

from domain.errors import InputError
from domain.topology import Topology, Warps

SIDE = 12
GRID = np.stack(np.divmod(np.arange(SIDE**2), SIDE), 1).astype(float)


@pytest.fixture(scope="module")
def fields() -> np.ndarray:
    """Smooth random pictures, (2000, 144), whose last corner never varies."""
    noise = np.random.default_rng(0).normal(size=(2000, SIDE, SIDE))
    x = gaussian_filter(noise, (0, 1.2, 1.2)).reshape(-1, SIDE**2)
    x[:, -1] = 5.0
    return x


@pytest.fixture(scope="module")
def topology(fields: np.ndarray) -> Topology:
    return Topology.learn(fields)


def warps(topology: Topology, count: int = 8, strength: float = 1.0) -> Warps:
    return Warps(topology, count, strength, np.random.default_rng(0))


def test_the_grid_is_found(topology: Topology) -> None:
    assert list(topology.features) == list(range(SIDE**2 - 1))
    assert procrustes(GRID[:-1], topology.positions)[2] < 0.03
    nearest = np.sort(np.linalg.norm(topology.positions[:, None] - topology.positions, axis=2), 1)[:, 1:5]
    assert np.median(nearest) == pytest.approx(1)


def test_the_order_of_features_does_not_matter(fields: np.ndarray, topology: Topology) -> None:
    order = np.random.default_rng(1).permutation(SIDE**2)
    shuffled = Topology.learn(fields[:, order])
    back = np.argsort(order[shuffled.features])
    np.testing.assert_allclose(pdist(shuffled.positions[back]), pdist(topology.positions), atol=1e-9)


def test_no_warp_at_strength_zero(fields: np.ndarray, topology: Topology) -> None:
    x = torch.from_numpy(fields[:6]).float()
    torch.testing.assert_close(warps(topology, strength=0.0)(x, torch.tensor([0, 1])), x)


def test_a_linear_picture_is_warped_exactly(topology: Topology) -> None:
    """Inside, a picture that is linear in its positions shows the places themselves; outside, the usual value."""
    bank, x = warps(topology), torch.zeros(16, SIDE**2)
    x[:, topology.features] = torch.from_numpy(topology.positions @ np.array([0.3, -0.7])).float()
    warped = bank(x, torch.arange(8))
    inside = bank.weights.sum(2) > 0.5
    assert 0.5 < inside.float().mean() < 1
    torch.testing.assert_close(warped[::2], warped[1::2])  # two samples share a warp
    part = warped[::2, topology.features]
    assert not torch.allclose(part[inside], x[::2, topology.features][inside], atol=0.1)
    assert part[inside].abs().max() <= x.abs().max() + 1e-5
    torch.testing.assert_close(part[~inside], bank.outside[~inside])
    torch.testing.assert_close(warped[:, -1], x[:, -1])  # has no position


def test_a_smooth_picture_changes_little_under_a_small_warp(fields: np.ndarray, topology: Topology) -> None:
    x = torch.from_numpy(fields[:64]).float()
    small, large = ((warps(topology, 64, strength)(x, torch.arange(64)) - x).square().mean() for strength in (0.1, 1.0))
    assert 0 < small < 0.2 * large


def test_bad_features_are_refused() -> None:
    with pytest.raises(InputError, match="0 of 20 features vary .*; set warp to 0"):
        Topology.learn(np.ones((50, 20)))
    line = Topology(np.arange(20), np.stack([np.arange(20.0), np.zeros(20)], 1), np.zeros(20))
    with pytest.raises(InputError, match="as on a line"):
        warps(line)


def test_a_picture_shows_the_plane_upright(fields: np.ndarray, topology: Topology) -> None:
    """Shuffled pixels come back as a picture that is the first one, turned or mirrored."""
    order = np.random.default_rng(2).permutation(SIDE**2)
    shuffled = Topology.learn(fields[:, order])
    picture = shuffled.picture(SIDE)
    assert picture.shape == (SIDE**2, SIDE**2)
    torch.testing.assert_close(picture.sum(1).max(), torch.tensor(1.0))
    seen = (picture @ torch.from_numpy(fields[:200, order]).float().T).T.view(200, SIDE, SIDE)
    truth = torch.from_numpy(fields[:200]).float().view(200, SIDE, SIDE)
    inner = (slice(None), slice(2, -2), slice(2, -2))
    turned = [torch.rot90(face, k, (1, 2)) for face in (truth, truth.flip(1)) for k in range(4)]
    best = max(np.corrcoef(seen[inner].ravel(), each[inner].ravel())[0, 1] for each in turned)
    assert best > 0.9

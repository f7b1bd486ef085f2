"""The distance against scipy and torchmetrics on fixed vectors, known answers, and its floor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchmetrics.image.fid import FrechetInceptionDistance

from domain.errors import InputError
from domain.metrics.frechet import feature_fid, feature_fid_floor, frechet_distance


def features(count: int, seed: int, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(count, 12)) @ np.random.default_rng(9).normal(size=(12, 12)) + 0.1 * seed


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.mean(axis=0), np.cov(x, rowvar=False)


def test_agrees_with_matrix_square_root_to_eight_digits() -> None:
    (mu1, cov1), (mu2, cov2) = moments(features(200, 1)), moments(features(150, 2, 1.3))
    expected = ((mu1 - mu2) ** 2).sum() + np.trace(cov1 + cov2 - 2 * sqrtm(cov1 @ cov2).real)
    assert frechet_distance(mu1, cov1, mu2, cov2) == pytest.approx(expected, rel=1e-8)


def test_feature_fid_agrees_with_torchmetrics_to_eight_digits() -> None:
    a, b = features(200, 1), features(150, 2, 1.3)
    ready = torch.nn.Identity()
    ready.num_features = a.shape[1]
    reference = FrechetInceptionDistance(feature=ready).set_dtype(torch.float64)
    reference.update(torch.from_numpy(a), real=True)
    reference.update(torch.from_numpy(b), real=False)
    assert feature_fid(a, b) == pytest.approx(reference.compute().item(), rel=1e-8)


def test_commuting_covariances_by_hand() -> None:
    # Diagonal: sum of squared differences of means and of standard deviations.
    distance = frechet_distance(np.zeros(2), np.diag([4.0, 9.0]), np.array([1.0, 2.0]), np.diag([1.0, 16.0]))
    assert distance == pytest.approx(1 + 4 + (2 - 1) ** 2 + (3 - 4) ** 2, rel=1e-12)


def test_singular_covariances_stay_finite_and_symmetric() -> None:
    a, b = features(5, 1), features(4, 2)
    assert feature_fid(a, a) == pytest.approx(0, abs=1e-6)
    assert feature_fid(a, b) == pytest.approx(feature_fid(b, a), rel=1e-8)


def test_constant_features_differ_by_their_means() -> None:
    assert feature_fid(np.zeros((3, 4)), np.ones((5, 4))) == pytest.approx(4, rel=1e-12)


def test_one_column() -> None:
    a, b = features(50, 1)[:, :1], features(50, 2)[:, :1]
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert feature_fid(a, b) == pytest.approx(expected, rel=1e-8)


def test_floor_falls_as_one_over_count() -> None:
    real = features(8000, 1)
    floors = [np.mean([feature_fid_floor(real, seed, count) for seed in range(10)]) for count in (500, 2000)]
    assert floors[0] / floors[1] == pytest.approx(4, rel=0.25)
    assert feature_fid_floor(real, 0) == feature_fid_floor(real, 0, 4000)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.empty((0, 3)), np.ones((4, 3))),
        (np.ones((1, 3)), np.ones((4, 3))),
        (np.ones((4, 3)), np.full((4, 3), np.nan)),
        (np.ones((4, 3)), np.ones((4, 2))),
        (np.ones(4), np.ones(4)),
    ],
)
def test_feature_fid_refuses(a: np.ndarray, b: np.ndarray) -> None:
    with pytest.raises(InputError, match="feature FID"):
        feature_fid(a, b)


def test_distance_and_floor_refuse() -> None:
    with pytest.raises(InputError, match="shapes"):
        frechet_distance(np.zeros(2), np.eye(3), np.zeros(2), np.eye(2))
    with pytest.raises(InputError, match="not finite"):
        frechet_distance(np.zeros(2), np.eye(2), np.array([0, np.nan]), np.eye(2))
    with pytest.raises(InputError, match="count is 3"):
        feature_fid_floor(np.ones((5, 2)), 0, 3)

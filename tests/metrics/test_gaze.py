"""Angles between directions, and the convention of yaw and pitch."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from domain.errors import InputError
from domain.gaze import angles, direction
from domain.metrics.gaze import angular_error, drift, scores

RNG = np.random.default_rng(0)


def test_directions_of_the_axes() -> None:
    """Into the camera, to the image's left, up."""
    given = np.array([[0, 0], [90, 0], [0, 90]])
    np.testing.assert_allclose(direction(given), [[0, 0, -1], [-1, 0, 0], [0, -1, 0]], atol=1e-12)


def test_angles_undo_direction_at_any_length() -> None:
    given = RNG.uniform(-80, 80, (100, 2))
    np.testing.assert_allclose(angles(direction(given) * RNG.uniform(0.1, 9, (100, 1))), given, atol=1e-9)


def test_the_error_is_the_angle_of_a_rotation() -> None:
    truth = RNG.uniform(-60, 60, (50, 2))
    turned = np.geomspace(1e-7, 170, 50)
    axis = np.cross(direction(truth), RNG.normal(size=(50, 3)))
    axis *= np.radians(turned)[:, None] / np.linalg.norm(axis, axis=1, keepdims=True)
    estimate = angles(Rotation.from_rotvec(axis).apply(direction(truth)))
    np.testing.assert_allclose(angular_error(truth, estimate), turned, rtol=1e-6)


def test_yaw_counts_less_for_eyes_that_look_up() -> None:
    error = angular_error(np.array([[0, 0], [0, 60]]), np.array([[10, 0], [10, 60]]))
    assert error[0] == pytest.approx(10) and error[1] == pytest.approx(5.0, abs=0.02)


def test_scores() -> None:
    truth = np.array([[0.0, 0], [10, 0], [0, 4]])
    assert scores(truth, truth) == {"degrees": 0, "median_degrees": 0, "within_7_degrees": 1}
    found = scores(truth, np.zeros((3, 2)))
    assert found["degrees"] == pytest.approx(14 / 3) and found["median_degrees"] == pytest.approx(4)
    assert found["within_7_degrees"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("shape", [(3, 3), (2, 2), (3,)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="angular error"):
        angular_error(np.zeros((3, 2)), np.zeros(shape))


def test_drift_is_what_noise_does_not_hide() -> None:
    """A turn of all eyes, and a turn towards the middle, which is none on average; noise leaves little of itself."""
    truth = RNG.uniform(-20, 20, (4000, 2))
    noisy = truth + RNG.normal(0, 3, truth.shape)
    assert drift(truth, noisy) < 0.4
    assert drift(truth, noisy + [0.9, 1.2]) == pytest.approx(1.5, abs=0.4)
    assert drift(truth, 0.8 * truth) == pytest.approx(0.2 * 10 * np.sqrt(2), abs=0.2)

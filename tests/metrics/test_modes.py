"""Mode coverage on samples whose coverage is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from domain.errors import InputError
from domain.metrics.modes import evenness, gaussian_modes, stacked_modes

CENTRES = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def test_evenness() -> None:
    assert evenness(np.arange(12) % 4, 4) == {"modes": 4, "kl": pytest.approx(0, abs=1e-12)}
    assert evenness(np.zeros(9, int), 4) == {"modes": 1, "kl": pytest.approx(math.log(4))}
    found = evenness(np.array([0, 0, 0, 1]), 4)
    assert found["kl"] == pytest.approx(0.75 * math.log(3) + 0.25 * math.log(1))


def test_a_mode_needs_a_sample_of_high_quality() -> None:
    x = np.array([[0.0, 0.29], [1.0, 0.31], [0.0, 1.0], [0.05, 1.0]])
    found = gaussian_modes(x, CENTRES, 0.1)
    assert found["modes"] == 2 and found["high_quality"] == 0.75
    assert found["kl"] == pytest.approx(0.5 * math.log(2) + 2 * 0.25 * math.log(1))


def test_stacked_modes() -> None:
    """A picture of a digit is its value; the hundreds are the first channel."""
    digits = np.array([[1, 2, 3], [1, 2, 3], [3, 2, 1], [9, 9, 9]])
    x = np.broadcast_to(digits[:, :, None, None], (4, 3, 2, 2)).astype(float)
    found = stacked_modes(x, lambda images: images[:, 0, 0, 0].astype(int))
    assert found["modes"] == 3
    assert found["kl"] == pytest.approx(0.5 * math.log(500) + 0.5 * math.log(250))


@pytest.mark.parametrize("label", [np.array([], int), np.array([-1]), np.array([4])])
def test_refuses_labels_that_are_no_class(label: np.ndarray) -> None:
    with pytest.raises(InputError, match="modes: labels must lie between 0 and 3"):
        evenness(label, 4)


def test_refuses_what_is_not_stacked() -> None:
    with pytest.raises(InputError, match="stacked modes"):
        stacked_modes(np.zeros((3, 4)), lambda images: images)

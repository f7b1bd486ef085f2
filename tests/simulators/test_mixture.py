"""Mixtures in the plane: centres, labels and spread."""

from __future__ import annotations

import numpy as np
import pytest

from domain.errors import InputError
from domain.metrics.modes import gaussian_modes
from domain.simulators.mixture import Mixture

GRID, RING = Mixture(), Mixture(layout="ring", modes=8, size=2.0, deviation=0.02)


def test_centres() -> None:
    assert sorted(set(GRID.centres.ravel())) == [-4, -2, 0, 2, 4] and len(np.unique(GRID.centres, axis=0)) == 25
    assert np.linalg.norm(RING.centres, axis=1) == pytest.approx(2)
    assert RING.centres[2] == pytest.approx([0, 2], abs=1e-12)


@pytest.mark.parametrize("mixture", [GRID, RING], ids=["grid", "ring"])
def test_points_lie_around_the_centre_of_their_label(mixture: Mixture) -> None:
    samples = mixture.simulate(20_000, 0)
    shift = (samples.x - mixture.centres[samples.label]) / mixture.deviation
    assert abs(shift.mean()) < 0.03 and shift.std() == pytest.approx(1, abs=0.02)
    found = gaussian_modes(samples.x, mixture.centres, mixture.deviation)
    assert found["modes"] == mixture.modes
    assert found["high_quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.003)  # within 3 σ in the plane
    assert found["kl"] == pytest.approx((mixture.modes - 1) / 40_000, rel=0.8)


def test_a_grid_is_a_square() -> None:
    with pytest.raises(InputError, match="Mixture.modes: is 24, a grid needs a square number"):
        Mixture(modes=24)

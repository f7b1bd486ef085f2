"""Cross-sections of photons against NIST's XCOM (doi:10.18434/T48G6X), and what is drawn against their spectra."""

from __future__ import annotations

import numpy as np
import pytest

from domain.matter import AVOGADRO, BARN, MASS
from domain.matter.materials import MATERIALS
from domain.matter.photons import compton, pair, photoelectric, scatter, split

XCOM = [  # Z, energy in MeV, barn an atom: incoherent, photoelectric, pairs in both fields
    (82, 1, 17.18, 6.226, 0),
    (82, 2, 11.98, 1.732, 1.875),
    (82, 5, 6.806, 0.4344, 7.416),
    (82, 10, 4.193, 0.179, 12.72),
    (82, 100, 0.6786, 0.0146, 31.34),
    (82, 1000, 0.09579, 0.001428, 39.33),
    (29, 2, 4.248, 0.01545, 0.1594),
    (29, 10, 1.483, 0.00182, 1.789),
    (29, 1000, 0.03388, 1.559e-05, 5.998),
    (18, 1, 3.801, 0.005696, 0),
    (18, 5, 1.495, 0.000459, 0.3627),
    (18, 50, 0.2642, 3.633e-05, 1.568),
    (18, 1000, 0.02103, 1.769e-06, 2.467),
    (6, 2, 0.8795, 7.631e-06, 0.006356),
    (6, 10, 0.3069, 1.009e-06, 0.08388),
    (6, 100, 0.04966, 9.156e-08, 0.2408),
]
DRAWS = 20_000


@pytest.mark.parametrize(("z", "energy", "incoherent", "electric", "pairs"), XCOM)
def test_cross_sections(z: int, energy: float, incoherent: float, electric: float, pairs: float) -> None:
    assert compton(energy, z) / BARN == pytest.approx(incoherent, rel=0.05)  # XCOM adds radiative corrections
    assert photoelectric(energy, z) / BARN == pytest.approx(electric, rel=0.035)
    assert pair(energy, z) / BARN == pytest.approx(pairs, rel=0.05)


@pytest.mark.parametrize("name", MATERIALS)
def test_high_energy_photons_travel_nine_sevenths_of_a_radiation_length(name: str) -> None:
    material = MATERIALS[name]
    a_gram = sum(AVOGADRO * e.weight / e.a * pair(1e5, e.z) for e in material.elements)
    assert 1 / a_gram == pytest.approx(9 / 7 * material.x0, rel=0.05)


def test_pairs_begin_at_their_threshold() -> None:
    assert pair(2 * MASS, 82.0) == 0 < pair(1.1, 82.0) < pair(1.5, 82.0) < pair(2.0, 82.0)


@pytest.mark.parametrize("energy", [0.3, 2.0, 50.0])
def test_compton_spectrum(energy: float) -> None:
    """Mean energy and angle against Klein and Nishina's formula, integrated."""
    rng = np.random.default_rng(0)
    drawn = np.array([scatter(energy, rng) for _ in range(DRAWS)])
    k = energy / MASS
    np.testing.assert_allclose(drawn[:, 1], 1 - (1 / drawn[:, 0] - 1 / energy) * MASS, atol=1e-9)
    share = np.linspace(1 / (1 + 2 * k), 1, 200_001)
    t = (1 - share) / (k * share)
    weight = 1 / share + share - t * (2 - t)
    mean = (weight * share).sum() / weight.sum()
    error = drawn[:, 0].std() / energy / DRAWS**0.5
    assert abs(drawn[:, 0].mean() / energy - mean) < 4 * error


@pytest.mark.parametrize("energy", [1.1, 3.0, 80.0, 1e4])
@pytest.mark.parametrize("z", [6.0, 82.0])
def test_pairs_share_their_energy_evenly(energy: float, z: float) -> None:
    rng = np.random.default_rng(0)
    one = np.array([split(energy, z, rng) for _ in range(DRAWS)])
    assert one.min() >= MASS and one.max() <= energy - MASS
    assert abs(one.mean() / energy - 0.5) < 4 * one.std() / energy / DRAWS**0.5
    assert np.mean(one < energy / 4) == pytest.approx(np.mean(one > 3 * energy / 4), abs=0.02)


def test_hard_pairs_follow_complete_screening() -> None:
    """dσ/dε ∝ 1 − 4/3 ε(1 − ε), but for a hundredth (Particle Data Group, eq. 34.31)."""
    rng = np.random.default_rng(0)
    share = np.array([split(1e6, 29.0, rng) for _ in range(DRAWS)]) / 1e6
    counts, _ = np.histogram(share, np.linspace(0, 1, 11))
    e = np.linspace(0, 1, 100_001)
    expected = (1 - 4 / 3 * e * (1 - e))[:-1].reshape(10, -1).sum(1)
    expected *= DRAWS / expected.sum()
    assert ((counts - expected) ** 2 / expected).sum() < 35  # 9 degrees of freedom, and the hundredth

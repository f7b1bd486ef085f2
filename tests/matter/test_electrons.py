"""Losses of electrons against NIST's ESTAR, and what is drawn against its spectra."""

from __future__ import annotations

import math

import numpy as np
import pytest

from domain.matter import AVOGADRO, MASS
from domain.matter.electrons import (
    ELECTRON,
    POSITRON,
    annihilate,
    annihilation,
    bremsstrahlung,
    collision_loss,
    deflection,
    emission_angle,
    knock,
    knock_on,
    photon_of,
    scattering,
    scattering_constants,
)
from domain.matter.materials import COPPER, IRON, LEAD, MATERIALS, SILICON, TUNGSTEN, Material

NODES, WEIGHTS = np.polynomial.legendre.leggauss(100)
DRAWS = 20_000
ESTAR = [  # material, kinetic energy in MeV, MeV cm²/g by collisions and by radiation
    (LEAD, 1, 0.9939, 0.12897),
    (LEAD, 5, 1.1204, 0.57732),
    (LEAD, 10, 1.2008, 1.2065),
    (LEAD, 100, 1.4235, 14.357),
    (LEAD, 1000, 1.5826, 153.90),
    (TUNGSTEN, 2, 1.0373, 0.21172),
    (TUNGSTEN, 20, 1.2765, 2.4058),
    (TUNGSTEN, 1000, 1.5764, 145.19),
    (COPPER, 2, 1.2725, 0.091028),
    (COPPER, 50, 1.6027, 3.3751),
    (IRON, 10, 1.4831, 0.52160),
    (IRON, 1000, 1.8782, 71.160),
    (SILICON, 1, 1.5075, 0.023597),
    (SILICON, 10, 1.6968, 0.31613),
    (SILICON, 1000, 2.0991, 44.591),
]


def radiated(kinetic: float, material: Material) -> float:
    """Energy lost to photons, MeV cm²/g."""
    k = kinetic * (NODES + 1) / 2
    return sum(
        AVOGADRO * e.weight / e.a * kinetic / 2 * sum(w * bremsstrahlung(x, kinetic + MASS, e.z) for w, x in zip(WEIGHTS, k))
        for e in material.elements
    )


@pytest.mark.parametrize(("material", "kinetic", "collisions", "photons"), ESTAR)
def test_losses(material: Material, kinetic: float, collisions: float, photons: float) -> None:
    a_gram = AVOGADRO * material.z / material.a
    delta = material.density_effect(kinetic)
    assert a_gram * collision_loss(kinetic, ELECTRON, material.excitation, delta) == pytest.approx(collisions, rel=0.02)
    assert radiated(kinetic, material) == pytest.approx(photons, rel=0.04)


@pytest.mark.parametrize("name", MATERIALS)
def test_radiation_length(name: str) -> None:
    """Far above the critical energy an electron loses E/X0 to photons."""
    material = MATERIALS[name]
    assert 1e5 / radiated(1e5, material) == pytest.approx(material.x0, rel=0.03)


def test_photons_are_drawn_from_their_spectrum() -> None:
    rng = np.random.default_rng(0)
    for kinetic in (3.0, 1e4):
        drawn = np.array([photon_of(kinetic + MASS, 1.0, 82.0, rng) for _ in range(DRAWS)])
        assert drawn.min() >= 1 and drawn.max() <= kinetic
        log = np.log(kinetic) * (NODES + 1) / 2
        weight = WEIGHTS * [bremsstrahlung(k, kinetic + MASS, 82.0) for k in np.exp(log)]
        mean = (weight * log).sum() / weight.sum()
        assert abs(np.log(drawn).mean() - mean) < 4 * np.log(drawn).std() / DRAWS**0.5


@pytest.mark.parametrize("charge", [ELECTRON, POSITRON])
@pytest.mark.parametrize("kinetic", [4.0, 300.0])
def test_knock_ons(charge: int, kinetic: float) -> None:
    """The share of knock-ons above any energy is the ratio of cross-sections above it."""
    rng = np.random.default_rng(0)
    drawn = np.array([knock(kinetic, 1.0, charge, rng) for _ in range(DRAWS)])
    for above in (1.2, 1.5, 1.8):
        share = knock_on(kinetic, above, 1.0, charge) / knock_on(kinetic, 1.0, 1.0, charge)
        assert abs((drawn > above).mean() - share) < 4 * math.sqrt(share / DRAWS)
    assert knock_on(1.9, 1.0, 1.0, ELECTRON) == 0 < knock_on(1.9, 1.0, 1.0, POSITRON)


def test_soft_knock_ons_follow_rutherford() -> None:
    """Far below the energy of the electron, dσ/dT = 2πr²m/(β²T²)."""
    expected = 2 * math.pi * (2.8179403e-13) ** 2 * MASS
    for charge in (ELECTRON, POSITRON):
        assert knock_on(1e4, 1.0, 1.0, charge) == pytest.approx(expected, rel=0.01)


def test_annihilation() -> None:
    """Momentum is conserved: both photons' angles follow from their energies."""
    rng = np.random.default_rng(0)
    kinetic = 20.0
    momentum = math.sqrt(kinetic * (kinetic + 2 * MASS))
    for _ in range(100):
        share, cosine = annihilate(kinetic, rng)
        one = share * (kinetic + 2 * MASS)
        other = kinetic + 2 * MASS - one
        assert momentum**2 + one**2 - 2 * momentum * one * cosine == pytest.approx(other**2, rel=1e-6)
    gamma = 1e4
    limit = math.pi * (2.8179403e-13) ** 2 / gamma * (math.log(2 * gamma) - 1)
    assert annihilation((gamma - 1) * MASS, 1.0) == pytest.approx(limit, rel=0.01)


@pytest.mark.parametrize("kinetic", [20.0, 200.0, 5000.0])
def test_multiple_scattering(kinetic: float) -> None:
    """Highland's formula as the Particle Data Group gives it (eq. 34.16), which is good to 11 %."""
    thick = 0.3 * LEAD.x0 / LEAD.density
    width = math.sqrt(scattering(thick, kinetic, *scattering_constants(*LEAD.columns, LEAD.density)))
    momentum = math.sqrt(kinetic * (kinetic + 2 * MASS))
    beta = momentum / (kinetic + MASS)
    expected = 13.6 / (beta * momentum) * math.sqrt(0.3) * (1 + 0.038 * math.log(0.3 / beta**2))
    assert width == pytest.approx(expected, rel=0.11)


@pytest.mark.parametrize("variance", [1e-4, 0.02, 0.09, 0.11, 0.5, 2.0])
def test_deflections_have_the_mean_of_a_diffusion(variance: float) -> None:
    rng = np.random.default_rng(0)
    cosine = np.array([deflection(variance, rng) for _ in range(DRAWS)])
    assert np.abs(cosine).max() <= 1
    assert abs(cosine.mean() - math.exp(-variance)) < 4 * cosine.std() / DRAWS**0.5 + 0.1 * variance**2 * (variance < 0.1)


def test_emission_is_forward() -> None:
    rng = np.random.default_rng(0)
    angles = [emission_angle(1000.0, rng) for _ in range(DRAWS)]
    assert np.mean(angles) == pytest.approx((0.25 * 2 / 0.625 + 0.75 * 2 / 1.875) * MASS / 1000, rel=0.03)

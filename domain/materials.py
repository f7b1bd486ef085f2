"""Materials of detectors, and what a stack of them means to a shower."""

from __future__ import annotations

import math
from dataclasses import dataclass

SCALE_ENERGY = 21.2  # MeV, of multiple scattering, in Molière's radius


@dataclass(frozen=True)
class Material:
    """A material; density in g/cm³, radiation length X0 in g/cm²."""

    z: float
    a: float
    density: float
    x0: float

    @property
    def critical_energy(self) -> float:
        """Ec in MeV, where an electron loses as much by radiation as by ionisation."""
        return 2.66 * (self.x0 * self.z / self.a) ** 1.1


# Atomic weights, densities and radiation lengths: Particle Data Group, "Atomic and nuclear
# properties of materials". Liquid argon as in CaloGAN's detector, 1.390 instead of 1.396 g/cm³.
# Z and A of lead tungstate are means over its elements by weight.
LEAD = Material(z=82, a=207.2, density=11.35, x0=6.37)
LIQUID_ARGON = Material(z=18, a=39.95, density=1.390, x0=19.55)
LEAD_TUNGSTATE = Material(z=68.36, a=170.87, density=8.30, x0=7.39)


@dataclass(frozen=True)
class Medium:
    """What the formulas ask of a calorimeter.

    A homogeneous one is the limit of infinitely many periods (1/F = 0) with ê = 1: the sampling
    terms of the means vanish then, and only the widths and the spots have constants of their own.

    Attributes:
        z: effective atomic number.
        x0: radiation length in mm.
        critical_energy: Ec in MeV.
        moliere: Molière radius R_M in mm.
        frequency: F, how many periods of absorber and gap one X0 holds.
        e_hat: ê, the signal of an electron relative to that of a minimum ionising particle.
    """

    z: float
    x0: float
    critical_energy: float
    moliere: float
    frequency: float = math.inf
    e_hat: float = 1.0

    @property
    def sampling(self) -> bool:
        """Whether absorber and gap alternate."""
        return math.isfinite(self.frequency)


def homogeneous(material: Material) -> Medium:
    """The medium of a calorimeter of one material."""
    x0, ec = 10 * material.x0 / material.density, material.critical_energy
    return Medium(material.z, x0, ec, x0 * SCALE_ENERGY / ec)


def sampling(absorber: Material, gap: Material, thickness: tuple[float, float]) -> Medium:
    """The medium of alternating layers, ``thickness`` of absorber and of gap in mm.

    Means are by weight w: 1/X0 = Σ w/X0ᵢ and Ec/X0 = Σ w Ecᵢ/X0ᵢ.
    """
    parts = (absorber, gap)
    masses = [part.density * d for part, d in zip(parts, thickness)]
    weights = [mass / sum(masses) for mass in masses]
    density = sum(masses) / sum(thickness)
    z = sum(w * part.z for w, part in zip(weights, parts))
    x0 = 1 / sum(w / part.x0 for w, part in zip(weights, parts))
    ec = x0 * sum(w * part.critical_energy / part.x0 for w, part in zip(weights, parts))
    x0 *= 10 / density  # from g/cm² to mm
    e_hat = 1 / (1 + 0.007 * (absorber.z - gap.z))
    return Medium(z, x0, ec, x0 * SCALE_ENERGY / ec, x0 / sum(thickness), e_hat)

"""Materials of detectors, and what a stack of them means to a shower."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from domain.matter import MASS

SCALE_ENERGY = 21.2  # MeV, of multiple scattering, in Molière's radius


class Element(NamedTuple):
    """An element of a material; ``weight`` is its share of the mass."""

    z: float
    a: float
    weight: float


@dataclass(frozen=True)
class Material:
    """A material; density in g/cm³, radiation length X0 in g/cm², mean excitation energy I in eV.

    ``polarisation`` is a, k, x0, x1 and δ0 of Sternheimer, Berger and Seltzer's fit (1984) to the density effect;
    without, that of Sternheimer and Peierls (1971) asks for nothing but I and the density. Z and A of a compound
    are means over its elements by weight.
    """

    density: float
    x0: float
    excitation_energy: float
    elements: tuple[Element, ...]
    polarisation: tuple[float, float, float, float, float] | None = None

    @property
    def z(self) -> float:
        """Z, the mean by weight."""
        return sum(e.weight * e.z for e in self.elements)

    @property
    def a(self) -> float:
        """A, the mean by weight."""
        return sum(e.weight * e.a for e in self.elements)

    @property
    def critical_energy(self) -> float:
        """Ec in MeV, where an electron loses as much by radiation as by ionisation."""
        return 2.66 * (self.x0 * self.z / self.a) ** 1.1

    @property
    def excitation(self) -> float:
        """I in MeV."""
        return 1e-6 * self.excitation_energy

    @property
    def columns(self) -> tuple[list[float], list[float], list[float]]:
        """Z, A and weight of the elements."""
        z, a, weight = zip(*self.elements)
        return [float(each) for each in z], list(a), list(weight)

    def density_effect(self, kinetic: float) -> float:
        """δ for an electron of this kinetic energy in MeV, in condensed matter."""
        electrons = sum(e.weight * e.z / e.a for e in self.elements)
        plasma = 28.816 * math.sqrt(self.density * electrons)  # eV
        c = 2 * math.log(self.excitation_energy / plasma) + 1
        if self.polarisation is not None:
            slope, power, first, last, least = self.polarisation
        else:
            last, split, less = (2.0, 3.681, 1.0) if self.excitation_energy < 100 else (3.0, 5.215, 1.5)
            first = 0.2 if c < split else 0.326 * c - less
            slope, power, least = (c - 2 * math.log(10) * first) / (last - first) ** 3, 3.0, 0.0
        x = math.log10(math.sqrt(kinetic * (kinetic + 2 * MASS)) / MASS)
        if x < first:
            return least * 10 ** (2 * (x - first))
        return 2 * math.log(10) * x - c + (slope * (last - x) ** power if x < last else 0.0)


def element(z: float, a: float, density: float, x0: float, excitation_energy: float, *polarisation: float) -> Material:
    """A material of a single element."""
    return Material(density, x0, excitation_energy, (Element(z, a, 1.0),), polarisation or None)


# Atomic weights, densities, radiation lengths and mean excitation energies: Particle Data Group, "Atomic and
# nuclear properties of materials". Liquid argon as in CaloGAN's detector, 1.390 instead of 1.396 g/cm³.
LEAD = element(82, 207.2, 11.35, 6.37, 823.0, 0.09359, 3.1608, 0.3776, 3.8073, 0.14)
LIQUID_ARGON = element(18, 39.95, 1.390, 19.55, 188.0)
TUNGSTEN = element(74, 183.84, 19.30, 6.76, 727.0, 0.15509, 2.8447, 0.2167, 3.4960, 0.14)
SILICON = element(14, 28.0855, 2.329, 21.82, 173.0, 0.14921, 3.2546, 0.2015, 2.8716, 0.14)
IRON = element(26, 55.845, 7.874, 13.84, 286.0, 0.14680, 2.9632, -0.0012, 3.1531, 0.12)
COPPER = element(29, 63.546, 8.960, 12.86, 322.0, 0.14339, 2.9044, -0.0254, 3.2792, 0.08)
LEAD_TUNGSTATE = Material(
    8.30, 7.39, 600.7, (Element(8, 15.999, 0.140637), Element(74, 183.84, 0.404011), Element(82, 207.2, 0.455347))
)
POLYSTYRENE = Material(1.060, 43.79, 68.7, (Element(1, 1.008, 0.077418), Element(6, 12.011, 0.922582)))

MATERIALS = {
    "lead": LEAD,
    "liquid_argon": LIQUID_ARGON,
    "tungsten": TUNGSTEN,
    "silicon": SILICON,
    "iron": IRON,
    "copper": COPPER,
    "lead_tungstate": LEAD_TUNGSTATE,
    "polystyrene": POLYSTYRENE,
}


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

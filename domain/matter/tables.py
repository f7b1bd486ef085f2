"""What a particle meets on its way through a stack of materials, tabulated against its energy.

Interpolation is linear in ln E; sums over the elements of a material are made here, once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from domain.matter import AVOGADRO, MASS
from domain.matter.electrons import (
    ELECTRON,
    POSITRON,
    annihilation,
    bremsstrahlung,
    collision_loss,
    electrons,
    knock_on,
    scattering_constants,
)
from domain.matter.materials import Material
from domain.matter.photons import compton, pair, photoelectric

POINTS_A_DECADE = 40
NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)
SIGNS = (ELECTRON, POSITRON)


class Tables(NamedTuple):
    """Of M materials with up to K elements each, at G energies from the cut on; lengths in cm, energies in MeV.

    Attributes:
        first, step: ln E of the first energy, and between two.
        photons: probabilities a cm of Compton scattering, pair production and the photoelectric effect, (M, G, 3).
        most: the largest sum of these over materials, (G,).
        charged: the same of bremsstrahlung, knock-on and annihilation, (M, 2, G, 3), electrons first.
        loss: continuous loss in MeV/cm, (M, 2, G).
        pairs_by, photons_by: cumulated shares of the elements in pairs and in bremsstrahlung, (M, G, K).
        z: atomic number of each element, (M, K).
        strength, screening: of multiple scattering, (M,).
    """

    first: float
    step: float
    photons: np.ndarray
    most: np.ndarray
    charged: np.ndarray
    loss: np.ndarray
    pairs_by: np.ndarray
    photons_by: np.ndarray
    z: np.ndarray
    strength: np.ndarray
    screening: np.ndarray


def tabulate(materials: Sequence[Material], cut: float, highest: float) -> Tables:
    """Tables of these materials.

    Args:
        materials: in the order in which a stack counts them.
        cut: energy of photons, and kinetic energy of electrons, below which nothing is born, in MeV.
        highest: of any particle, in MeV.
    """
    count = math.ceil(POINTS_A_DECADE * math.log10(highest / cut)) + 2
    energies = np.geomspace(cut, 1.001 * highest, count)
    most = max(len(material.elements) for material in materials)
    parts = [_one(material, energies, cut, most) for material in materials]
    photons, charged, loss, pairs_by, photons_by, z = (np.stack(arrays) for arrays in zip(*parts))
    scatter = [scattering_constants(*material.columns, material.density) for material in materials]
    strength, screening = np.array(scatter).T.copy()
    first, last = math.log(energies[0]), math.log(energies[-1])
    step = (last - first) / (count - 1)
    return Tables(
        first, step, photons, photons.sum(2).max(0), charged, loss, pairs_by, photons_by, z, strength, screening
    )


def _one(material: Material, energies: np.ndarray, cut: float, most: int) -> tuple[np.ndarray, ...]:
    """The rows of one material."""
    atoms = [AVOGADRO * material.density * e.weight / e.a for e in material.elements]  # a cm³
    numbers = [float(e.z) for e in material.elements]

    def each(function: object, *arguments: float) -> np.ndarray:
        """Probability a cm by each element at each energy, (G, K)."""
        return np.array([[n * function(e, *arguments, z) for n, z in zip(atoms, numbers)] for e in energies])

    hard, soft = np.zeros((len(energies), len(numbers))), np.zeros((len(energies), len(numbers)))
    for k, (n, z) in enumerate(zip(atoms, numbers)):
        for g, kinetic in enumerate(energies):
            hard[g, k] = n * _photons(kinetic, cut, kinetic, z, 0)
            soft[g, k] = n * _photons(kinetic, 0.0, min(cut, kinetic), z, 1)
    pairs = each(pair)
    photons = np.stack([each(compton).sum(1), pairs.sum(1), each(photoelectric).sum(1)], 1)
    density = electrons(*material.columns, material.density)
    charged, loss = [], []
    for sign in SIGNS:
        knocks = np.array([density * knock_on(e, cut, 1.0, sign) for e in energies])
        annihilated = np.array([density * annihilation(e, 1.0) * (sign == POSITRON) for e in energies])
        charged.append(np.stack([hard.sum(1), knocks, annihilated], 1))
        collisions = [
            density * (collision_loss(e, sign, material.excitation, material.density_effect(e)) - _knocked(e, cut, sign))
            for e in energies
        ]
        loss.append(np.array(collisions) + soft.sum(1))
    z = np.pad(np.array(numbers), (0, most - len(numbers)), constant_values=1.0)
    shares = (_cumulated(array, most) for array in (pairs, hard))
    return photons, np.array(charged), np.array(loss), *shares, z


def _photons(kinetic: float, low: float, high: float, z: float, power: int) -> float:
    """∫ k^power dσ/dk dk over bremsstrahlung photons from ``low`` to ``high``."""
    if high <= low:
        return 0.0
    if low > 0:  # evenly in ln k
        span = math.log(high / low) / 2
        k = low * np.exp(span * (NODES + 1))
        jacobian = span * k
    else:
        k = high * (NODES + 1) / 2
        jacobian = np.full_like(k, high / 2)
    values = np.array([bremsstrahlung(each, kinetic + MASS, z) for each in k])
    return float((WEIGHTS * jacobian * values * k ** (power - 1)).sum())


def _knocked(kinetic: float, cut: float, sign: int) -> float:
    """∫ T dσ of the knock-on electrons above the cut an electron, by parts."""
    most = kinetic / 2 if sign == ELECTRON else kinetic
    if most <= cut:
        return 0.0
    span = math.log(most / cut) / 2
    cuts = cut * np.exp(span * (NODES + 1))
    above = np.array([knock_on(kinetic, c, 1.0, sign) for c in cuts])
    return cut * knock_on(kinetic, cut, 1.0, sign) + float((WEIGHTS * span * cuts * above).sum())


def _cumulated(by_element: np.ndarray, most: int) -> np.ndarray:
    """Cumulated shares (G, most); where nothing happens the first element stands for all."""
    total = by_element.sum(1, keepdims=True)
    shares = np.divide(by_element, total, out=np.ones_like(by_element), where=total > 0).cumsum(1)
    return np.pad(shares, ((0, 0), (0, most - by_element.shape[1])), constant_values=2.0)

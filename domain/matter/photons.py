"""Photons in matter: Compton scattering, pair production, the photoelectric effect.

Rayleigh scattering is left out: it takes no energy, and above 1 MeV it turns a photon by less than
multiple scattering turns the electrons around it. Pairs know neither the Landau–Pomeranchuk–Migdal
suppression, which begins at four times 7.7 TeV/cm · X0, 17 TeV in lead, nor the polarisation of photons.
"""

from __future__ import annotations

import math

from numba import njit
from numpy.random import Generator

from domain.matter import BARN, FINE_STRUCTURE, MASS, RADIUS

THRESHOLD = 2 * MASS


@njit(cache=True)
def compton(energy: float, z: float) -> float:
    """Klein and Nishina's cross-section on Z free electrons, cm² an atom."""
    k = energy / MASS
    log, wide = math.log(1 + 2 * k), 1 + 2 * k
    bracket = (1 + k) / k**2 * (2 * (1 + k) / wide - log / k) + log / (2 * k) - (1 + 3 * k) / wide**2
    return 2 * math.pi * RADIUS**2 * z * bracket


@njit(cache=True)
def scatter(energy: float, rng: Generator) -> tuple[float, float]:
    """Energy and cosine of a photon after Compton scattering.

    dσ/dε ∝ (1/ε + ε)(1 − ε sin²θ / (1 + ε²)), ε = E'/E: from 1/ε and ε in turn, with the bracket as rejection
    (Butcher & Messel 1960).
    """
    k = energy / MASS
    least = 1 / (1 + 2 * k)
    first = math.log(1 / least)
    second = 0.5 * (1 - least**2)
    while True:
        if rng.random() * (first + second) < first:
            share = math.exp(-first * rng.random())
        else:
            share = math.sqrt(least**2 + (1 - least**2) * rng.random())
        t = (1 - share) / (k * share)
        if rng.random() < 1 - share * t * (2 - t) / (1 + share**2):
            return share * energy, 1 - t


@njit(cache=True)
def pair(energy: float, z: float) -> float:
    """Pair production in the fields of nucleus and electrons, cm² an atom.

    A fit to Hubbell, Gimm and Øverbø (1980) within 5 % from 1.5 MeV to 100 GeV, as in the Geant4 Physics
    Reference Manual, "Bethe–Heitler model": Z (Z + 1) (F₁ + F₂ Z + F₃ / Z), Fₖ polynomials in ln(E/m).
    Below 1.5 MeV it falls to the threshold as (E − 2m)².
    """
    if energy <= THRESHOLD:
        return 0.0
    x = math.log(max(energy, 1.5) / MASS)
    f1 = 878.42 + x * (-1962.5 + x * (1294.9 + x * (-200.28 + x * (12.575 - x * 0.28333))))
    f2 = -10.342 + x * (17.692 + x * (-8.2381 + x * (1.3063 + x * (-0.090815 + x * 0.0023586))))
    f3 = -452.63 + x * (1116.1 + x * (-867.49 + x * (217.73 + x * (-20.467 + x * 0.65372))))
    value = 1e-6 * BARN * z * (z + 1) * (f1 + f2 * z + f3 / z)
    if energy < 1.5:
        value *= ((energy - THRESHOLD) / (1.5 - THRESHOLD)) ** 2
    return max(value, 0.0)


@njit(cache=True)
def coulomb(z: float) -> float:
    """The Coulomb correction f(Z) (Davies, Bethe & Maximon 1954)."""
    a = (FINE_STRUCTURE * z) ** 2
    return a * (1 / (1 + a) + 0.20206 - 0.0369 * a + 0.0083 * a**2 - 0.002 * a**3)


@njit(cache=True)
def screening(delta: float) -> tuple[float, float]:
    """Φ₁ and Φ₂ of Butcher and Messel (1960)."""
    if delta > 1:
        both = 21.12 - 4.184 * math.log(delta + 0.952)
        return both, both
    return 20.867 - delta * (3.242 - 0.625 * delta), 20.209 - delta * (1.930 + 0.086 * delta)


@njit(cache=True)
def split(energy: float, z: float, rng: Generator) -> float:
    """Total energy of one of a pair, whichever is the positron.

    Bethe and Heitler's spectrum with screening and the Coulomb correction, in the two parts of Butcher and
    Messel (1960); even below 2 MeV.
    """
    least = MASS / energy
    if energy < 2:
        share = least + (0.5 - least) * rng.random()
    else:
        unit = 136 * z ** (-1 / 3) * least
        shift = 8 / 3 * math.log(z) + (8 * coulomb(z) if energy > 50 else 0.0)
        lowest = 4 * unit
        highest = math.exp((42.24 - shift) / 8.368) - 0.952
        start = max(least, 0.5 - 0.5 * math.sqrt(max(0.0, 1 - lowest / highest)))
        one, two = screening(lowest)
        top1, top2 = 3 * one - two - shift, 1.5 * one + 0.5 * two - shift
        width = 0.5 - start
        first = width**2 * max(top1, 0.0)
        second = 1.5 * max(top2, 0.0)
        while True:
            if rng.random() * (first + second) < first:
                share = 0.5 - width * rng.random() ** (1 / 3)
                one, two = screening(unit / (share * (1 - share)))
                kept = (3 * one - two - shift) / top1
            else:
                share = start + width * rng.random()
                one, two = screening(unit / (share * (1 - share)))
                kept = (1.5 * one + 0.5 * two - shift) / top2
            if rng.random() < kept:
                break
    return (share if rng.random() < 0.5 else 1 - share) * energy


@njit(cache=True)
def photoelectric(energy: float, z: float) -> float:
    """The photoelectric effect on all shells, cm² an atom.

    ln(σ E / Z⁵) as a polynomial in Z/82 and u = 1/(1 + E/m), fitted to NIST's XCOM (doi:10.18434/T48G6X): within
    9 % of it for 4 ≤ Z ≤ 92 from 0.2 MeV to 1 GeV, within 3.4 % from Z = 6 and 0.3 MeV on.
    """
    u, x = 1 / (1 + energy / MASS), z / 82
    a = -20.433103 + u * (1.720852 + u * (2.99835 + u * (2.145 + u * 0.91029)))
    b = -1.791411 + u * (4.443735 + u * (-7.949229 + u * (3.942057 - u * 1.328191)))
    c = 0.545202 + u * (-1.438912 + u * (2.352229 + u * (-1.70463 + u * 0.512407)))
    return BARN * z**5 / energy * math.exp(a + x * (b + x * c))

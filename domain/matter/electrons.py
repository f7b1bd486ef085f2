"""Electrons and positrons in matter: bremsstrahlung, knock-on electrons, annihilation, energy loss, scattering.

Photons and knock-on electrons above a cut are born one by one; softer ones are part of a continuous loss.
Bremsstrahlung knows neither the Landau–Pomeranchuk–Migdal effect, which thins photons below E²/E_LPM (E_LPM is
4.3 TeV in lead: at 100 GeV, below 2.3 GeV by at most a third), nor the dielectric effect (below 10⁻⁴ E). The
continuous loss does not straggle.
"""

from __future__ import annotations

import math

from numba import njit
from numpy.random import Generator

from domain.matter import AVOGADRO, FINE_STRUCTURE, MASS, RADIUS
from domain.matter.photons import coulomb

ELECTRON, POSITRON = -1, 1
CORE = 0.98  # F, the part of the scattering angles that Lynch and Dahl's width describes


@njit(cache=True)
def bremsstrahlung(photon: float, energy: float, z: float) -> float:
    """k dσ/dk in cm² an atom, for a photon of energy k from an electron of total energy E.

    Tsai (1974), eqs. 3.80–3.83, with his fits to the screening functions of heavy atoms; the field of the
    electrons in the atom included. In heavy atoms at low energies the first Born approximation falls short;
    a factor of this project's own brings the radiative loss within 4 % of NIST's ESTAR from 1 MeV on.
    """
    after = energy - photon
    if after <= MASS:
        return 0.0
    y = photon / energy
    common = 100 * MASS * photon / (energy * after)
    g, e = common * z ** (-1 / 3), common * z ** (-2 / 3)
    phi = 16.863 - 2 * math.log(1 + 0.311877 * g**2) + 2.4 * math.exp(-0.9 * g) + 1.6 * math.exp(-1.5 * g)
    less_phi = 2 / 3 / (1 + 6.5 * g + 6 * g**2)
    psi = 24.34 - 2 * math.log(1 + 13.111641 * e**2) + 2.8 * math.exp(-8 * e) + 1.2 * math.exp(-29.2 * e)
    less_psi = 2 / 3 / (1 + 40 * e + 400 * e**2)
    log = math.log(z)
    nucleus = z**2 * (phi - 4 / 3 * log - 4 * coulomb(z))
    atom = z * (psi - 8 / 3 * log)
    shape = 4 / 3 - 4 / 3 * y + y**2
    value = shape * (nucleus + atom) + 2 / 3 * (1 - y) * (z**2 * less_phi + z * less_psi)
    low = MASS / (energy - MASS)
    beyond_born = 1 + (FINE_STRUCTURE * z) ** 2 * 3.9 * low / (1 + 0.65 * low)
    return FINE_STRUCTURE * RADIUS**2 * max(value, 0.0) * beyond_born


@njit(cache=True)
def photon_of(energy: float, cut: float, z: float, rng: Generator) -> float:
    """A bremsstrahlung photon above the cut, from an electron of total energy E: from 1/k with rejection.

    k dσ/dk is largest at the cut, but for the rise of its last tenth, which stays below.
    """
    most = energy - MASS
    top = 1.05 * bremsstrahlung(cut, energy, z)
    log = math.log(most / cut)
    while True:
        k = cut * math.exp(log * rng.random())
        if rng.random() * top < bremsstrahlung(k, energy, z):
            return k


@njit(cache=True)
def emission_angle(energy: float, rng: Generator) -> float:
    """The angle in radians of a bremsstrahlung photon, or of a pair's leg, of total energy E (Tsai's, simplified).

    u = θ E/m from ¼ a² u e^{−au} + ¾ (3a)² u e^{−3au} with a = 0.625, as in Geant4.
    """
    rate = 0.625 if rng.random() < 0.25 else 1.875
    u = -math.log(rng.random() * rng.random() + 1e-300) / rate
    return min(u * MASS / energy, math.pi)


@njit(cache=True)
def knock_on(kinetic: float, cut: float, z: float, charge: int) -> float:
    """Møller's (electron) and Bhabha's (positron) cross-section for a knock-on above the cut, cm² an atom."""
    x = cut / kinetic
    if x >= (0.5 if charge == ELECTRON else 1.0):
        return 0.0
    gamma = 1 + kinetic / MASS
    beta2 = 1 - 1 / gamma**2
    common = 2 * math.pi * RADIUS**2 * z / (gamma - 1)
    if charge == ELECTRON:
        bracket = ((gamma - 1) / gamma) ** 2 * (0.5 - x) + 1 / x - 1 / (1 - x)
        bracket -= (2 * gamma - 1) / gamma**2 * math.log((1 - x) / x)
        return common / beta2 * bracket
    b1, b2, b3, b4 = bhabha(gamma)
    bracket = (1 / x - 1) / beta2 + b1 * math.log(x) + b2 * (1 - x)
    bracket += -b3 / 2 * (1 - x**2) + b4 / 3 * (1 - x**3)
    return common * bracket


@njit(cache=True)
def bhabha(gamma: float) -> tuple[float, float, float, float]:
    """B₁ … B₄ of Bhabha's formula, dσ/dε ∝ 1/(β²ε²) − B₁/ε + B₂ − B₃ε + B₄ε²."""
    y = 1 / (gamma + 1)
    b4 = (1 - 2 * y) ** 3
    return 2 - y**2, (1 - 2 * y) * (3 + y**2), b4 + (1 - 2 * y) ** 2, b4


@njit(cache=True)
def knock(kinetic: float, cut: float, charge: int, rng: Generator) -> float:
    """Kinetic energy of a knock-on electron above the cut; from 1/ε² with rejection."""
    gamma, least = 1 + kinetic / MASS, cut / kinetic
    beta2, most = 1 - 1 / gamma**2, 0.5 if charge == ELECTRON else 1.0
    b1, b2, b3, b4 = bhabha(gamma)
    top = (9 * gamma**2 - 10 * gamma + 5) / 4 if charge == ELECTRON else 1.0
    while True:
        e = 1 / (1 / least + (1 / most - 1 / least) * rng.random())
        if charge == ELECTRON:
            far = e / (1 - e)
            value = (gamma - 1) ** 2 * e**2 + gamma**2 * (1 + far**2) - (2 * gamma - 1) * (e + e * far)
        else:
            value = 1 - beta2 * e * (b1 - e * (b2 - e * (b3 - e * b4)))
        if rng.random() * top < value:
            return e * kinetic


@njit(cache=True)
def annihilation(kinetic: float, z: float) -> float:
    """Annihilation in flight into two photons (Heitler), cm² an atom."""
    gamma = 1 + kinetic / MASS
    root = math.sqrt(gamma**2 - 1)
    bracket = (gamma**2 + 4 * gamma + 1) / (gamma**2 - 1) * math.log(gamma + root) - (gamma + 3) / root
    return math.pi * RADIUS**2 * z / (gamma + 1) * bracket


@njit(cache=True)
def annihilate(kinetic: float, rng: Generator) -> tuple[float, float]:
    """Share of the total energy T + 2m that one photon takes, and the cosine of its angle."""
    gamma = 1 + kinetic / MASS
    reach = math.sqrt((gamma - 1) / (gamma + 1))
    least, most = 0.5 * (1 - reach), 0.5 * (1 + reach)
    while True:
        e = least * math.exp(math.log(most / least) * rng.random())
        if rng.random() < 1 - e + (2 * gamma - 1 / e) / (gamma + 1) ** 2:
            cosine = (e * (gamma + 1) - 1) / (e * math.sqrt(gamma**2 - 1))
            return e, min(1.0, max(-1.0, cosine))


@njit(cache=True)
def collision_loss(kinetic: float, charge: int, excitation: float, density_effect: float) -> float:
    """Mean energy loss by collisions with electrons, all of them, times cm² and an electron: MeV cm².

    Berger and Seltzer, ICRU report 37 (1984); without shell corrections.

    Args:
        kinetic: in MeV.
        charge: ``ELECTRON`` or ``POSITRON``.
        excitation: the mean excitation energy I in MeV.
        density_effect: δ.
    """
    tau = kinetic / MASS
    gamma = tau + 1
    beta2 = 1 - 1 / gamma**2
    if charge == ELECTRON:
        last = (1 - beta2) * (1 + tau**2 / 8 - (2 * tau + 1) * math.log(2))
    else:
        w = 1 / (tau + 2)
        last = 2 * math.log(2) - beta2 / 12 * (23 + w * (14 + w * (10 + 4 * w)))
    bracket = 2 * math.log(kinetic / excitation) + math.log(1 + tau / 2) + last - density_effect
    return 2 * math.pi * RADIUS**2 * MASS / beta2 * bracket


@njit(cache=True)
def scattering(step: float, kinetic: float, strength: float, log_screening: float) -> float:
    """Variance of the angle in one plane after a step, in rad² (Lynch & Dahl 1991, eq. 7).

    Args:
        step: in cm.
        kinetic: in MeV.
        strength: χ_c² (pβ)² a cm, in MeV².
        log_screening: ln(χ_α² p²), in MeV², without the Born correction's 1/β².
    """
    total = kinetic + MASS
    p2 = kinetic * (kinetic + 2 * MASS)
    chi = strength * step * (total / p2) ** 2
    omega = chi * p2 / math.exp(log_screening)
    v = 0.5 * omega / (1 - CORE)
    if v < 1e-6:
        return 0.0
    return chi / (1 + CORE**2) * ((1 + v) / v * math.log(1 + v) - 1)


@njit(cache=True)
def deflection(variance: float, rng: Generator) -> float:
    """The cosine of a scattering angle, for a variance in one plane; exp(a cos θ) on the sphere.

    Where angles are small that is a Gaussian; its mean cosine is e^{−variance}, that of a diffusion on the sphere.
    """
    if variance <= 0:
        return 1.0
    a = 1 / variance if variance < 0.1 else concentration(variance)
    u = rng.random()
    if a > 300:
        return 1 + math.log(1 - u + 1e-300) / a
    return 1 + math.log(u + (1 - u) * math.exp(-2 * a)) / a


@njit(cache=True)
def concentration(variance: float) -> float:
    """The a for which coth a − 1/a = e^{−variance}, by Newton's method."""
    mean = math.exp(-variance)
    a = mean * (3 - mean**2) / (1 - mean**2)
    for _ in range(4):
        value = 1 / math.tanh(a) - 1 / a - mean
        slope = 1 / a**2 - 1 / math.sinh(min(a, 300.0)) ** 2
        a -= value / slope
    return a


def scattering_constants(z: list[float], a: list[float], weight: list[float], density: float) -> tuple[float, float]:
    """``strength`` and ``log_screening`` of a mixture for :func:`scattering`.

    χ_c² = 0.157 Σ wZ(Z+1)/A · x/(pβ)² and χ_α² = 2.007e-5 Z^⅔ (1 + 3.34 (αZ)²)/p², the latter's
    logarithm averaged with the same weights (Lynch & Dahl 1991, eqs. 2 and 3).
    """
    strengths = [w * zz * (zz + 1) / aa for zz, aa, w in zip(z, a, weight)]
    logs = [math.log(2.007e-5 * zz ** (2 / 3) * (1 + 3.34 * (FINE_STRUCTURE * zz) ** 2)) for zz in z]
    total = sum(strengths)
    return 0.157 * density * total, sum(s * log for s, log in zip(strengths, logs)) / total


def electrons(z: list[float], a: list[float], weight: list[float], density: float) -> float:
    """Electrons in a cm³."""
    return AVOGADRO * density * sum(w * zz / aa for zz, aa, w in zip(z, a, weight))

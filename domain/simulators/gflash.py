"""GFLASH: electromagnetic showers from formulas instead of from every particle in turn.

Grindhammer and Peters 1993, hep-ex/0001020, write the mean energy density of a shower as

    dE(t, r, φ) = E f(t) dt f(r) dr dφ / 2π,     f(t) = (βt)^(α−1) β e^(−βt) / Γ(α),

and give, fitted to full simulation, how its parameters depend on energy and material and how they
fluctuate from shower to shower. Depth t is in radiation lengths X0, radius r in Molière radii R_M,
energy E in GeV. T = (α − 1)/β is the depth of the maximum, and τ = t/T.

The detector is CaloGAN's: 80 times 2 mm of lead and 4 mm of liquid argon, read out in three layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from torch import Generator, Tensor

from domain.config import Config, NonNegative, Range
from domain.errors import InputError
from domain.geometry import CALOGAN, Calorimeter
from domain.matter.materials import LEAD, LIQUID_ARGON, Medium, sampling
from domain.randomness import torch_generator
from domain.samples import About, Samples

STEP = 0.25  # X0; finer than one pair of lead and argon, 0.38 X0
CHUNK = 2**18  # spots placed at once


LEAD_ARGON = sampling(LEAD, LIQUID_ARGON, (2.0, 4.0))
EDGES = torch.arange(0, CALOGAN.depths[-1] / LEAD_ARGON.x0 + STEP, STEP)  # X0, from the shower's start


class Profile(NamedTuple):
    """A shower along its depth: ``T`` in X0 and ``alpha``, each (N,)."""

    T: Tensor
    alpha: Tensor

    def within(self, edges: Tensor) -> Tensor:
        """The fraction between neighbouring depths in X0, the integral of f: (K + 1,) gives (N, K)."""
        beta = (self.alpha - 1) / self.T
        before = torch.special.gammainc(self.alpha[:, None], beta[:, None] * edges)
        return before.diff().clamp(min=0)  # rounding can make a tail's step negative


class Law(NamedTuple):
    """How ln T and ln α scatter over showers: two correlated normal laws, each field (N,)."""

    ln_T: Tensor
    sigma_T: Tensor
    ln_alpha: Tensor
    sigma_alpha: Tensor
    rho: Tensor

    def draw(self, generator: Generator) -> Profile:
        """One profile for each shower.

        At 1 GeV one draw in 1200 has α ≤ 1, so no maximum; α is therefore kept at 1.1 or above.
        """
        z1, z2 = torch.randn(2, *self.ln_T.shape, generator=generator, dtype=self.ln_T.dtype)
        along, across = ((1 + self.rho) / 2).sqrt() * z1, ((1 - self.rho) / 2).sqrt() * z2
        T = (self.ln_T + self.sigma_T * (along + across)).exp()
        alpha = (self.ln_alpha + self.sigma_alpha * (along - across)).exp()
        return Profile(T, alpha.clamp(min=1.1))


def average_profile(energy: Tensor, medium: Medium) -> Profile:
    """The mean over many showers; ``energy`` (N,) in GeV."""
    L = (1000 * energy / medium.critical_energy).log()
    T = L - 0.858 - 0.59 / medium.frequency - 0.53 * (1 - medium.e_hat)
    return Profile(T, 0.21 + (0.492 + 2.38 / medium.z) * L - 0.444 / medium.frequency)


def individual_law(energy: Tensor, medium: Medium) -> Law:
    """The law of single showers; ``energy`` (N,) in GeV."""
    L = (1000 * energy / medium.critical_energy).log()
    ln_T = (L - 0.812 - 0.55 / medium.frequency - 0.69 * (1 - medium.e_hat)).log()
    ln_alpha = (0.81 + (0.458 + 2.26 / medium.z) * L - 0.476 / medium.frequency).log()
    if medium.sampling:
        return Law(ln_T, 1 / (1.25 * L - 2.5), ln_alpha, 1 / (0.79 * L - 0.82), 0.784 - 0.023 * L)
    return Law(ln_T, 1 / (1.26 * L - 1.4), ln_alpha, 1 / (0.86 * L - 0.58), 0.705 - 0.023 * L)


class Radial(NamedTuple):
    """A shower across its axis at some depth: a core and a tail, of one shape.

    f(r) = p 2rR_C²/(r² + R_C²)² + (1 − p) 2rR_T²/(r² + R_T²)²

    Attributes:
        core: R_C in R_M.
        tail: R_T in R_M.
        p: the fraction of the energy in the core.
    """

    core: Tensor
    tail: Tensor
    p: Tensor

    def enclosed(self, r: float) -> Tensor:
        """The fraction of the energy within ``r`` Molière radii."""
        return self.p * r**2 / (r**2 + self.core**2) + (1 - self.p) * r**2 / (r**2 + self.tail**2)


def scaled_depth(t: Tensor, profile: Profile, law: Law) -> Tensor:
    """τ of single showers at depths in X0, (K,) to (N, K).

    τ = t/⟨t⟩ · ᾱ/(ᾱ − 1), where ⟨t⟩ = αT/(α − 1) is the shower's own mean depth and ᾱ = e^⟨ln α⟩.
    """
    mean = profile.alpha * profile.T / (profile.alpha - 1)
    alpha = law.ln_alpha.exp()
    return t * (alpha / (alpha - 1) / mean)[:, None]


def radial_profile(energy: Tensor, tau: Tensor, medium: Medium) -> Radial:
    """The mean radial profile at scaled depth τ; ``energy`` in GeV, broadcast against ``tau``."""
    z, ln_E, less = medium.z, energy.log(), 1 - medium.e_hat
    early = (-tau).exp() / medium.frequency
    core = 0.0251 + 0.00319 * ln_E + (0.1162 - 0.000381 * z) * tau
    core = core - 0.0203 * less + 0.0397 * early
    falling = (-2.59 * (tau - 0.645)).exp()
    rising = ((0.3585 + 0.0421 * ln_E) * (tau - 0.645)).exp()
    tail = (0.659 - 0.00309 * z) * (falling + rising) - 0.14 * less - 0.495 * early
    x = (0.401 + 0.00187 * z - tau) / (1.313 - 0.0686 * ln_E)
    p = (2.632 - 0.00094 * z) * (x - x.exp()).exp()
    p = p + less * (0.348 - 0.642 * (-((tau - 1) ** 2)).exp() / medium.frequency)
    return Radial(core.clamp(min=1e-3), tail.clamp(min=1e-3), p.clamp(0, 1))


def spot_count(energy: Tensor, medium: Medium, resolution: float) -> Tensor:
    """How many spots of energy make up a shower.

    Args:
        energy: (N,) in GeV.
        medium: the calorimeter.
        resolution: c in σ/E = c/√E, √GeV; a homogeneous calorimeter does not ask for it.
    """
    if medium.sampling:
        return 10.3 / resolution * energy**0.959
    return 93 * math.log(medium.z) * energy**0.876


def spot_profile(profile: Profile, medium: Medium) -> Profile:
    """How the number of spots runs along the depth, for showers with this profile of energy."""
    z = medium.z
    if medium.sampling:
        return Profile(profile.T * (0.813 + 0.0019 * z), profile.alpha * (0.844 + 0.0026 * z))
    return Profile(profile.T * (0.698 + 0.00212 * z), profile.alpha * (0.639 + 0.00334 * z))


def sampled(energy: Tensor, resolution: float, generator: Generator) -> Tensor:
    """Visible energies, gamma-distributed about ``energy`` (GeV) so that σ = c √E.

    Gamma variables of one scale c² add up to one of the same scale: the law holds for a step, a
    layer and a shower alike.
    """
    scale = resolution**2
    # torch.distributions.Gamma draws from this very function but lets no generator through.
    return torch._standard_gamma(energy / scale, generator=generator) * scale


def cell_of(x: Tensor, y: Tensor, z: Tensor, calorimeter: Calorimeter) -> Tensor:
    """The flat index of the cell around each point, ``calorimeter.cells`` for a point outside all.

    Args:
        x, y: (M,) across the beam, in mm.
        z: (M,) along it from the front face, in mm.
        calorimeter: where the cells are.
    """
    layer = torch.bucketize(z, torch.tensor(calorimeter.depths[1:]), right=True)
    behind = (1, 1)
    rows, columns = torch.tensor([*calorimeter.shapes, behind]).T
    first = torch.tensor([part.start for part in calorimeter.slices] + [calorimeter.cells])
    row = (x / calorimeter.width + 0.5).mul(rows[layer]).floor().long()
    column = (y / calorimeter.width + 0.5).mul(columns[layer]).floor().long()
    inside = (row >= 0) & (row < rows[layer]) & (column >= 0) & (column < columns[layer])
    inside &= layer < len(calorimeter.shapes)
    return torch.where(inside, first[layer] + row * columns[layer] + column, calorimeter.cells)


def deposit(
    energy: Tensor, spots: Tensor, radial: Radial, start: Tensor, medium: Medium, generator: Generator
) -> Tensor:
    """Scatter the energy of each step of depth over its spots, and the spots over CaloGAN's cells.

    Args:
        energy: (N, K) in each step of ``STEP`` X0, in GeV.
        spots: (N, K) int, over how many equal spots.
        radial: (N, K), where they fall across the axis.
        start: (N,) depth where the showers start, in X0.
        medium: lends its X0 and R_M.
        generator: draws the places.

    Returns:
        (N, 504) in MeV. What falls outside the cells is lost.
    """
    count, steps = energy.shape
    step = torch.repeat_interleave(torch.arange(count * steps), spots.flatten())
    along, kind, across, turn = torch.rand(4, len(step), generator=generator)
    shower = step // steps
    z = (start[shower] + STEP * (step % steps + along)) * medium.x0
    core, tail, p = (field.flatten()[step] for field in radial)
    r = medium.moliere * torch.where(kind < p, core, tail) * (across / (1 - across)).sqrt()
    angle = 2 * math.pi * turn
    cell = cell_of(r * angle.cos(), r * angle.sin(), z, CALOGAN)
    bins = CALOGAN.cells + 1
    each = (1000 * energy / spots).flatten()[step]
    return torch.bincount(shower * bins + cell, each, count * bins).view(count, bins)[:, :-1]


@dataclass(frozen=True)
class GFlash(Config):
    """Showers of single electrons or photons in CaloGAN's calorimeter, by GFLASH.

    Attributes:
        particle: ``eplus`` starts its shower at the front face, ``gamma`` after an exponential
            path of mean 9/7 X0, where it turns into a pair.
        energy: lowest and highest kinetic energy in GeV, drawn uniformly. Below 1 GeV the widths
            of ln T and ln α run away.
        resolution: c in σ/E = c/√E, in √GeV; it also sets the number of spots. Geant4's own GFLASH
            takes 0.11 for a sampling calorimeter.
        scoring: ``active`` reads the liquid argon alone, scaled to the incident energy, so the
            total scatters with the resolution; ``total`` adds up lead and argon as CaloGAN does,
            so the total falls short of the incident energy by leakage alone.
        threshold: cells below it read zero, in MeV.
    """

    particle: Literal["eplus", "gamma"] = "eplus"
    energy: tuple[float, float] = (1.0, 100.0)
    resolution: Annotated[float, Range(0.01, 0.3)] = 0.11
    scoring: Literal["active", "total"] = "active"
    threshold: NonNegative = 1.0

    shard: ClassVar[int] = 5000

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.energy
        if not 1 <= low <= high <= 1000:
            raise InputError(f"GFlash.energy: is [{low:g}, {high:g}], must rise within 1 to 1000 GeV")

    def about(self) -> About:
        """Flat showers of 504 cells in MeV, with the incident energy in GeV."""
        return About(
            kind="shower",
            range=(0.0, 2000 * self.energy[1]),  # twice the beam's, for the sampling fluctuation
            condition=("energy",),
            units=("GeV",),
            producer="simulators.gflash",
            parameters=self.as_dict(),
        )

    def simulate(self, count: int, seed: int) -> Samples:
        """``count`` showers, (count, 504) float32 in MeV; see :data:`domain.geometry.CALOGAN`."""
        generator = torch_generator(seed, "gflash")
        low, high = self.energy
        energy = low + (high - low) * torch.rand(count, generator=generator)
        x = self.showers(energy, generator)
        return Samples(x=x.numpy(), condition=energy[:, None].numpy(), about=self.about())

    def showers(self, energy: Tensor, generator: Generator) -> Tensor:
        """One shower for each kinetic energy in GeV, (N,) to (N, 504) in MeV."""
        most = spot_count(torch.tensor(self.energy[1]), LEAD_ARGON, self.resolution) + len(EDGES)
        chunks = energy.split(max(1, int(CHUNK / most)))
        return torch.cat([self._few(chunk, generator) for chunk in chunks])

    def _few(self, energy: Tensor, generator: Generator) -> Tensor:
        """As :meth:`showers`, all spots held at once."""
        start = torch.zeros_like(energy)
        if self.particle == "gamma":
            start.exponential_(7 / 9, generator=generator)
        law = individual_law(energy, LEAD_ARGON)
        profile = law.draw(generator)
        steps = energy[:, None] * profile.within(EDGES)
        if self.scoring == "active":
            steps = sampled(steps, self.resolution, generator)
        spots = spot_count(energy, LEAD_ARGON, self.resolution)[:, None]
        spots = spots * spot_profile(profile, LEAD_ARGON).within(EDGES)
        spots = spots.round().clamp(min=1).long()  # no step may lose its energy for want of a spot
        tau = scaled_depth((EDGES[1:] + EDGES[:-1]) / 2, profile, law)
        radial = radial_profile(energy[:, None], tau, LEAD_ARGON)
        x = deposit(steps, spots, radial, start, LEAD_ARGON, generator)
        return torch.where(x >= self.threshold, x, 0.0)

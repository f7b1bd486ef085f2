"""Particles on their way through a block: one after the other, until none is left above the cut.

Particles move in straight steps: a photon to its next Compton scattering, pair or photoelectric effect (by
Woodcock's method: distances are drawn in the densest material, and undone in the others); an electron to its next
bremsstrahlung, knock-on or annihilation, losing energy and turning as it goes. A step of an electron has a hinge at
a random place, where it turns and leaves its energy (Fernández-Varea et al. 1993), and ends at a boundary at the
latest. What falls below the cut leaves its energy where it is; a positron leaves the two rest masses of its
annihilation as well. So energy is conserved: deposits and leakage add up to what came in.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.random import Generator

from domain.matter import MASS
from domain.matter.electrons import (
    ELECTRON,
    POSITRON,
    annihilate,
    deflection,
    emission_angle,
    knock,
    photon_of,
    scattering,
)
from domain.matter.photons import scatter, split
from domain.matter.tables import Tables

PHOTON = 0
LONGEST = 0.15  # of its energy that an electron loses in one step at most
HALF_WIDTH = 50.0  # cm; what leaves the block sideways is lost
STACK = 4096  # particles that wait at once; a 1 TeV shower needs some 200


class Block(NamedTuple):
    """A stack of slabs and its cells, in cm.

    Attributes:
        faces: z of the slabs' faces, (S + 1,).
        material: of each slab, its place in the tables, (S,).
        active: whether each slab is read out, (S,).
        layers: z where read-out layers end, (L,).
        rows, columns, first: of each layer's cells, and its first cell, (L,).
        width: of the read-out square.
    """

    faces: np.ndarray
    material: np.ndarray
    active: np.ndarray
    layers: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    first: np.ndarray
    width: float


class Shower(NamedTuple):
    """Where the energy of one shower went, in MeV.

    Attributes:
        total: in each cell, (C,).
        active: in each cell's active material, (C,).
        beside: in each layer, outside of all cells, (L,).
        leaked: through the front, the back and the sides, (3,).
    """

    total: np.ndarray
    active: np.ndarray
    beside: np.ndarray
    leaked: np.ndarray


@njit(cache=True)
def _at(tables: Tables, energy: float) -> tuple[int, float]:
    """Where an energy lies in the tables: the point below, and how far to the next."""
    place = (math.log(energy) - tables.first) / tables.step
    g = min(max(int(place), 0), len(tables.most) - 2)
    return g, place - g


@njit(cache=True)
def _drawn(row: np.ndarray, rng: Generator) -> int:
    """Which of cumulated shares."""
    u, k = rng.random(), 0
    while k < len(row) - 1 and u > row[k]:
        k += 1
    return k


@njit(cache=True)
def _turned(u: float, v: float, w: float, cosine: float, rng: Generator) -> tuple[float, float, float]:
    """A direction turned by an angle, at a random azimuth."""
    phi = 2 * math.pi * rng.random()
    sine = math.sqrt(max(0.0, 1 - cosine * cosine))
    a, b = sine * math.cos(phi), sine * math.sin(phi)
    side = math.sqrt(u * u + v * v)
    if side < 1e-9:
        return a, b, cosine if w > 0 else -cosine
    x = u * cosine + (a * u * w - b * v) / side
    y = v * cosine + (a * v * w + b * u) / side
    z = w * cosine - a * side
    norm = 1 / math.sqrt(x * x + y * y + z * z)
    return x * norm, y * norm, z * norm


@njit(cache=True)
def _deposit(energy: float, x: float, y: float, z: float, slab: int, block: Block, shower: Shower) -> None:
    layer = 0
    while layer < len(block.layers) - 1 and z >= block.layers[layer]:
        layer += 1
    row = math.floor((x / block.width + 0.5) * block.rows[layer])
    column = math.floor((y / block.width + 0.5) * block.columns[layer])
    if 0 <= row < block.rows[layer] and 0 <= column < block.columns[layer]:
        cell = block.first[layer] + row * block.columns[layer] + column
        shower.total[cell] += energy
        if block.active[slab]:
            shower.active[cell] += energy
    else:
        shower.beside[layer] += energy


@njit(cache=True)
def _outside(x: float, y: float, z: float, block: Block) -> int:
    """0, 1 or 2 beyond the front, the back or a side; −1 inside."""
    if z < 0:
        return 0
    if z >= block.faces[-1]:
        return 1
    return 2 if max(abs(x), abs(y)) > HALF_WIDTH else -1


@njit(cache=True)
def _slab(z: float, block: Block) -> int:
    return min(max(np.searchsorted(block.faces, z, side="right") - 1, 0), len(block.material) - 1)


@njit(cache=True)
def _push(
    stack: np.ndarray, size: int, kind: int, energy: float, place: np.ndarray, u: float, v: float, w: float,
    cut: float, block: Block, shower: Shower,
) -> int:
    """Put a new particle on the stack; below the cut its energy stays here."""
    if energy >= cut:
        stack[size, 0], stack[size, 1] = kind, energy
        stack[size, 2:5] = place
        stack[size, 5], stack[size, 6], stack[size, 7] = u, v, w
        return size + 1
    if kind == POSITRON:
        energy += 2 * MASS
    _deposit(energy, place[0], place[1], place[2], _slab(place[2], block), block, shower)
    return size


@njit(cache=True)
def follow(kind: int, energy: float, cut: float, block: Block, tables: Tables, shower: Shower, rng: Generator) -> None:
    """Let one particle enter the block along z at x = y = 0, and add its shower to ``shower``.

    Args:
        kind: ``PHOTON``, ``ELECTRON`` or ``POSITRON``.
        energy: kinetic, in MeV.
        cut: in MeV, the one that the tables were made with.
        block: what it enters.
        tables: of the block's materials.
        shower: where the energy goes.
        rng: draws everything.
    """
    stack = np.empty((STACK, 8))
    place = np.zeros(3)
    size = _push(stack, 0, kind, energy, place, 0.0, 0.0, 1.0, cut, block, shower)
    while size > 0:
        size -= 1
        kind, energy = int(stack[size, 0]), stack[size, 1]
        place[:] = stack[size, 2:5]
        u, v, w = stack[size, 5], stack[size, 6], stack[size, 7]
        if kind == PHOTON:
            size = _photon(energy, place, u, v, w, stack, size, cut, block, tables, shower, rng)
        else:
            size = _charged(kind, energy, place, u, v, w, stack, size, cut, block, tables, shower, rng)


@njit(cache=True)
def _photon(
    energy: float, place: np.ndarray, u: float, v: float, w: float, stack: np.ndarray, size: int, cut: float,
    block: Block, tables: Tables, shower: Shower, rng: Generator,
) -> int:
    """Follow a photon to its end; the stack's new size."""
    g, f = _at(tables, energy)
    most = tables.most[g] + f * (tables.most[g + 1] - tables.most[g])
    while True:
        path = -math.log(1 - rng.random()) / most
        place[0] += path * u
        place[1] += path * v
        place[2] += path * w
        side = _outside(place[0], place[1], place[2], block)
        if side >= 0:
            shower.leaked[side] += energy
            return size
        material = block.material[_slab(place[2], block)]
        here, there = tables.photons[material, g], tables.photons[material, g + 1]
        compton = here[0] + f * (there[0] - here[0])
        pair = here[1] + f * (there[1] - here[1])
        electric = here[2] + f * (there[2] - here[2])
        chance = rng.random() * most
        if chance < compton + pair + electric:
            break
    if chance < compton:
        after, cosine = scatter(energy, rng)
        kinetic = energy - after
        x, y, z = _turned(u, v, w, cosine, rng)
        size = _push(stack, size, PHOTON, after, place, x, y, z, cut, block, shower)
        # the electron's momentum is what the photon has lost
        x, y, z = energy * u - after * x, energy * v - after * y, energy * w - after * z
        norm = math.sqrt(x * x + y * y + z * z)
        if norm > 0:
            x, y, z = x / norm, y / norm, z / norm
        return _push(stack, size, ELECTRON, kinetic, place, x, y, z, cut, block, shower)
    if chance < compton + pair:
        element = _drawn(tables.pairs_by[material, g], rng)
        total = split(energy, tables.z[material, element], rng)
        for charge, leg in ((ELECTRON, total), (POSITRON, energy - total)):
            x, y, z = _turned(u, v, w, math.cos(emission_angle(leg, rng)), rng)
            size = _push(stack, size, charge, leg - MASS, place, x, y, z, cut, block, shower)
        return size
    return _push(stack, size, ELECTRON, energy, place, u, v, w, cut, block, shower)


@njit(cache=True)
def _charged(
    kind: int, energy: float, place: np.ndarray, u: float, v: float, w: float, stack: np.ndarray, size: int,
    cut: float, block: Block, tables: Tables, shower: Shower, rng: Generator,
) -> int:
    """Follow an electron or a positron to its end; the stack's new size."""
    sign = 0 if kind == ELECTRON else 1
    slab = _slab(place[2], block)
    while True:
        material = block.material[slab]
        g, f = _at(tables, energy)
        here, there = tables.charged[material, sign, g], tables.charged[material, sign, g + 1]
        brems = here[0] + f * (there[0] - here[0])
        knocks = here[1] + f * (there[1] - here[1])
        hard = brems + knocks + here[2] + f * (there[2] - here[2])
        loss = tables.loss[material, sign, g]
        loss += f * (tables.loss[material, sign, g + 1] - loss)
        free = -math.log(1 - rng.random()) / hard if hard > 0 else math.inf
        step = min(free, LONGEST * energy / loss, _to_face(place[2], w, slab, block))
        before = rng.random() * step
        for axis, along in ((0, u), (1, v), (2, w)):
            place[axis] += before * along
        variance = scattering(step, energy, tables.strength[material], tables.screening[material])
        hinge_x, hinge_y, hinge_z = place[0], place[1], place[2]
        u, v, w = _turned(u, v, w, deflection(variance, rng), rng)
        after, face = step - before, _to_face(place[2], w, slab, block)
        crosses = face <= after
        after = min(after, face)
        for axis, along in ((0, u), (1, v), (2, w)):
            place[axis] += after * along
        lost = min(energy, loss * (before + after))
        _deposit(lost, hinge_x, hinge_y, hinge_z, slab, block, shower)
        energy -= lost
        if energy < cut:
            if kind == POSITRON:
                energy += 2 * MASS
            _deposit(energy, place[0], place[1], place[2], slab, block, shower)
            return size
        if crosses:
            slab += 1 if w > 0 else -1
            if not 0 <= slab < len(block.material):
                shower.leaked[1 if w > 0 else 0] += energy + (2 * MASS if kind == POSITRON else 0.0)
                return size
            place[2] = block.faces[slab] if w > 0 else block.faces[slab + 1]
            continue
        if max(abs(place[0]), abs(place[1])) > HALF_WIDTH:
            shower.leaked[2] += energy + (2 * MASS if kind == POSITRON else 0.0)
            return size
        if before + after < free:
            continue
        chance = rng.random() * hard
        if chance < brems:
            if energy <= cut:
                continue
            z = tables.z[material, _drawn(tables.photons_by[material, g], rng)]
            photon = photon_of(energy + MASS, cut, z, rng)
            x, y, t = _turned(u, v, w, math.cos(emission_angle(energy + MASS, rng)), rng)
            size = _push(stack, size, PHOTON, photon, place, x, y, t, cut, block, shower)
            energy -= photon
        elif chance < brems + knocks:
            if energy * (0.5 if kind == ELECTRON else 1.0) <= cut:
                continue
            knocked = knock(energy, cut, kind, rng)
            momentum = math.sqrt(energy * (energy + 2 * MASS))
            small = math.sqrt(knocked * (knocked + 2 * MASS))
            cosine = min(1.0, knocked * (energy + 2 * MASS) / (momentum * small))
            x, y, t = _turned(u, v, w, cosine, rng)
            size = _push(stack, size, ELECTRON, knocked, place, x, y, t, cut, block, shower)
            u, v, w = momentum * u - small * x, momentum * v - small * y, momentum * w - small * t
            norm = math.sqrt(u * u + v * v + w * w)
            u, v, w = u / norm, v / norm, w / norm
            energy -= knocked
        else:
            share, cosine = annihilate(energy, rng)
            released = energy + 2 * MASS
            x, y, t = _turned(u, v, w, cosine, rng)
            one = share * released
            size = _push(stack, size, PHOTON, one, place, x, y, t, cut, block, shower)
            momentum = math.sqrt(energy * (energy + 2 * MASS))
            x, y, t = momentum * u - one * x, momentum * v - one * y, momentum * w - one * t
            norm = math.sqrt(x * x + y * y + t * t)
            return _push(
                stack, size, PHOTON, released - one, place, x / norm, y / norm, t / norm, cut, block, shower
            )
        if energy < cut:
            if kind == POSITRON:
                energy += 2 * MASS
            _deposit(energy, place[0], place[1], place[2], slab, block, shower)
            return size


@njit(cache=True)
def _to_face(z: float, w: float, slab: int, block: Block) -> float:
    """Distance along the path to the slab's next face."""
    if w > 1e-12:
        return max(0.0, (block.faces[slab + 1] - z) / w)
    if w < -1e-12:
        return max(0.0, (block.faces[slab] - z) / w)
    return math.inf

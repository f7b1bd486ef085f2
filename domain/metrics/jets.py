"""Mass, transverse momentum and N-subjettiness of jet images, from their pixels.

A pixel counts as a massless particle at its centre: it has the transverse momentum pT that the
pixel holds, in GeV, the angle η of its column and the angle φ of its row. Columns run from
−``half_width`` to +``half_width`` in η, rows from +``half_width`` down to −``half_width`` in φ.
Negative pixels count as 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BUDGET = 2**19  # distances held at once, 4 MB


def constituents(x: np.ndarray, half_width: float = 1.25) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixels as particles.

    Args:
        x: jet images, (N, 1, H, W), in GeV.

    Returns:
        pT (N, H·W) in GeV, η (H·W,) and φ (H·W,).
    """
    rows, columns = x.shape[-2:]
    eta = (2 * np.arange(columns) + 1 - columns) * half_width / columns
    phi = (rows - 1 - 2 * np.arange(rows)) * half_width / rows
    pt = np.maximum(x.reshape(len(x), rows * columns), 0).astype(np.float64)
    return pt, np.tile(eta, rows), np.repeat(phi, columns)


def momentum(x: np.ndarray, half_width: float = 1.25) -> np.ndarray:
    """(N, 4) px, py, pz, E of the jets, in GeV: Σ pT (cos φ, sin φ, sinh η, cosh η)."""
    pt, eta, phi = constituents(x, half_width)
    return pt @ np.stack([np.cos(phi), np.sin(phi), np.sinh(eta), np.cosh(eta)], axis=1)


def mass(x: np.ndarray, half_width: float = 1.25) -> np.ndarray:
    """(N,) masses √(E² − px² − py² − pz²), in GeV, of jet images (N, 1, H, W) in GeV."""
    px, py, pz, energy = momentum(x, half_width).T
    return np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0))


def pt(x: np.ndarray, half_width: float = 1.25) -> np.ndarray:
    """(N,) transverse momenta √(px² + py²), in GeV, of jet images (N, 1, H, W) in GeV."""
    px, py, _, _ = momentum(x, half_width).T
    return np.hypot(px, py)


def tau21(x: np.ndarray, half_width: float = 1.25) -> np.ndarray:
    """(N,) ratios τ2/τ1 of N-subjettiness with β = 1, 0 where τ1 is 0.

    τ_N = Σ_k pT_k min(ΔR_1k, …, ΔR_Nk) / Σ_k pT_k R (Thaler & Van Tilburg 2011, arXiv 1011.2268).
    The one axis is the centroid of pT, the two are :func:`kt_axes`. The cost of an image grows as
    the cube of its lit pixels.

    Args:
        x: jet images, (N, 1, H, W), in GeV.
    """
    intensity, eta, phi = constituents(x, half_width)
    lit = (intensity > 0).sum(1)
    ratio = np.zeros(len(x))
    for jets in batches(lit):
        brightest = np.argsort(-intensity[jets], axis=1, kind="stable")[:, : lit[jets].max()]
        pt = np.take_along_axis(intensity[jets], brightest, axis=1)
        angles = np.stack([eta[brightest], phi[brightest]], axis=2)
        centroid = (pt[..., None] * angles).sum(1, keepdims=True) / pt.sum(1)[:, None, None]
        one = subjettiness(pt, angles, centroid)
        two = subjettiness(pt, angles, kt_axes(pt, angles))
        ratio[jets] = np.divide(two, one, out=np.zeros_like(one), where=lit[jets] > 1)
    return ratio


def batches(lit: np.ndarray) -> Iterator[np.ndarray]:
    """Indices of the images with lit pixels, fewest first, in batches of B·K² ≤ ``BUDGET`` if B > 1.

    Args:
        lit: (N,) numbers of lit pixels.
    """
    order = np.argsort(lit, kind="stable")
    order = order[lit[order] > 0]
    while len(order):
        cost = np.arange(1, len(order) + 1) * lit[order].astype(np.int64) ** 2
        size = max(1, int(np.searchsorted(cost, BUDGET, side="right")))
        yield order[:size]
        order = order[size:]


def subjettiness(pt: np.ndarray, angles: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """(B,) τ_N in GeV, without the norm.

    Args:
        pt: (B, K), in GeV.
        angles, axes: (B, K, 2) and (B, N, 2), η and φ.
    """
    distance = np.linalg.norm(angles[:, :, None] - axes[:, None], axis=-1)
    return (pt * distance.min(2)).sum(1)


def kt_distance(pt_i: np.ndarray, angles_i: np.ndarray, pt_j: np.ndarray, angles_j: np.ndarray) -> np.ndarray:
    """d_ij = min(pT_i, pT_j)² ΔR_ij², in GeV², infinite where there is no particle (pT = 0)."""
    softer = np.minimum(pt_i, pt_j)
    return np.where(softer > 0, softer**2 * ((angles_i - angles_j) ** 2).sum(-1), np.inf)


def kt_axes(pt: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """(B, 2, 2) η and φ of the two exclusive kt subjets (Ellis & Soper 1993, hep-ph/9305266).

    The pair of least d_ij is merged, without a beam, until two are left: its pT adds up, its angles
    average with weights pT. In a jet of one particle the second axis stands on a dark pixel.

    Args:
        pt: (B, K) in GeV, at least one above 0; jets in increasing number of particles, the last has K.
        angles: (B, K, 2), η and φ.
    """
    pt, angles = pt.copy(), angles.copy()
    jets, places = pt.shape
    count = (pt > 0).sum(1)
    distance = kt_distance(pt[:, :, None], angles[:, :, None], pt[:, None], angles[:, None])
    distance[:, np.arange(places), np.arange(places)] = np.inf
    for merged in range(places - 2):
        first = np.searchsorted(count, merged + 2, side="right")  # the jets before have two left
        b = np.arange(first, jets)
        i, j = np.unravel_index(distance[first:].reshape(len(b), -1).argmin(1), (places, places))
        total = pt[b, i] + pt[b, j]
        share = (pt[b, j] / total)[:, None]
        angles[b, i] = (1 - share) * angles[b, i] + share * angles[b, j]
        pt[b, i], pt[b, j] = total, 0
        distance[b, j] = distance[b, :, j] = np.inf
        updated = kt_distance(total[:, None], angles[b, i][:, None], pt[b], angles[b])
        updated[np.arange(len(b)), i] = np.inf
        distance[b, i] = distance[b, :, i] = updated
    two = np.argsort(-pt, axis=1, kind="stable")[:, :2]
    return np.take_along_axis(angles, two[:, :, None], axis=1)

"""Mass, transverse momentum and N-subjettiness of jet images, from their pixels.

A pixel is a massless particle at the pixel's centre: it has the transverse momentum pT that the
pixel holds, in GeV, and the angles η of its column and φ of its row. Columns run from −``half_width``
to +``half_width`` in η, rows from +``half_width`` down to −``half_width`` in φ. Negative pixels count as 0.
"""

from __future__ import annotations

import numpy as np

BUDGET = 2**21  # distances held at once, 16 MB


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

    τ_N = Σ_k pT_k min(ΔR_1k, …, ΔR_Nk) / Σ_k pT_k R (Thaler & Van Tilburg 2011, arXiv 1011.2268,
    equation 2.1); the axes are :func:`kt_axes`. The cost grows as the cube of the number of lit pixels.

    Args:
        x: jet images, (N, 1, H, W), in GeV.
    """
    intensity, eta, phi = constituents(x, half_width)
    lit = (intensity > 0).sum(1)
    ratio = np.zeros(len(x))
    for jets in batches(lit):
        brightest = np.argsort(-intensity[jets], axis=1, kind="stable")[:, : lit[jets].max()]
        particles = np.take_along_axis(intensity[jets], brightest, 1), eta[brightest], phi[brightest]
        one, two = (subjettiness(*particles, *kt_axes(*particles, number)) for number in (1, 2))
        np.divide(two, one, out=one, where=one > 0)
        ratio[jets] = one
    return ratio


def batches(lit: np.ndarray) -> list[np.ndarray]:
    """Indices of the jets that have lit pixels, (N,) counts, fewest first, cut so that B·K² ≤ ``BUDGET``."""
    order = np.argsort(lit, kind="stable")
    order = order[lit[order] > 0]
    cut = []
    while len(order):
        size = max(1, int(np.searchsorted(np.arange(1, len(order) + 1) * lit[order] ** 2, BUDGET)))
        cut.append(order[:size])
        order = order[size:]
    return cut


def subjettiness(pt: np.ndarray, eta: np.ndarray, phi: np.ndarray, axis_eta: np.ndarray, axis_phi: np.ndarray) -> np.ndarray:
    """(B,) unnormalised τ_N, in GeV.

    Args:
        pt, eta, phi: (B, K) particles, pT in GeV.
        axis_eta, axis_phi: (B, N) axes.
    """
    distance = np.hypot(eta[:, :, None] - axis_eta[:, None], phi[:, :, None] - axis_phi[:, None])
    return (pt * distance.min(2)).sum(1)


def kt_axes(pt: np.ndarray, eta: np.ndarray, phi: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The axes of ``number`` exclusive kt subjets (Catani et al. 1993; Ellis & Soper 1993, hep-ph/9305266).

    The pair of least d_ij = min(pT_i, pT_j)² ΔR_ij² is merged until ``number`` remain, without a
    beam; pT adds up, and angles average with weights pT. A jet of fewer particles repeats its own.

    Args:
        pt, eta, phi: (B, K) particles, 0 GeV in unused places, the jets with fewest particles first.

    Returns:
        η and φ of the axes, each (B, number).
    """
    pt, eta, phi = pt.copy(), eta.copy(), phi.copy()
    count = (pt > 0).sum(1)
    jets, places = np.arange(len(pt)), np.arange(pt.shape[1])

    def distances(rows: np.ndarray | slice, i: np.ndarray) -> np.ndarray:
        """(…, K) d_ij from the particles at the places ``i`` to all."""
        first = rows, i
        reach = np.hypot(eta[first][..., None] - eta[rows], phi[first][..., None] - phi[rows])
        return reach
    raise NotImplementedError

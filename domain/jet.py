"""A jet, its N-subjettiness, and its picture: turned, binned and mirrored.

The picture is that of LAGAN (de Oliveira, Paganini & Nachman 2017, arXiv 1701.05927), but that constituents are
turned one by one before they are binned; ``simulators/jets.py`` says what that changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Jet:
    """A trimmed jet.

    Attributes:
        mass, pt: of the sum of its constituents, in GeV.
        tau21: the ratio τ2/τ1 of its N-subjettiness; lower for two prongs than for one.
        constituents: (n, 3), each one's transverse momentum in GeV, η and φ.
        subjets: (m, 2), η and φ of its subjets, the hardest first.
    """

    mass: float
    pt: float
    tau21: float
    constituents: np.ndarray
    subjets: np.ndarray


def offsets(angles: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """(..., 2) angles η and φ less an origin, with φ brought to [−π, π)."""
    difference = angles - origin
    difference[..., 1] = (difference[..., 1] + np.pi) % (2 * np.pi) - np.pi
    return difference


def subjettiness(constituents: np.ndarray, axes: np.ndarray) -> float:
    """N-subjettiness with β = 1, in GeV (Thaler & Van Tilburg 2011, arXiv 1011.2268).

    τ_N = Σ_k pT_k min(ΔR_1k, …, ΔR_Nk), without its norm Σ_k pT_k R, which cancels in ratios.

    Args:
        constituents: (n, 3), pT in GeV, η and φ.
        axes: (N, 2), η and φ.
    """
    distance = np.linalg.norm(offsets(constituents[:, None, 1:], axes), axis=-1)
    return float(constituents[:, 0] @ distance.min(1))


def aligned(jet: Jet) -> np.ndarray:
    """(n, 2) angles of the constituents about the leading subjet, the second subjet straight below.

    A jet with one subjet is turned by the principal axis of its pT, the end with more pT downwards.
    """
    pt = jet.constituents[:, 0]
    angles = offsets(jet.constituents[:, 1:], jet.subjets[0])
    if len(jet.subjets) > 1:
        eta, phi = offsets(jet.subjets[1], jet.subjets[0])
    else:
        centred = angles - np.average(angles, axis=0, weights=pt)
        eta, phi = np.linalg.eigh((centred.T * pt) @ centred).eigenvectors[:, -1]
        if pt @ np.sign(centred @ (eta, phi)) < 0:
            eta, phi = -eta, -phi
    return angles @ np.array([[-phi, -eta], [eta, -phi]]) / np.hypot(eta, phi)


def pixelised(
    angles: np.ndarray, pt: np.ndarray, pixels: int, half_width: float, threshold: float
) -> np.ndarray:
    """(pixels, pixels) float32 sums of pT, in GeV; row 0 is the top, sums below ``threshold`` are 0.

    Args:
        angles: (n, 2) aligned η and φ; what lies beyond ±``half_width`` is left out.
        pt: (n,) transverse momenta, in GeV.
    """
    edges = np.linspace(-half_width, half_width, pixels + 1)
    image = np.histogram2d(-angles[:, 1], angles[:, 0], bins=(edges, edges), weights=pt)[0]
    return np.where(image < threshold, 0, image).astype(np.float32)


def mirrored(image: np.ndarray) -> np.ndarray:
    """The image, or its mirror image, whose right half holds the more pT."""
    half = image.shape[1] // 2
    return image[:, ::-1] if image[:, :half].sum() > image[:, -half:].sum() else image

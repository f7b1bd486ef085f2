"""How many modes of a known distribution a generator covers, and how evenly.

The measures of Srivastava et al. 2017 (VEEGAN, arXiv 1705.07761) and Lin et al. 2017 (PacGAN,
arXiv 1712.04086). Real samples do not reach the ideal either: of a Gaussian in the plane 1.1 % lie
beyond three deviations, and N even draws leave a KL of about (modes − 1) / 2N. So measure as many
real samples beside them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial.distance import cdist

from domain.errors import InputError
from domain.metrics.base import pair


def evenness(label: np.ndarray, classes: int) -> dict[str, float]:
    """``modes``: classes that occur; ``kl``: KL(share of each class ‖ uniform) in nats, 0 to ln(classes).

    Args:
        label: (N,) in 0..classes − 1.
        classes: how many there are.
    """
    label = np.asarray(label)
    if not len(label) or label.min() < 0 or label.max() >= classes:
        raise InputError(f"modes: labels must lie between 0 and {classes - 1}, and there must be one; got {len(label)}")
    share = np.bincount(label, minlength=classes) / len(label)
    seen = share[share > 0]
    return {"modes": float(len(seen)), "kl": float((seen * np.log(seen * classes)).sum())}


def gaussian_modes(x: np.ndarray, centres: np.ndarray, deviation: float, within: float = 3.0) -> dict[str, float]:
    """Coverage of equally likely Gaussians.

    Args:
        x: samples, (N, D).
        centres: (modes, D).
        deviation: σ of each Gaussian along each axis.
        within: a sample is of high quality if it lies so many σ from the nearest centre, or less.

    Returns:
        ``modes``: Gaussians that are nearest to a sample of high quality;
        ``high_quality``: the share of such samples;
        ``kl``: KL of the share of all samples nearest to each Gaussian to the uniform one, in nats.
    """
    x, centres = pair(x, centres, "modes", ("samples", "centres"))
    distance = cdist(x, centres)
    nearest, good = distance.argmin(1), distance.min(1) <= within * deviation
    return {
        "modes": float(len(np.unique(nearest[good]))),
        "high_quality": float(good.mean()),
        "kl": evenness(nearest, len(centres))["kl"],
    }


def stacked_modes(
    x: np.ndarray, classify: Callable[[np.ndarray], np.ndarray], classes: int = 10
) -> dict[str, float]:
    """Coverage of stacked images, whose channels each show one of ``classes``: see :func:`evenness`.

    Args:
        x: samples, (N, C, H, W).
        classify: images of one channel, (M, 1, H, W) → classes (M,) in 0..classes − 1.
        classes: of one channel; together they make classes ** C modes.
    """
    if x.ndim != 4 or not len(x):
        raise InputError(f"stacked modes: samples of shape {x.shape}; give (N, channels, H, W)")
    count, channels = x.shape[:2]
    digits = np.asarray(classify(x.reshape(-1, 1, *x.shape[2:]))).reshape(count, channels)
    return evenness(digits @ classes ** np.arange(channels)[::-1], classes**channels)

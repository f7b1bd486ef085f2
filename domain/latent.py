"""Ways through a space of codes, and how strange a sample looks to a model that has one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from domain.errors import InputError
from domain.system import CanRate, CanReconstruct, System


def linear(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """Evenly spaced points on the straight lines from a to b, both (N, d), ends included → (N, steps, d)."""
    share = torch.linspace(0, 1, steps, device=a.device)[:, None]
    return a[:, None] + share * (b - a)[:, None]


def spherical(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """As :func:`linear`, at constant angular speed along great arcs (Shoemake 1985; White 2016, arXiv 1609.04468).

    Lengths between those of the ends are kept as normal codes of many dimensions have them, where a straight line
    would cut through the empty middle. Between parallel or opposite codes, which no one arc joins, it is straight.
    """
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-1, 1)
    angle = torch.acos(cosine)[:, None, None]
    share = torch.linspace(0, 1, steps, device=a.device)[:, None]
    sine = angle.sin()
    arc = (((1 - share) * angle).sin() * a[:, None] + (share * angle).sin() * b[:, None]) / sine.clamp_min(1e-6)
    return torch.where(sine > 1e-3, arc, linear(a, b, steps))


def manifold(side: int, margin: float = 0.02) -> Tensor:
    """Codes of two numbers on a grid of equal shares of a standard normal, (side², 2), row by row from the top.

    The quantiles of each axis are evenly spaced from ``margin`` to 1 − ``margin``, so that pictures of these codes
    show what a model draws as often as it draws it (Goodfellow, Bengio & Courville 2016, figure 20.6; Kingma &
    Welling 2013, arXiv 1312.6114, figure 4).
    """
    if not 0 < margin < 0.5:
        raise InputError(f"manifold: margin is {margin:g}, must lie between 0 and 0.5")
    axis = torch.special.ndtri(torch.linspace(margin, 1 - margin, side))
    rows, columns = torch.meshgrid(axis.flip(0), axis, indexing="ij")
    return torch.stack([columns, rows], -1).reshape(-1, 2)


def circle(count: int) -> Tensor:
    """Codes evenly spaced on the unit circle, (count, 2): the manifold of a sphere of one dimension."""
    angle = torch.arange(count) * (2 * math.pi / count)
    return torch.stack([angle.cos(), angle.sin()], 1)


@torch.no_grad()
def strangeness(model: System, x: Tensor, generator: torch.Generator) -> Tensor:
    """How unlike its training samples a model finds x, (N, *shape) → (N,); higher is stranger.

    −log p(x) in nats where it gives a density, exact or not; else the squared error of its reconstruction. A
    likelihood judges simple samples of other kinds as likely (Nalisnick et al. 2018, arXiv 1810.09136): a score is
    to be tried on known strangers before it is trusted.
    """
    if isinstance(model, CanRate):
        return -model.density(x, generator).value
    if isinstance(model, CanReconstruct):
        return (x - model.reconstruct(x)).square().flatten(1).sum(1)
    raise InputError(f"{type(model).__name__}: neither rates nor reconstructs samples; name a model that does")

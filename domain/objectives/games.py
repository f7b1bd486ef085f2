"""The smallest game in which gradient steps fail: v(a, b) = a b, which a lowers and b raises.

Its equilibrium is (0, 0) (Goodfellow, Bengio & Courville 2016, "Deep Learning", section 20.10.4). In
continuous time (a, b) circles around it. Of steps of size η, each multiplies the radius by √(1 + η²)
if both players step from the same point; if they step in turn, each keeps a² + b² − η a b, so that
(a, b) stays on an ellipse. Neither way comes to the equilibrium.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import grad


def orbit(start: tuple[float, float], rate: float, steps: int, in_turn: bool) -> Tensor:
    """Gradient steps on v(a, b) = a b.

    Args:
        start: (a, b).
        rate: η.
        steps: how many of each player.
        in_turn: b sees the new a; else both step from the same point.

    Returns:
        (steps + 1, 2), float64.
    """

    def value(a: Tensor, b: Tensor) -> Tensor:
        return a * b

    down, up = grad(value, argnums=0), grad(value, argnums=1)
    a, b = torch.tensor(start, dtype=torch.float64)
    points = [torch.stack([a, b])]
    for _ in range(steps):
        new = a - rate * down(a, b)
        a, b = new, b + rate * up(new if in_turn else a, b)
        points.append(torch.stack([a, b]))
    return torch.stack(points)

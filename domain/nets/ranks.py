"""From deposits to normal scores and back: what a sample's total, its shares and its ranks are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EDGE = 1e-4  # ranks stay this far from 0 and 1, scores within ± 3.7
SPAN = 2.5  # normal scores between which samples are sliced
CHUNK = 256  # samples ranked at once


def break_sticks(energies: Tensor, order: Tensor) -> Tensor:
    """Layer energies → their sum, then each layer's share of what the layers before it left.

    Args:
        energies: (N, L), at least 0.
        order: (L,) which layer is broken off first; the last takes the rest.

    Returns:
        (N, L): the sum in the unit of ``energies``, and L − 1 shares in [0, 1].
    """
    ordered = energies[:, order]
    left = ordered.flip(1).cumsum(1).flip(1)  # what is there before each layer is broken off
    shares = ordered[:, :-1] / left[:, :-1].clamp(min=torch.finfo(left.dtype).tiny)
    return torch.cat([left[:, :1], shares], 1)


def join_sticks(sticks: Tensor, order: Tensor) -> Tensor:
    """The inverse of :func:`break_sticks`; (N, L) → layer energies (N, L)."""
    left, parts = sticks[:, 0], []
    for share in sticks[:, 1:].clamp(0, 1).unbind(1):
        parts.append(share * left)
        left = left - parts[-1]
    return torch.stack([*parts, left], 1)[:, order.argsort()]


def mirrors(shapes: tuple[tuple[int, int], ...]) -> Tensor:
    """(4, cells): the order of a flat shower's cells as it is, and mirrored along y, x, and both."""
    orders, start = [], 0
    for rows, columns in shapes:
        layer = torch.arange(start, start + rows * columns).reshape(rows, columns)
        orders.append([layer, layer.flip(1), layer.flip(0), layer.flip(0, 1)])
        start += rows * columns
    return torch.stack([torch.cat([layer.flatten() for layer in turn]) for turn in zip(*orders)])


def normal_score(rank: Tensor) -> Tensor:
    """Rank in [0, 1] → quantile of the normal law."""
    return torch.special.ndtri(rank.clamp(EDGE, 1 - EDGE))


def drawn_scores(low: Tensor, high: Tensor, share: Tensor) -> Tensor:
    """Normal scores of ranks between two bounds, (N, D) each; share: (N, D) in [0, 1), how far from the lower to the upper."""
    return normal_score(torch.lerp(low, high, share))


def bracket(x: Tensor, points: Tensor) -> Tensor:
    """Which of the points, (Q,) rising, is the first not below x, at least the second and at most the last; like x.

    Written as comparisons: ONNX knows no sorted search.
    """
    return (points < x[..., None]).sum(-1).clamp(1, len(points) - 1)


def slices(count: int, number: int) -> tuple[int, ...]:
    """Where to cut a sorted row of ``count`` samples into so many slices: small ones at the ends, where most changes.

    The slices are as wide as each other in normal scores, from −SPAN to SPAN; each has a sample at least.
    """
    edges = (count * torch.special.ndtr(torch.linspace(-SPAN, SPAN, number + 1)[1:-1])).round().long()
    least = torch.arange(1, number)
    return tuple(edges.clamp(least, count - number + least).tolist())


def lerp_sorted(x: Tensor, points: Tensor, values: Tensor) -> Tensor:
    """Interpolate linearly; x: (..., M), points and values: (..., Q), points not decreasing."""
    upper = torch.searchsorted(points, x).clamp(1, points.shape[-1] - 1)
    x0, x1 = points.gather(-1, upper - 1), points.gather(-1, upper)
    y0, y1 = values.gather(-1, upper - 1), values.gather(-1, upper)
    return torch.lerp(y0, y1, ((x - x0) / (x1 - x0).clamp(min=1e-12)).clamp(0, 1))


class RankMap(nn.Module):
    """Ranks of D values among training values at the same *coordinate*, a logarithm of an energy.

    Ranks are measured in K :func:`slices` of the coordinate and interpolated between the slices' medians.
    Values of 0 fill the ranks from 0 to their own probability, in no order.

    Args:
        values: D.
        knots: K.
        quantiles: Q, points of the distribution of the logarithm of values above 0.
    """

    knots: Tensor  # (K,) medians of the slices, rising
    empty: Tensor  # (K, D) probability of a value of 0
    table: Tensor  # (K, D, Q) quantiles of ln(value) above 0

    def __init__(self, values: int, knots: int, quantiles: int) -> None:
        super().__init__()
        self.register_buffer("knots", torch.arange(knots).float())
        self.register_buffer("empty", torch.zeros(knots, values))
        self.register_buffer("table", torch.zeros(knots, values, quantiles))
        levels = torch.special.ndtr(torch.linspace(-3, 3, quantiles))  # closest in the tails
        self.register_buffer("levels", (levels - levels[0]) / (levels[-1] - levels[0]), persistent=False)

    def fit(self, x: Tensor, coordinate: Tensor) -> None:
        """Measure the tables; x: (N, D), at least 0; coordinate: (N,)."""
        least = x[x > 0].min() if (x > 0).any() else x.new_tensor(1.0)
        order = coordinate.argsort(stable=True)
        for k, rows in enumerate(order.tensor_split(slices(len(order), len(self.knots)))):
            ascending = x[rows].sort(0).values
            hits = (ascending > 0).sum(0)
            self.knots[k] = coordinate[rows].median()
            self.empty[k] = 1 - hits / len(rows)
            at = len(rows) - hits[:, None] + self.levels * (hits[:, None] - 1).clamp(min=0)
            at = at.clamp(max=len(rows) - 1)
            below, above = (ascending.T.gather(1, i.long()) for i in (at.floor(), at.ceil()))
            self.table[k] = torch.lerp(below, above, at.frac()).clamp(min=least).log()

    def _between(self, coordinate: Tensor) -> tuple[Tensor, Tensor]:
        """The knot below each coordinate, (N,), and how far it is to the next, (N,) in [0, 1]."""
        k = bracket(coordinate, self.knots) - 1
        low, high = self.knots[k], self.knots[k + 1]
        return k, ((coordinate - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)

    def empties(self, coordinate: Tensor) -> Tensor:
        """Probability of a value of 0 at coordinates (N,), (N, D)."""
        k, share = self._between(coordinate)
        return torch.lerp(self.empty[k], self.empty[k + 1], share[:, None])

    def encode(self, x: Tensor, coordinate: Tensor) -> tuple[Tensor, Tensor]:
        """Values (N, D) → lowest and highest rank, each (N, D) in [0, 1]; equal for values above 0."""
        parts = zip(x.split(CHUNK), coordinate.split(CHUNK))
        low, high = zip(*(self._encode(*part) for part in parts))
        return torch.cat(low), torch.cat(high)

    def _encode(self, x: Tensor, coordinate: Tensor) -> tuple[Tensor, Tensor]:
        (k, share), empty = self._between(coordinate), self.empties(coordinate)
        points = torch.lerp(self.table[k], self.table[k + 1], share[:, None, None])
        logs = x.clamp(min=torch.finfo(x.dtype).tiny).log()
        level = lerp_sorted(logs[..., None], points, self.levels.expand_as(points))[..., 0]
        rank = empty + (1 - empty) * level
        return torch.where(x > 0, rank, 0.0), torch.where(x > 0, rank, empty)

    def decode(self, rank: Tensor, coordinate: Tensor) -> Tensor:
        """Ranks (N, D) at coordinates (N,) → values (N, D), 0 below the probability of 0."""
        (k, share), empty = self._between(coordinate), self.empties(coordinate)
        share = share[:, None]
        level = ((rank - empty) / (1 - empty).clamp(min=1e-6)).clamp(0, 1)
        upper = bracket(level, self.levels)
        below, above = self.levels[upper - 1], self.levels[upper]
        column = torch.arange(rank.shape[1], device=rank.device)
        log0, log1 = (
            torch.lerp(self.table[k[:, None], column, i], self.table[k[:, None] + 1, column, i], share)
            for i in (upper - 1, upper)
        )
        value = torch.lerp(log0, log1, (level - below) / (above - below)).exp()
        return torch.where(rank >= empty, value, 0.0)

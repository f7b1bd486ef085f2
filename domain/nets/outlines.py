"""How the cells of a layer lie, as a few sums say it: measured, ranked, and met by cells that were drawn without them.

Of hundreds of cells, each almost independent of any other, these sums say what they do together: a jet's mass is its
momentum times its width. A covariance of scores leaves them too free, so they are told before cells are drawn, and the
scores of cells are then moved until the sums are the ones told.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from domain.nets.deposits import Shapes, layer_coordinates, layer_sizes, profiles, unrank_layer
from domain.nets.ranks import EDGE, RankMap

GAIN = 2.5  # a unit of a hit's score is taken to change ln(deposit) by so much; more makes smaller steps
STRIDE = 0.5  # the furthest that a turn moves a score
NEVER = 100.0  # a margin in ln(odds) that no shift makes up for
RIDGE = 0.05  # of a sum's variance, so that sums which cannot be told apart do no harm
ALIKE = 1e-7  # variance of a sum that all hits share, as where they lie in one row: rounding alone


def layer_outlines(x: Tensor, shapes: Shapes, placed: bool) -> list[Tensor]:
    """Of each layer how its cells lie, (N, 3) or (N, 6), in half sides of the layer.

    Args:
        x: deposits (N, cells), at least 0.
        shapes: (rows, columns) of each of L layers.
        placed: also say what a mirror changes.

    Returns:
        The number of cells hit, and the deposits' standard deviation along rows and along columns; ``placed`` also their
        mean along each, and the covariance of the two.
    """
    found = []
    for part, shape in zip(x.split(layer_sizes(shapes), 1), shapes):
        (middle_row, tall), (middle_column, wide) = profiles(part, part.sum(1), shape)
        outline = [(part > 0).sum(1).to(x), tall.sqrt(), wide.sqrt()]
        if placed:
            row, column = places(shape, x.device)
            around = (row - middle_row[:, None]) * (column - middle_column[:, None])
            outline += [middle_row, middle_column, (shares(part) * around).sum(1)]
        found.append(torch.stack(outline, 1))
    return found


def shares(cells: Tensor) -> Tensor:
    """Cells (N, size) over their sum, 0 where there is none."""
    return cells / cells.sum(1, keepdim=True).clamp(min=torch.finfo(cells.dtype).tiny)


def places(shape: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column of each cell of a layer, (size,) each, from −1 to 1 between its edges."""
    row, column = (torch.linspace(1 / size - 1, 1 - 1 / size, size, device=device) for size in shape)
    return row.repeat_interleave(shape[1]), column.repeat(shape[0])


class Outlines(nn.Module):
    """Ranks of the outlines of L layers among layers of like energy.

    Args:
        shapes: (rows, columns) of each layer.
        placed: as :func:`layer_outlines` takes it.
        knots, quantiles: of the tables, as :class:`~domain.nets.ranks.RankMap` takes them.
    """

    def __init__(self, shapes: Shapes, placed: bool, knots: int, quantiles: int) -> None:
        super().__init__()
        self.shapes, self.placed = shapes, placed
        self.each = 6 if placed else 3  # numbers a layer
        self.ranks = nn.ModuleList(RankMap(self.each, knots, quantiles) for _ in shapes)
        self.register_buffer("origin", torch.tensor([0.0, 0.0, 0.0, -1.0, -1.0, -1.0][: self.each]), persistent=False)
        self.register_buffer("one", torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 0.0][: self.each]), persistent=False)

    def fit(self, x: Tensor, energies: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
        """Measure the tables; return lowest and highest rank, (N, width) each. A number of hits has all the ranks up to the next.

        Args:
            x: deposits (N, cells).
            energies: of each layer, (N, L).
            expected: ln(expected total), (N,).
        """
        lows, highs, coordinates = [], [], layer_coordinates(energies, expected)
        for ranks, outline, coordinate in zip(self.ranks, layer_outlines(x, self.shapes, self.placed), coordinates):
            outline = outline - self.origin
            ranks.fit(outline + self.one / 2, coordinate)
            (low, high), (above, _) = (ranks.encode(each, coordinate) for each in (outline, outline + self.one))
            lows.append(low)
            highs.append(torch.where(self.one > 0, above, high))
        return torch.cat(lows, 1), torch.cat(highs, 1)

    def decode(self, scores: Tensor, energies: Tensor, expected: Tensor) -> list[Tensor]:
        """Normal scores (N, width) → outlines, as :func:`layer_outlines` gives them."""
        found, rank = [], torch.special.ndtr(scores).split(self.each, 1)
        for ranks, part, coordinate in zip(self.ranks, rank, layer_coordinates(energies, expected)):
            outline = ranks.decode(part, coordinate)
            found.append(torch.where(self.one > 0, outline.floor(), outline) + self.origin)
        return found

    def met(
        self, maps: nn.ModuleList, scores: Tensor, outlines: list[Tensor], energies: Tensor, expected: Tensor, least: Tensor,
        turns: int,
    ) -> Tensor:  # fmt: skip
        """Cells (N, cells) with as many hits as told, their scores moved in turns to meet the rest of the outlines.

        Args:
            maps, energies, expected, least: as :func:`~domain.nets.deposits.unrank_cells` takes them.
            scores: normal scores of the cells, (N, cells).
            outlines: as :meth:`decode` gives them.
            turns: how often scores are moved.
        """
        parts, split = [], scores.split(layer_sizes(self.shapes), 1)
        layers = zip(maps, split, self.shapes, outlines, energies.unbind(1), layer_coordinates(energies, expected))
        for table, score, shape, outline, energy, coordinate in layers:
            empty = table.empties(coordinate)
            for turn in range(turns + 1):
                rank = with_hits(torch.special.ndtr(score), empty, outline[:, 0])
                cells = unrank_layer(table, rank, energy, coordinate, least)
                if turn < turns:
                    score = score + towards(outline, cells, shape, 1 - empty)
            parts.append(cells)
        return torch.cat(parts, 1)


def with_hits(ranks: Tensor, empty: Tensor, hits: Tensor) -> Tensor:
    """Ranks (N, size), their odds multiplied by what leaves ``hits``, (N,), of them above the probability of an empty cell.

    None leaves the ranks that cells have, so a cell that is never hit is not; ``empty``: (N, size).
    """
    size, never = ranks.shape[1], empty >= 1 - EDGE
    margin = torch.where(never, -NEVER, log_odds(ranks) - log_odds(empty))
    ordered = torch.cat([margin, margin.min(1, keepdim=True).values - 1], 1).sort(1, descending=True).values
    last = hits.long().clamp(1, size)[:, None]
    least, most = -ordered.gather(1, last - 1), -ordered.gather(1, last)  # a shift between the two gives so many
    moved = torch.sigmoid(log_odds(ranks) + (least + most) / 2)
    return torch.where((least < 0) & (most >= 0), ranks, moved.clamp(max=1 - EDGE))


def log_odds(p: Tensor) -> Tensor:
    """ln(p / (1 − p)) of probabilities, finite."""
    p = p.clamp(EDGE, 1 - EDGE)
    return p.log() - (1 - p).log()


def towards(outline: Tensor, cells: Tensor, shape: tuple[int, int], often: Tensor) -> Tensor:
    """By how much to move scores, (N, size), for the cells' outline to near another: a damped Gauss–Newton step.

    A score moves with what a deposit in its place adds to the sums, hit or not, and as often as its cell is hit:
    what is seldom hit stays dark. A sum that is the same for all hits moves none.

    Args:
        outline: the one wanted, of one layer.
        cells: what the scores give now, (N, size).
        shape: (rows, columns).
        often: probability that a cell is hit, (N, size).
    """
    share, (row, column) = shares(cells), places(shape, cells.device)
    _, height, width, *placed = outline.unbind(1)
    middle_row, middle_column, tilt = placed or (share @ row, share @ column, None)
    row, column = row - middle_row[:, None], column - middle_column[:, None]
    sums, wanted = [row * row, column * column], [height * height, width * width]
    if placed:
        sums, wanted = [*sums, row, column, row * column], [*wanted, 0 * tilt, 0 * tilt, tilt]
    sums = torch.stack(sums, 2)
    now = (share[:, None] @ sums)[:, 0]
    around, weight = sums - now[:, None], GAIN * (share * often)[..., None]
    differ = (weight * around * around).sum(1) > ALIKE
    around, short = around * differ[:, None], (torch.stack(wanted, 1) - now) * differ
    response = (around * weight).mT @ around
    response = response + RIDGE * torch.diag_embed(response.diagonal(dim1=1, dim2=2) + torch.finfo(cells.dtype).eps)
    move = often * (around @ solved(response, short)[..., None])[..., 0]
    return move * (STRIDE / move.abs().amax(1, keepdim=True).clamp(min=STRIDE))


def solved(matrix: Tensor, right: Tensor) -> Tensor:
    """The x with A x = b, for positive definite A, (N, K, K), and b, (N, K), by K steps of conjugate gradients.

    A is scaled to a diagonal of 1. ONNX knows no solver.
    """
    scale = matrix.diagonal(dim1=1, dim2=2).rsqrt()
    matrix, left = matrix * scale[:, None] * scale[..., None], right * scale
    found, direction, tiny = torch.zeros_like(left), left, torch.finfo(left.dtype).tiny
    for _ in range(left.shape[1]):
        pushed = (matrix @ direction[..., None])[..., 0]
        length = (left * left).sum(1, keepdim=True)
        step = length / (direction * pushed).sum(1, keepdim=True).clamp(min=tiny)
        found, left = found + step * direction, left - step * pushed
        direction = left + (left * left).sum(1, keepdim=True) / length.clamp(min=tiny) * direction
    return found * scale

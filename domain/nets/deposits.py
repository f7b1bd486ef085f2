"""Deposits in the cells of layers, as ranks of shares and back: each layer's share of the total, each hit's of its layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from domain.errors import InputError
from domain.geometry import CALOGAN
from domain.nets.ranks import RankMap, break_sticks, join_sticks, mirrors

DARK = 1e-12  # share of the expected total that stands for a layer without energy
FAINT = 1e-3  # of the threshold, what a hit at it is taken to hold above it, so that the logarithm is finite

Shapes = tuple[tuple[int, int], ...]  # (rows, columns) of each layer


def layer_shapes(shapes: Shapes, sample: tuple[int, ...]) -> Shapes:
    """(rows, columns) of each layer of a sample.

    Args:
        shapes: as a user gives them; if empty, CaloGAN's for flat samples of as many cells, and one layer for pictures.
        sample: shape of a sample.

    Raises:
        InputError: they have another number of cells than a sample.
    """
    cells = math.prod(sample)
    if not shapes:
        flat = len(sample) == 1
        shapes = CALOGAN.shapes if flat and cells == CALOGAN.cells else ((math.prod(sample[:-1]), sample[-1]),)
    if sum(math.prod(shape) for shape in shapes) != cells:
        raise InputError(
            f"shapes: have {sum(math.prod(shape) for shape in shapes)} cells, but samples of shape {sample} "
            f"have {cells}; give the (rows, columns) of each of their layers"
        )
    return shapes


def layer_sizes(shapes: Shapes) -> list[int]:
    """Cells of each layer."""
    return [math.prod(shape) for shape in shapes]


def layer_energies(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """Cells (N, cells) → (N, L), in the same unit; sizes: cells of each layer."""
    return torch.stack([part.sum(1) for part in x.split(list(sizes), 1)], 1)


def layer_coordinates(energies: Tensor, expected: Tensor) -> tuple[Tensor, ...]:
    """ln(energy) of each layer, L times (N,); energies: (N, L); expected: ln(expected total), (N,)."""
    return torch.maximum(energies, DARK * expected.exp()[:, None]).log().unbind(1)


def cell_shares(x: Tensor, sizes: Sequence[int], expected: Tensor, least: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Of each layer what its hits hold above the threshold over its energy, (N, size), and the logarithm of that energy, (N,).

    Shares themselves would end, at low ranks, where a threshold over the energy lies, which few knots in energy blur.

    Args:
        x: cells (N, cells).
        sizes: cells of each layer.
        expected: ln(expected total), (N,).
        least: the detector's threshold, about the smallest deposit above 0.
    """
    coordinates = layer_coordinates(layer_energies(x, sizes), expected)
    above = torch.where(x > 0, (x - least).clamp(min=0) + FAINT * least, 0.0)
    return [(part / each.exp()[:, None], each) for part, each in zip(above.split(list(sizes), 1), coordinates)]


def cell_maps(sizes: Sequence[int], knots: int, quantiles: int) -> nn.ModuleList:
    """An unfitted :class:`~domain.nets.ranks.RankMap` of the cells of each layer."""
    return nn.ModuleList(RankMap(size, knots, quantiles) for size in sizes)


def fit_cells(maps: nn.ModuleList, x: Tensor, expected: Tensor, least: Tensor, turns: Tensor) -> None:
    """Measure the maps of each layer's shares at its energy.

    Args:
        maps: of each layer, as :func:`cell_maps` makes them.
        x, expected, least: as :func:`cell_shares` takes them.
        turns: orders of all cells that are as likely, (T, cells), each layer's cells among themselves, such as
            :func:`~domain.nets.ranks.mirrors`.
    """
    start = 0
    for ranks, (shares, coordinate) in zip(maps, cell_shares(x, map_sizes(maps), expected, least)):
        within = turns[:, start : start + shares.shape[1]] - start
        ranks.fit(torch.cat([shares[:, turn] for turn in within]), coordinate.repeat(len(turns)))
        start += shares.shape[1]


def rank_cells(maps: nn.ModuleList, x: Tensor, expected: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
    """Cells → lowest and highest rank of each, both (N, cells); arguments as of :func:`cell_shares`."""
    pairs = [ranks.encode(*each) for ranks, each in zip(maps, cell_shares(x, map_sizes(maps), expected, least))]
    return torch.cat([low for low, _ in pairs], 1), torch.cat([high for _, high in pairs], 1)


def unrank_cells(maps: nn.ModuleList, ranks: Tensor, energies: Tensor, expected: Tensor, least: Tensor) -> Tensor:
    """Ranks → cells, both (N, cells).

    Args:
        maps: of each layer, as :func:`cell_maps` makes them.
        ranks: (N, cells) in [0, 1].
        energies: of each layer, (N, L); its cells sum to it.
        expected: ln(expected total), (N,).
        least: a detector's threshold: no hit is below it unless its layer has too little energy for all hits.
    """
    layers = zip(maps, ranks.split(map_sizes(maps), 1), energies.unbind(1), layer_coordinates(energies, expected))
    return torch.cat([unrank_layer(*layer, least) for layer in layers], 1)


def unrank_layer(table: RankMap, rank: Tensor, energy: Tensor, coordinate: Tensor, least: Tensor) -> Tensor:
    """Ranks → cells of one layer, both (N, size); the others as :func:`unrank_cells` and :func:`layer_coordinates` have them."""
    above = table.decode(rank, coordinate)
    hottest = nn.functional.one_hot(rank.argmax(1), rank.shape[1]).to(above)
    return shared_out(torch.where(above.sum(1, keepdim=True) > 0, above, hottest), energy, least)


def shared_out(above: Tensor, energy: Tensor, least: Tensor) -> Tensor:
    """Cells (N, size) with sums ``energy``, (N,), and hits not below ``least``, nor their mean.

    What hits hold above that is scaled to give the sum. To scale hits as a whole would push the faint ones onto it.

    Args:
        above: what hits hold above the threshold over the energy, (N, size), as :func:`cell_shares` has it.
        energy: of the layer.
        least: the detector's threshold.
    """
    hit, energy = (above > 0).to(above), energy[:, None]
    floor = hit * torch.minimum(least, energy / hit.sum(1, keepdim=True))
    excess = (above * energy - FAINT * least).clamp(min=0)
    excess = torch.where(excess.sum(1, keepdim=True) > 0, excess, hit)
    left = (energy - floor.sum(1, keepdim=True)).clamp(min=0)
    return floor + excess * (left / excess.sum(1, keepdim=True))


def least_deposit(x: Tensor) -> Tensor:
    """The smallest deposit above 0, a scalar; 0 if there is none."""
    return torch.where(x > 0, x, torch.inf).min().nan_to_num(posinf=0.0)


def map_sizes(maps: nn.ModuleList) -> list[int]:
    """Cells of each layer."""
    return [ranks.empty.shape[1] for ranks in maps]


class DepositScores(nn.Module):
    """Normal scores of L − 1 layer shares and of all cells, among deposits of like total; and back.

    A layer's share is of what the layers before it left (:func:`~domain.nets.ranks.break_sticks`), a cell's is of its layer,
    as :func:`cell_shares` has it. The total is no score: it passes by.

    Args:
        shapes: (rows, columns) of each of L layers, in the order of a flat sample.
        knots, quantiles: of the tables, as :class:`~domain.nets.ranks.RankMap` takes them.
    """

    order: Tensor  # (L,) which layer is broken off first
    least: Tensor  # () the smallest deposit above 0
    mirrors: Tensor  # (4, width) orders of the scores that show a mirrored sample

    def __init__(self, shapes: Shapes, knots: int, quantiles: int) -> None:
        super().__init__()
        self.sizes = layer_sizes(shapes)
        layers = len(shapes) - 1
        self.width = layers + sum(self.sizes)
        self.layer_ranks = RankMap(layers, knots, quantiles)
        self.cell_ranks = cell_maps(self.sizes, knots, quantiles)
        self.register_buffer("order", torch.arange(len(shapes)))
        self.register_buffer("least", torch.zeros(()))
        same = torch.arange(layers).expand(4, -1)
        self.register_buffer("mirrors", torch.cat([same, layers + mirrors(shapes)], 1), persistent=False)

    def fit(self, x: Tensor, order: Tensor, mirror: bool) -> None:
        """Measure the tables; x: deposits (N, cells); order: (L,); mirror: mirrored samples are as likely."""
        self.order.copy_(order)
        self.least.copy_(least_deposit(x))
        layers, turns = len(self.sizes) - 1, self.mirrors if mirror else self.mirrors[:1]
        self.layer_ranks.fit(self._sticks(x), log_total(x))
        fit_cells(self.cell_ranks, x, log_total(x), self.least, turns[:, layers:] - layers)

    def _sticks(self, x: Tensor) -> Tensor:
        return break_sticks(layer_energies(x, self.sizes), self.order)[:, 1:]

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Deposits (N, cells) → lowest and highest rank, each (N, width) in [0, 1]; equal where there is a deposit."""
        pairs = self.layer_ranks.encode(self._sticks(x), log_total(x)), rank_cells(self.cell_ranks, x, log_total(x), self.least)
        low, high = (torch.cat(parts, 1) for parts in zip(*pairs))
        return low, high

    def decode(self, scores: Tensor, total: Tensor) -> Tensor:
        """Normal scores (N, width) and totals (N,) → deposits (N, cells), at least 0, that sum to the totals."""
        layers, expected = len(self.sizes) - 1, log_total(total[:, None])
        ranks = torch.special.ndtr(scores)
        sticks = self.layer_ranks.decode(ranks[:, :layers], expected)
        energies = join_sticks(torch.cat([total[:, None], sticks], 1), self.order)
        return unrank_cells(self.cell_ranks, ranks[:, layers:], energies, expected, self.least)


def log_total(x: Tensor) -> Tensor:
    """ln of the sum of deposits (N, cells), (N,); for none so low that a dark layer's share of it is still a number."""
    return x.sum(1).clamp(min=torch.finfo(x.dtype).tiny / DARK).log()


def layer_moments(x: Tensor, shapes: Shapes) -> Tensor:
    """What each layer looks like, (N, 6 L): ln of its share of the total, the deposits' centre and width along rows and
    along columns in half sides of the layer, and (E₁ − E₂)/(E₁ + E₂) of its two hottest cells.

    Args:
        x: deposits (N, cells), at least 0.
        shapes: (rows, columns) of each of L layers.
    """
    tiny, total, found = torch.finfo(x.dtype).tiny, x.sum(1), []
    for part, shape in zip(x.split(layer_sizes(shapes), 1), shapes):
        energy = part.sum(1)
        found.append((energy / total.clamp(min=tiny)).clamp(min=DARK).log())
        for centre, variance in profiles(part, torch.maximum(energy, DARK * total), shape):
            found += [centre, (variance + DARK).sqrt()]
        first, second = part.topk(2, 1).values.unbind(1) if part.shape[1] > 1 else (energy, torch.zeros_like(energy))
        found.append((first - second) / (first + second).clamp(min=tiny))
    return torch.stack(found, 1)


def profiles(part: Tensor, energy: Tensor, shape: tuple[int, int]) -> list[tuple[Tensor, Tensor]]:
    """Centre and variance, (N,) each, along rows, then along columns; part: cells (N, size); energy: their sum, (N,)."""
    weight, found = part.unflatten(1, shape) / energy.clamp(min=torch.finfo(part.dtype).tiny)[:, None, None], []
    for along, size in zip((weight.sum(2), weight.sum(1)), shape):
        place = torch.linspace(1 / size - 1, 1 - 1 / size, size, dtype=part.dtype, device=part.device)
        centre = along @ place
        found.append((centre, (along * (place - centre[:, None]).square()).sum(1)))
    return found

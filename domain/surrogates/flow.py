"""Normalising flows for calorimeter showers in two steps: layer energies, then cells.

The split is CaloFlow's (Krause and Shih 2021, arXiv 2106.05285); the cells' flow is of affine
couplings (Dinh et al. 2016, arXiv 1605.08803) as in CaloINN (Ernst et al. 2023, arXiv 2312.09290),
the layers' of rational-quadratic splines (Durkan et al. 2019, arXiv 1906.04032).

Before either flow, :class:`RankMap` takes out what one number explains: each value is replaced by
its normal score among training values at like energy. A cell that is always hit then shows its
spread about its mean, and a cell that is seldom hit is empty just as often as it should be. What is
left for the flow is how the cells depend on one another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
import zuko
from torch import Tensor, nn
from zuko.transforms import MonotonicAffineTransform

from domain.config import Config, Count, Range
from domain.errors import InputError
from domain.geometry import CALOGAN
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms

MEV = 1000.0  # in a GeV
EDGE = 1e-4  # ranks stay this far from 0 and 1, scores within ± 3.7
CHUNK = 256  # showers ranked at once


@dataclass(frozen=True)
class FlowConfig(Config):
    """Parameters of a shower flow.

    Attributes:
        shapes: (rows, columns) of each layer, in the order of a flat sample.
        mirror: also learn from mirrored showers; right if the detector and the beam are symmetric
            about both middle axes of a layer.
        knots: energies at which values are ranked.
        quantiles: points of each distribution that a rank is read from.
        couplings: affine couplings of the cells' flow.
        width: units in each of the two hidden layers of a coupling.
        splines: autoregressive spline transforms of the layers' flow.
        splines_width: units in each of the two hidden layers of a spline transform.
        batch: showers in each step.
    """

    shapes: tuple[tuple[Count, Count], ...] = CALOGAN.shapes
    mirror: bool = True
    knots: Annotated[int, Range(2)] = 16
    quantiles: Annotated[int, Range(2)] = 33
    couplings: Annotated[int, Range(2)] = 8
    width: Count = 384
    splines: Count = 3
    splines_width: Count = 64
    batch: Count = 256
    layers_optimiser: Adam = Adam(rate=1e-3, beta1=0.9)
    cells_optimiser: Adam = Adam(rate=1e-3, beta1=0.9)


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


def lerp_sorted(x: Tensor, points: Tensor, values: Tensor) -> Tensor:
    """Interpolate linearly; x: (..., M), points and values: (..., Q), points not decreasing."""
    upper = torch.searchsorted(points, x).clamp(1, points.shape[-1] - 1)
    x0, x1 = points.gather(-1, upper - 1), points.gather(-1, upper)
    y0, y1 = values.gather(-1, upper - 1), values.gather(-1, upper)
    return torch.lerp(y0, y1, ((x - x0) / (x1 - x0).clamp(min=1e-12)).clamp(0, 1))


class RankMap(nn.Module):
    """Ranks of D values among training values at the same *coordinate*, a logarithm of an energy.

    Ranks are measured in K slices of the coordinate and interpolated between the slices' medians.
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
        for k, rows in enumerate(order.tensor_split(len(self.knots))):
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
        k = torch.searchsorted(self.knots, coordinate).clamp(1, len(self.knots) - 1) - 1
        low, high = self.knots[k], self.knots[k + 1]
        return k, ((coordinate - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)

    def encode(self, x: Tensor, coordinate: Tensor) -> tuple[Tensor, Tensor]:
        """Values (N, D) → lowest and highest rank, each (N, D) in [0, 1]; equal for values above 0."""
        parts = zip(x.split(CHUNK), coordinate.split(CHUNK))
        low, high = zip(*(self._encode(*part) for part in parts))
        return torch.cat(low), torch.cat(high)

    def _encode(self, x: Tensor, coordinate: Tensor) -> tuple[Tensor, Tensor]:
        k, share = self._between(coordinate)
        empty = torch.lerp(self.empty[k], self.empty[k + 1], share[:, None])
        points = torch.lerp(self.table[k], self.table[k + 1], share[:, None, None])
        logs = x.clamp(min=torch.finfo(x.dtype).tiny).log()
        level = lerp_sorted(logs[..., None], points, self.levels.expand_as(points))[..., 0]
        rank = empty + (1 - empty) * level
        return torch.where(x > 0, rank, 0.0), torch.where(x > 0, rank, empty)

    def decode(self, rank: Tensor, coordinate: Tensor) -> Tensor:
        """Ranks (N, D) at coordinates (N,) → values (N, D), 0 below the probability of 0."""
        k, share = self._between(coordinate)
        share = share[:, None]
        empty = torch.lerp(self.empty[k], self.empty[k + 1], share)
        level = ((rank - empty) / (1 - empty).clamp(min=1e-6)).clamp(0, 1)
        upper = torch.searchsorted(self.levels, level).clamp(1, len(self.levels) - 1)
        below, above = self.levels[upper - 1], self.levels[upper]
        column = torch.arange(rank.shape[1], device=rank.device)
        log0, log1 = (
            torch.lerp(self.table[k[:, None], column, i], self.table[k[:, None] + 1, column, i], share)
            for i in (upper - 1, upper)
        )
        value = torch.lerp(log0, log1, (level - below) / (above - below)).exp()
        return torch.where(rank >= empty, value, 0.0)


def affine(shift: Tensor, scale: Tensor) -> MonotonicAffineTransform:
    """An affine map in float32, whatever precision its parameters were computed in."""
    return MonotonicAffineTransform(shift.float(), scale.float())


class Flow(System):
    """Draws showers given the incident energy: layer energies, then cells."""

    Config: ClassVar[type[Config]] = FlowConfig
    averaged = ("layers", "cells")
    given = ("condition",)

    energy_range: Tensor  # (2,) lowest and highest incident energy seen, GeV
    admitted: Tensor  # (2,) lowest and highest that may be asked for: a sample stops short of its range
    order: Tensor  # (L,) how layers are broken off the total; the hottest takes the rest

    def __init__(self, config: FlowConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        self.sizes = [math.prod(shape) for shape in config.shapes]
        if space.kind != "shower" or space.shape != (sum(self.sizes),):
            raise InputError(
                f"FlowConfig.shapes: has {sum(self.sizes)} cells, but the samples are of kind {space.kind!r} "
                f"and shape {space.shape}; give flat showers and the (rows, columns) of each of their layers"
            )
        if len(space.condition) != 1:
            raise InputError(
                f"flow: the samples have {len(space.condition)} conditions; "
                "give one, the incident energy in GeV"
            )
        count, tables = len(self.sizes), (config.knots, config.quantiles)
        self.layers = zuko.flows.NSF(
            count, 1, transforms=config.splines, hidden_features=[config.splines_width] * 2
        )
        self.cells = zuko.flows.NICE(
            sum(self.sizes), 1 + count, config.couplings, randmask=True,
            univariate=affine, hidden_features=[config.width] * 2,
        )
        self.layer_ranks = RankMap(count, *tables)
        self.cell_ranks = nn.ModuleList(RankMap(size, *tables) for size in self.sizes)
        self.register_buffer("energy_range", torch.tensor([1.0, 100.0]))
        self.register_buffer("admitted", torch.tensor([1.0, 100.0]))
        self.register_buffer("order", torch.arange(count))
        self.register_buffer("mirrors", mirrors(config.shapes), persistent=False)
        self.players = (
            Player("layers", ("layers",), self.layers_terms, config.layers_optimiser),
            Player("cells", ("cells",), self.cells_terms, config.cells_optimiser),
        )

    # Training.

    @torch.no_grad()
    def streams(self, x: Tensor, condition: Tensor) -> dict[str, Stream]:
        """Fit the rank maps and rank the showers.

        Args:
            x: cells in MeV, (N, cells), at least 0.
            condition: incident energy in GeV, (N, 1).
        """
        if len(x) < self.config.knots:
            raise InputError(f"flow: {len(x)} training showers for {self.config.knots} knots; give more")
        if not (condition > 0).all():
            raise InputError("flow: the condition holds energies of 0 or below; remove those showers")
        energies = self.layer_energies(x)
        self._note_range(condition)
        self.order.copy_(energies.mean(0).argsort())
        sticks, incident = self._scaled_sticks(energies, condition), condition[:, 0].log()
        self.layer_ranks.fit(sticks, incident)
        turns = self.mirrors if self.config.mirror else self.mirrors[:1]
        for i, (part, ranks) in enumerate(zip(x.split(self.sizes, 1), self.cell_ranks)):
            start = sum(self.sizes[:i])
            shares, coordinate = self._shares(part, energies[:, i])
            seen = torch.cat([shares[:, turn[start : start + self.sizes[i]] - start] for turn in turns])
            ranks.fit(seen, coordinate.repeat(len(turns)))
        tensors = (self.context(condition), *self.layer_ranks.encode(sticks, incident), *self.rank_cells(x))
        return {"simulated": Stream(tensors, self.config.batch)}

    def _note_range(self, condition: Tensor) -> None:
        """Measure the training range; admit ten mean gaps between showers beyond either end."""
        low, high = condition.aminmax()
        margin = 10 * (high - low) / len(condition)
        self.energy_range.copy_(torch.stack([low, high]))
        self.admitted.copy_(torch.stack([torch.maximum(low - margin, low / 2), high + margin]))

    def layer_energies(self, x: Tensor) -> Tensor:
        """Cells (N, cells) → (N, L), in the same unit."""
        return torch.stack([part.sum(1) for part in x.split(self.sizes, 1)], 1)

    def _scaled_sticks(self, energies: Tensor, condition: Tensor) -> Tensor:
        sticks = break_sticks(energies, self.order)
        return torch.cat([sticks[:, :1] / (MEV * condition), sticks[:, 1:]], 1)

    @staticmethod
    def _shares(part: Tensor, energy: Tensor) -> tuple[Tensor, Tensor]:
        """One layer's cells over its energy, and the logarithm of that energy in MeV."""
        energy = energy.clamp(min=1e-3)
        return part / energy[:, None], energy.log()

    def rank_cells(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Cells in MeV → lowest and highest rank of each cell, both (N, cells)."""
        energies, parts = self.layer_energies(x), x.split(self.sizes, 1)
        pairs = [
            ranks.encode(*self._shares(part, energy))
            for ranks, part, energy in zip(self.cell_ranks, parts, energies.unbind(1))
        ]
        return torch.cat([low for low, _ in pairs], 1), torch.cat([high for _, high in pairs], 1)

    def unrank_cells(self, ranks: Tensor, energies: Tensor) -> Tensor:
        """Ranks (N, cells) → cells in MeV, (N, cells), that sum to the layer energies (N, L)."""
        parts = []
        for table, rank, energy in zip(self.cell_ranks, ranks.split(self.sizes, 1), energies.unbind(1)):
            shares = table.decode(rank, energy.clamp(min=1e-3).log())
            hottest = nn.functional.one_hot(rank.argmax(1), rank.shape[1]).to(shares)
            shares = torch.where(shares.sum(1, keepdim=True) > 0, shares, hottest)
            parts.append(shares * (energy / shares.sum(1))[:, None])
        return torch.cat(parts, 1)

    def context(self, condition: Tensor) -> Tensor:
        """Incident energy in GeV → its logarithm, −1 to 1 over the training range; (N, 1)."""
        low, high = self.energy_range.log()
        return 2 * (condition.log() - low) / (high - low).clamp(min=1e-6) - 1

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        size, place = self.config.batch, generator.device
        draws = {"layers": torch.rand(size, len(self.sizes), generator=generator, device=place)}
        if player.name == "cells":
            draws["cells"] = torch.rand(size, sum(self.sizes), generator=generator, device=place)
            draws["mirror"] = torch.randint(4, (size,), generator=generator, device=place)
        return draws

    def layers_terms(self, batch: Batch, noise: Noise) -> Terms:
        """−ln q(layer scores | energy) a layer, in nats."""
        context, low, high, _, _ = batch["simulated"]
        with torch.autocast(context.device.type, enabled=False):  # a spline's bins need float32
            score = normal_score(torch.lerp(low, high, noise["layers"]))
            return {"layers": -self.layers(context).log_prob(score).mean() / score.shape[1]}

    def cells_terms(self, batch: Batch, noise: Noise) -> Terms:
        """−ln q(cell scores | energy, layer scores) a cell, in nats."""
        context, *layers, low, high = batch["simulated"]
        context = torch.cat([context, normal_score(torch.lerp(*layers, noise["layers"]))], 1)
        score = normal_score(torch.lerp(low, high, noise["cells"]))
        if self.config.mirror:
            score = score.gather(1, self.mirrors[noise["mirror"]])
        return {"cells": -self.cells(context).log_prob(score).mean() / score.shape[1]}

    # Sampling.

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Showers in MeV, (count, cells).

        Args:
            count: how many.
            generator: draws them.
            condition: incident energy in GeV, (count, 1); from :meth:`conditions` if left out.
        """
        condition = self.conditions(count, generator) if condition is None else self._admissible(condition, count)
        context = self.context(condition)
        layers = self._draw(self.layers, context, len(self.sizes), generator)
        energies = self.unrank_layers(layers, condition)
        cells = self._draw(self.cells, torch.cat([context, layers], 1), sum(self.sizes), generator)
        return self.unrank_cells(torch.special.ndtr(cells), energies)

    def unrank_layers(self, scores: Tensor, condition: Tensor) -> Tensor:
        """Normal scores (N, L) and incident energies (N, 1) in GeV → layer energies in MeV, (N, L)."""
        sticks = self.layer_ranks.decode(torch.special.ndtr(scores), condition[:, 0].log())
        sticks = torch.cat([sticks[:, :1] * MEV * condition, sticks[:, 1:]], 1)
        return join_sticks(sticks, self.order)

    def conditions(self, count: int, generator: torch.Generator) -> Tensor:
        """Incident energies in GeV, uniform over the training range, (count, 1)."""
        low, high = self.energy_range
        return low + (high - low) * torch.rand(count, 1, generator=generator, device=generator.device)

    def _admissible(self, condition: Tensor, count: int) -> Tensor:
        name, unit = self.space.condition[0], next(iter(self.space.units), "GeV")
        if condition.shape != (count, 1):
            raise InputError(f"condition {name!r}: has shape {tuple(condition.shape)}, must be ({count}, 1)")
        low, high = self.admitted
        condition = condition.to(low)
        if not ((condition >= low) & (condition <= high)).all():
            raise InputError(
                f"condition {name!r}: runs from {condition.min():g} to {condition.max():g} {unit}, must lie "
                f"within the training range, {low:g} to {high:g} {unit}"
            )
        return condition

    @staticmethod
    def _draw(flow: zuko.flows.Flow, context: Tensor, width: int, generator: torch.Generator) -> Tensor:
        """One draw for each row of the context: normal noise through the flow's inverse, (N, width)."""
        z = torch.randn(len(context), width, generator=generator, device=generator.device)
        return flow(context).transform.inv(z)

"""What surrogates of deposits share: their conditions, and the map from samples to scores, in two steps.

Layer energies come first, then cells: CaloFlow's split (Krause and Shih 2021, arXiv 2106.05285). With the energies comes
the outline of each layer, such as how many of its cells are hit and how wide they lie.

Before any network, two things are measured. :class:`RankMap` takes out what one number explains: each value is replaced by
its normal score among training values at like energy. A cell that is always hit then shows its spread about its mean, and a
cell that is seldom hit is empty just as often as it should be. :class:`ClassCopulas` takes out what means and a covariance
explain of how the cells depend on one another. What is left for a network is the rest.

No unit is read: totals are compared with what the conditions lead one to expect (:class:`Trend`), cells
with their layer. So a sample may be of any deposits, in any unit, given any conditions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import torch
import zuko
from torch import Tensor, nn

from domain.config import Config, Count, Natural, Range
from domain.errors import InputError
from domain.nets.conditions import ConditionRange
from domain.nets.copula import ClassCopulas
from domain.nets.deposits import (
    cell_maps,
    fit_cells,
    layer_energies,
    layer_shapes,
    layer_sizes,
    least_deposit,
    rank_cells,
    unrank_cells,
)  # fmt: skip
from domain.nets.outlines import Outlines
from domain.nets.ranks import RankMap, break_sticks, drawn_scores, join_sticks, mirrors
from domain.nets.trend import Trend
from domain.randomness import torch_generator
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms

DRAWN = 8192  # samples drawn at once


@dataclass(frozen=True)
class TwoStepConfig(Config):
    """Parameters of the data map and of the layers' flow.

    Attributes:
        shapes: (rows, columns) of each layer, in the order of a flat sample; left out, CaloGAN's for flat
            samples of as many cells, and a single layer for pictures.
        conditional: learn samples given their conditions; without, given their classes alone.
        mirror: also learn from mirrored samples; right if the detector and the beam are symmetric about
            both middle axes of a layer.
        knots: energies at which values are ranked.
        quantiles: points of each distribution that a rank is read from.
        turns: of moving the scores of cells that were drawn until each layer looks as it was told (``domain/nets/outlines.py``).
            Each takes about as long as drawing them; 0 leaves them as they are.
        splines: couplings by rational-quadratic splines of the layers' flow (Durkan et al. 2019, arXiv 1906.04032).
        splines_width: units in each of the two hidden layers of a spline transform.
        batch: samples in each step.
        layers_optimiser, cells_optimiser: of the two steps.
    """

    shapes: tuple[tuple[Count, Count], ...] = ()
    conditional: bool = True
    mirror: bool = True
    knots: Annotated[int, Range(2)] = 16
    quantiles: Annotated[int, Range(2)] = 33
    turns: Natural = 0
    splines: Annotated[int, Range(2)] = 6
    splines_width: Count = 64
    batch: Count = 256
    layers_optimiser: Adam = Adam(rate=1e-3, beta1=0.9)
    cells_optimiser: Adam = Adam(rate=1e-3, beta1=0.9)


class TwoStep(System):
    """Draws deposits given their conditions, and their class where there are classes: layers, then cells.

    A family adds the network ``cells`` and says how it learns the cells' scores, less what their copula explains,
    (N, cells), given a context, (N, C + W), which is what samples are given, C numbers, and the W scores of layers: of
    their energies, and of their outlines (:meth:`cells_terms`); and how normal numbers become such scores
    (:meth:`cell_scores`).
    """

    averaged = ("layers", "cells")

    order: Tensor  # (L,) how layers are broken off the total; the hottest takes the rest
    least: Tensor  # () the smallest deposit above 0

    def __init__(self, config: TwoStepConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        if not space.physical:
            raise InputError(f"a surrogate learns deposits, of kind shower or jet; these samples are of kind {space.kind!r}")
        self.given = (*["label"] * (space.classes > 0), *["condition"] * config.conditional)
        if not self.given or (config.conditional and not space.condition):
            raise InputError(
                "a surrogate learns samples given conditions, such as an incident energy, and these have none; "
                "of samples with classes set 'conditional' to false"
            )
        self.shapes = layer_shapes(config.shapes, space.shape)
        self.sizes = layer_sizes(self.shapes)
        self.outlines = Outlines(self.shapes, not config.mirror, config.knots, config.quantiles)
        self.range = ConditionRange(space if config.conditional else replace(space, condition=(), units=()))
        count, conditions = len(self.sizes), len(self.range.names) + space.classes
        self.layer_width, self.cell_count = (1 + self.outlines.each) * count, sum(self.sizes)
        self.context_width = conditions + self.layer_width
        self.layers = zuko.flows.NSF(
            self.layer_width, conditions, transforms=config.splines, passes=2, randperm=True,
            hidden_features=[config.splines_width] * 2,
        )  # fmt: skip
        self.trend = Trend(conditions)
        self.layer_ranks = RankMap(count, config.knots, config.quantiles)
        self.cell_ranks = cell_maps(self.sizes, config.knots, config.quantiles)
        self.copula = ClassCopulas(self.cell_count, self.context_width, space.classes)
        self.register_buffer("order", torch.arange(count))
        self.register_buffer("least", torch.zeros(()))
        self.register_buffer("mirrors", mirrors(self.shapes), persistent=False)
        self.players = (
            Player("layers", ("layers",), self.layers_terms, config.layers_optimiser),
            Player("cells", ("cells",), self.scores_terms, config.cells_optimiser),
        )

    def cells_terms(self, score: Tensor, context: Tensor, noise: Noise) -> Terms:
        """What the cells' network minimises; score: (N, cells); context: (N, C + W)."""
        raise NotImplementedError

    def cell_scores(self, z: Tensor, context: Tensor) -> Tensor:
        """z: normal numbers (N, ``cell_latent``); context: (N, C + W) → scores (N, cells)."""
        raise NotImplementedError

    @property
    def cell_latent(self) -> int:
        """How many normal numbers the cells of one sample are made of."""
        return self.cell_count

    def conditions(self, count: int, generator: torch.Generator) -> Tensor:
        """Conditions, uniform over the training range, (count, conditions)."""
        return self.range.draw(count, generator)

    def draw_labels(self, count: int, generator: torch.Generator) -> Tensor:
        """Classes, equally likely, (count,)."""
        return torch.randint(self.space.classes, (count,), generator=generator, device=generator.device)

    def context(self, condition: Tensor | None, label: Tensor | None) -> Tensor:
        """Scaled conditions, (N, conditions), then 1 for a sample's class, (N,), and 0 for others; (N, C)."""
        parts = [] if condition is None else [self.range.scaled(condition)]
        if label is not None:
            parts.append((label[:, None] == torch.arange(self.space.classes, device=label.device)).float())
        return torch.cat(parts, 1)

    # Samples to scores.

    @torch.no_grad()
    def streams(self, x: Tensor, condition: Tensor | None = None, label: Tensor | None = None) -> dict[str, Stream]:
        """Fit the data map and score the samples; what :attr:`given` names is needed.

        Args:
            x: deposits, (N, *shape), at least 0.
            condition: (N, conditions).
            label: classes (N,), all known.
        """
        if label is not None:
            check_classes(label, self.space.classes)
        if len(x) < self.config.knots:
            raise InputError(f"surrogate: {len(x)} training samples for {self.config.knots} knots; give more")
        x = x.flatten(1)
        energies = layer_energies(x, self.sizes)
        if condition is not None:
            self.range.fit(condition)
        context = self.context(condition, label)
        self.trend.fit(energies.sum(1), context)
        self.order.copy_(energies.mean(0).argsort())
        self.least.copy_(least_deposit(x))
        sticks, expected = self._sticks(energies, context)
        self.layer_ranks.fit(sticks, expected)
        turns = self.mirrors if self.config.mirror else self.mirrors[:1]
        fit_cells(self.cell_ranks, x, expected, self.least, turns)
        pairs = zip(self.layer_ranks.encode(sticks, expected), self.outlines.fit(x, energies, expected))
        low, high = (torch.cat(parts, 1) for parts in pairs)
        generator = torch_generator(0, "scores", device=x.device)  # of what is empty
        layers = drawn_scores(low, high, torch.rand(low.shape, generator=generator, device=x.device))
        context = torch.cat([context, layers], 1)
        cells = self.copula.fit(*rank_cells(self.cell_ranks, x, expected, self.least), context, label, turns, generator)
        return {"simulated": Stream((context, cells), self.config.batch)}

    def _sticks(self, energies: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Layer energies (N, L) → the total over the expected one, and shares; ln(expected total), (N,)."""
        sticks, expected = break_sticks(energies, self.order), self.trend(context)
        return torch.cat([sticks[:, :1] / expected.exp()[:, None], sticks[:, 1:]], 1), expected

    def unrank_layers(self, scores: Tensor, expected: Tensor) -> Tensor:
        """Normal scores (N, L) and ln(expected total) (N,) → layer energies, (N, L)."""
        sticks = self.layer_ranks.decode(torch.special.ndtr(scores), expected)
        return join_sticks(torch.cat([sticks[:, :1] * expected.exp()[:, None], sticks[:, 1:]], 1), self.order)

    # Training.

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        """Of each sample of the cells' batch, how it is mirrored."""
        size, place = self.config.batch, generator.device
        mirror = self.config.mirror and player.name == "cells"
        return {"mirror": torch.randint(4, (size,), generator=generator, device=place)} if mirror else {}

    def layers_terms(self, batch: Batch, noise: Noise) -> Terms:
        """−ln q(layer scores | conditions) a score, in nats."""
        context, _ = batch["simulated"]
        given, score = context.split([context.shape[1] - self.layer_width, self.layer_width], 1)
        with torch.autocast(context.device.type, enabled=False):  # a spline's bins need float32
            return {"layers": -self.layers(given).log_prob(score).mean() / self.layer_width}

    def scores_terms(self, batch: Batch, noise: Noise) -> Terms:
        """A family's own terms on the scores of cells."""
        context, score = batch["simulated"]
        if self.config.mirror:
            score = score.gather(1, self.mirrors[noise["mirror"]])
        return self.cells_terms(score, context, noise)

    # Sampling.

    @torch.no_grad()
    def sample(
        self, count: int, generator: torch.Generator, condition: Tensor | None = None, label: Tensor | None = None
    ) -> Tensor:
        """Deposits in the unit of the training samples, (count, *shape).

        Args:
            count: how many.
            generator: draws them.
            condition: (count, conditions); from :meth:`conditions` if left out.
            label: classes (count,); equally likely ones if left out.
        """
        asked: dict[str, Tensor] = {}
        if "condition" in self.given:
            given = condition is not None
            asked["condition"] = self.range.admitted(condition, count) if given else self.conditions(count, generator)
        if "label" in self.given:
            asked["label"] = self.draw_labels(count, generator) if label is None else label
        parts = []
        for start in range(0, count, DRAWN):
            part = {name: values[start : start + DRAWN] for name, values in asked.items()}
            parts.append(self.render(self.latent(min(DRAWN, count - start), generator), **part))
        return torch.cat(parts)

    def latent(self, count: int, generator: torch.Generator) -> Tensor:
        """The normal numbers that samples are made of, (count, W + ``cell_latent``)."""
        width = self.layer_width + self.cell_latent
        return torch.randn(count, width, generator=generator, device=generator.device)

    def render(self, z: Tensor, condition: Tensor | None = None, label: Tensor | None = None) -> Tensor:
        """Samples (N, *shape) as a function of :meth:`latent` numbers and of what :attr:`given` names."""
        context = self.context(condition, label)
        expected = self.trend(context)
        z_layers, z_cells = z.split([self.layer_width, self.cell_latent], 1)
        layers = self.layers(context).transform.inv(z_layers)
        scores, outlines = layers.split([len(self.sizes), self.layer_width - len(self.sizes)], 1)
        energies, context = self.unrank_layers(scores, expected), torch.cat([context, layers], 1)
        cells, known = self.copula(self.cell_scores(z_cells, context), context, label), (energies, expected, self.least)
        if self.config.turns:
            outlines = self.outlines.decode(outlines, energies, expected)
            x = self.outlines.met(self.cell_ranks, cells, outlines, *known, self.config.turns)
        else:
            x = unrank_cells(self.cell_ranks, torch.special.ndtr(cells), *known)
        return x.unflatten(1, self.space.shape)


def check_classes(label: Tensor, classes: int) -> None:
    """Refuse classes (N,) if some sample has none, or some class no sample."""
    if (label < 0).any():
        raise InputError("surrogate: some samples have no label; label them, or remove them")
    absent = [k for k in range(classes) if not (label == k).any()]
    if absent:
        raise InputError(f"surrogate: no training sample is of class {absent[0]}; add some, or take the class out of the file")


class Rendered(nn.Module):
    """A surrogate's samples as a function of normal numbers and of what it is given, for export."""

    def __init__(self, surrogate: System) -> None:
        super().__init__()
        self.surrogate = surrogate

    def forward(self, z: Tensor, *given: Tensor) -> Tensor:
        """z: (N, Z), see ``latent``; given: what the surrogate's ``given`` names, in that order → (N, *shape)."""
        return self.surrogate.render(z, **dict(zip(self.surrogate.given, given)))

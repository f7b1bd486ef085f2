"""What refiners share: labels of simulated samples, the course of a game with critics, and deposits as scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from domain.config import Config, Count, Range
from domain.errors import InputError
from domain.nets.copula import SWEEPS, TINY, NormalCopula, power
from domain.nets.deposits import DepositScores, layer_energies, layer_shapes, log_total
from domain.nets.ranks import drawn_scores
from domain.randomness import torch_generator
from domain.space import Space
from domain.system import Player, Stream, System

LAST, WON, LOST = 0.25, 0.99, 0.4
"""Alarms: the share of the training that they look at, and the critic's accuracy."""


def source_labels(simulated: Tensor, label: Tensor | None, classes: int) -> Tensor:
    """The labels of the simulated samples, (N,) int64; −1 for all where no class is to be learned.

    Raises:
        InputError: classes are to be learned, and no simulated sample has one.
    """
    if label is None or not classes:
        label = torch.full((len(simulated),), -1)
    if classes and not (label >= 0).any():
        raise InputError(
            "model.classification: no simulated sample has a label to learn from; give labels, or set it to 0"
        )
    return label


def require_labels(classes: int, family: str) -> None:
    """Refuse to classify what no label was learned for."""
    if not classes:
        raise InputError(f"{family}: learned without labels, so it cannot classify; train it with classification above 0")


def critic_first(system: System, player: Player, data: Mapping[str, Stream], steps: int, generator: torch.Generator) -> None:
    """Let a critic learn alone: at first it has to tell simulated from real. Every parameter then needs gradients again.

    Args:
        system: whose ``critic`` learns, by its term ``adversarial``.
        player: the critic.
        data: the training data.
        steps: how many.
        generator: draws rows and noise.
    """
    system.requires_grad_(False)
    system.critic.requires_grad_(True)
    optimiser = player.optimiser.build(list(system.critic.parameters()))
    for _ in range(steps):
        batch = {}
        for name, stream in data.items():
            rows = torch.randint(len(stream), (stream.batch,), generator=generator, device=generator.device)
            batch[name] = tuple(tensor[rows] for tensor in stream.tensors)
        optimiser.zero_grad()
        player.terms(batch, system.noise(player, generator))["adversarial"].backward()
        optimiser.step()
    system.requires_grad_(True)


def critic_alarms(history: Sequence[Mapping[str, float]], still: float, what: str) -> list[str]:
    """A critic that won or lost for all of the last quarter, and a refiner that changes nothing, a sentence each.

    Args:
        history: rows with ``critic.accuracy`` and ``refiner.change``.
        still: a mean change below this is none.
        what: how the change is told, with a place for its value.
    """
    last = [row for row in history if row["step"] > (1 - LAST) * history[-1]["step"]]
    right, change = ([row[key] for row in last] for key in ("critic.accuracy", "refiner.change"))
    found = []
    if right and min(right) > WON:
        found.append(
            f"the critic won: it was right of {min(right):.1%} or more all the time, and who always loses learns "
            "little; lower similarity, or give the refiner more steps"
        )
    if right and max(right) < LOST:
        found.append(f"the critic lost: it was right of {max(right):.1%} at most; give it more steps or width")
    if change and max(change) < still:
        found.append(f"{what.format(max(change))}; lower similarity, or train longer")
    return found


@dataclass(frozen=True)
class DepositConfig(Config):
    """How deposits become scores.

    Attributes:
        shapes: (rows, columns) of each layer, in the order of a flat sample; left out, CaloGAN's for flat
            samples of as many cells, and a single layer for pictures.
        mirror: also learn from mirrored samples; right if the detector and the beam are symmetric about
            both middle axes of a layer.
        knots: energies at which values are ranked.
        quantiles: points of each distribution that a rank is read from.
        correlations: move the scores' means and covariance to the real ones too, by the least move that does so;
            without, each share is matched by itself.
        batch: simulated and real samples in each step.
    """

    shapes: tuple[tuple[Count, Count], ...] = ()
    mirror: bool = True
    knots: Annotated[int, Range(2)] = 16
    quantiles: Annotated[int, Range(2)] = 33
    correlations: bool = True
    batch: Count = 128


class DepositRefiner(System):
    """Base of refiners of deposits, such as showers: everything happens on normal scores of shares, given the total.

    The total passes through untouched. It is what tells the energy, and without labels of real samples nothing could set it
    right: the mean energies of two sets of some thousand showers differ by more than the responses of two simulators.

    A share's rank among simulated ones of like total is read as a rank among real ones. With ``correlations`` scores z move by
    z → μ′ + A (z − μ), A = S^(−1/2) (S^(1/2) S′ S^(1/2))^(1/2) S^(−1/2), the optimal transport between two normal laws
    (Knott & Smith 1984, J. Optim. Theory Appl. 43:39), the means μ and covariances S of each side's copula.

    Cells without deposit share the ranks below their probability. Each lies where the others lead its copula to expect it, or
    without ``correlations`` anywhere, so a cell may be filled or emptied as often as real ones are; refining is a function of
    the seed.
    """

    place: Tensor  # (2,) mean and standard deviation of ln(total) of real samples
    move: Tensor  # (width, width) A

    def __init__(self, config: DepositConfig, space: Space) -> None:
        super().__init__()
        if not space.physical:
            raise InputError(f"samples are of kind {space.kind!r}; this refiner is for deposits, such as showers")
        self.config, self.space = config, space
        self.shapes = layer_shapes(config.shapes, space.shape)
        self.simulated, self.real = (DepositScores(self.shapes, config.knots, config.quantiles) for _ in range(2))
        self.width = self.real.width
        self.simulated_copula, self.real_copula = (NormalCopula(self.width, 1) for _ in range(2))
        self.register_buffer("place", torch.tensor([0.0, 1.0]))
        self.register_buffer("move", torch.eye(self.width))

    @torch.no_grad()
    def streams(self, simulated: Tensor, real: Tensor, label: Tensor | None = None) -> dict[str, Stream]:
        """Both are deposits (N, *shape), at least 0; no label is used. Measures both sides and scores their samples.

        A sample without any deposit has no shares to learn from; :meth:`translate` leaves it as it is.
        """
        simulated, real = (x[x.sum(1) > 0] for x in (simulated.flatten(1), real.flatten(1)))
        for name, x in (("simulated", simulated), ("real", real)):
            if len(x) < self.config.knots:
                raise InputError(f"{name}: {len(x)} samples with deposits for {self.config.knots} knots; give more")
        order, logs = layer_energies(real, self.real.sizes).mean(0).argsort(), log_total(real)
        self.place.copy_(torch.stack([logs.mean(), logs.std().clamp(min=TINY)]))
        turns = self.real.mirrors if self.config.mirror else self.real.mirrors[:1]
        generator, made = torch_generator(0, "scores", device=real.device), {}  # of what is empty
        sides = (("simulated", self.simulated, self.simulated_copula, simulated), ("real", self.real, self.real_copula, real))
        for name, scores, copula, x in sides:
            scores.fit(x, order, self.config.mirror)
            (low, high), given = scores.encode(x), self.placed(x.sum(1))
            if self.config.correlations:
                known = copula(copula.fit(low, high, given, turns, generator), given)
            else:
                known = drawn_scores(low, high, torch.rand(low.shape, generator=generator, device=x.device))
            made[name] = Stream((known, x.sum(1)), self.config.batch)
        if self.config.correlations:
            covariances = [(each.root.double() @ each.root.double()).cpu().numpy() for *_, each, _ in sides]
            self.move.copy_(torch.from_numpy(transport(*covariances)))
        return made

    def placed(self, total: Tensor) -> Tensor:
        """Totals (N,) → what the copulas are given, (N, 1)."""
        return (log_total(total[:, None]) - self.place[0])[:, None] / self.place[1]

    def scored(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Simulated deposits (N, cells) → scores among simulated ones, (N, width)."""
        (low, high), sweeps = self.simulated.encode(x), SWEEPS if self.config.correlations else 0
        share = torch.rand(len(x), 1 + sweeps, self.width, generator=generator, device=generator.device).to(x)
        return self.simulated_copula.completed(low, high, self.placed(x.sum(1)), share)

    def matched(self, scores: Tensor, total: Tensor) -> Tensor:
        """Scores among simulated samples with these totals (N,) → among real ones; (N, width) each."""
        if not self.config.correlations:
            return scores
        given = self.placed(total)
        return (scores - self.simulated_copula.mean(given)) @ self.move.T + self.real_copula.mean(given)

    def refined(self, scores: Tensor, total: Tensor) -> Tensor:
        """What a family makes of matched scores (N, width) of samples with these totals (N,)."""
        raise NotImplementedError

    def layers(self, x: np.ndarray) -> list[np.ndarray]:
        """One sample (*shape) as the cells of each layer, (rows, columns)."""
        parts = np.split(x.reshape(-1), np.cumsum(self.real.sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes)]

    @torch.no_grad()
    def translate(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """x: deposits (N, *shape) → the same shape, at least 0 and with the same total."""
        flat, total = x.flatten(1), x.flatten(1).sum(1)
        with torch.autocast(x.device.type, enabled=False):  # ranks need float32
            scores = self.matched(self.scored(flat, generator), total)
        scores = self.refined(scores, total).float()
        with torch.autocast(x.device.type, enabled=False):
            return self.real.decode(scores, total).reshape(x.shape)


def transport(covariance: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The symmetric A with A S A = S′ for covariances S and S′, (D, D) each."""
    root, inverse = power(covariance, 0.5), power(covariance, -0.5)
    return inverse @ power(root @ wanted @ root, 0.5) @ inverse

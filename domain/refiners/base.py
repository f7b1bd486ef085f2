"""What refiners share: labels of simulated samples, the course of a game with critics, and deposits as scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor

from domain.config import Config, Count, Range
from domain.errors import InputError
from domain.nets.copula import power
from domain.nets.deposits import DepositScores, layer_energies, layer_shapes
from domain.nets.ranks import drawn_scores
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
    (Knott & Smith 1984, J. Optim. Theory Appl. 43:39; S and S′ shrunk as Ledoit & Wolf 2004, J. Multivar. Anal. 88:365).

    Cells without deposit share the ranks below their probability. Random numbers say where each lies, so a cell may be filled
    or emptied as often as real ones are; refining is a function of the seed.
    """

    means: Tensor  # (2, width) of simulated and of real scores
    move: Tensor  # (width, width) A

    def __init__(self, config: DepositConfig, space: Space) -> None:
        super().__init__()
        if not space.physical:
            raise InputError(f"samples are of kind {space.kind!r}; this refiner is for deposits, such as showers")
        self.config, self.space = config, space
        self.shapes = layer_shapes(config.shapes, space.shape)
        self.simulated, self.real = (DepositScores(self.shapes, config.knots, config.quantiles) for _ in range(2))
        self.width = self.real.width
        self.register_buffer("means", torch.zeros(2, self.width))
        self.register_buffer("move", torch.eye(self.width))

    @torch.no_grad()
    def streams(self, simulated: Tensor, real: Tensor, label: Tensor | None = None) -> dict[str, Stream]:
        """Both are deposits (N, *shape), at least 0; no label is used. Fits the tables of both sides."""
        simulated, real = simulated.flatten(1), real.flatten(1)
        for name, x in (("simulated", simulated), ("real", real)):
            if len(x) < self.config.knots:
                raise InputError(f"{name}: {len(x)} samples for {self.config.knots} knots; give more")
        order, made = layer_energies(real, self.real.sizes).mean(0).argsort(), {}
        for name, scores, x in (("simulated", self.simulated, simulated), ("real", self.real, real)):
            scores.fit(x, order, self.config.mirror)
            made[name] = Stream((*scores.encode(x), x.sum(1)), self.config.batch)
        return made

    @torch.no_grad()
    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        """Measure both sides' means and covariances."""
        if not self.config.correlations:
            return
        sides = []
        for side, name in enumerate(("simulated", "real")):
            low, high, _ = data[name].tensors
            scores = drawn_scores(low, high, torch.rand(low.shape, generator=generator, device=low.device))
            if self.config.mirror:
                scores = torch.cat([scores[:, turn] for turn in self.real.mirrors])
            self.means[side] = scores.mean(0)
            sides.append(ledoit_wolf(scores.cpu().double().numpy())[0])
        self.move.copy_(torch.from_numpy(transport(*sides)))

    def matched(self, low: Tensor, high: Tensor, share: Tensor) -> Tensor:
        """Scores as among real samples, (N, width); low, high: ranks of simulated ones; share: (N, width) in [0, 1)."""
        scores = drawn_scores(low, high, share)
        return (scores - self.means[0]) @ self.move.T + self.means[1] if self.config.correlations else scores

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
        flat = x.flatten(1)
        share = torch.rand(len(x), self.width, generator=generator, device=generator.device).to(x.device)
        with torch.autocast(x.device.type, enabled=False):  # ranks need float32
            scores = self.matched(*self.simulated.encode(flat), share)
        scores = self.refined(scores, flat.sum(1)).float()
        with torch.autocast(x.device.type, enabled=False):
            return self.real.decode(scores, flat.sum(1)).reshape(x.shape)


def transport(covariance: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The symmetric A with A S A = S′ for covariances S and S′, (D, D) each."""
    root, inverse = power(covariance, 0.5), power(covariance, -0.5)
    return inverse @ power(root @ wanted @ root, 0.5) @ inverse

"""A generative system: named networks, and players that each minimise a sum of terms.

A family subclasses :class:`System`. Its networks (*roles*) are attributes; its *players* say who
updates which roles, with which terms and which optimiser. Terms are pure functions of the roles,
a batch and the step's noise: all randomness of a step is drawn beforehand by :meth:`System.noise`,
and no forward pass changes a buffer. So one loop trains every family, a run can stop and resume
at any step, and the same system can be stacked over seeds.

What a trained system can do is said by the protocols at the end, its *capabilities*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from domain.config import Config, Fraction, NonNegative, Positive, Range
from domain.space import Space

Batch = Mapping[str, tuple[Tensor, ...]]
Noise = Mapping[str, Tensor]
Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Adam(Config):
    """Adam (Kingma & Ba 2014, arXiv 1412.6980). ``epsilon`` is added outside the root, as torch does."""

    rate: Positive = 2e-4
    beta1: Annotated[float, Range(0, 0.999)] = 0.5
    beta2: Fraction = 0.999
    epsilon: Positive = 1e-8
    decay: NonNegative = 0.0

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Adam:
        return torch.optim.Adam(
            parameters, self.rate, (self.beta1, self.beta2), self.epsilon, self.decay, fused=True
        )


@dataclass(frozen=True)
class Player:
    """One side of the game.

    Attributes:
        name: shown in logs and errors.
        roles: names of the networks it updates; every other network is constant during its step.
        terms: (batch, noise) → named scalars; it minimises their sum.
        optimiser: how it steps.
        steps: its steps in each round.
        streams: the training data that its terms use; all of it by default.
    """

    name: str
    roles: tuple[str, ...]
    terms: Callable[[Batch, Noise], Terms]
    optimiser: Adam
    steps: int = 1
    streams: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stream:
    """Training data that is shuffled together and drawn ``batch`` rows at a time."""

    tensors: tuple[Tensor, ...]
    batch: int

    def __len__(self) -> int:
        return len(self.tensors[0])


class System(nn.Module):
    """Base of every trainable family; see the module's docstring."""

    players: tuple[Player, ...]
    space: Space
    averaged: tuple[str, ...] = ()
    """Roles whose average over training steps replaces them at the end."""
    given: tuple[Literal["label", "condition"], ...] = ()
    """Columns that it learns beside the samples, and that samples it draws can be asked for."""

    def forward(self, player: Player, batch: Batch, noise: Noise) -> Terms:
        """The player's terms; a module's ``forward`` so that ``torch.func`` can call it functionally."""
        return player.terms(batch, noise)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        """All random numbers of one step of one player, on the generator's device."""
        return {}

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        """Set start values that depend on data, before the first step."""

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        """Change the system's own state after a step, in place: a history, a clip, a controller."""

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        """Measure what sampling needs, such as normalisation statistics, after the last step."""

    def alarms(self, history: Sequence[Mapping[str, float]]) -> list[str]:
        """What the training curves say went wrong, a sentence each with its mend; none by default."""
        return []


class Density(NamedTuple):
    """log p(x) in nats, (N,), and whether it is exact, a lower bound, or an estimate."""

    value: Tensor
    kind: Literal["exact", "bound", "estimate"]


@runtime_checkable
class CanSample(Protocol):
    """Draws new samples.

    What :attr:`System.given` names may be passed by keyword: ``label`` (count,) and ``condition``
    (count, C), the latter drawn by ``conditions(count, generator)`` where a user names none.
    """

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """``count`` samples, (count, *shape), in what :meth:`domain.space.Space.decode` takes."""


@runtime_checkable
class CanEncode(Protocol):
    """Maps samples to latent codes."""

    def encode(self, x: Tensor) -> Tensor:
        """x: (N, *shape) → codes (N, d)."""


@runtime_checkable
class CanDecode(Protocol):
    """Maps latent codes to samples."""

    def decode(self, z: Tensor) -> Tensor:
        """z: codes (N, d), as :meth:`CanEncode.encode` gives them → (N, *shape)."""


@runtime_checkable
class CanReconstruct(Protocol):
    """Maps samples to latent codes and back."""

    def reconstruct(self, x: Tensor) -> Tensor:
        """x: (N, *shape) → (N, *shape)."""


@runtime_checkable
class CanRate(Protocol):
    """Gives samples a density."""

    def density(self, x: Tensor, generator: torch.Generator) -> Density:
        """x: (N, *shape) → log density, said to be exact, a bound or an estimate."""


@runtime_checkable
class CanTranslate(Protocol):
    """Maps samples of one domain to another, one for one, so that their labels survive."""

    def translate(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """x: (N, *shape) → (N, *shape)."""


@runtime_checkable
class CanWarp(Protocol):
    """Translates, and says where each pixel came from, so that labels of places move along."""

    @property
    def warps(self) -> bool:
        """Whether it so configured moves pixels at all."""

    def translate_with_grid(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """x: (N, C, H, W) → the same shape, and a grid (N, H, W, 2) as in ``nets/warp.py``, or None."""


@runtime_checkable
class CanClassify(Protocol):
    """Gives class probabilities."""

    def classify(self, x: Tensor) -> Tensor:
        """x: (N, *shape) → probabilities (N, K)."""


@runtime_checkable
class CanPredict(Protocol):
    """Estimates the conditions that its space names."""

    def predict(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) → conditions (N, C) in their own units."""


CAPABILITIES: dict[str, type] = {
    "samples": CanSample,
    "encodes": CanEncode,
    "decodes": CanDecode,
    "reconstructs": CanReconstruct,
    "density": CanRate,
    "translates": CanTranslate,
    "classifies": CanClassify,
    "predicts": CanPredict,
}


def capabilities(model: object) -> tuple[str, ...]:
    """The names of what a model can do."""
    return tuple(name for name, protocol in CAPABILITIES.items() if isinstance(model, protocol))

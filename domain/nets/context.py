"""What samples are drawn given, as one row of numbers for each: a class, conditions, or some quarters of an image."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from domain.errors import InputError
from domain.nets.conditions import ConditionRange
from domain.space import Space

KEPT = 256  # training images whose quadrants stand for those that nobody names

Kind = Literal["label", "attributes", "quadrants"]


class Context(nn.Module):
    """Labels, conditions or images → rows of ``width`` numbers.

    Args:
        kind: ``label``, the class; ``attributes``, the class where there are classes, and the conditions; ``quadrants``, pixels.
        space: of the samples.
        observed: quadrants that are seen, as :func:`quadrants` takes them.
    """

    seen: Tensor  # (C, H, W) 1 at pixels that are given
    kept: Tensor  # (KEPT, C, H, W) training images that lend quadrants, or none

    def __init__(self, kind: Kind, space: Space, observed: int) -> None:
        super().__init__()
        self.kind, self.space = kind, space
        labelled = space.classes > 0 and kind != "quadrants"
        self.names: tuple[Literal["label", "condition"], ...] = (
            *["label"] * labelled, *["condition"] * (kind == "attributes")
        )
        self.range = ConditionRange(space)
        self.register_buffer("kept", torch.zeros(KEPT if kind == "quadrants" else 0, *space.shape))
        seen = quadrants(space.shape, observed) if kind == "quadrants" else torch.zeros(space.shape)
        self.register_buffer("seen", seen, persistent=False)
        numbers = space.classes * labelled + len(space.condition) * (kind == "attributes")
        self.width = math.prod(space.shape) if kind == "quadrants" else numbers

    def fit(self, x: Tensor, condition: Tensor | None) -> None:
        """Measure the conditions' range and keep some images; x: (N, C, H, W), condition: (N, conditions)."""
        if condition is not None:
            self.range.fit(condition)
        if len(self.kept):
            self.kept.copy_(x[torch.arange(KEPT) % len(x)])

    def forward(self, x: Tensor, label: Tensor | None, condition: Tensor | None) -> Tensor:
        """(N, width): the seen pixels and 0 for others; or 1 at the class, then conditions scaled to [−1, 1].

        An unlabelled sample's class is 0 everywhere; x: (N, C, H, W), used with quadrants alone.
        """
        if self.kind == "quadrants":
            return (x * self.seen).flatten(1)
        for name, value in (("label", label), ("condition", condition)):
            if name in self.names and value is None:
                raise InputError(f"these samples are rated given their {name}; pass it")
        parts = []
        if "label" in self.names:
            parts.append(one_hot(label + 1, self.space.classes + 1)[:, 1:].float())
        if "condition" in self.names:
            parts.append(self.range.scaled(condition))
        return torch.cat(parts, 1)

    def draw(
        self, count: int, generator: torch.Generator, label: Tensor | None, condition: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Images that lend their seen pixels, (count, C, H, W), and rows, (count, width); what is left out is drawn."""
        device = generator.device
        x = torch.zeros(count, *self.space.shape, device=device)
        if len(self.kept):
            x = self.kept[torch.randint(len(self.kept), (count,), generator=generator, device=device)]
        if "label" in self.names and label is None:
            label = torch.randint(self.space.classes, (count,), generator=generator, device=device)
        if "condition" in self.names:
            drawn = condition is None
            condition = self.range.draw(count, generator) if drawn else self.range.admitted(condition, count)
        return x, self(x, label, condition)


def quadrants(shape: tuple[int, ...], observed: int) -> Tensor:
    """1 at the pixels of the first ``observed`` quadrants (bottom left, top left, bottom right), 0 elsewhere, (C, H, W)."""
    mask = torch.zeros(shape)
    middle, centre = shape[1] // 2, shape[2] // 2
    mask[:, middle:, :centre] = 1
    if observed >= 2:
        mask[:, :, :centre] = 1
    if observed >= 3:
        mask[:, middle:] = 1
    return mask

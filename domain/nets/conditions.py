"""The range of the conditions that samples are given, such as an energy: measured, scaled, and kept to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from domain.errors import InputError
from domain.space import Space

DECADE = 10.0  # a factor
BEYOND = 0.05  # of the training range, by which samples not learned from may lie outside


class ConditionRange(nn.Module):
    """The range of each of C conditions, measured on the training data.

    Args:
        space: names the conditions and their units.
    """

    low: Tensor  # (C,) lowest seen
    high: Tensor  # (C,) highest seen
    least: Tensor  # (C,) lowest that may be asked for: a sample stops short of its range
    most: Tensor  # (C,) highest that may be asked for
    logarithmic: Tensor  # (C,) whether it is scaled through its logarithm: positive, and over a decade

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.names = space.condition
        self.units = (*space.units, *[""] * (len(space.condition) - len(space.units)))
        count = len(space.condition)
        for name, start in (("low", 0.0), ("high", 1.0), ("least", 0.0), ("most", 1.0)):
            self.register_buffer(name, torch.full((count,), start))
        self.register_buffer("logarithmic", torch.zeros(count, dtype=torch.bool))

    def fit(self, condition: Tensor) -> None:
        """Measure (N, C); admit a little beyond either end, but half the least of positive values."""
        low, high = condition.aminmax(dim=0)
        margin = BEYOND * (high - low)
        self.low.copy_(low)
        self.high.copy_(high)
        self.least.copy_(torch.where(low > 0, torch.maximum(low - margin, low / 2), low - margin))
        self.most.copy_(high + margin)
        self.logarithmic.copy_((low > 0) & (high >= DECADE * low))

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Uniform between lowest and highest seen, (count, C)."""
        u = torch.rand(count, len(self.low), generator=generator, device=generator.device)
        return self.low + (self.high - self.low) * u

    def scaled(self, condition: Tensor) -> Tensor:
        """(N, C) → −1 to 1 over the training range; 0 where that is a single value."""
        tiny = torch.finfo(condition.dtype).tiny
        low, high, values = (
            torch.where(self.logarithmic, each.clamp(min=tiny).log(), each) for each in (self.low, self.high, condition)
        )
        half = (high - low) / 2
        return torch.where(half > 0, (values - low) / half.clamp(min=1e-12) - 1, 0.0)

    def admitted(self, condition: Tensor, count: int) -> Tensor:
        """The condition, (count, C), if it may be asked for."""
        if condition.shape != (count, len(self.names)):
            raise InputError(
                f"condition {', '.join(self.names)}: has shape {tuple(condition.shape)}, "
                f"must be ({count}, {len(self.names)})"
            )
        condition = condition.to(self.low)
        for name, unit, values, least, most in zip(self.names, self.units, condition.T, self.least, self.most):
            if not ((values >= least) & (values <= most)).all():
                raise InputError(
                    f"condition {name!r}: runs from {values.min():g} to {values.max():g} {unit}, must lie "
                    f"within the training range, {least:g} to {most:g} {unit}"
                )
        return condition

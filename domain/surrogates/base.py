"""What surrogates share: the range of conditions that they were trained on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from domain.errors import InputError
from domain.space import Space


class ConditionRange(nn.Module):
    """The range of each of C conditions, measured on the training data.

    Args:
        space: names the conditions and their units.
    """

    low: Tensor  # (C,) lowest seen
    high: Tensor  # (C,) highest seen
    least: Tensor  # (C,) lowest that may be asked for: a sample stops short of its range
    most: Tensor  # (C,) highest that may be asked for

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.names = space.condition
        self.units = (*space.units, *[""] * (len(space.condition) - len(space.units)))
        count = len(space.condition)
        for name, start in (("low", 0.0), ("high", 1.0), ("least", 0.0), ("most", 1.0)):
            self.register_buffer(name, torch.full((count,), start))

    def fit(self, condition: Tensor) -> None:
        """Measure (N, C); admit ten mean gaps beyond either end, but half the least of positive values."""
        low, high = condition.aminmax(dim=0)
        margin = 10 * (high - low) / len(condition)
        self.low.copy_(low)
        self.high.copy_(high)
        self.least.copy_(torch.where(low > 0, torch.maximum(low - margin, low / 2), low - margin))
        self.most.copy_(high + margin)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Uniform between lowest and highest seen, (count, C)."""
        u = torch.rand(count, len(self.low), generator=generator, device=generator.device)
        return self.low + (self.high - self.low) * u

    def scaled(self, condition: Tensor) -> Tensor:
        """(N, C) → −1 to 1 over the training range; 0 where that is a single value."""
        half = (self.high - self.low) / 2
        return torch.where(half > 0, (condition - self.low) / half.clamp(min=1e-12) - 1, 0.0)

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

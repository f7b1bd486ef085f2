"""Polynomials of second degree: what a few numbers lead one to expect of others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ROWS = 10  # samples that must stand for each term, or products are left out
MOST = 32  # numbers whose products are terms


class Quadratic(nn.Module):
    """D values as a polynomial of second degree in C numbers; of first degree for many numbers or few samples.

    Args:
        numbers: C.
        values: D.
    """

    def __init__(self, numbers: int, values: int) -> None:
        super().__init__()
        pairs = torch.triu_indices(numbers, numbers) if numbers <= MOST else torch.zeros(2, 0, dtype=torch.long)
        self.register_buffer("pairs", pairs, persistent=False)
        self.register_buffer("weights", torch.zeros(1 + numbers + pairs.shape[1], values))

    def terms(self, x: Tensor) -> Tensor:
        """(N, C) → 1, the numbers, and their products, (N, T)."""
        return torch.cat([torch.ones_like(x[:, :1]), x, x[:, self.pairs[0]] * x[:, self.pairs[1]]], 1)

    def fit(self, x: Tensor, y: Tensor) -> None:
        """Least squares; x: (N, C); y: (N, D)."""
        terms = self.terms(x.double())
        if len(x) < ROWS * terms.shape[1]:
            terms = terms[:, : 1 + x.shape[1]]
        self.weights.zero_()
        self.weights[: terms.shape[1]] = torch.linalg.lstsq(terms, y.double(), driver="gelsd").solution.to(self.weights)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) → (N, D)."""
        return self.terms(x) @ self.weights


class Trend(Quadratic):
    """What total the conditions lead one to expect: ln(total) as a polynomial of second degree in C conditions."""

    def __init__(self, conditions: int) -> None:
        super().__init__(conditions, 1)

    def fit(self, total: Tensor, context: Tensor) -> None:
        """total: (N,), of which those above 0 count; context: (N, C)."""
        seen = total > 0
        super().fit(context[seen], total[seen].double().log()[:, None])

    def forward(self, context: Tensor) -> Tensor:
        """context: (N, C) → ln(expected total), (N,)."""
        return super().forward(context)[:, 0]

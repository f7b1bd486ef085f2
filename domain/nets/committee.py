"""Networks that answer side by side, each looking at a sample in its own way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


class Committee(nn.Module):
    """Members see the same samples; their logits stand side by side, their features one after the other.

    Args:
        members: discriminators of ``nets/noisy.py`` and ``nets/plane.py``; only the first may have noise.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def draw(self, count: int, generator: torch.Generator) -> Tensor | None:
        """The first member's noise for ``count`` samples."""
        return self.members[0].draw(count, generator)

    def start(self, x: Tensor, noise: Tensor | None) -> None:
        """Data-dependent start of the first member; the others' does not depend on data."""
        self.members[0].start(x, noise)

    def forward(
        self, x: Tensor, noise: Tensor | None = None, sizes: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """x: samples (N, …) → logits (N, K, M) of M members, and features (N, Σ widths).

        ``sizes`` says how many rows each batch has, one after the other; by default all are one.
        """
        first, *others = self.members
        results = [first(x, noise, sizes), *(member(x, None, sizes) for member in others)]
        logits, features = zip(*results)
        return torch.stack(logits, 2), torch.cat(features, 1)

    @torch.no_grad()
    def calibrate(self, x: Tensor, size: int) -> None:
        """Measure what minibatch discrimination adds for real samples, (N, …), in batches of ``size``."""
        for member in self.members:
            member.minibatch.calibrate(member(x)[1], size)

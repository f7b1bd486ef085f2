"""Damage to images, for a network to repair (Vincent et al. 2008)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["none", "gaussian", "masking", "salt_and_pepper"]


class Corruption:
    """What an encoder's view of images suffers.

    Args:
        kind: ``none``; ``gaussian``, normal noise of deviation ``amount``; ``masking``, a share ``amount`` of the pixels is
            black; ``salt_and_pepper``, that share is black or white.
        amount: in units of [−1, 1], or a share.
    """

    def __init__(self, kind: Kind, amount: float) -> None:
        self.kind, self.amount = kind, amount

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> dict[str, Tensor]:
        """The noise behind the damage to images of this shape, (N, C, H, W)."""
        if self.kind == "none":
            return {}
        if self.kind == "gaussian":
            return {"added": torch.randn(shape, generator=generator, device=generator.device)}
        return {"place": torch.rand(shape, generator=generator, device=generator.device)}

    def __call__(self, x: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """Damaged images; x: (N, C, H, W) in [−1, 1]; without noise they stay as they are."""
        if not noise:
            return x
        if self.kind == "gaussian":
            return x + self.amount * noise["added"]
        place = noise["place"]
        x = torch.where(place < (self.amount if self.kind == "masking" else self.amount / 2), -1.0, x)
        return x if self.kind == "masking" else torch.where(place > 1 - self.amount / 2, 1.0, x)

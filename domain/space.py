"""The space a model lives in: the shape, range, classes and conditions of its samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from domain.config import Config
from domain.errors import InputError
from domain.samples import About, Kind, SampleFile, Samples


@dataclass(frozen=True)
class Space(Config):
    """Shape of one sample, its value range, and what it may be conditioned on."""

    kind: Kind
    shape: tuple[int, ...]
    range: tuple[float, float]
    integer: bool = False
    classes: int = 0
    condition: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Samples | SampleFile) -> Self:
        """The space of some samples."""
        if isinstance(source, SampleFile):
            source = source.read(0, 1)
        a = source.about
        integer = np.issubdtype(source.x.dtype, np.integer)
        return cls(a.kind, tuple(source.x.shape[1:]), tuple(a.range), integer, a.classes, tuple(a.condition), tuple(a.units))

    def require(self, other: Space, model: str, where: str) -> None:
        """Refuse samples that the model was not made for, in one sentence; of :attr:`physical` ones any range is seen alike."""
        for name in ("kind", "shape") if self.physical else ("kind", "shape", "range"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise InputError(
                    f"{where}: has {name} {theirs}, but {model} was made for {name} {mine}; "
                    "prepare the samples alike or train a model on them"
                )

    def require_images(self, where: str) -> None:
        """Refuse samples that are no images, (N, C, H, W)."""
        if len(self.shape) != 3:
            raise InputError(f"{where}: 'x' has samples of shape {self.shape}; store images as (N, C, H, W)")

    @property
    def physical(self) -> bool:
        """Whether models see these samples in their own units: a shower's cells span five decades."""
        return self.kind in ("shower", "jet")

    def encode(self, x: np.ndarray | Tensor) -> Tensor:
        """Own units → what models see: float32, in [−1, 1] unless :attr:`physical`; x: (N, ...)."""
        if self.physical:
            return torch.as_tensor(x).float()
        low, high = self.range
        return (torch.as_tensor(x).float() - low) * (2 / (high - low)) - 1

    def decode(self, x: Tensor) -> np.ndarray:
        """What models give → own units and number type, clipped to the range; x: (N, ...)."""
        low, high = self.range
        x = x.detach().float().cpu()
        x = (x if self.physical else (x + 1) * ((high - low) / 2) + low).clamp(low, high)
        if not self.integer:
            return x.numpy()
        return x.round().to(torch.uint8 if low >= 0 and high <= 255 else torch.int32).numpy()

    def about(self, producer: str, parameters: Mapping[str, Any], seed: int, inputs: Mapping[str, str]) -> About:
        """What a file of samples from this space says of itself."""
        return About(self.kind, self.range, self.classes, self.condition, self.units, producer, parameters, seed, inputs)


def standard(condition: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each condition, (T,) float64; of one that never changes 1, so that it keeps its unit."""
    condition = condition.double()
    scale = condition.std(0, correction=0)
    return condition.mean(0), torch.where(scale > 0, scale, 1.0)

"""No network for the cells: what means and a covariance of their scores explain. The floor that networks must beat.

It is measured in seconds and draws as fast as a matrix product. How samples become scores is in ``base.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from domain.config import Config
from domain.space import Space
from domain.surrogates.base import TwoStep, TwoStepConfig


@dataclass(frozen=True)
class CopulaConfig(TwoStepConfig):
    """Parameters of the data map and of the layers' flow; ``cells_optimiser`` means nothing without a network."""


class Copula(TwoStep):
    """Layers by splines, cells by a normal copula of values that may be 0."""

    Config: ClassVar[type[Config]] = CopulaConfig
    averaged = ("layers",)

    def __init__(self, config: CopulaConfig, space: Space) -> None:
        super().__init__(config, space)
        self.players = self.players[:1]

    def cell_scores(self, z: Tensor, context: Tensor) -> Tensor:
        """The normal numbers themselves."""
        return z

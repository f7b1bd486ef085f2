"""A flow of affine couplings for the cells (Dinh et al. 2016, arXiv 1605.08803), as in CaloINN.

The recipe for showers is that of Ernst et al. 2023 (arXiv 2312.09290); how samples become scores is
in ``base.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import zuko
from torch import Tensor
from zuko.transforms import MonotonicAffineTransform

from domain.config import Config, Count, Range
from domain.space import Space
from domain.surrogates.base import TwoStep, TwoStepConfig
from domain.system import Noise, Terms


@dataclass(frozen=True)
class FlowConfig(TwoStepConfig):
    """Parameters of the cells' flow; the others are those of every two-step surrogate.

    Attributes:
        couplings: affine couplings.
        width: units in each of the two hidden layers of a coupling.
    """

    couplings: Annotated[int, Range(2)] = 8
    width: Count = 384


def affine(shift: Tensor, scale: Tensor) -> MonotonicAffineTransform:
    """An affine map in float32, whatever precision its parameters were computed in."""
    return MonotonicAffineTransform(shift.float(), scale.float())


class Flow(TwoStep):
    """Layer energies by splines, cells by affine couplings with random masks."""

    Config: ClassVar[type[Config]] = FlowConfig

    def __init__(self, config: FlowConfig, space: Space) -> None:
        super().__init__(config, space)
        self.cells = zuko.flows.NICE(
            self.cell_count, self.context_width, config.couplings, randmask=True,
            univariate=affine, hidden_features=[config.width] * 2,
        )

    def cells_terms(self, score: Tensor, context: Tensor, noise: Noise) -> Terms:
        """−ln q(cell scores | context) a cell, in nats."""
        return {"cells": -self.cells(context).log_prob(score).mean() / self.cell_count}

    def cell_scores(self, z: Tensor, context: Tensor) -> Tensor:
        return self.cells(context).transform.inv(z)

"""The floor of refining showers, without a network: ranks of layers' and cells' shares become ranks among real ones.

Quantile matching given the total deposit, and with ``correlations`` the normal copula of the real side too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from domain.config import Config
from domain.refiners.base import DepositConfig, DepositRefiner
from domain.space import Space


@dataclass(frozen=True)
class ShowerMatchingConfig(DepositConfig):
    """What is matched; see :class:`~domain.refiners.base.DepositConfig`. ``batch`` means nothing without a network."""


class ShowerMatching(DepositRefiner):
    """Has no player: all that it needs is measured; translates."""

    Config: ClassVar[type[Config]] = ShowerMatchingConfig

    def __init__(self, config: ShowerMatchingConfig, space: Space) -> None:
        super().__init__(config, space)
        self.players = ()

    def refined(self, scores: Tensor, total: Tensor) -> Tensor:
        """The matched scores themselves."""
        return scores

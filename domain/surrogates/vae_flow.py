"""A variational autoencoder for the cells, whose codes follow a flow, as in CaloVAE+INN.

Ernst et al. 2023 (arXiv 2312.09290) compress showers before a flow; here both learn together, as the flow is
the prior of the bound (Chen et al. 2016, arXiv 1611.02731, section 3.2). Few numbers pass through the flow, so
it is fast and scales to many cells; what a code leaves out falls to independent noise, which costs
faithfulness. How samples become scores is in ``base.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import zuko
from torch import Tensor, nn

from domain.config import Config, Count, NonNegative
from domain.nets.mlp import mlp
from domain.space import Space
from domain.surrogates.base import TwoStep, TwoStepConfig
from domain.system import Noise, Player, Terms


@dataclass(frozen=True)
class VAEFlowConfig(TwoStepConfig):
    """Parameters of the cells' autoencoder; the others are those of every two-step surrogate.

    Attributes:
        latent: width of the code.
        width: units in each of the two hidden layers of encoder and decoder.
        couplings: spline couplings of the codes' flow.
        couplings_width: units in each of the two hidden layers of a coupling.
        beta: weight of the code's terms; 1 gives a bound on the likelihood.
    """

    latent: Count = 48
    width: Count = 512
    couplings: Count = 6
    couplings_width: Count = 128
    beta: NonNegative = 1.0


class VAEFlow(TwoStep):
    """Layer energies by splines, cells decoded from codes that follow a flow."""

    Config: ClassVar[type[Config]] = VAEFlowConfig

    def __init__(self, config: VAEFlowConfig, space: Space) -> None:
        super().__init__(config, space)
        hidden, cells, context = [config.width] * 2, self.cell_count, self.context_width
        self.cells = nn.ModuleDict(
            {
                "encoder": mlp((cells + context, *hidden, 2 * config.latent), nn.SiLU),
                "decoder": mlp((config.latent + context, *hidden, 2 * cells), nn.SiLU),
                "prior": zuko.flows.NSF(
                    config.latent, context, transforms=config.couplings, passes=2, randperm=True,
                    hidden_features=[config.couplings_width] * 2,
                ),
            }
        )

    @property
    def cell_latent(self) -> int:
        return self.config.latent + self.cell_count

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        draws = super().noise(player, generator)
        if player.name == "cells":
            shape = self.config.batch, self.config.latent
            draws["z"] = torch.randn(shape, generator=generator, device=generator.device)
        return draws

    def cells_terms(self, score: Tensor, context: Tensor, noise: Noise) -> Terms:
        """The negative evidence lower bound a cell, in nats: −ln p(x | z), and ln q(z | x) − ln p(z)."""
        mean, spread = self.cells["encoder"](torch.cat([score, context], 1)).float().chunk(2, 1)
        spread = spread.clamp(-8, 4)
        code = mean + spread.exp() * noise["z"]
        guess, deviation = self.decoded(code, context)
        error = 0.5 * ((score - guess) / deviation.exp()) ** 2 + deviation + 0.5 * math.log(2 * math.pi)
        posterior = -(0.5 * noise["z"] ** 2 + spread + 0.5 * math.log(2 * math.pi)).sum(1)
        with torch.autocast(score.device.type, enabled=False):  # a spline's bins need float32
            prior = self.cells["prior"](context).log_prob(code)
        return {
            "reconstruction": error.mean(),
            "code": self.config.beta * (posterior - prior).mean() / self.cell_count,
        }

    def decoded(self, code: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log deviation of each cell's score, both (N, cells); code: (N, latent)."""
        mean, deviation = self.cells["decoder"](torch.cat([code, context], 1)).float().chunk(2, 1)
        return mean, deviation.clamp(-5, 1)

    def cell_scores(self, z: Tensor, context: Tensor) -> Tensor:
        code, noise = z.split([self.config.latent, self.cell_count], 1)
        mean, deviation = self.decoded(self.cells["prior"](context).transform.inv(code), context)
        return mean + deviation.exp() * noise

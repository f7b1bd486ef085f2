"""Conditional flow matching for the cells (Lipman et al. 2022, arXiv 2210.02747), in few steps.

A network learns the velocity that carries normal noise z into scores x along x_t = cos(πt/2) z + sin(πt/2) x,
the trigonometric interpolant of Albergo and Vanden-Eijnden (2022, arXiv 2209.15571). What the copula leaves is normal
number by number and uncorrelated, and on this path independent normal numbers do not move at all: the velocity carries
only what means and a covariance do not explain, so it is small and smooth, and a few steps of the midpoint rule follow it.
How samples become scores is in ``base.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from domain.config import Config, Count
from domain.space import Space
from domain.surrogates.base import TwoStep, TwoStepConfig
from domain.system import Noise, Player, Terms

FREQUENCIES = 8  # of the sines and cosines that time is seen through


@dataclass(frozen=True)
class FlowMatchingConfig(TwoStepConfig):
    """Parameters of the cells' velocity; the others are those of every two-step surrogate.

    Attributes:
        width: units of the residual blocks.
        blocks: their number.
        steps: of the midpoint rule, with two evaluations each, when sampling.
    """

    width: Count = 512
    blocks: Count = 3
    steps: Count = 4


class Velocity(nn.Module):
    """A residual perceptron of a point, the time and a context; zero at the start.

    Args:
        values: width D of a point.
        context: width of the context.
        width, blocks: of the residual blocks.
    """

    def __init__(self, values: int, context: int, width: int, blocks: int) -> None:
        super().__init__()
        self.enter = nn.Linear(values, width)
        self.told = nn.Linear(context + 2 * FREQUENCIES, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(blocks))
        self.inner = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(blocks))
        self.outer = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.leave = nn.Linear(width, values)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        self.register_buffer("frequencies", math.pi * torch.arange(1.0, FREQUENCIES + 1), persistent=False)

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        """x: (N, D); time: (N, 1) in [0, 1]; context: (N, C) → velocities (N, D), float32."""
        angles = time * self.frequencies
        told = silu(self.told(torch.cat([context, angles.sin(), angles.cos()], 1)))
        h = self.enter(x)
        for norm, inner, outer in zip(self.norms, self.inner, self.outer):
            h = h + outer(silu(inner(torch.cat([norm(h), told], 1))))
        return self.leave(silu(h)).float()


class FlowMatching(TwoStep):
    """Layer energies by splines, cells along a learned velocity."""

    Config: ClassVar[type[Config]] = FlowMatchingConfig

    def __init__(self, config: FlowMatchingConfig, space: Space) -> None:
        super().__init__(config, space)
        self.cells = Velocity(self.cell_count, self.context_width, config.width, config.blocks)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        draws, size = super().noise(player, generator), self.config.batch
        if player.name == "cells":
            draws["z"] = torch.randn(size, self.cell_count, generator=generator, device=generator.device)
            draws["time"] = torch.rand(size, 1, generator=generator, device=generator.device)
        return draws

    def cells_terms(self, score: Tensor, context: Tensor, noise: Noise) -> Terms:
        """Mean squared error of the velocity, in units of that of the noise."""
        z, time = noise["z"], noise["time"]
        sine, cosine = (0.5 * math.pi * time).sin(), (0.5 * math.pi * time).cos()
        velocity = 0.5 * math.pi * (cosine * score - sine * z)
        error = self.cells(cosine * z + sine * score, time, context) - velocity
        return {"cells": error.square().mean() / (0.5 * math.pi) ** 2}

    def cell_scores(self, z: Tensor, context: Tensor) -> Tensor:
        step = 1 / self.config.steps
        for k in range(self.config.steps):
            start, half = (torch.full_like(z[:, :1], (k + part) * step) for part in (0.0, 0.5))
            middle = z + 0.5 * step * self.cells(z, start, context)
            z = z + step * self.cells(middle, half, context)
        return z

"""Noise of a learned shape, and codes mixed from it, whose mean and deviation are known exactly.

z = a₀ + Σᵢ aᵢ vᵢ(εᵢ), element by element, with networks vᵢ of normal numbers εᵢ, brought to mean 0 and variance 1:
then z has mean a₀ and deviation √Σaᵢ², whatever its shape (Mescheder et al. 2017, arXiv 1701.04722, who mix basis
noise vectors for their adaptive contrast and estimate the moments of each).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from domain.nets.batch_norm import BatchNorm
from domain.nets.mlp import mlp


class BasisNoise(nn.Module):
    """The vectors vᵢ, of mean 0 and variance 1 over a batch.

    Args:
        bases: how many.
        inputs: normal numbers behind each.
        hidden: units of the layers that shape them; all share these, and each is told its number.
        latent: numbers in each.
        smooth: ELU layers, which keep a density everywhere; ReLU ones fold, and tear noise into peaks sooner.
    """

    def __init__(self, bases: int, inputs: int, hidden: tuple[int, ...], latent: int, smooth: bool = False) -> None:
        super().__init__()
        self.bases, self.inputs = bases, inputs
        self.net = mlp((inputs + bases, *hidden, latent), nn.ELU if smooth else nn.ReLU)
        self.net[-1].bias = None  # as the norm's, it would be lost in the mean
        self.norm = BatchNorm(bases * latent, scale=False)
        self.norm.bias = None

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """ε, (count, bases, inputs)."""
        return torch.randn(count, self.bases, self.inputs, generator=generator, device=generator.device)

    def forward(self, noise: Tensor) -> Tensor:
        """ε, (N, bases, inputs) → v, (N, bases, latent)."""
        number = torch.eye(self.bases, device=noise.device).expand(len(noise), -1, -1)
        out = self.net(torch.cat([noise, number], 2)).float()
        return self.norm(out.flatten(1)).unflatten(1, out.shape[1:])


class Mixed(NamedTuple):
    """A code z, the same standardised, (z − mean) / deviation, and the logarithm of its deviation; each (N, latent)."""

    z: Tensor
    standard: Tensor
    log_deviation: Tensor


def moments(out: Tensor, latent: int) -> tuple[Tensor, Tensor, Tensor]:
    """a₀ and the logarithm of √Σaᵢ², (N, latent), and aᵢ, (N, bases, latent); out: (N, (1 + bases) latent)."""
    mixed = out.float().unflatten(1, (-1, latent))
    return mixed[:, 0], 0.5 * (mixed[:, 1:].square().sum(1) + 1e-8).log(), mixed[:, 1:]


def mix(out: Tensor, v: Tensor) -> Mixed:
    """The codes of an encoder's output (N, (1 + bases) latent) and noise vectors (N, bases, latent)."""
    mean, log_deviation, weight = moments(out, v.shape[2])
    spread = (weight * v).sum(1)
    return Mixed(mean + spread, spread * (-log_deviation).exp(), log_deviation)

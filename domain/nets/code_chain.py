"""Codes in a chain, z_L → … → z_1, each level normal given the one above (Sønderby et al. 2016, arXiv 1602.02282)."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from domain.nets.batch_norm import BatchNorm
from domain.nets.codes import Gaussian
from domain.nets.mlp import mlp


class Level(NamedTuple):
    """One level's draw (N, d), its posterior and its prior."""

    z: Tensor
    posterior: Gaussian
    prior: Gaussian


class NormalHead(nn.Module):
    """Features (N, F) → a normal distribution of d numbers; its variance is softplus of an output."""

    def __init__(self, features: int, latent: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 2 * latent)

    def forward(self, h: Tensor) -> Gaussian:
        mean, spread = self.linear(h).float().chunk(2, 1)
        return Gaussian(mean, (softplus(spread) + 1e-6).log())


class CodeChain(nn.Module):
    """A way up that reads samples, and a way down that draws the codes and, at its end, says what a sample looks like.

    Args:
        size: numbers in a sample.
        latents: degrees of freedom of each level, from the sample up.
        widths: units of the two hidden layers at each level.
    """

    def __init__(self, size: int, latents: tuple[int, ...], widths: tuple[int, ...]) -> None:
        super().__init__()
        self.latents = latents
        self.up = nn.ModuleList(hidden(a, b) for a, b in itertools.pairwise((size, *widths)))
        self.read = nn.ModuleList(NormalHead(b, d) for b, d in zip(widths, latents))
        # down[k] leaves level k, for level k − 1 or, k = 0, for the sample
        self.down = nn.ModuleList(hidden(d, width) for d, width in zip(latents, widths))
        self.above = nn.ModuleList(
            [nn.Linear(widths[0], size), *(NormalHead(b, d) for b, d in zip(widths[1:], latents))]
        )

    def likelihoods(self, x: Tensor) -> list[Gaussian]:
        """What the way up reads from samples (N, size) about each level, from the sample up."""
        found = []
        for up, read in zip(self.up, self.read):
            x = up(x)
            found.append(read(x))
        return found

    def descend(self, likelihoods: list[Gaussian] | None, noise: Tensor) -> list[Level]:
        """Draw the levels from the top down and return them from the sample up.

        Args:
            likelihoods: of :meth:`likelihoods`; without, levels are drawn from the prior.
            noise: standard normal, (N, Σ d), from the sample up; zero takes each level's mean.
        """
        parts = noise.split(self.latents, 1)
        levels: list[Level] = []
        for k in reversed(range(len(parts))):
            prior = (
                self.above[k + 1](self.down[k + 1](levels[-1].z))
                if levels
                else Gaussian(torch.zeros_like(parts[k]), torch.zeros_like(parts[k]))
            )
            posterior = product(likelihoods[k], prior) if likelihoods else prior
            levels.append(Level(posterior.draw(parts[k]), posterior, prior))
        return levels[::-1]

    def shown(self, z: Tensor) -> Tensor:
        """What the lowest codes (N, d_1) say of the sample, (N, size), unbounded."""
        return self.above[0](self.down[0](z))


def hidden(inputs: int, width: int) -> nn.Sequential:
    """Two layers with leaky rectifiers, each normalised over the batch before it; → (N, width)."""
    def activation() -> nn.Module:
        return nn.Sequential(BatchNorm(width), nn.LeakyReLU(0.1))

    return nn.Sequential(*mlp((inputs, width, width), activation), activation())


def product(a: Gaussian, b: Gaussian) -> Gaussian:
    """The normal distribution whose density is the product of two, normalised: means weighed by precision."""
    precisions = (-a.log_variance).exp(), (-b.log_variance).exp()
    total = precisions[0] + precisions[1]
    return Gaussian((a.mean * precisions[0] + b.mean * precisions[1]) / total, -total.log())

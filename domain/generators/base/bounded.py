"""Families that maximise a bound on log p(x), and rate samples by weighing codes that they draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from domain.nets.codes import Gaussian, PowerSpherical
from domain.objectives import bounds
from domain.system import Batch, Density, Noise, Player, System


class Bounded(System):
    """A family with codes z ~ q(z | x), whose weights p(x, z) / q(z | x) bound the likelihood."""

    def weigher(self, x: Tensor, generator: torch.Generator) -> Callable[[int], Tensor]:
        """Samples (N, *shape) → a function of k that draws k codes for each and gives their log weights in nats, (k, N)."""
        raise NotImplementedError

    def log_weights(self, x: Tensor, code: Gaussian | PowerSpherical, z: Tensor) -> Tensor:
        """log p(x | z) + log p(z) − log q(z | x), where the code's density is known; z: draws from the code, (k, N, width) → (k, N)."""
        return self.log_likelihood(x, z) + self.prior.log_prob(z) - code.log_prob(z)

    @torch.no_grad()
    def weighed(self, x: Tensor, generator: torch.Generator, draws: int) -> bounds.Estimate:
        """What the weights of ``draws`` codes for each sample say of log p(x); x: (N, *shape) in [−1, 1]."""
        return bounds.sample_by_sample(lambda rows: self.weigher(rows, generator), draws, x)

    def estimate(self, x: Tensor, generator: torch.Generator, draws: int) -> bounds.Estimate:
        """The same, for a family to say the evidence bound otherwise."""
        return self.weighed(x, generator, draws)

    @torch.no_grad()
    def density(self, x: Tensor, generator: torch.Generator, draws: int = 100) -> Density:
        """Importance-weighted bound on log p(x) in nats (Burda et al. 2015, arXiv 1509.00519, equation 8); x: (N, *shape)."""
        return Density(self.weighed(x, generator, draws).value.float(), "bound")


class WarmingUp(System):
    """A family whose KL terms count little at first, so that no code is given up before the decoder can read it."""

    config: Any
    steps: Tensor  # scalar, done so far

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register_buffer("steps", torch.zeros(()))

    def warmth(self) -> Tensor:
        """The weight of the KL terms, in [0, 1]."""
        return bounds.warm_up(self.steps, self.config.warm_up)

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        self.steps += 1

"""Hierarchical variational autoencoder: the ladder VAE (Sønderby et al. 2016, arXiv 1602.02282).

Codes form a chain, z_L → … → z_1 → x, of normal distributions. The posterior runs down the same chain as the
prior: at every level it is the prior's normal times a likelihood that a deterministic way up has read from the
image, weighed by precision (their equations 16 to 19). Batch normalisation and a KL weight that rises from 0 keep
the upper levels in use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from domain.config import Config, Count, Natural
from domain.errors import InputError
from domain.generators.base.bounded import Bounded, WarmingUp
from domain.generators.base.codes import Coded
from domain.nets.code_chain import CodeChain, Level
from domain.nets.codes import Gaussian
from domain.nets.images import PixelModel, Pixels
from domain.objectives.divergences import kl_between_normals
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms


@dataclass(frozen=True)
class LadderVAEConfig(Config):
    """Parameters of a ladder VAE; the widths are the published ones.

    Attributes:
        likelihood: ``bernoulli`` for black and white images; ``gaussian`` for grey ones.
        latents: degrees of freedom of each level, from the image up.
        widths: units of the two hidden layers at each level, from the image up.
        warm_up: steps over which the weight of the KL terms rises to 1.
        batch: images in each step.
    """

    likelihood: Pixels = "gaussian"
    latents: tuple[Count, ...] = (64, 32, 16, 8, 4)
    widths: tuple[Count, ...] = (512, 256, 128, 64, 32)
    warm_up: Natural = 0
    batch: Count = 256
    optimiser: Adam = Adam(rate=1e-3, beta1=0.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.latents) != len(self.widths) or not self.latents:
            raise InputError(
                f"LadderVAEConfig.latents: names {len(self.latents)} levels, widths {len(self.widths)}; "
                "give each level one of both"
            )


class LadderVAE(WarmingUp, Bounded, Coded):
    """A chain of codes; samples, encodes, reconstructs and bounds the density. Its codes are those of the lowest level."""

    Config: ClassVar[type[Config]] = LadderVAEConfig
    averaged = ("chain", "pixels")

    def __init__(self, config: LadderVAEConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        self.chain = CodeChain(math.prod(space.shape), config.latents, config.widths)
        self.pixels = PixelModel(config.likelihood)
        self.players = (Player("model", self.averaged, self.bound_terms, config.optimiser),)

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        self.pixels.start(self.chain.above[0], data["real"].tensors[0])

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return self.code_noise(self.config.batch, generator)

    def code_noise(self, count: int, generator: torch.Generator) -> Noise:
        """Standard normal for all levels, from the image up, (count, Σ d)."""
        return {"z": torch.randn(count, sum(self.config.latents), generator=generator, device=generator.device)}

    def bound_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        levels, weight = self.levels(x, noise), self.warmth()
        terms = {"reconstruction": -self.pixels.log_prob(x, self.decoder(levels[0].z)).mean()}
        for k, (_, q, p) in enumerate(levels, 1):
            terms[f"kl_{k}"] = weight * kl_between_normals(q.mean, q.log_variance, p.mean, p.log_variance).mean()
        return terms

    def levels(self, x: Tensor, noise: Noise) -> list[Level]:
        """The codes of images (N, C, H, W), from the image up; without noise the means, each given those above."""
        drawn = noise["z"] if noise else x.new_zeros(len(x), sum(self.config.latents))
        return self.chain.descend(self.chain.likelihoods(x.flatten(1)), drawn)

    def coded(self, x: Tensor, noise: Noise) -> Tensor:
        return self.levels(x, noise)[0].z

    def drawn(self, count: int, generator: torch.Generator) -> Tensor:
        return self.chain.descend(None, self.code_noise(count, generator)["z"])[0].z

    def decoder(self, z: Tensor) -> Tensor:
        """What the lowest codes (N, d_1) say of the image, (N, C, H, W), unbounded."""
        return self.chain.shown(z).unflatten(1, self.space.shape)

    def shown(self, out: Tensor) -> Tensor:
        return self.pixels.mean(out)

    def weigher(self, x: Tensor, generator: torch.Generator) -> Callable[[int], Tensor]:
        read = self.chain.likelihoods(x.flatten(1))

        def log_weights(count: int) -> Tensor:
            repeated = [Gaussian(g.mean.repeat(count, 1), g.log_variance.repeat(count, 1)) for g in read]
            levels = self.chain.descend(repeated, self.code_noise(count * len(x), generator)["z"])
            weight = self.pixels.log_prob(x.repeat(count, 1, 1, 1), self.decoder(levels[0].z))
            return (weight + sum(p.log_prob(z) - q.log_prob(z) for z, q, p in levels)).reshape(count, len(x))

        return log_weights

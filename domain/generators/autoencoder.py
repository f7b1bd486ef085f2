"""Autoencoders: a code that an image can be rebuilt from, also from a damaged copy of it.

Plain (Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks") or denoising
(Vincent et al. 2008, "Extracting and composing robust features with denoising autoencoders"): ``corruption`` is
what the encoder's view of an image suffers. Neither has a prior: new codes come from a mixture of normals fitted to
the codes of training images, and a denoising autoencoder may then walk on from there, damaging and rebuilding its
picture in turn, which is a Markov chain towards the data (Bengio et al. 2013, arXiv 1305.6663).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from domain.config import Config, Count, Fraction, Natural
from domain.errors import InputError
from domain.generators.base.codes import CodedImages, CodedImagesConfig
from domain.nets.corruption import Corruption, Kind
from domain.nets.images import binarised
from domain.nets.priors import Aggregate
from domain.space import Space
from domain.system import Batch, Noise, Player, Stream, Terms

FITTED = 10_000  # codes that the mixture is fitted to


@dataclass(frozen=True)
class AutoencoderConfig(CodedImagesConfig):
    """Parameters of an autoencoder: those of its networks, and

    Attributes:
        corruption: ``none``; ``gaussian``, normal noise of deviation ``amount``; ``masking``, a share
            ``amount`` of the pixels is black; ``salt_and_pepper``, that share is black or white.
        amount: of corruption, in units of [−1, 1] or as a share.
        components: of the mixture fitted to the codes.
        walk: steps of damage and repair that a sample takes; needs corruption.
    """

    corruption: Kind = "none"
    amount: Fraction = 0.3
    components: Count = 10
    walk: Natural = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.walk and self.corruption == "none":
            raise InputError("AutoencoderConfig.walk: a walk needs damage to repair; set corruption, or walk to 0")


class Autoencoder(CodedImages):
    """An encoder and a decoder; samples, encodes, decodes and reconstructs."""

    Config: ClassVar[type[Config]] = AutoencoderConfig
    config: AutoencoderConfig

    def __init__(self, config: AutoencoderConfig, space: Space) -> None:
        super().__init__(config, space, outputs=config.latent, codes=config.latent)
        self.corrupted = Corruption(config.corruption, config.amount)
        self.codes = Aggregate(config.latent, config.components)
        self.players = (Player("model", self.averaged, self.reconstruction_terms, config.optimiser),)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return self.code_noise(self.config.batch, generator)

    def code_noise(self, count: int, generator: torch.Generator) -> Noise:
        """What damages ``count`` images."""
        return self.corrupted.draw((count, *self.space.shape), generator)

    def coded(self, x: Tensor, noise: Noise) -> Tensor:
        return super().coded(self.corrupted(x, noise), {})

    def reconstruction_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        return {"reconstruction": -self.log_likelihood(x, self.coded(x, noise)).mean()}

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        super().finish(data, generator)
        (images,) = data["real"].tensors
        self.eval()
        rows = torch.randperm(len(images), generator=generator, device=generator.device)[:FITTED]
        self.codes.fit(self.encode(images[rows]), generator)

    def drawn(self, count: int, generator: torch.Generator) -> Tensor:
        return self.codes.draw(count, generator)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Images in [−1, 1] of codes from the fitted mixture, after the walk if there is one, (count, C, H, W)."""
        x = super().sample(count, generator)
        for _ in range(self.config.walk):
            if self.config.likelihood == "bernoulli":
                x = binarised(x, torch.rand(x.shape, generator=generator, device=generator.device))
            x = self.decode(self.coded(x, self.code_noise(count, generator)))
        return x

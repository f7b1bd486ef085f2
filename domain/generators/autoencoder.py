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
from typing import ClassVar, Literal

import torch
from torch import Tensor

from domain.config import Config, Count, Fraction, Natural
from domain.errors import InputError
from domain.nets.batch_norm import calibrate, random_batches
from domain.nets.images import Network, PixelModel, Pixels, binarised, decoder, encoder
from domain.nets.priors import Aggregate
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms

FITTED = 10_000  # codes that the mixture is fitted to


@dataclass(frozen=True)
class AutoencoderConfig(Config):
    """Parameters of an autoencoder.

    Attributes:
        likelihood: of pixels given the code: ``bernoulli`` (cross-entropy) or ``gaussian`` (squared error).
        corruption: ``none``; ``gaussian``, normal noise of deviation ``amount``; ``masking``, a share
            ``amount`` of the pixels is black; ``salt_and_pepper``, that share is black or white.
        amount: of corruption, in units of [−1, 1] or as a share.
        latent: width of the code.
        network: ``dcgan``, or ``mlp``: tanh layers.
        width: dcgan's channels at the largest size, in both networks.
        hidden: units of mlp's layers, from image to code.
        components: of the mixture fitted to the codes.
        walk: steps of damage and repair that a sample takes; needs corruption.
        batch: images in each step.
    """

    likelihood: Pixels = "gaussian"
    corruption: Literal["none", "gaussian", "masking", "salt_and_pepper"] = "none"
    amount: Fraction = 0.3
    latent: Count = 16
    network: Network = "dcgan"
    width: Count = 64
    hidden: tuple[Count, ...] = (200, 200)
    components: Count = 10
    walk: Natural = 0
    batch: Count = 64
    optimiser: Adam = Adam(rate=1e-3, beta1=0.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.walk and self.corruption == "none":
            raise InputError("AutoencoderConfig.walk: a walk needs damage to repair; set corruption, or walk to 0")


class Autoencoder(System):
    """An encoder and a decoder; samples, encodes, decodes and reconstructs."""

    Config: ClassVar[type[Config]] = AutoencoderConfig
    averaged = ("encoder", "decoder", "pixels")

    def __init__(self, config: AutoencoderConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        sizes = config.width, config.hidden
        self.encoder = encoder(config.network, space.shape, config.latent, *sizes)
        self.decoder = decoder(config.network, config.latent, space.shape, *sizes)
        self.pixels = PixelModel(config.likelihood)
        self.codes = Aggregate(config.latent, config.components)
        self.players = (Player("model", self.averaged, self.reconstruction_terms, config.optimiser),)

    def streams(self, x: Tensor, label: Tensor) -> dict[str, Stream]:
        """x: images (N, C, H, W) in [−1, 1]; labels are not used."""
        return {"real": Stream((x,), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return self.damage(self.config.batch, generator)

    def damage(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """The noise that :meth:`corrupted` takes, each (count, C, H, W)."""
        shape, device = (count, *self.space.shape), generator.device
        if self.config.corruption == "none":
            return {}
        if self.config.corruption == "gaussian":
            return {"added": torch.randn(shape, generator=generator, device=device)}
        return {"place": torch.rand(shape, generator=generator, device=device)}

    def corrupted(self, x: Tensor, noise: Noise) -> Tensor:
        """What the encoder sees of x (N, C, H, W)."""
        kind, amount = self.config.corruption, self.config.amount
        if kind == "none":
            return x
        if kind == "gaussian":
            return x + amount * noise["added"]
        place = noise["place"]
        x = torch.where(place < (amount if kind == "masking" else amount / 2), -1.0, x)
        return x if kind == "masking" else torch.where(place > 1 - amount / 2, 1.0, x)

    def reconstruction_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        return {"reconstruction": -self.pixels.log_prob(x, self.decoder(self.encoder(self.corrupted(x, noise)))).mean()}

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        (images,) = data["real"].tensors

        def passes() -> None:
            for some in random_batches(images, 256, generator):
                self.decoder(self.encoder(self.corrupted(some, self.damage(256, generator))))

        calibrate(self, passes)
        self.eval()
        rows = torch.randperm(len(images), generator=generator, device=generator.device)[:FITTED]
        self.codes.fit(self.encode(images[rows]), generator)

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Codes (N, latent) → images (N, C, H, W), in [−1, 1]."""
        return self.pixels.mean(self.decoder(z))

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Images in [−1, 1] of codes from the fitted mixture, after the walk if there is one, (count, C, H, W)."""
        x = self.decode(self.codes.draw(count, generator))
        for _ in range(self.config.walk):
            if self.config.likelihood == "bernoulli":
                x = binarised(x, torch.rand(x.shape, generator=generator, device=generator.device))
            x = self.reconstruct(self.corrupted(x, self.damage(count, generator)))
        return x

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W) in [−1, 1] → (N, latent)."""
        return self.encoder(x).float()

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """The decoded code of the image as it is; x: (N, C, H, W) → (N, C, H, W), in [−1, 1]."""
        return self.decode(self.encode(x))

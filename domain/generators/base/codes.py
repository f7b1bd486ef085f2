"""Families with codes: an encoder and a decoder, and a prior that the codes should follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from domain.config import Config, Count
from domain.nets import images, pair
from domain.nets.batch_norm import calibrate, random_batches
from domain.nets.images import Network, Pixels
from domain.nets.mlp import mlp
from domain.space import Space
from domain.system import Adam, Noise, Player, Stream, System


class Unlabelled(System):
    """A family that learns samples without labels; its latent vectors are uniform in [−1, 1] unless it says otherwise."""

    def streams(self, x: Tensor, label: Tensor) -> dict[str, Stream]:
        """x: images (N, C, H, W) or vectors (N, F) in [−1, 1]; labels are not used."""
        return {"real": Stream((x,), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {"z": self.drawn(self.config.batch, generator)}

    def drawn(self, count: int, generator: torch.Generator) -> Tensor:
        """Latent vectors, (count, latent)."""
        return 2 * torch.rand(count, self.config.latent, generator=generator, device=generator.device) - 1


class Encoding(System):
    """A family whose encoder, a network of its own, goes the generator's way back."""

    config: Any

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Codes, or where they are drawn their means, which the encoder gives first; x: (N, *shape) → (N, latent)."""
        return self.encoder(x).float()[:, : self.config.latent]

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Codes (N, latent) → images in [−1, 1], or vectors, (N, *shape)."""
        return self.generator(z)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """What the code stands for; x: (N, *shape) → (N, *shape)."""
        return self.decode(self.encode(x))


class Coded(Unlabelled):
    """An encoder and a decoder, which a family makes, whose codes should lie as standard normal numbers do."""

    averaged = ("encoder", "decoder")

    # What a family may say otherwise.

    def drawn(self, count: int, generator: torch.Generator) -> Tensor:
        """Codes from the prior, (count, latent)."""
        return torch.randn(count, self.config.latent, generator=generator, device=generator.device)

    def code_noise(self, count: int, generator: torch.Generator) -> Noise:
        """The random numbers behind the codes of ``count`` samples; none where an encoder draws nothing."""
        return {}

    def coded(self, x: Tensor, noise: Noise) -> Tensor:
        """Codes, differentiable; x: samples (N, *shape) → (N, latent)."""
        return self.encoder(x).float()

    def shown(self, out: Tensor) -> Tensor:
        """The samples that the decoder's output stands for, (N, *shape)."""
        return out.float()

    # What all have in common.

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {**super().noise(player, generator), **self.code_noise(self.config.batch, generator)}

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        (x,) = data["real"].tensors

        def passes() -> None:
            for some in random_batches(x, 256, generator):
                self.decoder(self.coded(some, self.code_noise(256, generator)))

        calibrate(self, passes)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) → codes (N, latent)."""
        return self.coded(x, {})

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """z: codes (N, latent) → samples (N, *shape)."""
        return self.shown(self.decoder(z))

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """The decoded code of each sample; x: (N, *shape) → (N, *shape)."""
        return self.decode(self.encode(x))

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Samples of codes from the prior, (count, *shape)."""
        return self.decode(self.drawn(count, generator))


@dataclass(frozen=True)
class CodedImagesConfig(Config):
    """Parameters of an encoder and a decoder of images.

    Attributes:
        likelihood: of pixels given the code: ``bernoulli`` for black and white images; ``gaussian`` with one
            learned deviation for grey ones.
        latent: degrees of freedom of a code.
        network: of encoder and decoder: ``dcgan``, or ``mlp`` with tanh layers.
        width: dcgan's channels at the largest size.
        hidden: units of mlp's layers, from image to code.
        batch: images in each step.
        optimiser: of all networks but critics.
    """

    likelihood: Pixels = "gaussian"
    latent: Count = 16
    network: Network = "dcgan"
    width: Count = 64
    hidden: tuple[Count, ...] = (200, 200)
    batch: Count = 64
    optimiser: Adam = Adam(rate=1e-3, beta1=0.9)


@dataclass(frozen=True)
class JudgedCodesConfig(CodedImagesConfig):
    """Parameters of an encoder and a decoder of images, and of critics of codes: those of the networks, and

    Attributes:
        critic_hidden: units of a critic's layers.
        optimiser: of all networks but the critics.
        critic: of the critics.
    """

    critic_hidden: tuple[Count, ...] = (200, 200)
    optimiser: Adam = Adam(rate=1e-3, beta1=0.5)
    critic: Adam = Adam(rate=1e-3, beta1=0.5)


class CodedImages(Coded):
    """Images whose pixels have a likelihood given the code."""

    averaged = ("encoder", "decoder", "pixels")
    config: CodedImagesConfig

    def __init__(self, config: CodedImagesConfig, space: Space, outputs: int, codes: int) -> None:
        """``outputs``: numbers that the encoder gives for an image; ``codes``: numbers that the decoder takes."""
        super().__init__()
        space.require_images(type(self).__name__)
        self.config, self.space = config, space
        self.encoder = images.encoder(config.network, space.shape, outputs, config.width, config.hidden)
        self.decoder = images.decoder(config.network, codes, space.shape, config.width, config.hidden)
        self.pixels = images.PixelModel(config.likelihood)

    def shown(self, out: Tensor) -> Tensor:
        return self.pixels.mean(out)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x | z) in nats; x: (N, C, H, W) in [−1, 1], z: (..., N, latent) → (..., N)."""
        return self.pixels.log_prob(x, self.decoder(z.flatten(0, -2)).unflatten(0, z.shape[:-1]))


def critic_of(inputs: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """A critic of vectors, (N, inputs) → logits (N, 1)."""
    return mlp((inputs, *hidden, 1), lambda: nn.LeakyReLU(pair.SLOPE))

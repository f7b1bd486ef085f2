"""Principal components as a generative model (Tipping & Bishop 1999, "Probabilistic principal component analysis").

The linear baseline of every autoencoder: x = mean + W z + noise with normal z and noise, so that log p(x) is exact.
It has no players: scikit-learn fits it when training ends, and one step of training is enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from sklearn.decomposition import PCA as Decomposition
from torch import Tensor

from domain.config import Config, Count
from domain.errors import InputError
from domain.space import Space
from domain.system import Density, Stream, System


@dataclass(frozen=True)
class PCAConfig(Config):
    """Parameters of PCA.

    Attributes:
        latent: components kept.
    """

    latent: Count = 16


class PCA(System):
    """A linear map; samples, encodes, decodes, reconstructs and gives the exact density of its model."""

    Config: ClassVar[type[Config]] = PCAConfig
    players = ()

    mean: Tensor  # (D,)
    components: Tensor  # (latent, D), orthonormal
    variance: Tensor  # (latent,) along each, noise included
    noise_variance: Tensor  # scalar, along every other direction

    def __init__(self, config: PCAConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        size = math.prod(space.shape)
        if config.latent >= size:
            raise InputError(f"pca.latent: is {config.latent}, but a sample has {size} numbers; keep fewer")
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("components", torch.eye(config.latent, size))
        self.register_buffer("variance", torch.ones(config.latent))
        self.register_buffer("noise_variance", torch.ones(()))

    def streams(self, x: Tensor, label: Tensor) -> dict[str, Stream]:
        """x: (N, *shape); labels are not used."""
        if len(x) <= self.config.latent:
            raise InputError(f"pca: {len(x)} training samples for {self.config.latent} components; keep fewer")
        return {"real": Stream((x,), 1)}

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        x = data["real"].tensors[0].flatten(1).double().cpu().numpy()
        found = Decomposition(self.config.latent, svd_solver="full").fit(x)
        if not found.noise_variance_ > 0:
            raise InputError(f"pca: {self.config.latent} components explain these samples exactly; keep fewer")
        values = found.mean_, found.components_, found.explained_variance_, found.noise_variance_
        for buffer, value in zip((self.mean, self.components, self.variance, self.noise_variance), values):
            buffer.copy_(torch.as_tensor(value))

    def decode(self, z: Tensor) -> Tensor:
        """Codes (N, latent), each number of the variance of its component → mean samples (N, *shape)."""
        return (self.mean + z @ self.components).unflatten(1, self.space.shape)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Mean samples of normal codes, without the noise of single numbers, (count, *shape)."""
        z = torch.randn(count, self.config.latent, generator=generator, device=generator.device)
        return self.decode(z * (self.variance - self.noise_variance).clamp_min(0).sqrt())

    def encode(self, x: Tensor) -> Tensor:
        """Coordinates along the components; x: (N, *shape) → (N, latent)."""
        return (x.flatten(1) - self.mean) @ self.components.T

    def reconstruct(self, x: Tensor) -> Tensor:
        """The nearest sample that the components span; x: (N, *shape) → (N, *shape)."""
        return self.decode(self.encode(x))

    def density(self, x: Tensor, generator: torch.Generator) -> Density:
        """log N(x; mean, WWᵀ + noise) in nats; x: (N, *shape)."""
        z, centred = self.encode(x).double(), (x.flatten(1) - self.mean).double()
        variance, noise = self.variance.double(), self.noise_variance.double()
        others = centred.shape[1] - len(variance)
        outside = centred.square().sum(1) - z.square().sum(1)
        squares = (z.square() / variance).sum(1) + outside / noise
        logs = variance.log().sum() + others * noise.log() + centred.shape[1] * math.log(2 * math.pi)
        return Density((-0.5 * (squares + logs)).float(), "exact")

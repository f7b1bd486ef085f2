"""Variational autoencoder (Kingma & Welling 2013, arXiv 1312.6114; Rezende et al. 2014, 1401.4082).

An encoder q(z | x) and a decoder p(x | z) maximise the evidence lower bound
log p(x) ≥ E_q[log p(x | z)] − β KL(q(z | x) ‖ p(z)), in nats a sample, β = 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from domain.config import Config, Count, NonNegative
from domain.nets.batch_norm import calibrate
from domain.nets.dcgan import Critic, Generator
from domain.objectives import likelihood
from domain.objectives.divergences import kl_to_standard_normal
from domain.space import Space
from domain.system import Adam, Batch, Density, Noise, Player, Stream, System, Terms


@dataclass(frozen=True)
class VAEConfig(Config):
    """Parameters of a VAE.

    Attributes:
        likelihood: ``bernoulli`` for black and white images; ``gaussian`` with one learned
            deviation for grey ones.
        latent: width of the code.
        width: channels at the largest size, in both networks.
        beta: weight of the KL term; 1 gives a bound on the likelihood.
        batch: images in each step.
    """

    likelihood: Literal["bernoulli", "gaussian"] = "gaussian"
    latent: Count = 16
    width: Count = 64
    beta: NonNegative = 1.0
    batch: Count = 64
    optimiser: Adam = Adam(rate=1e-3, beta1=0.9)


class VAE(System):
    """An encoder and a decoder; samples, encodes, reconstructs and bounds the density."""

    Config: ClassVar[type[Config]] = VAEConfig
    averaged = ("encoder", "decoder", "log_deviation")

    def __init__(self, config: VAEConfig, space: Space) -> None:
        super().__init__()
        space.require_images("vae")
        self.config, self.space = config, space
        self.encoder = Critic(space.shape, config.width, outputs=2 * config.latent)
        self.decoder = Generator(config.latent, space.shape, config.width)
        self.log_deviation = nn.Parameter(torch.tensor(-1.0))
        self.players = (
            Player("model", ("encoder", "decoder", "log_deviation"), self.bound_terms, config.optimiser),
        )

    def streams(self, x: Tensor, label: Tensor) -> dict[str, Stream]:
        """x: images (N, C, H, W) in [−1, 1]; labels are not used."""
        return {"real": Stream((x,), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {"z": torch.randn(self.config.batch, self.config.latent, generator=generator, device=generator.device)}

    def bound_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        mean, log_variance = self.posterior(x)
        z = mean + (0.5 * log_variance).exp() * noise["z"]
        return {
            "reconstruction": -self.log_likelihood(x, z).mean(),
            "kl": self.config.beta * kl_to_standard_normal(mean, log_variance).mean(),
        }

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x), each (N, latent)."""
        mean, log_variance = self.encoder(x).float().chunk(2, 1)
        return mean, log_variance.clamp(-12, 8)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x | z) in nats; x: (N, C, H, W) in [−1, 1] → (N,)."""
        out = self.decoder(z).float()
        if self.config.likelihood == "bernoulli":
            return likelihood.bernoulli((x + 1) / 2, out)
        return likelihood.gaussian(x, torch.tanh(out), self.log_deviation)

    def decode(self, z: Tensor) -> Tensor:
        """The mean image of p(x | z), in [−1, 1]; z: (N, latent) → (N, C, H, W)."""
        out = self.decoder(z)
        return 2 * torch.sigmoid(out) - 1 if self.config.likelihood == "bernoulli" else torch.tanh(out)

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        (images,) = data["real"].tensors

        def passes() -> None:
            for _ in range(10):
                rows = torch.randint(len(images), (256,), generator=generator, device=generator.device)
                mean, log_variance = self.posterior(images[rows])
                noise = torch.randn(mean.shape, generator=generator, device=generator.device)
                self.decoder(mean + (0.5 * log_variance).exp() * noise)

        calibrate(self, passes)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Mean images in [−1, 1] of codes from the prior, (count, C, H, W)."""
        return self.decode(torch.randn(count, self.config.latent, generator=generator, device=generator.device))

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Mean codes; x: (N, C, H, W) in [−1, 1] → (N, latent)."""
        return self.posterior(x)[0]

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """The decoded mean code; x: (N, C, H, W) → (N, C, H, W), in [−1, 1]."""
        return self.decode(self.encode(x))

    @torch.no_grad()
    def density(self, x: Tensor, generator: torch.Generator, draws: int = 100) -> Density:
        """Importance-weighted bound on log p(x) in nats (Burda et al. 2015, arXiv 1509.00519, eq. 8)."""
        mean, log_variance = self.posterior(x)
        weights = []
        for _ in range(draws):
            noise = torch.randn(mean.shape, generator=generator, device=generator.device)
            z = mean + (0.5 * log_variance).exp() * noise
            prior, proposal = -0.5 * (z**2).sum(1), -0.5 * (noise**2 + log_variance).sum(1)
            weights.append(self.log_likelihood(x, z) + prior - proposal)
        return Density(torch.stack(weights).logsumexp(0) - math.log(draws), "bound")

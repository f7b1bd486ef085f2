"""Hierarchical variational autoencoder: the ladder VAE (Sønderby et al. 2016, arXiv 1602.02282).

Codes form a chain, z_L → … → z_1 → x, of normal distributions. The posterior runs down the same chain as the
prior: at every level it is the prior's normal times a likelihood that a deterministic way up has read from the
image, weighed by precision (their equations 16 to 19). Batch normalisation and a KL weight that rises from 0 keep
the upper levels in use.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from domain.config import Config, Count, Natural
from domain.errors import InputError
from domain.nets.batch_norm import BatchNorm, calibrate, random_batches
from domain.nets.codes import Gaussian
from domain.nets.images import PixelModel, Pixels
from domain.nets.mlp import mlp
from domain.objectives import bounds
from domain.objectives.divergences import kl_between_normals
from domain.space import Space
from domain.system import Adam, Batch, Density, Noise, Player, Stream, System, Terms


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


class LadderVAE(System):
    """A chain of codes; samples, encodes, reconstructs and bounds the density."""

    Config: ClassVar[type[Config]] = LadderVAEConfig
    averaged = ("up", "read", "down", "above", "pixels")

    steps: Tensor  # scalar, done so far

    def __init__(self, config: LadderVAEConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        size = torch.Size(space.shape).numel()
        latents, widths = config.latents, config.widths
        self.up = nn.ModuleList(hidden(a, b) for a, b in itertools.pairwise((size, *widths)))
        self.read = nn.ModuleList(NormalHead(b, d) for b, d in zip(widths, latents))
        # down[k] leaves level k, for level k − 1 or, k = 0, for the image
        self.down = nn.ModuleList(hidden(d, width) for d, width in zip(latents, widths))
        self.above = nn.ModuleList(
            [nn.Linear(widths[0], size), *(NormalHead(b, d) for b, d in zip(widths[1:], latents))]
        )
        self.pixels = PixelModel(config.likelihood)
        self.register_buffer("steps", torch.zeros(()))
        self.players = (Player("model", self.averaged, self.bound_terms, config.optimiser),)

    # Training.

    def streams(self, x: Tensor, label: Tensor) -> dict[str, Stream]:
        """x: images (N, C, H, W) in [−1, 1]; labels are not used."""
        return {"real": Stream((x,), self.config.batch)}

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        self.pixels.start(self.above[0], data["real"].tensors[0])

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {"z": self.draw_noise(self.config.batch, generator)}

    def draw_noise(self, count: int, generator: torch.Generator) -> Tensor:
        """Standard normal for all levels, from the image up, (count, Σ d)."""
        return torch.randn(count, sum(self.config.latents), generator=generator, device=generator.device)

    def bound_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        levels = self.descend(self.likelihoods(x), noise["z"])
        weight = bounds.warm_up(self.steps, self.config.warm_up)
        terms = {"reconstruction": -self.pixels.log_prob(x, self.picture(levels[0].z)).mean()}
        for k, (_, q, p) in enumerate(levels, 1):
            terms[f"kl_{k}"] = weight * kl_between_normals(q.mean, q.log_variance, p.mean, p.log_variance).mean()
        return terms

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        self.steps += 1

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        (images,) = data["real"].tensors

        def passes() -> None:
            for some in random_batches(images, 256, generator):
                self.picture(self.descend(self.likelihoods(some), self.draw_noise(256, generator))[0].z)

        calibrate(self, passes)

    # Its parts.

    def likelihoods(self, x: Tensor) -> list[Gaussian]:
        """What the way up reads from images (N, C, H, W) about each level, from the image up."""
        h, found = x.flatten(1), []
        for up, read in zip(self.up, self.read):
            h = up(h)
            found.append(read(h))
        return found

    def descend(self, likelihoods: list[Gaussian] | None, noise: Tensor) -> list[Level]:
        """Draw the levels from the top down and return them from the image up.

        Args:
            likelihoods: of :meth:`likelihoods`; without, levels are drawn from the prior.
            noise: (N, Σ d), of :meth:`draw_noise`; zero takes each level's mean.
        """
        parts = noise.split(self.config.latents, 1)
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

    def picture(self, z: Tensor) -> Tensor:
        """What the lowest codes (N, d_1) say of the image, (N, C, H, W), unbounded."""
        return self.above[0](self.down[0](z)).unflatten(1, self.space.shape)

    # What a trained model can do.

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Mean images of the lowest codes (N, d_1) → (N, C, H, W), in [−1, 1]."""
        return self.pixels.mean(self.picture(z))

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Mean images in [−1, 1] of codes from the prior, (count, C, H, W)."""
        return self.decode(self.descend(None, self.draw_noise(count, generator))[0].z)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The lowest level's mean, given the means above; x: (N, C, H, W) in [−1, 1] → (N, d_1)."""
        return self.descend(self.likelihoods(x), x.new_zeros(len(x), sum(self.config.latents)))[0].z

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """The decoded mean code; x: (N, C, H, W) → (N, C, H, W), in [−1, 1]."""
        return self.decode(self.encode(x))

    @torch.no_grad()
    def estimate(self, x: Tensor, generator: torch.Generator, draws: int) -> bounds.Estimate:
        """What ``draws`` chains of codes for each image say of log p(x); x: (N, C, H, W) in [−1, 1]."""

        def log_weights_of(rows: Tensor) -> Callable[[int], Tensor]:
            read = self.likelihoods(rows)

            def log_weights(count: int) -> Tensor:
                repeated = [Gaussian(g.mean.repeat(count, 1), g.log_variance.repeat(count, 1)) for g in read]
                levels = self.descend(repeated, self.draw_noise(count * len(rows), generator))
                weight = self.pixels.log_prob(rows.repeat(count, 1, 1, 1), self.picture(levels[0].z))
                weight = weight + sum(p.log_prob(z) - q.log_prob(z) for z, q, p in levels)
                return weight.reshape(count, len(rows))

            return log_weights

        return bounds.sample_by_sample(log_weights_of, x, draws)

    @torch.no_grad()
    def density(self, x: Tensor, generator: torch.Generator, draws: int = 100) -> Density:
        """Importance-weighted bound on log p(x) in nats (Burda et al. 2015, arXiv 1509.00519, equation 8)."""
        return Density(self.estimate(x, generator, draws).value.float(), "bound")


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

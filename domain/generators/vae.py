"""Variational autoencoders (Kingma & Welling 2013, arXiv 1312.6114; Rezende et al. 2014, 1401.4082).

An encoder q(z | x) and a decoder p(x | z) maximise the evidence lower bound
log p(x) ≥ E_q[log p(x | z)] − β KL(q(z | x) ‖ p(z)), in nats a sample, β = 1. By their parameters alone differ

* β-VAE (Higgins et al. 2017): ``beta`` above 1;
* IWAE (Burda et al. 2015, arXiv 1509.00519): ``draws`` above 1;
* S-VAE (Davidson et al. 2018, arXiv 1804.00891): ``code: sphere``;
* other priors (``nets/priors.py``): ``prior``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from domain.config import Config, Count, Natural, NonNegative
from domain.errors import InputError
from domain.nets import priors
from domain.nets.batch_norm import calibrate
from domain.nets.codes import CODES, Gaussian, PowerSpherical
from domain.nets.images import Network, PixelModel, Pixels, binarised, decoder, encoder
from domain.objectives import bounds
from domain.space import Space
from domain.system import Adam, Batch, Density, Noise, Player, Stream, System, Terms

FITTED = 10_000  # codes that an aggregate prior is fitted to


@dataclass(frozen=True)
class VAEConfig(Config):
    """Parameters of a VAE.

    Attributes:
        likelihood: ``bernoulli`` for black and white images; ``gaussian`` with one learned
            deviation for grey ones.
        binarise: draw black and white from grey levels anew at every step, and once when rated.
        code: ``normal``; or ``sphere``, unit vectors of ``latent`` + 1 numbers.
        prior: ``standard``, normal or uniform on the sphere; ``mixture`` of learned normals; ``vamp``,
            the codes of learned images; ``flow``; ``aggregate``, standard normal in training and fitted
            to the codes afterwards. All but ``standard`` for normal codes.
        components: of ``mixture``, ``vamp`` and ``aggregate``; couplings of ``flow``.
        latent: degrees of freedom of the code.
        network: ``dcgan``, or ``mlp``: tanh layers, as published for binarised MNIST.
        width: dcgan's channels at the largest size, in both networks.
        hidden: units of mlp's layers, from image to code; two of 200 with 50 latent numbers are those of
            Burda et al. 2015 for one stochastic layer.
        beta: weight of the KL term; 1 gives a bound on the likelihood.
        warm_up: steps over which that weight rises to ``beta``.
        draws: codes drawn for each image; more give a tighter bound.
        doubly: the doubly reparameterised gradient, for a prior without the encoder in it.
        batch: images in each step.
    """

    likelihood: Pixels = "gaussian"
    binarise: bool = False
    code: Literal["normal", "sphere"] = "normal"
    prior: Literal["standard", "mixture", "vamp", "flow", "aggregate"] = "standard"
    components: Count = 10
    latent: Count = 16
    network: Network = "dcgan"
    width: Count = 64
    hidden: tuple[Count, ...] = (200, 200)
    beta: NonNegative = 1.0
    warm_up: Natural = 0
    draws: Count = 1
    doubly: bool = False
    batch: Count = 64
    optimiser: Adam = Adam(rate=1e-3, beta1=0.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.code == "sphere" and self.prior != "standard":
            raise InputError(f"VAEConfig.prior: {self.prior!r} is for normal codes; with code 'sphere' use 'standard'")
        if self.draws > 1 and (self.beta != 1 or self.warm_up):
            raise InputError("VAEConfig.draws: several draws bound the likelihood only at beta 1 without warm_up; set these so")
        if self.prior == "vamp" and (self.doubly or self.network == "dcgan"):
            raise InputError(
                "VAEConfig.prior: 'vamp' passes its images through the encoder, which must not normalise batches, "
                "nor be doubly reparameterised; use network 'mlp' and doubly false"
            )
        if self.binarise and self.likelihood != "bernoulli":
            raise InputError("VAEConfig.binarise: is for black and white images; set likelihood to 'bernoulli'")


class VAE(System):
    """An encoder, a decoder and a prior; samples, encodes, decodes, reconstructs and bounds the density."""

    Config: ClassVar[type[Config]] = VAEConfig
    averaged = ("encoder", "decoder", "pixels", "prior")

    steps: Tensor  # scalar, done so far

    def __init__(self, config: VAEConfig, space: Space) -> None:
        super().__init__()
        space.require_images("vae")
        self.config, self.space = config, space
        self.code = CODES[config.code]
        self.code_width = self.code.width(config.latent)
        sizes = config.width, config.hidden
        self.encoder = encoder(config.network, space.shape, self.code.outputs(config.latent), *sizes)
        self.decoder = decoder(config.network, self.code_width, space.shape, *sizes)
        self.pixels = PixelModel(config.likelihood)
        self.prior = self._prior()
        self.register_buffer("steps", torch.zeros(()))
        self.players = (Player("model", self.averaged, self.bound_terms, config.optimiser),)

    def _prior(self) -> priors.Prior:
        width, count = self.code_width, self.config.components
        if self.config.code == "sphere":
            return priors.Sphere(width)
        made = {
            "standard": lambda: priors.StandardNormal(width),
            "mixture": lambda: priors.Mixture(width, count),
            "vamp": lambda: priors.Vamp(count, self.space.shape, self.posterior),
            "flow": lambda: priors.Flow(width, count, (64, 64)),
            "aggregate": lambda: priors.Aggregate(width, count),
        }
        return made[self.config.prior]()

    # Training.

    def streams(self, x: Tensor, label: Tensor) -> dict[str, Stream]:
        """x: images (N, C, H, W) in [−1, 1]; labels are not used."""
        return {"real": Stream((x,), self.config.batch)}

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        (images,) = data["real"].tensors
        self.prior.begin(images, generator)
        if self.config.network == "mlp":
            self.pixels.start(self.decoder[0][-1], images)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        c = self.config
        noise = {"z": self.code.noise((c.draws, c.batch), c.latent, generator)}
        if c.binarise:
            noise["ink"] = torch.rand(c.batch, *self.space.shape, generator=generator, device=generator.device)
        return noise

    def bound_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        x = binarised(x, noise["ink"]) if self.config.binarise else x
        code = self.posterior(x)
        z = code.draw(noise["z"])
        if self.config.doubly:
            bound = bounds.doubly_reparameterised(z, lambda z: self.log_weights(x, code.constant, z))
            return {"bound": -bound.mean()}
        if self.config.draws > 1:
            return {"bound": -bounds.importance_weighted(self.log_weights(x, code, z)).mean()}
        weight = self.config.beta * bounds.warm_up(self.steps, self.config.warm_up)
        return {
            "reconstruction": -self.log_likelihood(x, z[0]).mean(),
            "kl": weight * self.prior.kl(code, z[0]).mean(),
        }

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        self.steps += 1

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        (images,) = data["real"].tensors

        def draw(count: int) -> Tensor:
            rows = torch.randint(len(images), (count,), generator=generator, device=generator.device)
            return self.posterior(images[rows]).draw(self.code.noise((count,), self.config.latent, generator))

        calibrate(self, lambda: [self.decoder(draw(256)) for _ in range(10)])
        self.eval()
        with torch.no_grad():
            if self.config.prior == "aggregate":
                self.prior.fit(draw(FITTED), generator)

    # Its parts.

    def posterior(self, x: Tensor) -> Gaussian | PowerSpherical:
        """q(z | x); x: (N, C, H, W) in [−1, 1]."""
        return self.code.of(self.encoder(x))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x | z) in nats; x: (N, C, H, W) in [−1, 1], z: (..., N, width) → (..., N)."""
        return self.pixels.log_prob(x, self.decoder(z.flatten(0, -2)).unflatten(0, z.shape[:-1]))

    def log_weights(self, x: Tensor, code: Gaussian | PowerSpherical, z: Tensor) -> Tensor:
        """log p(x | z) + log p(z) − log q(z | x); z: draws from the code, (k, N, width) → (k, N)."""
        return self.log_likelihood(x, z) + self.prior.log_prob(z) - code.log_prob(z)

    # What a trained model can do.

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """The mean image of p(x | z), in [−1, 1]; z: (N, width) → (N, C, H, W)."""
        return self.pixels.mean(self.decoder(z))

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Mean images in [−1, 1] of codes from the prior, (count, C, H, W)."""
        return self.decode(self.prior.draw(count, generator))

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Mean codes, on a sphere mean directions; x: (N, C, H, W) in [−1, 1] → (N, width)."""
        return self.posterior(x).mean

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """The decoded mean code; x: (N, C, H, W) → (N, C, H, W), in [−1, 1]."""
        return self.decode(self.encode(x))

    @torch.no_grad()
    def estimate(self, x: Tensor, generator: torch.Generator, draws: int) -> bounds.Estimate:
        """What ``draws`` codes for each image say of log p(x); x: (N, C, H, W) in [−1, 1]."""
        if self.config.binarise:
            x = binarised(x, torch.rand(x.shape, generator=generator, device=generator.device))

        def log_weights_of(rows: Tensor) -> Callable[[int], Tensor]:
            code = self.posterior(rows)

            def log_weights(count: int) -> Tensor:
                noise = self.code.noise((count, len(rows)), self.config.latent, generator)
                return self.log_weights(rows, code, code.draw(noise))

            return log_weights

        return bounds.sample_by_sample(log_weights_of, x, draws)

    @torch.no_grad()
    def density(self, x: Tensor, generator: torch.Generator, draws: int = 100) -> Density:
        """Importance-weighted bound on log p(x) in nats (Burda et al. 2015, equation 8)."""
        return Density(self.estimate(x, generator, draws).value.float(), "bound")

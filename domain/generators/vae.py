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
from domain.generators.base.bounded import Bounded, WarmingUp
from domain.generators.base.codes import CodedImages, CodedImagesConfig
from domain.nets import priors
from domain.nets.codes import CODES, Gaussian, PowerSpherical
from domain.nets.images import binarised
from domain.objectives import bounds
from domain.space import Space
from domain.system import Batch, Noise, Player, Stream, Terms

FITTED = 10_000  # codes that an aggregate prior is fitted to


@dataclass(frozen=True)
class VAEConfig(CodedImagesConfig):
    """Parameters of a VAE: those of its networks (for one stochastic layer Burda et al. have ``network: mlp``, ``hidden:
    [200, 200]`` and 50 latent numbers), and

    Attributes:
        binarise: draw black and white from grey levels anew at every step, and once when rated.
        code: ``normal``; or ``sphere``, unit vectors of ``latent`` + 1 numbers.
        prior: ``standard``, normal or uniform on the sphere; ``mixture`` of learned normals; ``vamp``,
            the codes of learned images; ``flow``; ``aggregate``, standard normal in training and fitted
            to the codes afterwards. All but ``standard`` for normal codes.
        components: of ``mixture``, ``vamp`` and ``aggregate``; couplings of ``flow``.
        beta: weight of the KL term; 1 gives a bound on the likelihood.
        warm_up: steps over which that weight rises to ``beta``.
        draws: codes drawn for each image; more give a tighter bound.
        doubly: the doubly reparameterised gradient, for a prior without the encoder in it.
    """

    binarise: bool = False
    code: Literal["normal", "sphere"] = "normal"
    prior: priors.Kind = "standard"
    components: Count = 10
    beta: NonNegative = 1.0
    warm_up: Natural = 0
    draws: Count = 1
    doubly: bool = False

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


class VAE(WarmingUp, Bounded, CodedImages):
    """An encoder, a decoder and a prior; samples, encodes, decodes, reconstructs and bounds the density."""

    Config: ClassVar[type[Config]] = VAEConfig
    averaged = ("encoder", "decoder", "pixels", "prior")
    config: VAEConfig

    def __init__(self, config: VAEConfig, space: Space) -> None:
        self.code = CODES[config.code]
        width = self.code.width(config.latent)
        super().__init__(config, space, outputs=self.code.outputs(config.latent), codes=width)
        sphere = config.code == "sphere"
        self.prior = priors.prior(config.prior, sphere, width, config.components, space.shape, self.posterior)
        self.players = (Player("model", self.averaged, self.bound_terms, config.optimiser),)

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
        return {
            "reconstruction": -self.log_likelihood(x, z[0]).mean(),
            "kl": self.config.beta * self.warmth() * self.prior.kl(code, z[0]).mean(),
        }

    def posterior(self, x: Tensor) -> Gaussian | PowerSpherical:
        """q(z | x); x: (N, C, H, W) in [−1, 1]."""
        return self.code.of(self.encoder(x))

    def log_weights(self, x: Tensor, code: Gaussian | PowerSpherical, z: Tensor) -> Tensor:
        """log p(x | z) + log p(z) − log q(z | x); z: draws from the code, (k, N, width) → (k, N)."""
        return self.log_likelihood(x, z) + self.prior.log_prob(z) - code.log_prob(z)

    def weigher(self, x: Tensor, generator: torch.Generator) -> Callable[[int], Tensor]:
        code = self.posterior(x)
        return lambda count: self.log_weights(x, code, code.draw(self.code.noise((count, len(x)), self.config.latent, generator)))

    def code_noise(self, count: int, generator: torch.Generator) -> Noise:
        return {"z": self.code.noise((count,), self.config.latent, generator)}

    def coded(self, x: Tensor, noise: Noise) -> Tensor:
        """Codes (N, width), drawn; without noise their means, on a sphere their mean directions."""
        code = self.posterior(x)
        return code.draw(noise["z"]) if noise else code.mean

    def drawn(self, count: int, generator: torch.Generator) -> Tensor:
        return self.prior.draw(count, generator)

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        super().finish(data, generator)
        self.eval()
        if self.config.prior == "aggregate":
            (images,) = data["real"].tensors
            rows = torch.randint(len(images), (FITTED,), generator=generator, device=generator.device)
            with torch.no_grad():
                self.prior.fit(self.coded(images[rows], self.code_noise(FITTED, generator)), generator)

    def estimate(self, x: Tensor, generator: torch.Generator, draws: int) -> bounds.Estimate:
        if self.config.binarise:
            x = binarised(x, torch.rand(x.shape, generator=generator, device=generator.device))
        return super().estimate(x, generator, draws)

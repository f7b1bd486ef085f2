"""What the VAE and the IWAE share: an encoder q(z | x), a decoder p(x | z), a kind of code and its prior."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from domain.config import Count
from domain.errors import InputError
from domain.generators.base.bounded import Bounded
from domain.generators.base.codes import CodedImages, CodedImagesConfig
from domain.nets import priors
from domain.nets.codes import CODES, Gaussian, PowerSpherical
from domain.nets.images import Scaled, binarised
from domain.objectives import bounds
from domain.space import Space
from domain.system import Noise, Player, Stream, Terms

FITTED = 10_000  # codes that an aggregate prior is fitted to
FIT_DRAWS, FIT_RATE = 8, 0.1  # of fitting codes to an image; the rate falls to zero


@dataclass(frozen=True)
class VariationalConfig(CodedImagesConfig):
    """Parameters of an encoder and a decoder, of their codes and the prior: those of the networks, and

    Attributes:
        binarise: draw black and white from grey levels anew at every step, and once when rated.
        code: ``normal``; or ``sphere``, unit vectors of ``latent`` + 1 numbers.
        prior: ``standard``, normal or uniform on the sphere; ``mixture`` of learned normals; ``vamp``,
            the codes of learned images; ``flow``; ``aggregate``, standard normal in training and fitted
            to the codes afterwards. All but ``standard`` for normal codes.
        components: of ``mixture``, ``vamp`` and ``aggregate``; couplings of ``flow``.
    """

    binarise: bool = False
    code: Literal["normal", "sphere"] = "normal"
    prior: priors.Kind = "standard"
    components: Count = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        what = f"{type(self).__name__}.prior"
        if self.code == "sphere" and self.prior != "standard":
            raise InputError(f"{what}: {self.prior!r} is for normal codes; with code 'sphere' use 'standard'")
        if self.prior == "vamp" and self.network == "dcgan":
            raise InputError(
                f"{what}: 'vamp' passes its images through the encoder, which must not normalise batches; use network 'mlp'"
            )
        if self.binarise and self.likelihood != "bernoulli":
            raise InputError(f"{type(self).__name__}.binarise: is for black and white images; set likelihood to 'bernoulli'")


class Variational(Bounded, CodedImages):
    """A family says in ``bound_terms`` which bound it maximises, and in ``draws`` by how many codes for each image."""

    averaged = ("encoder", "decoder", "pixels", "prior")
    config: VariationalConfig
    draws = 1

    def __init__(self, config: VariationalConfig, space: Space) -> None:
        self.code = CODES[config.code]
        width = self.code.width(config.latent)
        super().__init__(config, space, outputs=self.code.outputs(config.latent), codes=width)
        sphere = config.code == "sphere"
        if sphere:  # each number of a unit vector to deviation 1, as a normal code has it
            self.decoder = nn.Sequential(Scaled(math.sqrt(width)), self.decoder)
        self.prior = priors.prior(config.prior, sphere, width, config.components, space.shape, self.posterior)
        self.players = (Player("model", self.averaged, self.bound_terms, config.optimiser),)

    def bound_terms(self, batch: Mapping[str, tuple[Tensor, ...]], noise: Noise) -> Terms:
        raise NotImplementedError

    # Training.

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        (images,) = data["real"].tensors
        self.prior.begin(images, generator)
        if self.config.network == "mlp":
            self.pixels.start([layer for layer in self.decoder.modules() if isinstance(layer, nn.Linear)][-1], images)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        batch = self.config.batch
        noise = {"z": self.code.noise((self.draws, batch), self.config.latent, generator)}
        if self.config.binarise:
            noise["ink"] = torch.rand(batch, *self.space.shape, generator=generator, device=generator.device)
        return noise

    def seen(self, x: Tensor, noise: Noise) -> Tensor:
        """Training images (N, C, H, W), black and white where so configured."""
        return binarised(x, noise["ink"]) if self.config.binarise else x

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        super().finish(data, generator)
        self.eval()
        if self.config.prior == "aggregate":
            (images,) = data["real"].tensors
            rows = torch.randint(len(images), (FITTED,), generator=generator, device=generator.device)
            with torch.no_grad():
                self.prior.fit(self.coded(images[rows], self.code_noise(FITTED, generator)), generator)

    # Codes.

    def posterior(self, x: Tensor) -> Gaussian | PowerSpherical:
        """q(z | x); x: (N, C, H, W) in [−1, 1]."""
        return self.code.of(self.encoder(x))

    def code_noise(self, count: int, generator: torch.Generator) -> Noise:
        return {"z": self.code.noise((count,), self.config.latent, generator)}

    def coded(self, x: Tensor, noise: Noise) -> Tensor:
        """Codes (N, width), drawn; without noise their means, on a sphere their mean directions."""
        code = self.posterior(x)
        return code.draw(noise["z"]) if noise else code.mean

    def drawn(self, count: int, generator: torch.Generator) -> Tensor:
        return self.prior.draw(count, generator)

    # The bound.

    def weigher(self, x: Tensor, generator: torch.Generator) -> Callable[[int], Tensor]:
        return self.weigher_of(x, self.posterior(x), generator)

    def weigher_of(self, x: Tensor, code: Gaussian | PowerSpherical, generator: torch.Generator) -> Callable[[int], Tensor]:
        return lambda count: self.log_weights(x, code, code.draw(self.code.noise((count, len(x)), self.config.latent, generator)))

    def weighed(self, x: Tensor, generator: torch.Generator, draws: int) -> bounds.Estimate:
        return super().weighed(self.rated(x, generator), generator, draws)

    def rated(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Images (N, C, H, W) to rate, black and white where so configured."""
        return binarised(x, torch.rand(x.shape, generator=generator, device=generator.device)) if self.config.binarise else x

    @torch.no_grad()
    def estimate_fitted(self, x: Tensor, generator: torch.Generator, draws: int, steps: int) -> bounds.Estimate:
        """:meth:`estimate` with codes drawn from :meth:`fitted`; x: (N, C, H, W) in [−1, 1]."""
        images = self.rated(x, generator)
        return bounds.sample_by_sample(lambda x: self.weigher_of(x, self.fitted(x, generator, steps), generator), draws, images)

    def fitted(self, x: Tensor, generator: torch.Generator, steps: int) -> Gaussian | PowerSpherical:
        """q(z) of each image (N, C, H, W): begins as the encoder's and takes ``steps`` steps of Adam up the importance-weighted bound.

        What the encoder has not learned of images that it never saw then counts no more, and the decoder's likelihood is
        left (Cremer et al. 2018, arXiv 1801.03558). Nothing of the model changes.
        """
        out = self.encoder(x).float().detach()
        optimiser = torch.optim.Adam([out], FIT_RATE)
        for step in range(steps):
            with torch.enable_grad():
                code = self.code.of(out.requires_grad_())
                value = bounds.importance_weighted(self.weigher_of(x, code, generator)(FIT_DRAWS)).sum()
                (gradient,) = torch.autograd.grad(value, out)
            out.grad, optimiser.param_groups[0]["lr"] = -gradient, FIT_RATE * (1 - step / steps)
            optimiser.step()
        return self.code.of(out.detach())

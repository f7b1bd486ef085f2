"""Conditional variational autoencoder (Sohn, Lee & Yan 2015, "Learning structured output representation using deep
conditional generative models"; Yan et al. 2016, arXiv 1512.00570, for images from attributes).

Everything is given c: an encoder q(z | x, c), a prior p(z | c) and a decoder p(x | z, c) maximise
log p(x | c) ≥ E_q[log p(x | z, c)] − KL(q(z | x, c) ‖ p(z | c)). What is given is one of

* ``label``, the class;
* ``attributes``, the class where there are classes and the conditions, such as a stroke's slant and width;
* ``quadrants``, some quarters of the image itself; the others are completed, and they alone are rated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from domain.config import Config, Count, Natural, Range
from domain.errors import InputError
from domain.generators.base.bounded import WarmingUp
from domain.nets.codes import Gaussian
from domain.nets.context import Context, Kind
from domain.nets.images import PixelModel, Pixels, tanh_layers
from domain.objectives import bounds
from domain.objectives.divergences import kl_between_normals
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms


@dataclass(frozen=True)
class CVAEConfig(Config):
    """Parameters of a conditional VAE.

    Attributes:
        given: what samples are drawn given; see the module's docstring.
        observed: quadrants given: 1, bottom left; 2, also top left; 3, also bottom right.
        likelihood: ``bernoulli`` for black and white images; ``gaussian`` for grey ones.
        latent: width of the code.
        hidden: units of the tanh layers of each network.
        warm_up: steps over which the KL term's weight rises to 1.
        batch: images in each step.
    """

    given: Kind = "label"
    observed: Annotated[int, Range(1, 3)] = 1
    likelihood: Pixels = "gaussian"
    latent: Count = 50
    hidden: tuple[Count, ...] = (500, 500)
    warm_up: Natural = 0
    batch: Count = 100
    optimiser: Adam = Adam(rate=1e-3, beta1=0.9)


class CVAE(WarmingUp):
    """An encoder, a prior and a decoder, all given c; samples, completes, and bounds the likelihood given c."""

    Config: ClassVar[type[Config]] = CVAEConfig
    averaged = ("encoder", "prior", "decoder", "pixels")

    def __init__(self, config: CVAEConfig, space: Space) -> None:
        super().__init__()
        if config.given == "label" and not space.classes:
            raise InputError("cvae.given: these samples have no classes; give 'quadrants' or 'attributes'")
        if config.given == "attributes" and not space.condition:
            raise InputError("cvae.given: these samples have no conditions; give 'quadrants' or 'label'")
        self.config, self.space = config, space
        self.context = Context(config.given, space, config.observed)
        self.given = self.context.names
        size, given, hidden = math.prod(space.shape), self.context.width, config.hidden
        self.encoder = tanh_layers((size + given, *hidden, 2 * config.latent))
        self.prior = tanh_layers((given, *hidden, 2 * config.latent))
        self.decoder = tanh_layers((config.latent + given, *hidden[::-1], size))
        self.pixels = PixelModel(config.likelihood)
        self.players = (Player("model", self.averaged, self.bound_terms, config.optimiser),)

    def streams(self, x: Tensor, label: Tensor, condition: Tensor | None = None) -> dict[str, Stream]:
        """x: images (N, C, H, W) in [−1, 1]; label: (N,), −1 where unlabelled; condition: (N, conditions)."""
        self.context.fit(x, condition)
        return {"real": Stream((x, self.context(x, label, condition)), self.config.batch)}

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        self.pixels.start(self.decoder[-1], data["real"].tensors[0])

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {"z": Gaussian.noise((self.config.batch,), self.config.latent, generator)}

    def bound_terms(self, batch: Batch, noise: Noise) -> Terms:
        x, c = batch["real"]
        q, p = self.posterior(x, c), Gaussian.of(self.prior(c))
        return {
            "reconstruction": -self.log_likelihood(x, q.draw(noise["z"]), c).mean(),
            "kl": self.warmth() * kl_between_normals(q.mean, q.log_variance, p.mean, p.log_variance).mean(),
        }

    def posterior(self, x: Tensor, c: Tensor) -> Gaussian:
        """q(z | x, c); x: (N, C, H, W); c: (N, width)."""
        return Gaussian.of(self.encoder(torch.cat([x.flatten(1), c], 1)))

    def picture(self, z: Tensor, c: Tensor) -> Tensor:
        """Unbounded images (N, C, H, W) of codes (N, latent) given c, (N, width)."""
        return self.decoder(torch.cat([z, c], 1)).unflatten(1, self.space.shape)

    def log_likelihood(self, x: Tensor, z: Tensor, c: Tensor) -> Tensor:
        """log p(x | z, c) of the pixels that are not given, in nats, (N,)."""
        unseen = self.context.seen.flatten() < 0.5
        x, out = (images.flatten(1)[:, unseen, None, None] for images in (x, self.picture(z, c)))
        return self.pixels.log_prob(x, out)

    def weigher(self, x: Tensor, c: Tensor, generator: torch.Generator) -> Callable[[int], Tensor]:
        """Images (N, C, H, W) given c, (N, width) → a function of k: log weights of k codes drawn for each, in nats, (k, N)."""
        q, p = self.posterior(x, c), Gaussian.of(self.prior(c))

        def log_weights(count: int) -> Tensor:
            z = q.draw(Gaussian.noise((count, len(x)), self.config.latent, generator))
            out = self.log_likelihood(x.repeat(count, 1, 1, 1), z.flatten(0, 1), c.repeat(count, 1))
            return out.reshape(count, len(x)) + p.log_prob(z) - q.log_prob(z)

        return log_weights

    # What a trained model can do.

    @torch.no_grad()
    def complete(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The given quadrants of x, (N, C, H, W) in [−1, 1], and a drawn mean image of the others."""
        return self.drawn(x, self.context(x, None, None), generator)

    def drawn(self, x: Tensor, c: Tensor, generator: torch.Generator) -> Tensor:
        """Mean images of codes from the prior given c, (N, width), with the seen pixels of x in place."""
        z = Gaussian.of(self.prior(c)).draw(Gaussian.noise((len(c),), self.config.latent, generator))
        return torch.where(self.context.seen > 0, x, self.pixels.mean(self.picture(z, c)))

    def conditions(self, count: int, generator: torch.Generator) -> Tensor:
        """Conditions, uniform over the training range, (count, conditions)."""
        return self.context.range.draw(count, generator)

    @torch.no_grad()
    def sample(
        self, count: int, generator: torch.Generator, label: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """Mean images in [−1, 1], (count, C, H, W), given classes (count,) and conditions (count, conditions).

        What is left out is drawn. Given quadrants, those of kept training images are completed; :meth:`complete` takes others.
        """
        return self.drawn(*self.context.draw(count, generator, label, condition), generator)

    @torch.no_grad()
    def estimate(
        self, x: Tensor, generator: torch.Generator, draws: int, label: Tensor | None = None, condition: Tensor | None = None
    ) -> bounds.Estimate:
        """What ``draws`` codes for each image say of log p(x | c), of the pixels that are not given.

        x: (N, C, H, W) in [−1, 1]; label: (N,) and condition: (N, conditions), where :attr:`given` names them.
        """
        c = self.context(x, label, condition)
        return bounds.sample_by_sample(lambda x, c: self.weigher(x, c, generator), draws, x, c)

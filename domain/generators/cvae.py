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
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from domain.config import Config, Count, Natural, Range
from domain.errors import InputError
from domain.nets.codes import Gaussian
from domain.nets.images import PixelModel, Pixels, tanh_layers
from domain.objectives import bounds
from domain.objectives.divergences import kl_between_normals
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms

KEPT = 256  # training images whose quadrants stand for those that nobody names


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

    given: Literal["label", "attributes", "quadrants"] = "label"
    observed: Annotated[int, Range(1, 3)] = 1
    likelihood: Pixels = "gaussian"
    latent: Count = 50
    hidden: tuple[Count, ...] = (500, 500)
    warm_up: Natural = 0
    batch: Count = 100
    optimiser: Adam = Adam(rate=1e-3, beta1=0.9)


class CVAE(System):
    """An encoder, a prior and a decoder, all given c; samples, completes, and bounds the likelihood given c."""

    Config: ClassVar[type[Config]] = CVAEConfig
    averaged = ("encoder", "prior", "decoder", "pixels")

    low: Tensor  # (C,) lowest condition seen
    high: Tensor  # (C,) highest condition seen
    seen: Tensor  # (C, H, W) 1 at pixels that are given
    steps: Tensor  # scalar, done so far
    kept: Tensor  # (256, C, H, W) training images that lend quadrants, or none

    def __init__(self, config: CVAEConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        attributes = config.given == "attributes"
        if config.given == "label" and not space.classes:
            raise InputError("cvae.given: these samples have no classes; give 'quadrants' or 'attributes'")
        if attributes and not space.condition:
            raise InputError("cvae.given: these samples have no conditions; give 'quadrants' or 'label'")
        labelled = space.classes > 0 and config.given != "quadrants"
        self.given = (*["label"] * labelled, *["condition"] * attributes)
        size, conditions = math.prod(space.shape), len(space.condition) if attributes else 0
        seen = quadrants(space.shape, config.observed) if config.given == "quadrants" else torch.zeros(space.shape)
        self.register_buffer("seen", seen, persistent=False)
        context = size if config.given == "quadrants" else space.classes + conditions
        self.encoder = tanh_layers((size + context, *config.hidden, 2 * config.latent))
        self.prior = tanh_layers((context, *config.hidden, 2 * config.latent))
        self.decoder = tanh_layers((config.latent + context, *config.hidden[::-1], size))
        self.pixels = PixelModel(config.likelihood)
        self.register_buffer("low", torch.full((conditions,), -1.0))
        self.register_buffer("high", torch.ones(conditions))
        self.register_buffer("kept", torch.zeros(KEPT if config.given == "quadrants" else 0, *space.shape))
        self.register_buffer("steps", torch.zeros(()))
        self.players = (Player("model", self.averaged, self.bound_terms, config.optimiser),)

    # Training.

    def streams(self, x: Tensor, label: Tensor, condition: Tensor | None = None) -> dict[str, Stream]:
        """x: images (N, C, H, W) in [−1, 1]; label: (N,), −1 where unlabelled; condition: (N, conditions)."""
        if condition is not None:
            low, high = condition.aminmax(dim=0)
            self.low.copy_(low)
            self.high.copy_(high)
        if len(self.kept):
            self.kept.copy_(x[torch.arange(KEPT) % len(x)])
        return {"real": Stream((x, self.context(x, label, condition)), self.config.batch)}

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        self.pixels.start(self.decoder[-1], data["real"].tensors[0])

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {"z": Gaussian.noise((self.config.batch,), self.config.latent, generator)}

    def bound_terms(self, batch: Batch, noise: Noise) -> Terms:
        x, context = batch["real"]
        q, p = self.posterior(x, context), Gaussian.of(self.prior(context))
        weight = bounds.warm_up(self.steps, self.config.warm_up)
        return {
            "reconstruction": -self.log_likelihood(x, q.draw(noise["z"]), context).mean(),
            "kl": weight * kl_between_normals(q.mean, q.log_variance, p.mean, p.log_variance).mean(),
        }

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        self.steps += 1

    # Its parts.

    def context(self, x: Tensor, label: Tensor | None, condition: Tensor | None) -> Tensor:
        """c, (N, C): the seen pixels and 0 for others; or 1 at the class, then conditions scaled to [−1, 1].

        An unlabelled sample's class is 0 everywhere; x: (N, C, H, W), used with quadrants alone.
        """
        if self.config.given == "quadrants":
            return (x * self.seen).flatten(1)
        parts = []
        if "label" in self.given and label is not None:
            parts.append(one_hot(label + 1, self.space.classes + 1)[:, 1:].float())
        if "condition" in self.given and condition is not None:
            parts.append(2 * (condition - self.low) / (self.high - self.low).clamp_min(1e-12) - 1)
        return torch.cat(parts, 1)

    def posterior(self, x: Tensor, context: Tensor) -> Gaussian:
        """q(z | x, c); x: (N, C, H, W); context: (N, C)."""
        return Gaussian.of(self.encoder(torch.cat([x.flatten(1), context], 1)))

    def picture(self, z: Tensor, context: Tensor) -> Tensor:
        """Unbounded images (N, C, H, W) of codes (N, latent) given c, (N, C)."""
        return self.decoder(torch.cat([z, context], 1)).unflatten(1, self.space.shape)

    def log_likelihood(self, x: Tensor, z: Tensor, context: Tensor) -> Tensor:
        """log p(x | z, c) of the pixels that are not given, in nats, (N,)."""
        unseen = self.seen.flatten() < 0.5
        x, out = (images.flatten(1)[:, unseen, None, None] for images in (x, self.picture(z, context)))
        return self.pixels.log_prob(x, out)

    # What a trained model can do.

    @torch.no_grad()
    def complete(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The given quadrants of x, (N, C, H, W) in [−1, 1], and a drawn mean image of the others."""
        return self.drawn(x, self.context(x, None, None), generator)

    def drawn(self, x: Tensor, context: Tensor, generator: torch.Generator) -> Tensor:
        """Mean images of codes from the prior given c, with the seen pixels of x in place."""
        z = Gaussian.of(self.prior(context)).draw(Gaussian.noise((len(context),), self.config.latent, generator))
        return torch.where(self.seen > 0, x, self.pixels.mean(self.picture(z, context)))

    def conditions(self, count: int, generator: torch.Generator) -> Tensor:
        """Conditions, uniform over the training range, (count, conditions)."""
        u = torch.rand(count, len(self.low), generator=generator, device=generator.device)
        return self.low + (self.high - self.low) * u

    @torch.no_grad()
    def sample(
        self, count: int, generator: torch.Generator, label: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """Mean images in [−1, 1], (count, C, H, W).

        Args:
            count: how many.
            generator: draws them.
            label: classes (count,); equally likely ones if left out.
            condition: (count, conditions); from :meth:`conditions` if left out.

        Given quadrants, those of kept training images are completed; :meth:`complete` takes others.
        """
        device = generator.device
        x = torch.zeros(count, *self.space.shape, device=device)
        if len(self.kept):
            x = self.kept[torch.randint(len(self.kept), (count,), generator=generator, device=device)]
        if "label" in self.given and label is None:
            label = torch.randint(self.space.classes, (count,), generator=generator, device=device)
        if "condition" in self.given:
            condition = self.conditions(count, generator) if condition is None else self.admitted(condition, count)
        return self.drawn(x, self.context(x, label, condition), generator)

    def admitted(self, condition: Tensor, count: int) -> Tensor:
        """The condition, (count, conditions), if it lies in the training range."""
        if condition.shape != (count, len(self.low)):
            raise InputError(f"condition: has shape {tuple(condition.shape)}, must be ({count}, {len(self.low)})")
        for name, values, low, high in zip(self.space.condition, condition.T, self.low, self.high):
            if not ((values >= low) & (values <= high)).all():
                seen = f"runs from {values.min():g} to {values.max():g}, must lie within {low:g} to {high:g}"
                raise InputError(f"condition {name!r}: {seen}, the training range")
        return condition.to(self.low)

    @torch.no_grad()
    def estimate(
        self,
        x: Tensor,
        generator: torch.Generator,
        draws: int,
        label: Tensor | None = None,
        condition: Tensor | None = None,
    ) -> bounds.Estimate:
        """What ``draws`` codes for each image say of log p(x | c), of the pixels that are not given.

        x: (N, C, H, W) in [−1, 1]; label: (N,) and condition: (N, conditions), where :attr:`given` names them.
        """
        for name, value in (("label", label), ("condition", condition)):
            if name in self.given and value is None:
                raise InputError(f"cvae: rates images given their {name}; pass it")
        context = self.context(x, label, condition)

        def log_weights_of(rows: Tensor) -> Callable[[int], Tensor]:
            images, c = x[rows], context[rows]
            q, p = self.posterior(images, c), Gaussian.of(self.prior(c))

            def log_weights(count: int) -> Tensor:
                z = q.draw(Gaussian.noise((count, len(rows)), self.config.latent, generator))
                out = self.log_likelihood(images.repeat(count, 1, 1, 1), z.flatten(0, 1), c.repeat(count, 1))
                return out.reshape(count, len(rows)) + p.log_prob(z) - q.log_prob(z)

            return log_weights

        return bounds.sample_by_sample(log_weights_of, torch.arange(len(x), device=x.device), draws)


def quadrants(shape: tuple[int, ...], observed: int) -> Tensor:
    """1 at the pixels of the first ``observed`` quadrants (bottom left, top left, bottom right), 0 elsewhere, (C, H, W)."""
    mask = torch.zeros(shape)
    middle, centre = shape[1] // 2, shape[2] // 2
    mask[:, middle:, :centre] = 1
    if observed >= 2:
        mask[:, :, :centre] = 1
    if observed >= 3:
        mask[:, middle:] = 1
    return mask

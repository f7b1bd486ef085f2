"""The game of a discriminator with K+1 classes against a generator (Salimans et al. 2016, arXiv 1606.03498).

The discriminator has K outputs; a sample's realness is the log-sum-exp of its logits, which is a
(K+1)-way softmax whose last logit is zero (Odena 2016, arXiv 1606.01583). Labelled samples train
the classes, unlabelled and generated ones the realness, and the generator matches the mean
features of real batches (*feature matching*). The generator need not be good: samples off the
data's manifold push class boundaries into the gaps between clusters (Dai et al. 2017, arXiv 1705.09783).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from domain.classifiers.base.estimator import ClassifyingSystem, NetworkClassifier
from domain.config import Config, Count, Fraction, Natural, NonNegative
from domain.errors import InputError
from domain.nets.augment import affine
from domain.nets.batch_norm import calibrate
from domain.nets.dcgan import Generator
from domain.nets.mlp import mlp
from domain.nets.noisy import NineLayers, NoisyMLP, Normalisation
from domain.objectives.entropy import conditional_entropy
from domain.objectives.features import MATCHING
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms

Matching = Literal["mean_square", "mean_absolute", "per_sample", "none"]


def uniform(generator: torch.Generator, *shape: int) -> Tensor:
    """Numbers between 0 and 1, where the generator is."""
    return torch.rand(shape, generator=generator, device=generator.device)


@dataclass(frozen=True)
class MatchingConfig(Config):
    """Parameters of the two networks and their game. A weight of 0 leaves a term out, as published.

    Attributes:
        network: ``mlp`` sees vectors in [0, 1] through Gaussian noise; ``conv`` is the paper's
            nine-layer network on images, with dropout.
        hidden: widths of the hidden layers of an ``mlp`` discriminator.
        generator_hidden: widths of the hidden layers of the generator, but for ``conv``.
        width: channels of the ``conv`` discriminator's first layers (96 for CIFAR-10, 64 for SVHN).
        normalisation: of the ``mlp`` discriminator: ``weight``, as published, or ``batch``.
        latent: width of the latent vector, uniform in [0, 1].
        input_noise, layer_noise: deviation of the Gaussian noise added to the input and before
            every later layer of an ``mlp``, in training only.
        matching: what the generator minimises: a distance of features (``objectives/features.py``),
            or with ``none`` the non-saturating cost of looking real.
        kernels: of minibatch discrimination; meant for ``matching="none"``.
        unlabelled_weight: weight of the realness terms against the labelled one.
        label_noise: share of the labels that are replaced by a random class in each step.
        entropy: weight of the unlabelled samples' conditional entropy (Dai et al. 2017).
        augment: strength of random affine maps of every real image, see ``nets/augment.py``.
        batch: labelled and generated samples in each step.
        unlabelled_batch: unlabelled samples in each step; 0 for as many as ``batch``.
        optimiser, generator_optimiser: of the two players. The published Adam adds 1e-8 inside the root, a floor of 1e-4.
    """

    network: Literal["mlp", "conv"] = "mlp"
    hidden: tuple[Count, ...] = (1000, 500, 250, 250, 250)
    generator_hidden: tuple[Count, ...] = (500, 500)
    width: Count = 96
    normalisation: Normalisation = "weight"
    latent: Count = 100
    input_noise: NonNegative = 0.3
    layer_noise: NonNegative = 0.5
    matching: Matching = "mean_square"
    kernels: Natural = 0
    unlabelled_weight: NonNegative = 1.0
    label_noise: Fraction = 0.0
    entropy: NonNegative = 0.0
    augment: NonNegative = 0.0
    batch: Count = 100
    unlabelled_batch: Natural = 0
    optimiser: Adam = Adam(rate=3e-3, beta1=0.5, epsilon=1e-4)
    generator_optimiser: Adam = Adam(rate=3e-3, beta1=0.5, epsilon=1e-4)


class MatchingGame(ClassifyingSystem):
    """A discriminator with K+1 classes and a generator that matches its features."""

    Config: ClassVar[type[Config]] = MatchingConfig
    averaged = ("discriminator", "generator")

    def __init__(self, config: MatchingConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        if space.kind != "image" and (config.augment or config.network == "conv"):
            raise InputError("network='conv' and augment need images; pass X as (N, H, W) or (N, C, H, W)")
        self.unlabelled_batch = config.unlabelled_batch or config.batch
        if config.network == "conv":
            channels, side, other = space.shape
            if side != other or side < 12:
                raise InputError(f"network='conv': images of {side}×{other} pixels; it needs squares of at least 12")
            self.discriminator = NineLayers(channels, side, config.width, space.classes, config.kernels)
            self.generator = Generator(config.latent, space.shape, width=128)
        else:
            inputs = math.prod(space.shape)
            self.discriminator = self.vector_network(inputs)
            self.generator = mlp((config.latent, *config.generator_hidden, inputs), nn.Softplus, batch_norm=True)
        self.players = (
            Player("discriminator", ("discriminator",), self.discriminator_terms, config.optimiser),
            Player(
                "generator", ("generator",), self.generator_terms, config.generator_optimiser,
                streams=("unlabelled",),
            ),
        )

    def vector_network(self, inputs: int) -> nn.Module:
        """The discriminator of vectors of this width."""
        config = self.config
        deviations = (config.input_noise, *[config.layer_noise] * len(config.hidden))
        return NoisyMLP(inputs, config.hidden, self.space.classes, deviations, config.normalisation, config.kernels)

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        return self.both(x, label, self.config.batch, self.unlabelled_batch)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        config, size, many = self.config, self.config.batch, self.unlabelled_batch
        drawn = {
            "z": uniform(generator, size, config.latent),
            "affine": 2 * uniform(generator, size + many, 6) - 1,
            "label": uniform(generator, size, 2),
            "layers": self.discriminator.draw(self.shown_to(player), generator),
        }
        return {name: value for name, value in drawn.items() if value is not None}

    def shown_to(self, player: Player) -> int:
        """How many samples pass through the discriminator in a step of this player."""
        size, many = self.config.batch, self.unlabelled_batch
        return many + size if player.name == "generator" else many + 2 * size

    def real_views(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Real samples as the discriminator is shown them, each (N, *shape)."""
        (labelled, _), (unlabelled, *_) = batch["labelled"], batch["unlabelled"]
        return {
            "labelled": self.shown(labelled, noise["affine"]),
            "unlabelled": self.shown(unlabelled, noise["affine"][len(labelled) :]),
        }

    def generated_views(self, noise: Noise) -> dict[str, Tensor]:
        """Generated samples as the discriminator is shown them, each (N, *shape)."""
        return {"generated": self.generate(noise["z"])}

    def discriminator_terms(self, batch: Batch, noise: Noise) -> Terms:
        """Class cross-entropy of labelled samples; realness of unlabelled and generated ones."""
        config = self.config
        views = self.real_views(batch, noise) | self.generated_views(noise)
        sizes = [len(view) for view in views.values()]
        answers = self.discriminator(torch.cat([*views.values()]), noise.get("layers"), sizes)[0].split(sizes)
        logits = dict(zip(views, answers))
        unlabelled, generated = logits["unlabelled"], logits["generated"]
        realness = softplus(-unlabelled.logsumexp(1)).mean() + softplus(generated.logsumexp(1)).mean()
        terms = {
            "classes": cross_entropy(logits["labelled"], self.noisy_labels(batch["labelled"][1], noise["label"])),
            "realness": 0.5 * config.unlabelled_weight * realness,
        }
        if config.entropy:
            terms["entropy"] = config.entropy * conditional_entropy(unlabelled)
        return terms | self.further_terms(batch, noise, views, logits)

    def further_terms(
        self, batch: Batch, noise: Noise, views: Mapping[str, Tensor], logits: Mapping[str, Tensor]
    ) -> Terms:
        """The discriminator's terms of a subclass; views: (N, *shape), logits: (N, K), by the views' names."""
        return {}

    def generator_terms(self, batch: Batch, noise: Noise) -> Terms:
        """Distance of the features of a real and a generated batch, or the cost of looking real."""
        (unlabelled, *_), config = batch["unlabelled"], self.config
        layers = noise.get("layers")
        parts = (None, None) if layers is None else layers.split([len(unlabelled), config.batch])
        logits, fake = self.discriminator(self.generate(noise["z"]), parts[1])
        if config.matching == "none":
            terms = {"realness": softplus(-logits.logsumexp(1)).mean()}
        else:
            with torch.no_grad():
                real = self.discriminator(self.shown(unlabelled, noise["affine"]), parts[0])[1]
            terms = {"matching": MATCHING[config.matching](real, fake)}
        return terms | self.further_generator_terms(fake)

    def further_generator_terms(self, fake: Tensor) -> Terms:
        """The generator's terms of a subclass; fake: features of generated samples, (N, F)."""
        return {}

    def noisy_labels(self, label: Tensor, draw: Tensor) -> Tensor:
        """label: (N,), some replaced by a random class; draw: (N, 2) uniform in [0, 1]."""
        other = (draw[:, 1] * self.space.classes).long()
        return torch.where(draw[:, 0] < self.config.label_noise, other, label)

    def shown(self, x: Tensor, draw: Tensor) -> Tensor:
        """Real samples (N, *shape) in [−1, 1] as the discriminator sees them; draw: at least (N, 6)."""
        return self._seen(affine(x, draw[: len(x)], self.config.augment) if self.config.augment else x)

    def generate(self, z: Tensor) -> Tensor:
        """z: (N, latent) in [0, 1] → generated samples as the discriminator sees them."""
        h = self.generator(z).float()
        return torch.tanh(h) if self.config.network == "conv" else torch.sigmoid(h)

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        """Data-dependent start: on any samples for the ``mlp``, on labelled ones for ``conv``, as published."""
        x = data["labelled" if self.config.network == "conv" else "unlabelled"].tensors[0]
        rows = torch.randint(len(x), (5 * self.config.batch,), generator=generator, device=generator.device)
        self.discriminator.start(self._seen(x[rows]), self.discriminator.draw(len(rows), generator))

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        x, size, device = data["unlabelled"].tensors[0], self.config.batch, generator.device
        rows = torch.randint(len(x), (10_000,), generator=generator, device=device)
        calibrate(self.discriminator, lambda: [self.discriminator(self._seen(x[part])) for part in rows.split(1000)])
        self.discriminator.minibatch.calibrate(self.discriminator(self._seen(x[rows[:1000]]))[1], size)
        z = uniform(generator, 1000, self.config.latent)
        calibrate(self.generator, lambda: self.generate(z))

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → class probabilities (N, K)."""
        return self.discriminator(self._seen(x))[0].softmax(1)

    @torch.no_grad()
    def realness(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → log odds of being real rather than generated, (N,)."""
        return self.discriminator(self._seen(x))[0].logsumexp(1)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Samples in [−1, 1], (count, *shape). They match features, not pixels: not for looks."""
        x = self.generate(uniform(generator, count, self.config.latent))
        return x if self.config.network == "conv" else (2 * x - 1).unflatten(1, self.space.shape)

    def _seen(self, x: Tensor) -> Tensor:
        return x if self.config.network == "conv" else self.unit(x)


@dataclass(eq=False, repr=False)
class MatchingClassifier(NetworkClassifier):
    """Base of the classifiers that play the game.

    Args:
        network ... augment: as in :class:`MatchingConfig`.
        rate, beta1, epsilon: of the discriminator's Adam, and of the generator's where ``generator_rate``
            is 0; epsilon stands outside the root.
        generator_rate: learning rate of the generator; 0 for the same.
    """

    system: ClassVar[type[MatchingGame]]
    network: str = "mlp"
    hidden: tuple[int, ...] = (1000, 500, 250, 250, 250)
    generator_hidden: tuple[int, ...] = (500, 500)
    width: int = 96
    normalisation: str = "weight"
    latent: int = 100
    input_noise: float = 0.3
    layer_noise: float = 0.5
    matching: str = "mean_square"
    kernels: int = 0
    unlabelled_weight: float = 1.0
    label_noise: float = 0.0
    entropy: float = 0.0
    augment: float = 0.0
    unlabelled_batch: int = 0
    rate: float = 3e-3
    generator_rate: float = 0.0
    beta1: float = 0.5
    epsilon: float = 1e-4

    def make(self, space: Space) -> MatchingGame:
        return self.system(self.system.Config(**self.options()), space)

    def options(self) -> dict[str, Any]:
        """The parameters of the system."""
        shared = {field.name for field in dataclasses.fields(self.system.Config)} & set(self.get_params())
        return {name: getattr(self, name) for name in shared} | {
            "optimiser": Adam(self.rate, self.beta1, epsilon=self.epsilon),
            "generator_optimiser": Adam(self.generator_rate or self.rate, 0.5, epsilon=self.epsilon),
        }

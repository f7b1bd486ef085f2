"""Semi-supervised classification with the discriminator of a GAN (Salimans et al. 2016, arXiv 1606.03498).

The discriminator has K outputs; a sample's realness is the log-sum-exp of its logits, which is a
(K+1)-way softmax whose last logit is zero (Odena 2016, arXiv 1606.01583). Labelled samples train
the classes, unlabelled and generated ones the realness, and the generator matches the mean
features of real batches (*feature matching*). The generator need not be good: samples off the
data's manifold push class boundaries into the gaps between clusters.

Defaults are the published recipe for permutation-invariant MNIST.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from domain.classifiers.base import ClassifyingSystem, NetworkClassifier
from domain.config import Config, Count, NonNegative
from domain.errors import InputError
from domain.nets.augment import affine
from domain.nets.batch_norm import calibrate
from domain.nets.mlp import mlp
from domain.nets.weight_norm import WeightNormLinear
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms


@dataclass(frozen=True)
class FeatureMatchingConfig(Config):
    """Parameters of the two networks and their game.

    Attributes:
        hidden: widths of the discriminator's hidden layers.
        generator_hidden: widths of the generator's hidden layers.
        latent: width of the latent vector, uniform in [0, 1].
        input_noise, layer_noise: deviation of the Gaussian noise added to the input (in [0, 1])
            and before every later layer, in training only.
        unlabelled_weight: weight of the realness terms against the labelled one.
        consistency: weight of the squared distance between the class probabilities of two noisy
            passes over the unlabelled samples (Laine & Aila 2016, arXiv 1610.02242); 0 is published.
        augment: strength of random affine maps of every real image, see ``nets/augment.py``; the two
            passes of ``consistency`` then see different maps. 0 is published.
        batch: labelled, unlabelled and generated samples in each step.
        optimiser: of both players. The published Adam adds 1e-8 inside the root, a floor of 1e-4.
    """

    hidden: tuple[Count, ...] = (1000, 500, 250, 250, 250)
    generator_hidden: tuple[Count, ...] = (500, 500)
    latent: Count = 100
    input_noise: NonNegative = 0.3
    layer_noise: NonNegative = 0.5
    unlabelled_weight: NonNegative = 1.0
    consistency: NonNegative = 0.0
    augment: NonNegative = 0.0
    batch: Count = 100
    optimiser: Adam = Adam(rate=3e-3, beta1=0.5, epsilon=1e-4)


class Discriminator(nn.Module):
    """Weight-normalised layers with Gaussian noise before each; K logits.

    Hidden scales keep their data-dependent start; only the output layer's scale is learned.
    """

    def __init__(self, inputs: int, hidden: tuple[int, ...], classes: int, deviations: tuple[float, ...]) -> None:
        super().__init__()
        self.widths, self.deviations = (inputs, *hidden), deviations
        outputs = (*hidden, classes)
        self.layers = nn.ModuleList(
            WeightNormLinear(a, b, learn_scale=k == len(hidden)) for k, (a, b) in enumerate(zip(self.widths, outputs))
        )

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Standard normal noise for every layer's input side by side, (count, Σ widths)."""
        return torch.randn(count, sum(self.widths), generator=generator, device=generator.device)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x: (N, F) in [0, 1] → logits (N, K) and features (N, last hidden width)."""
        parts = [0.0] * len(self.layers) if noise is None else noise.split(self.widths, 1)
        h = features = x
        for layer, part, deviation in zip(self.layers[:-1], parts, self.deviations):
            h = features = torch.relu(layer(h + deviation * part))
        return self.layers[-1](h + self.deviations[-1] * parts[-1]).float(), features.float()

    def start(self, x: Tensor, noise: Tensor) -> None:
        """Data-dependent start of every layer from one noisy pass; x: (N, F)."""
        for k, (layer, part) in enumerate(zip(self.layers, noise.split(self.widths, 1))):
            x = layer.start(x + self.deviations[k] * part).relu()


class FeatureMatchingGAN(ClassifyingSystem):
    """A discriminator with K+1 classes and a generator that matches its features."""

    Config: ClassVar[type[Config]] = FeatureMatchingConfig
    averaged = ("discriminator", "generator")

    def __init__(self, config: FeatureMatchingConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        if config.augment and space.kind != "image":
            raise InputError("augment moves pixels, so it needs images; pass X as (N, H, W) or (N, C, H, W)")
        inputs = int(torch.tensor(space.shape).prod())
        deviations = (config.input_noise, *[config.layer_noise] * len(config.hidden))
        self.discriminator = Discriminator(inputs, config.hidden, space.classes, deviations)
        self.generator = mlp((config.latent, *config.generator_hidden, inputs), nn.Softplus, batch_norm=True)
        self.players = (
            Player("discriminator", ("discriminator",), self.discriminator_terms, config.optimiser),
            Player("generator", ("generator",), self.generator_terms, config.optimiser),
        )

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        known = label >= 0
        return {
            "labelled": Stream((x[known], label[known]), self.config.batch),
            "unlabelled": Stream((x,), self.config.batch),
        }

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        size = self.config.batch
        passes = 2 if player.name == "generator" else 4 if self.config.consistency else 3
        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=generator.device)

        return {
            "z": uniform(size, self.config.latent),
            "affine": 2 * uniform(passes * size, 6) - 1,
            "layers": self.discriminator.draw(passes * size, generator),
        }

    def discriminator_terms(self, batch: Batch, noise: Noise) -> Terms:
        """Class cross-entropy of labelled samples; realness of unlabelled and generated ones."""
        (labelled, label), (unlabelled,) = batch["labelled"], batch["unlabelled"]
        again = [unlabelled] if self.config.consistency else []
        x = torch.cat([self.generate(noise["z"]), self.shown(torch.cat([labelled, unlabelled, *again]), noise)])
        fake, known, real, *again = self.discriminator(x, noise["layers"])[0].split(self.config.batch)
        realness = softplus(-real.logsumexp(1)) + softplus(fake.logsumexp(1))
        terms = {
            "classes": cross_entropy(known, label),
            "realness": 0.5 * self.config.unlabelled_weight * realness.mean(),
        }
        for other in again:
            distance = (real.softmax(1) - other.softmax(1)).square().sum(1)
            terms["consistency"] = self.config.consistency * distance.mean()
        return terms

    def generator_terms(self, batch: Batch, noise: Noise) -> Terms:
        """Squared distance of the mean features of a real and a generated batch."""
        (unlabelled,) = batch["unlabelled"]
        x = torch.cat([self.shown(unlabelled, noise), self.generate(noise["z"])])
        real, fake = self.discriminator(x, noise["layers"])[1].chunk(2)
        return {"matching": (real.mean(0) - fake.mean(0)).square().mean()}

    def shown(self, x: Tensor, noise: Noise) -> Tensor:
        """Real samples (N, *shape) in [−1, 1] as the discriminator sees them, (N, F) in [0, 1]."""
        if self.config.augment:
            x = affine(x, noise["affine"][: len(x)], self.config.augment)
        return self._unit(x)

    def generate(self, z: Tensor) -> Tensor:
        """z: (N, latent) in [0, 1] → flat samples (N, F) in [0, 1]."""
        return torch.sigmoid(self.generator(z).float())

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        x = data["unlabelled"].tensors[0]
        rows = torch.randint(len(x), (500,), generator=generator, device=generator.device)
        self.discriminator.start(self._unit(x[rows]), self.discriminator.draw(500, generator))

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        size = (1000, self.config.latent)
        calibrate(self.generator, lambda: self.generate(torch.rand(size, generator=generator, device=generator.device)))

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → class probabilities (N, K)."""
        return self.discriminator(self._unit(x))[0].softmax(1)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Samples in [−1, 1], (count, *shape). They match features, not pixels: not for looks."""
        z = torch.rand(count, self.config.latent, generator=generator, device=generator.device)
        return (2 * self.generate(z) - 1).unflatten(1, self.space.shape)

    @staticmethod
    def _unit(x: Tensor) -> Tensor:
        return (x.flatten(1) + 1) / 2


@dataclass(eq=False, repr=False)
class FeatureMatchingGANClassifier(NetworkClassifier):
    """Semi-supervised classifier by feature matching; see the module's docstring.

    Args:
        hidden, generator_hidden, latent, input_noise, layer_noise, unlabelled_weight, consistency,
            augment: as in :class:`FeatureMatchingConfig`.
        rate: learning rate of both players.
        epsilon: Adam's, outside the root.

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> y[50:] = -1
    >>> model = FeatureMatchingGANClassifier(epochs=30, random_state=0).fit(X, y)  # doctest: +SKIP
    """

    hidden: tuple[int, ...] = (1000, 500, 250, 250, 250)
    generator_hidden: tuple[int, ...] = (500, 500)
    latent: int = 100
    input_noise: float = 0.3
    layer_noise: float = 0.5
    unlabelled_weight: float = 1.0
    consistency: float = 0.0
    augment: float = 0.0
    rate: float = 3e-3
    epsilon: float = 1e-4

    def make(self, space: Space) -> FeatureMatchingGAN:
        config = FeatureMatchingConfig(
            self.hidden, self.generator_hidden, self.latent, self.input_noise, self.layer_noise,
            self.unlabelled_weight, self.consistency, self.augment, self.batch, Adam(self.rate, 0.5, epsilon=self.epsilon),
        )
        return FeatureMatchingGAN(config, space)

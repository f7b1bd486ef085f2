"""Semi-supervised classification with a categorical GAN (Springenberg 2015, arXiv 1511.06390).

The discriminator has K outputs and none for "generated". It is sure of the class of real samples,
unsure of generated ones, and uses all classes equally. In entropies (nats, at most log K; eqs. 7 to 9):

    discriminator:  min  E_x H[p(y|x)] − H[E_x p(y|x)] − E_z H[p(y|G(z))] + λ E_(x,y) [−log p(y|x)]
    generator:      min  E_z H[p(y|G(z))] − H[E_z p(y|G(z))]

So class boundaries move into regions where there is little data, as they do in entropy minimisation,
and the generator hunts for regions where the discriminator is sure without a reason. Labels name the
clusters, and a cluster that is sure of a wrong name keeps it, the more so at high learning rates.

A batch's marginal H[E p] is low by up to (K − 1) / 2N nats, 0.045 for K = 10 and N = 100.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, leaky_relu

from domain.classifiers.base.estimator import ClassifyingSystem, NetworkClassifier
from domain.config import Config, Count, NonNegative, Range
from domain.nets.batch_norm import BatchNorm, calibrate
from domain.nets.mlp import mlp
from domain.objectives.entropy import conditional_entropy, marginal_entropy
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms

SLOPE = 0.1
"""Of every leaky ReLU below zero."""


@dataclass(frozen=True)
class CatGANConfig(Config):
    """Parameters of the two networks and their game.

    Attributes:
        hidden: widths of the discriminator's hidden layers.
        generator_hidden: widths of the generator's hidden layers.
        latent: width of the latent vector, uniform in [−1, 1].
        input_noise, layer_noise: deviation of the Gaussian noise added to the input (in [0, 1])
            and before every later layer, in training only.
        label_weight: λ, weight of the labels' cross-entropy against the entropies.
        labelled_batch: labelled samples in each step.
        batch: unlabelled samples in each step, and generated ones.
        optimiser, generator_optimiser: of the two players.
    """

    hidden: tuple[Count, ...] = (1000, 500, 250, 250, 250)
    generator_hidden: tuple[Count, ...] = (500, 1000)
    latent: Count = 100
    input_noise: NonNegative = 0.3
    layer_noise: NonNegative = 0.5
    label_weight: NonNegative = 1.0
    labelled_batch: Count = 100
    batch: Annotated[int, Range(2)] = 100
    optimiser: Adam = Adam(rate=2e-4, beta1=0.5)
    generator_optimiser: Adam = Adam(rate=2e-4, beta1=0.5)


class Discriminator(nn.Module):
    """Batch-normalised layers with Gaussian noise before each; K logits."""

    def __init__(
        self, inputs: int, hidden: tuple[int, ...], classes: int, deviations: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.widths, self.deviations = (inputs, *hidden), deviations
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(self.widths))
        self.norms = nn.ModuleList(BatchNorm(width) for width in hidden)
        self.head = nn.Linear(self.widths[-1], classes)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Standard normal noise for every layer's input side by side, (count, Σ widths)."""
        return torch.randn(count, sum(self.widths), generator=generator, device=generator.device)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """x: (N, F) in [0, 1] → logits (N, K)."""
        parts = [None] * len(self.widths) if noise is None else noise.split(self.widths, 1)
        h = _noisy(x, parts[0], self.deviations[0])
        for layer, norm, part, deviation in zip(self.layers, self.norms, parts[1:], self.deviations[1:]):
            h = _noisy(leaky_relu(norm(layer(h)), SLOPE), part, deviation)
        return self.head(h).float()


def _noisy(h: Tensor, noise: Tensor | None, deviation: float) -> Tensor:
    return h if noise is None else torch.add(h, noise, alpha=deviation)


class CatGAN(ClassifyingSystem):
    """A discriminator that sorts real samples into K classes, and a generator that wants to be sorted."""

    Config: ClassVar[type[Config]] = CatGANConfig
    averaged = ("discriminator", "generator")

    def __init__(self, config: CatGANConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        inputs = math.prod(space.shape)
        deviations = (config.input_noise, *[config.layer_noise] * len(config.hidden))
        self.discriminator = Discriminator(inputs, config.hidden, space.classes, deviations)
        widths = (config.latent, *config.generator_hidden, inputs)
        self.generator = mlp(widths, lambda: nn.LeakyReLU(SLOPE), batch_norm=True)
        self.players = (
            Player("discriminator", ("discriminator",), self.discriminator_terms, config.optimiser),
            Player("generator", ("generator",), self.generator_terms, config.generator_optimiser),
        )

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        return self.both(x, label, self.config.labelled_batch, self.config.batch)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        size, real = self.config.batch, self.config.labelled_batch + self.config.batch
        noise = {"z": self.latent(size, generator), "fake": self.discriminator.draw(size, generator)}
        if player.name == "discriminator":
            noise["real"] = self.discriminator.draw(real, generator)
        return noise

    def discriminator_terms(self, batch: Batch, noise: Noise) -> Terms:
        """Labelled and unlabelled samples are one batch to the normalisation, generated ones another."""
        (labelled, label), (unlabelled,) = batch["labelled"], batch["unlabelled"]
        both = self.discriminator(self.unit(torch.cat([labelled, unlabelled])), noise["real"])
        known, real = both.split([len(labelled), len(unlabelled)])
        fake = self.discriminator(self.generate(noise["z"]), noise["fake"])
        return {
            "classes": self.config.label_weight * cross_entropy(known, label),
            "real": conditional_entropy(real),
            "balance": -marginal_entropy(real),
            "fake": -conditional_entropy(fake),
        }

    def generator_terms(self, batch: Batch, noise: Noise) -> Terms:
        """Each generated sample of a sure class, all classes equally often."""
        fake = self.discriminator(self.generate(noise["z"]), noise["fake"])
        return {"sure": conditional_entropy(fake), "balance": -marginal_entropy(fake)}

    def latent(self, count: int, generator: torch.Generator) -> Tensor:
        """Uniform in [−1, 1], (count, latent)."""
        return 2 * torch.rand(count, self.config.latent, generator=generator, device=generator.device) - 1

    def generate(self, z: Tensor) -> Tensor:
        """z: (N, latent) in [−1, 1] → flat samples (N, F) in [0, 1]."""
        return torch.sigmoid(self.generator(z))

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        """Statistics without noise, as samples are classified."""
        x = data["unlabelled"].tensors[0]
        rows = torch.randint(len(x), (5000,), generator=generator, device=generator.device)
        calibrate(self.discriminator, lambda: self.discriminator(self.unit(x[rows])))
        calibrate(self.generator, lambda: self.generate(self.latent(1000, generator)))

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → class probabilities (N, K)."""
        return self.discriminator(self.unit(x)).softmax(1)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Samples in [−1, 1], (count, *shape)."""
        return (2 * self.generate(self.latent(count, generator)).float() - 1).unflatten(1, self.space.shape)


@dataclass(eq=False, repr=False)
class CatGANClassifier(NetworkClassifier):
    """Semi-supervised classifier by a categorical GAN; see the module's docstring.

    Args:
        hidden, generator_hidden, latent, input_noise, layer_noise, label_weight,
            labelled_batch: as in :class:`CatGANConfig`.
        rate: learning rate of the discriminator, and of the generator where ``generator_rate`` is 0.
        generator_rate: learning rate of the generator; 0 for the same.

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> y[100:] = -1
    >>> model = CatGANClassifier(epochs=30, random_state=0).fit(X, y)  # doctest: +SKIP
    """

    hidden: tuple[int, ...] = (1000, 500, 250, 250, 250)
    generator_hidden: tuple[int, ...] = (500, 1000)
    latent: int = 100
    input_noise: float = 0.3
    layer_noise: float = 0.5
    label_weight: float = 1.0
    labelled_batch: int = 100
    rate: float = 2e-4
    generator_rate: float = 0.0

    def make(self, space: Space) -> CatGAN:
        config = CatGANConfig(
            self.hidden, self.generator_hidden, self.latent, self.input_noise, self.layer_noise,
            self.label_weight, self.labelled_batch, self.batch, Adam(self.rate, 0.5),
            Adam(self.generator_rate or self.rate, 0.5),
        )
        return CatGAN(config, space)

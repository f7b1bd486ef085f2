"""LAGAN: adversarial jet images by locally connected networks.

De Oliveira, Paganini & Nachman 2017 (arXiv 1701.05927). The generator turns a latent vector, times
a vector learnt for the class, into a sparse image that a ReLU ends, so that empty pixels are exactly
0. The discriminator, with minibatch discrimination, tells real from generated images and, after
Odena et al. 2016 (arXiv 1610.09585), their classes; some of the answers it learns from are flipped.

The networks and their numbers are those of the authors' code. Three things differ. The
discriminator takes one step on a real and a generated batch, each normalised by itself, where theirs
takes a step on each. Generated images are asked for the classes of a training batch, not for equally
many of each. And any image of at least 5 × 5 pixels is admitted, with continuous conditions where
asked for: both networks then see them, scaled, beside what they see anyway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, leaky_relu
from torch.nn.functional import binary_cross_entropy_with_logits as binary_cross_entropy

from domain.config import Config, Count, Fraction, Positive, Range
from domain.errors import InputError
from domain.nets.batch_norm import BatchNorm, calibrate
from domain.nets.conditions import ConditionRange
from domain.nets.locally_connected import LocallyConnected2d
from domain.nets.minibatch import MinibatchDiscrimination
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms

SLOPE = 0.3  # of every leaky ReLU below zero, Keras's default
SMALLEST = 5  # side of an image that the discriminator can halve twice, and once more by its mean


@dataclass(frozen=True)
class LAGANConfig(Config):
    """Parameters of a LAGAN.

    Attributes:
        conditional: give both networks the samples' conditions.
        latent: width of the latent vector, standard normal.
        start_width: channels that the generator starts with.
        widths: channels of the generator's convolution and of its first two locally connected layers.
        critic_widths: channels of the discriminator's convolution and of its locally connected layers.
        kernels, dimensions: of the minibatch discrimination.
        dropout: probability with which the discriminator drops a feature.
        flip: probability that the discriminator learns a real image as generated, or the reverse.
        flip_class: probability that it learns a generated image as of another class.
        generator_flip_class: probability that the generator learns its image as of another class.
        pixel_scale: what pixels are divided by, in their own unit.
        batch: real and generated images in each step.
        generator_steps: steps of the generator in each round.
        generator, critic: their optimisers.
    """

    conditional: bool = False
    latent: Count = 200
    start_width: Count = 128
    widths: tuple[Count, Count, Count] = (64, 6, 6)
    critic_widths: tuple[Count, Count, Count, Count] = (32, 8, 8, 8)
    kernels: Count = 20
    dimensions: Count = 10
    dropout: Annotated[float, Range(0, 0.9)] = 0.2
    flip: Fraction = 0.05
    flip_class: Fraction = 0.05
    generator_flip_class: Fraction = 0.09
    pixel_scale: Positive = 100.0
    batch: Annotated[int, Range(2)] = 100
    generator_steps: Count = 2
    generator: Adam = Adam(rate=2e-4, beta1=0.5)
    critic: Adam = Adam(rate=2e-4, beta1=0.5)


class Generator(nn.Module):
    """Latent vectors to images, twice doubled in size.

    Args:
        inputs: F, width of the input.
        shape: (H, W) of the images.
        config: widths.
    """

    def __init__(self, inputs: int, shape: tuple[int, int], config: LAGANConfig) -> None:
        super().__init__()
        rows, columns = shape
        h, w = (-(-(side + 3) // 4) for side in shape)
        first, second, third = config.widths
        self.grow = nn.Sequential(
            nn.Linear(inputs, config.start_width * h * w),
            nn.Unflatten(1, (config.start_width, h, w)),
            nn.Conv2d(config.start_width, first, 5, padding=2),
            nn.LeakyReLU(SLOPE),
            BatchNorm(first),
            nn.Upsample(scale_factor=2),
            LocallyConnected2d(first, second, (2 * h, 2 * w), 5, padding=2),
            nn.LeakyReLU(SLOPE),
            BatchNorm(second),
            nn.Upsample(scale_factor=2),
        )
        self.paint = nn.Sequential(
            LocallyConnected2d(second, third, (rows + 3, columns + 3), 3),
            nn.LeakyReLU(SLOPE),
            LocallyConnected2d(third, 1, (rows + 1, columns + 1), 2, bias=False),
        )
        self.size = rows + 3, columns + 3

    def forward(self, h: Tensor) -> Tensor:
        """h: (N, F) → images (N, 1, H, W), at least 0."""
        rows, columns = self.size
        return torch.relu(self.paint(self.grow(h)[..., :rows, :columns]).float())


class Critic(nn.Module):
    """The discriminator; every batch is shown by itself.

    Args:
        shape: (H, W) of the images.
        classes: K.
        conditions: C, conditions beside the class.
        config: widths, minibatch discrimination and dropout.
    """

    def __init__(self, shape: tuple[int, int], classes: int, conditions: int, config: LAGANConfig) -> None:
        super().__init__()
        a, b, c, d = config.critic_widths
        self.dropout = config.dropout
        self.convolution = nn.Conv2d(1, a, 5, padding=2)
        second = LocallyConnected2d(a, b, shape, 5, (2, 2), padding=2)
        third = LocallyConnected2d(b, c, second.shape, 5, padding=2)
        fourth = LocallyConnected2d(c, d, third.shape, 3, (2, 2), padding=1)
        self.locals = nn.ModuleList([second, third, fourth])
        self.norms = nn.ModuleList(BatchNorm(width) for width in (b, c, d))
        self.dropped = [a * math.prod(shape), *(n * math.prod(layer.shape) for n, layer in zip((b, c, d), self.locals))]
        features = d * math.prod(side // 2 for side in fourth.shape)
        self.minibatch = MinibatchDiscrimination(features, config.kernels, config.dimensions)
        self.real = nn.Linear(features + config.kernels + conditions, 1)
        self.classes = nn.Linear(features + config.kernels + conditions, classes) if classes else None

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Uniform noise for the dropout of every layer side by side, (count, Σ features)."""
        return torch.rand(count, sum(self.dropped), generator=generator, device=generator.device)

    def forward(self, x: Tensor, condition: Tensor, noise: Tensor) -> tuple[Tensor, Tensor | None]:
        """x: one batch (N, 1, H, W); condition: (N, C) → logits of being real, (N,), and of classes, (N, K)."""
        first, *rest = noise.split(self.dropped, 1)
        h = self._drop(leaky_relu(self.convolution(x), SLOPE), first)
        for local, norm, part in zip(self.locals, self.norms, rest):
            h = self._drop(norm(leaky_relu(local(h), SLOPE)), part)
        h = self.minibatch(avg_pool2d(h, 2).flatten(1).float(), (len(x),))
        h = torch.cat([h, condition], 1)
        return self.real(h).squeeze(1).float(), None if self.classes is None else self.classes(h).float()

    def _drop(self, h: Tensor, noise: Tensor) -> Tensor:
        return h * (noise.view_as(h) >= self.dropout) / (1 - self.dropout)


class LAGAN(System):
    """Draws jet images given their class, and their conditions where asked for."""

    Config: ClassVar[type[Config]] = LAGANConfig
    averaged = ("generator", "embedding")

    def __init__(self, config: LAGANConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        if not space.physical or len(space.shape) != 3 or space.shape[0] != 1 or min(space.shape[1:]) < SMALLEST:
            raise InputError(
                f"lagan: the samples are of kind {space.kind!r} and shape {space.shape}; "
                f"give jet images of shape (1, rows, columns), at least {SMALLEST} × {SMALLEST}"
            )
        if space.range[0] < 0:
            raise InputError(f"lagan: pixels reach down to {space.range[0]:g}, but none of its own are below 0")
        if config.conditional and not space.condition:
            raise InputError("lagan.conditional: these samples have no conditions; set it to false")
        self.given = (*["label"] * (space.classes > 0), *["condition"] * config.conditional)
        shape, conditions = space.shape[1:], len(space.condition) if config.conditional else 0
        self.embedding = nn.Embedding(max(space.classes, 1), config.latent)
        nn.init.normal_(self.embedding.weight, std=math.sqrt(2 / (space.classes + config.latent)))
        self.generator = Generator(config.latent + conditions, shape, config)
        self.critic = Critic(shape, space.classes, conditions, config)
        self.range = ConditionRange(space)
        self.players = (
            Player("critic", ("critic",), self.critic_terms, config.critic),
            Player("generator", self.averaged, self.generator_terms, config.generator, config.generator_steps),
        )

    # Training.

    def streams(self, x: Tensor, label: Tensor | None = None, condition: Tensor | None = None) -> dict[str, Stream]:
        """What :attr:`given` names is needed.

        Args:
            x: images (N, 1, H, W), at least 0.
            label: classes (N,), all known.
            condition: (N, C).
        """
        if "label" not in self.given:
            label = torch.zeros(len(x), dtype=torch.long)
        elif (label < 0).any():
            raise InputError("lagan: some samples have no label; label them, or remove them")
        if "condition" not in self.given:
            condition = x.new_zeros(len(x), 0)
        else:
            self.range.fit(condition)
            condition = self.range.scaled(condition)
        return {"simulated": Stream((x / self.config.pixel_scale, label, condition), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        size, place = self.config.batch, generator.device
        noise = {"z": self.latent(size, generator), "fake": self.critic.draw(size, generator)}
        noise["flip"] = torch.rand(3, size, generator=generator, device=place)
        noise["other"] = torch.randint(max(1, self.space.classes - 1), (size,), generator=generator, device=place)
        if player.name == "critic":
            noise["real"] = self.critic.draw(size, generator)
        return noise

    def latent(self, count: int, generator: torch.Generator) -> Tensor:
        """Standard normal, (count, latent)."""
        return torch.randn(count, self.config.latent, generator=generator, device=generator.device)

    def generate(self, z: Tensor, label: Tensor, condition: Tensor) -> Tensor:
        """z: (N, latent); label: (N,); condition: scaled, (N, C) → scaled images (N, 1, H, W)."""
        return self.generator(torch.cat([z * self.embedding(label), condition], 1))

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        x, label, condition = batch["simulated"]
        c, (flip_real, flip_fake, flip_class) = self.config, noise["flip"]
        real, real_class = self.critic(x, condition, noise["real"])
        fake, fake_class = self.critic(self.generate(noise["z"], label, condition), condition, noise["fake"])
        terms = {
            "real": binary_cross_entropy(real, (flip_real >= c.flip).float()),
            "fake": binary_cross_entropy(fake, (flip_fake < c.flip).float()),
        }
        if real_class is not None:
            learnt = self.flipped(label, flip_class < c.flip_class, noise["other"])
            terms |= {"real_class": cross_entropy(real_class, label), "fake_class": cross_entropy(fake_class, learnt)}
        return terms

    def generator_terms(self, batch: Batch, noise: Noise) -> Terms:
        _, label, condition = batch["simulated"]
        fake = self.generate(noise["z"], label, condition)
        real, classes = self.critic(fake, condition, noise["fake"])
        terms = {"adversarial": binary_cross_entropy(real, torch.ones_like(real))}
        if classes is not None:
            learnt = self.flipped(label, noise["flip"][2] < self.config.generator_flip_class, noise["other"])
            terms["class"] = cross_entropy(classes, learnt)
        return terms

    def flipped(self, label: Tensor, flip: Tensor, other: Tensor) -> Tensor:
        """Labels (N,), where ``flip`` says so that of another class: ``other`` (N,) counts classes after the next."""
        return torch.where(flip, (label + 1 + other) % self.space.classes, label)

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        _, labels, conditions = data["simulated"].tensors

        def passes() -> None:
            for _ in range(10):
                rows = torch.randint(len(labels), (256,), generator=generator, device=generator.device)
                self.generate(self.latent(256, generator), labels[rows], conditions[rows])

        calibrate(self.generator, passes)

    # Sampling.

    @torch.no_grad()
    def sample(
        self, count: int, generator: torch.Generator, label: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """Images in the unit of the training images, (count, 1, H, W).

        Args:
            count: how many.
            generator: draws them.
            label: classes (count,); equally likely ones if left out.
            condition: (count, C), for a conditional LAGAN; from :meth:`conditions` if left out.
        """
        if label is None:
            label = torch.randint(max(1, self.space.classes), (count,), generator=generator, device=generator.device)
        if "condition" in self.given:
            given = condition is not None
            condition = self.range.admitted(condition, count) if given else self.conditions(count, generator)
        return self.render(self.latent(count, generator), label, condition)

    def render(self, z: Tensor, label: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        """Images as a function of :meth:`latent` numbers, of classes (N,) and of conditions (N, C) where it is given them."""
        label = torch.zeros(len(z), dtype=torch.long, device=z.device) if label is None else label
        scaled = z[:, :0] if "condition" not in self.given else self.range.scaled(condition)
        return self.config.pixel_scale * self.generate(z, label, scaled)

    def conditions(self, count: int, generator: torch.Generator) -> Tensor:
        """Each condition uniform over its training range, (count, C)."""
        return self.range.draw(count, generator)

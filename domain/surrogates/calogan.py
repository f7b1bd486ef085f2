"""CaloGAN: adversarial showers in the layers of a calorimeter.

Paganini, de Oliveira & Nachman 2017 (arXiv 1705.02355, 1712.10321). A latent vector, times the
energy asked for, feeds one locally connected stream a layer; each layer then chooses, cell by cell,
between its own stream and the layer before it. A ReLU ends it, so that empty cells are exactly 0.
The discriminator sees each layer's features, how alike a batch's showers are, the layer energies,
and how far their sum is from the energy asked for.

The networks and their numbers are those of the authors' code. Four things differ. The discriminator
takes one step on a real and a generated batch, each normalised by itself, where theirs takes a step
on each. Generated showers are asked for the energies of a training batch: in the authors' data these
too are uniform. Minibatch discrimination takes the mean over a batch, not the sum: the tanh after a
sum over 256 showers stands at 1, where it learns nothing. And any number of layers is admitted, each
brought to the next one's shape by averages: for the published shapes, the published resampling.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from domain.config import Config, Count, NonNegative, Positive, Range
from domain.errors import InputError
from domain.geometry import CALOGAN
from domain.nets.batch_norm import BatchNorm, calibrate
from domain.nets.conditions import ConditionRange
from domain.nets.locally_connected import LocallyConnected2d
from domain.nets.minibatch import MinibatchDiscrimination
from domain.objectives.adversarial import COSTS
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms

MEV = 1000.0  # in a GeV
SLOPE = 0.3  # of every leaky ReLU below zero, Keras's default
CARRIED = 1  # channel of the layer before, in the attention


@dataclass(frozen=True)
class CaloGANConfig(Config):
    """Parameters of a CaloGAN.

    Attributes:
        shapes: (rows, columns) of each layer, in the order of a flat sample.
        latent: width of the latent vector, standard normal.
        start_width: channels that a stream starts with.
        widths: channels of a stream's convolution and of its first locally connected layer.
        carried_bias: start value of the logit with which a cell takes the layer before.
        critic_widths: channels of the convolution and the three locally connected layers.
        kernels, dimensions: of each minibatch discrimination.
        unit_energy: incident energy in GeV that leaves the latent vector as drawn.
        layer_scale, total_scale: what the discriminator's layer and total energies are divided by, in GeV.
        miss: difference in GeV between total and requested energy beyond which a shower is marked.
        mark: the value of that mark.
        energy_weight: of the mean absolute difference, in GeV, in the generator's loss.
        batch: real and generated showers in each step.
        generator_steps: steps of the generator in each round.
        generator, critic: their optimisers.
    """

    shapes: tuple[tuple[Count, Count], ...] = CALOGAN.shapes
    latent: Count = 1024
    start_width: Count = 36
    widths: tuple[Count, Count] = (16, 6)
    carried_bias: float = -10.0
    critic_widths: tuple[Count, Count, Count, Count] = (64, 16, 8, 8)
    kernels: Count = 10
    dimensions: Count = 10
    unit_energy: Positive = 100.0
    layer_scale: Positive = 10.0
    total_scale: Positive = 100.0
    miss: NonNegative = 5.0
    mark: NonNegative = 10.0
    energy_weight: NonNegative = 0.05
    batch: Annotated[int, Range(2)] = 256
    generator_steps: Count = 2
    generator: Adam = Adam(rate=2e-4, beta1=0.5)
    critic: Adam = Adam(rate=2e-5, beta1=0.5)


def layer_stream(shape: tuple[int, int], config: CaloGANConfig) -> nn.Sequential:
    """Latent vectors (N, latent) → one layer's cells (N, 1, rows, columns), unbounded."""
    rows, columns = shape
    first, second = config.widths
    return nn.Sequential(
        nn.Linear(config.latent, config.start_width * (rows + 2) * (columns + 2)),
        nn.Unflatten(1, (config.start_width, rows + 2, columns + 2)),
        nn.ZeroPad2d((0, 1, 0, 1)),
        nn.Conv2d(config.start_width, first, 2),
        nn.LeakyReLU(SLOPE),
        BatchNorm(first),
        LocallyConnected2d(first, second, (rows + 2, columns + 2), 2),
        nn.LeakyReLU(SLOPE),
        LocallyConnected2d(second, 1, (rows + 1, columns + 1), 2, bias=False),
    )


class Attention(nn.Module):
    """Each cell a mean of its own stream and the layer before it, with weights that are learnt.

    Args:
        shape: (rows, columns) of the layer.
        bias: start value of the logit of the layer before.
    """

    def __init__(self, shape: tuple[int, int], bias: float) -> None:
        super().__init__()
        self.choice = LocallyConnected2d(2, 2, shape, 3, padding=1)
        nn.init.constant_(self.choice.bias[CARRIED], bias)

    def forward(self, own: Tensor, before: Tensor) -> Tensor:
        """own: (N, 1, rows, columns); before: (N, 1, r, c) → (N, 1, rows, columns)."""
        both = torch.cat([own, adaptive_avg_pool2d(before, own.shape[2:])], 1)
        return (both * self.choice(both).float().softmax(1)).sum(1, keepdim=True)


class Generator(nn.Module):
    """A stream a layer, and an attention from each layer to the next."""

    def __init__(self, config: CaloGANConfig) -> None:
        super().__init__()
        self.unit_energy = config.unit_energy
        self.streams = nn.ModuleList(layer_stream(shape, config) for shape in config.shapes)
        self.attentions = nn.ModuleList(Attention(shape, config.carried_bias) for shape in config.shapes[1:])

    def forward(self, z: Tensor, energy: Tensor) -> Tensor:
        """z: (N, latent); energy: (N, 1) in GeV → cells in GeV, (N, cells), at least 0."""
        h = z * energy / self.unit_energy
        layers = [stream(h).float() for stream in self.streams]
        for k, attention in enumerate(self.attentions, 1):
            layers[k] = attention(layers[k], layers[k - 1])
        return torch.relu(torch.cat([layer.flatten(1) for layer in layers], 1))


class Likeness(nn.Module):
    """How alike a batch's samples are: minibatch discrimination, its mean, and a tanh.

    Start values are Glorot's normal ones, the fan counted over all kernels, as Keras 2 counts it.
    """

    def __init__(self, inputs: int, kernels: int, dimensions: int) -> None:
        super().__init__()
        self.discrimination = MinibatchDiscrimination(inputs, kernels, dimensions)
        nn.init.normal_(self.discrimination.tensor, std=math.sqrt(2 / (kernels * (inputs + dimensions))))

    def forward(self, features: Tensor) -> Tensor:
        """features: (N, F) of one batch → (N, kernels), each in (0, 1)."""
        return torch.tanh((self.discrimination.closeness(features) + 1) / len(features))


class LayerFeatures(nn.Module):
    """What the discriminator sees in one layer."""

    def __init__(self, shape: tuple[int, int], config: CaloGANConfig) -> None:
        super().__init__()
        widths, before = config.critic_widths, shape
        blocks: list[nn.Module] = [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, widths[0], 2), nn.LeakyReLU(SLOPE)]
        for (a, b), kernel, stride in zip(itertools.pairwise(widths), (3, 2, 2), ((1, 2), (1, 1), (1, 2))):
            local = LocallyConnected2d(a, b, before, kernel, stride, padding=1)
            blocks += [local, nn.LeakyReLU(SLOPE), BatchNorm(b)]
            before = local.shape
        self.net = nn.Sequential(*blocks, nn.Flatten())
        mapped = widths[-1] * math.prod(before)
        self.alike = Likeness(mapped, config.kernels, config.dimensions)
        self.alike_sparsity = Likeness(1, config.kernels, config.dimensions)
        self.width = mapped + 1 + 2 * config.kernels

    def forward(self, x: Tensor) -> Tensor:
        """x: one batch of a layer's cells in GeV, (N, rows, columns) → (N, width)."""
        mapped = self.net(x.unsqueeze(1)).float()
        sparsity = (x > 0).float().mean((1, 2)).unsqueeze(1)
        return torch.cat([mapped, self.alike(mapped), sparsity, self.alike_sparsity(sparsity)], 1)


class Critic(nn.Module):
    """The discriminator; every batch is shown by itself."""

    def __init__(self, config: CaloGANConfig) -> None:
        super().__init__()
        self.config, self.sizes = config, [math.prod(shape) for shape in config.shapes]
        self.layers = nn.ModuleList(LayerFeatures(shape, config) for shape in config.shapes)
        self.alike_energies = Likeness(len(self.sizes), config.kernels, config.dimensions)
        extra = len(self.sizes) + 3 + config.kernels
        self.head = nn.Linear(sum(layer.width for layer in self.layers) + extra, 1)

    def forward(self, x: Tensor, energy: Tensor) -> Tensor:
        """x: cells in GeV, (N, cells); energy: asked for, (N, 1) in GeV → logits of being real, (N,)."""
        c, parts = self.config, x.split(self.sizes, 1)
        features = [net(part.unflatten(1, shape)) for net, part, shape in zip(self.layers, parts, c.shapes)]
        energies = torch.stack([part.sum(1) for part in parts], 1)
        total = energies.sum(1, keepdim=True)
        missed = (total - energy).abs()
        features += [energies / c.layer_scale, total / c.total_scale]
        features += [missed, c.mark * (missed > c.miss).float(), self.alike_energies(energies)]
        return self.head(torch.cat(features, 1)).squeeze(1).float()


class CaloGAN(System):
    """Draws showers given the incident energy."""

    Config: ClassVar[type[Config]] = CaloGANConfig
    averaged = ("generator",)
    given = ("condition",)

    def __init__(self, config: CaloGANConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        cells = sum(math.prod(shape) for shape in config.shapes)
        if space.kind != "shower" or space.shape != (cells,):
            raise InputError(
                f"CaloGANConfig.shapes: has {cells} cells, but the samples are of kind {space.kind!r} "
                f"and shape {space.shape}; give flat showers and the (rows, columns) of each of their layers"
            )
        if len(space.condition) != 1:
            raise InputError(
                f"calogan: the samples have {len(space.condition)} conditions; "
                "give one, the incident energy in GeV"
            )
        self.generator, self.critic = Generator(config), Critic(config)
        self.range = ConditionRange(space)
        self.cost = COSTS["non_saturating"]
        self.players = (
            Player("critic", ("critic",), self.critic_terms, config.critic),
            Player("generator", ("generator",), self.generator_terms, config.generator, config.generator_steps),
        )

    def streams(self, x: Tensor, condition: Tensor) -> dict[str, Stream]:
        """x: cells in MeV, (N, cells), at least 0; condition: incident energy in GeV, (N, 1), above 0."""
        if not (condition > 0).all():
            raise InputError("calogan: the condition holds energies of 0 or below; remove those showers")
        self.range.fit(condition)
        return {"simulated": Stream((x / MEV, condition), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {"z": self.latent(self.config.batch, generator)}

    def latent(self, count: int, generator: torch.Generator) -> Tensor:
        """Standard normal, (count, latent)."""
        return torch.randn(count, self.config.latent, generator=generator, device=generator.device)

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        x, energy = batch["simulated"]
        fake = self.generator(noise["z"], energy)
        return {"adversarial": self.cost.critic(self.critic(x, energy), self.critic(fake, energy)).mean()}

    def generator_terms(self, batch: Batch, noise: Noise) -> Terms:
        _, energy = batch["simulated"]
        fake = self.generator(noise["z"], energy)
        missed = (fake.sum(1) - energy[:, 0]).abs().mean()
        return {
            "adversarial": self.cost.generator(self.critic(fake, energy)).mean(),
            "energy": self.config.energy_weight * missed,
        }

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        _, energies = data["simulated"].tensors

        def passes() -> None:
            for _ in range(10):
                rows = torch.randint(len(energies), (256,), generator=generator, device=generator.device)
                self.generator(self.latent(256, generator), energies[rows])

        calibrate(self.generator, passes)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Showers in MeV, (count, cells).

        Args:
            count: how many.
            generator: draws them.
            condition: incident energy in GeV, (count, 1); from :meth:`conditions` if left out.
        """
        given = condition is not None
        energy = self.range.admitted(condition, count) if given else self.conditions(count, generator)
        return self.render(self.latent(count, generator), energy)

    def render(self, z: Tensor, condition: Tensor) -> Tensor:
        """Showers in MeV as a function of :meth:`latent` numbers and of incident energies in GeV, (N, 1)."""
        return MEV * self.generator(z, condition)

    def conditions(self, count: int, generator: torch.Generator) -> Tensor:
        """Incident energies in GeV, uniform over the training range, (count, 1)."""
        return self.range.draw(count, generator)

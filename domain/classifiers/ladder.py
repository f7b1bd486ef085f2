"""Semi-supervised classification with a ladder network (Rasmus, Valpola, Honkala, Berglund & Raiko 2015,
arXiv 1507.02672).

One encoder reads every unlabelled sample twice: clean, and with Gaussian noise on the input and on
every normalised pre-activation. A decoder goes back down from the noisy class probabilities; at
each layer a combinator joins what comes from above with that layer's noisy value, and its estimate
is compared with the clean value. Labelled samples train the noisy classes. Each layer may keep its
own details for the reconstruction, so the upper ones are free to keep only what tells classes apart.

Layer 0 is the input, layer L the logits; a is a pre-activation, z the same normalised over its batch:

    encoder      z̃ₗ = norm(Wₗ h̃ₗ₋₁) + σ n,  h̃ₗ = relu(z̃ₗ + βₗ),  P(y|x̃) = softmax(γ (z̃_L + β_L))
    decoder      uₗ = norm(Vₗ ẑₗ₊₁),  u_L = norm(P(y|x̃)),  ẑₗ = g(z̃ₗ, uₗ)
    minimised    −log P(y|x̃) + Σₗ λₗ mean((norm(ẑₗ) − zₗ)²), norm(ẑₗ) by the clean batch's mean and variance

Noisy labelled, noisy unlabelled and clean unlabelled samples are normalised apart, as in the
authors' code; it evaluates with the labelled samples' statistics, this file with the unlabelled
samples', which are many more. Defaults are the published recipe for permutation-invariant MNIST
with 100 labels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, cross_entropy

from domain.classifiers.base.estimator import ClassifyingSystem, NetworkClassifier
from domain.config import Config, Count, NonNegative, Range
from domain.errors import InputError
from domain.nets.batch_norm import BatchNorm, calibrate
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms

EPSILON = 1e-5  # as in BatchNorm; the authors' 1e-10 drowns in the rounding of bfloat16 products


@dataclass(frozen=True)
class LadderConfig(Config):
    """Parameters of a ladder network.

    Attributes:
        hidden: widths of the encoder's hidden layers; the decoder mirrors them.
        deviation: σ of the Gaussian noise on the input (in [0, 1]) and on each normalised layer.
        denoising: weights λ of the squared error per unit, from the input up; the last one also goes
            for every layer above it.
        batch: labelled samples, and unlabelled samples, in each step.
    """

    hidden: tuple[Count, ...] = (1000, 500, 250, 250, 250)
    deviation: NonNegative = 0.3
    denoising: tuple[NonNegative, ...] = (1000.0, 10.0, 0.1)
    batch: Annotated[int, Range(2)] = 100
    optimiser: Adam = Adam(rate=2e-3, beta1=0.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        layers = len(self.hidden) + 2
        if not 1 <= len(self.denoising) <= layers:
            raise InputError(
                f"LadderConfig.denoising: has {len(self.denoising)} entries, must have 1 to {layers}, "
                "one a layer from the input to the output"
            )


def combine(noisy: Tensor, above: Tensor, a: Tensor) -> Tensor:
    """The combinator g(z̃, u) = (z̃ − μ(u)) v(u) + μ(u), the best estimate if z is Gaussian given u.

    μ(u) = a₁ sigmoid(a₂ u + a₃) + a₄ u + a₅, and v(u) alike with numbers of its own.

    Args:
        noisy: z̃, (N, F).
        above: u, (N, F).
        a: (5, 2, 1, F): a₁ … a₅, each for μ and for v.
    """
    a1, a2, a3, a4, a5 = a.unbind()
    bend = torch.sigmoid(torch.addcmul(a3, a2, above))
    mean, gain = torch.addcmul(torch.addcmul(a5, a4, above), a1, bend)
    return torch.lerp(mean, noisy, gain)


def denoising_cost(estimate: Tensor, clean: Tensor, normalised: bool) -> Tensor:
    """Mean squared error per unit of ẑ (N, F) against the clean pre-activations a (N, F).

    Both are normalised by the mean and variance of a, and so the mean cancels:
    norm(ẑ) − norm(a) = (ẑ − a) / √var(a). The input is not normalised.
    """
    error = (estimate - clean).square().mean(0)
    if not normalised:
        return error.mean()
    variance = (clean - clean.mean(0)).square().mean(0)  # twice as fast as var on a CPU
    return (error / (variance + EPSILON)).mean()


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """Weights start with variance 1 / inputs; shifts come after the noise."""
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(layer.weight, 0, inputs**-0.5)
    return layer


class Encoding(NamedTuple):
    """One pass through the encoder.

    Attributes:
        a: pre-activations of each layer, the input first, (N, ..., F).
        z: the same, normalised, with their noise.
        logits: (N, ..., K).
    """

    a: list[Tensor]
    z: list[Tensor]
    logits: Tensor


class Encoder(nn.Module):
    """Linear layers, each normalised; then noise, shift and relu. Logits have a scale in relu's place."""

    def __init__(self, widths: tuple[int, ...], deviation: float) -> None:
        super().__init__()
        self.widths, self.deviation = widths, deviation
        self.layers = nn.ModuleList(_linear(*pair) for pair in itertools.pairwise(widths))
        self.norms = nn.ModuleList(BatchNorm(width, scale=False) for width in widths[1:])
        for norm in self.norms:
            norm.bias = None  # the shift comes after the noise
        self.shifts = nn.ParameterList(torch.zeros(width) for width in widths[1:])
        self.scale = nn.Parameter(torch.ones(widths[-1]))

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Encoding:
        """One pass, clean or noisy.

        Args:
            x: (N, F), or (N, groups, F) where each group is normalised by itself.
            noise: standard normal, (N · groups · Σ widths,).
        """
        groups = x.shape[1:-1]
        sizes = [len(x) * math.prod(groups) * width for width in self.widths]
        parts = [None] * len(sizes) if noise is None else noise.split(sizes)
        h = self._corrupted(x, parts[0])
        a, z = [x], [h]
        for layer, norm, shift, part in zip(self.layers, self.norms, self.shifts, parts[1:]):
            a.append(layer(h).to(x.dtype))
            z.append(self._corrupted(norm(a[-1].flatten(1)).view_as(a[-1]), part))
            h = torch.relu(z[-1] + shift)
        return Encoding(a, z, self.scale * (z[-1] + self.shifts[-1]))

    def _corrupted(self, z: Tensor, noise: Tensor | None) -> Tensor:
        return z if noise is None else torch.add(z, noise.view_as(z), alpha=self.deviation)


class Decoder(nn.Module):
    """From class probabilities back down to the input."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_linear(above, below) for below, above in itertools.pairwise(widths))
        start = torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0])[:, None, None, None]
        self.combinators = nn.ParameterList(start.expand(5, 2, 1, width).clone() for width in widths)

    def forward(self, z: list[Tensor], probabilities: Tensor) -> list[Tensor]:
        """z: noisy layers z̃ₗ from the input up, each (N, F); probabilities: (N, K) → estimates ẑₗ alike."""
        above, estimates = probabilities, []
        for k in reversed(range(len(z))):
            u = batch_norm(above, None, None, training=True, eps=EPSILON)
            estimates.append(combine(z[k], u, self.combinators[k]))
            if k:
                above = self.layers[k - 1](estimates[-1]).to(z[k].dtype)
        return estimates[::-1]


class LadderNetwork(ClassifyingSystem):
    """An encoder that classifies, and a decoder that denoises each of its layers."""

    Config: ClassVar[type[Config]] = LadderConfig
    averaged = ("encoder",)

    def __init__(self, config: LadderConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        widths = (math.prod(space.shape), *config.hidden, space.classes)
        self.weights = (*config.denoising, *config.denoising[-1:] * (len(widths) - len(config.denoising)))
        self.encoder = Encoder(widths, config.deviation)
        self.decoder = Decoder(widths)
        self.players = (Player("ladder", ("encoder", "decoder"), self.terms, config.optimiser),)

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        return self.both(x, label, self.config.batch, self.config.batch)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        size = 2 * self.config.batch * sum(self.encoder.widths)
        return {"layers": torch.randn(size, generator=generator, device=generator.device)}

    def terms(self, batch: Batch, noise: Noise) -> Terms:
        """Cross-entropy of noisy labelled samples; denoising cost of unlabelled ones.

        The cost's gradient also moves the clean path, as in the authors' code: normalised targets
        cannot shrink, so the encoder may learn features that are easy to denoise.
        """
        (labelled, label), (unlabelled,) = batch["labelled"], batch["unlabelled"]
        x = self.unit(unlabelled)
        clean = self.encoder(x)
        noisy = self.encoder(torch.stack([self.unit(labelled), x], 1), noise["layers"])
        known, unknown = noisy.logits.unbind(1)
        estimates = self.decoder([z[:, 1] for z in noisy.z], unknown.softmax(1))
        costs = [
            weight * denoising_cost(estimate, a, normalised=k > 0)
            for k, (weight, estimate, a) in enumerate(zip(self.weights, estimates, clean.a, strict=True))
        ]
        return {"classes": cross_entropy(known, label), "denoising": torch.stack(costs).sum()}

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        x = data["unlabelled"].tensors[0]
        rows = torch.randperm(len(x), generator=generator, device=generator.device)[:10_000]
        rows = rows.expand(max(2, len(rows)))  # a single sample is seen twice: torch refuses a batch of one
        calibrate(self.encoder, lambda: self.encoder(self.unit(x[rows])))

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → class probabilities (N, K), by the clean path."""
        return self.encoder(self.unit(x)).logits.softmax(1)


@dataclass(eq=False, repr=False)
class LadderClassifier(NetworkClassifier):
    """Semi-supervised classifier by a ladder network; see the module's docstring.

    Args:
        hidden, deviation, denoising: as in :class:`LadderConfig`.
        rate: learning rate.
    """

    epochs: int = 150
    hold: float = 0.67
    average: float = 0.0
    hidden: tuple[int, ...] = (1000, 500, 250, 250, 250)
    deviation: float = 0.3
    denoising: tuple[float, ...] = (1000.0, 10.0, 0.1)
    rate: float = 2e-3

    def make(self, space: Space) -> LadderNetwork:
        config = LadderConfig(self.hidden, self.deviation, self.denoising, self.batch, Adam(self.rate, 0.9))
        return LadderNetwork(config, space)

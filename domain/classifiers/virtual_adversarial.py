"""Virtual adversarial training (Miyato et al. 2015, arXiv 1507.00677; Miyato et al. 2017, arXiv 1704.03976).

A classifier should say the same of a sample and of its neighbours. The neighbour that matters most
is found without a label: it lies where the class probabilities change fastest. Near x the change is
quadratic, KL[p(·|x) ‖ p(·|x + r)] ≈ ½ rᵀ F r, with the Fisher matrix F = Jᵀ (diag p − p pᵀ) J of the
logits' Jacobian J. So the *virtual adversarial direction* is F's top eigenvector. One step of power
iteration from a random start is enough; it costs one pass forward and back.

Network, batches and rate are the published ones for permutation-invariant MNIST with 100 labels. As in
the authors' code, the labelled batch, the unlabelled batch and the perturbed one are normalised each by
itself. That lets a network fit the labels and still say nothing of unlabelled samples, which are then
smooth for free: above a radius of 0.5 or so, ask for low entropy too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from domain.classifiers.base.estimator import ClassifyingSystem, NetworkClassifier
from domain.config import Config, Count, NonNegative, Positive, Range
from domain.nets.batch_norm import BatchNorm, calibrate, random_batches
from domain.objectives.entropy import conditional_entropy
from domain.objectives.smoothness import adversarial_divergence
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms

Several = Annotated[int, Range(2)]  # batch statistics of one sample say nothing


@dataclass(frozen=True)
class VirtualAdversarialConfig(Config):
    """Parameters of the network and of its smoothness.

    Attributes:
        hidden: widths of the hidden layers.
        radius: ε, L2 length of the perturbation of a flat sample in [0, 1]; the authors' code takes
            0.3 without entropy.
        smoothness: λ, weight of the divergence under the perturbation.
        entropy: weight of the unlabelled samples' conditional entropy (Grandvalet & Bengio 2004);
            1 is the paper's VAT+EntMin, 0 its plain VAT.
        iterations: steps of power iteration.
        difference: ξ, length of the finite difference in a step of power iteration. The published
            1e-6 drowns in float32's rounding; at 1 bfloat16 finds directions as good as exact ones.
        batch: labelled samples in each step.
        unlabelled_batch: unlabelled samples in each step.
    """

    hidden: tuple[Count, ...] = (1200, 1200)
    radius: Positive = 0.7
    smoothness: NonNegative = 1.0
    entropy: NonNegative = 1.0
    iterations: Count = 1
    difference: Positive = 1.0
    batch: Several = 100
    unlabelled_batch: Several = 250
    optimiser: Adam = Adam(rate=2e-3, beta1=0.9)


class VirtualAdversarialTraining(ClassifyingSystem):
    """A classifier whose answers change little within ``radius`` of every sample."""

    Config: ClassVar[type[Config]] = VirtualAdversarialConfig
    averaged = ("network",)

    def __init__(self, config: VirtualAdversarialConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        widths = (math.prod(space.shape), *config.hidden, space.classes)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [nn.Linear(inputs, outputs, bias=False), BatchNorm(outputs), nn.ReLU()]
        self.network = nn.Sequential(*layers[:-1])  # the authors normalise the logits too
        self.players = (Player("network", ("network",), self.terms, config.optimiser),)

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        return self.both(x, label, self.config.batch, self.config.unlabelled_batch)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        size = (self.config.unlabelled_batch, math.prod(self.space.shape))
        return {"start": torch.randn(size, generator=generator, device=generator.device)}

    def terms(self, batch: Batch, noise: Noise) -> Terms:
        """Cross-entropy of labelled samples; smoothness, and entropy where asked, of unlabelled ones."""
        (labelled, label), (x,) = batch["labelled"], batch["unlabelled"]
        config, x = self.config, self.unit(x)
        terms = {"classes": cross_entropy(self.logits(self.unit(labelled)), label)}
        with torch.set_grad_enabled(config.entropy > 0):
            clean = self.logits(x)
        target = clean.detach()
        terms["smoothness"] = config.smoothness * adversarial_divergence(
            self.logits, x, target, noise["start"], config.radius, config.difference, config.iterations
        )
        if config.entropy:
            terms["entropy"] = config.entropy * conditional_entropy(clean)
        return terms

    def logits(self, x: Tensor) -> Tensor:
        """x: flat samples (N, F) in [0, 1] → (N, K)."""
        return self.network(x).float()

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        x = data["unlabelled"].tensors[0]
        calibrate(self.network, lambda: [self.network(self.unit(some)) for some in random_batches(x, 1000, generator)])

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → class probabilities (N, K)."""
        return self.network(self.unit(x)).softmax(1)


@dataclass(eq=False, repr=False)
class VirtualAdversarialClassifier(NetworkClassifier):
    """Semi-supervised classifier by virtual adversarial training; see the module's docstring.

    Args:
        hidden, radius, smoothness, entropy, iterations, difference, unlabelled_batch: as in
            :class:`VirtualAdversarialConfig`.
        rate: learning rate.
    """

    epochs: int = 100
    hold: float = 0.0  # published: a factor of 0.9 every 500 steps; linear decay suits any budget
    average: float = 0.999
    hidden: tuple[int, ...] = (1200, 1200)
    radius: float = 0.7
    smoothness: float = 1.0
    entropy: float = 1.0
    iterations: int = 1
    difference: float = 1.0
    unlabelled_batch: int = 250
    rate: float = 2e-3

    def make(self, space: Space) -> VirtualAdversarialTraining:
        config = VirtualAdversarialConfig(
            self.hidden, self.radius, self.smoothness, self.entropy, self.iterations, self.difference,
            self.batch, self.unlabelled_batch, Adam(self.rate, 0.9),
        )
        return VirtualAdversarialTraining(config, space)

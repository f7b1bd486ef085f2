"""CoGAN: a joint distribution of two domains from samples of each alone (Liu & Tuzel 2016, arXiv 1606.07536).

Two generators that differ in their last layer only turn one latent vector into a pair of images, a simulated and
a real one; two critics that differ in their first layer only judge them. Where the simulated samples have labels, a
classifier shares the critics' last hidden layer, and its answer holds for the real domain too (the paper's
unsupervised domain adaptation): that, :meth:`CoGAN.classify`, is what CoGAN is for.

CoGAN has no network from image to image. :meth:`CoGAN.translate` searches the latent vector whose simulated image
comes nearest to the given one and draws its partner: what the generators cannot draw is lost on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from domain.config import Config, Count, Natural, NonNegative, Positive
from domain.nets.batch_norm import calibrate
from domain.nets.coupled import CoupledCritic, CoupledGenerator
from domain.objectives.adversarial import COSTS
from domain.objectives.likelihood import labelled_cross_entropy
from domain.refiners.base import require_labels, source_labels
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms

SIMULATED, REAL = 0, 1


@dataclass(frozen=True)
class CoGANConfig(Config):
    """Parameters of CoGAN; the critic, the weights and the batch are those of the authors' code for digits.

    Attributes:
        latent: width of the latent vector, standard normal.
        width: channels of the generators at full size.
        critic_widths: channels of the critics' 5×5 layers, of which the first is each domain's own.
        hidden: width of their last hidden layer.
        classification: weight of the cross-entropy of simulated labels; 0 for none.
        agreement: weight of the squared distance between the critics' features of a drawn pair.
        search: steps of the latent search of a translation, and
        search_rate: its step size.
        batch: simulated, real and drawn images in each step.
        generator, critic: their optimisers.
    """

    latent: Count = 100
    width: Count = 64
    critic_widths: tuple[Count, ...] = (20, 50)
    hidden: Count = 500
    classification: NonNegative = 10.0
    agreement: NonNegative = 0.01
    search: Natural = 200
    search_rate: Positive = 0.05
    batch: Count = 64
    generator: Adam = Adam(rate=2e-4)
    critic: Adam = Adam(rate=2e-4)


class CoGAN(System):
    """Coupled generators and critics at play; classifies real samples, samples them, and translates by search."""

    Config: ClassVar[type[Config]] = CoGANConfig
    averaged = ("generator", "critic")

    def __init__(self, config: CoGANConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        self.cost = COSTS["non_saturating"]
        self.classes = space.classes if config.classification else 0
        self.generator = CoupledGenerator(config.latent, space.shape, config.width)
        self.critic = CoupledCritic(space.shape, config.critic_widths, config.hidden, self.classes)
        self.players = (
            Player("critic", ("critic",), self.critic_terms, config.critic),
            Player("generator", ("generator",), self.generator_terms, config.generator),
        )

    def streams(self, simulated: Tensor, real: Tensor, label: Tensor | None = None) -> dict[str, Stream]:
        """Both are images (N, C, H, W) in [−1, 1]; label: classes of the simulated, (N,), −1 where unlabelled."""
        known = source_labels(simulated, label, self.classes)
        return {"simulated": Stream((simulated, known), self.config.batch), "real": Stream((real,), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {"z": torch.randn(self.config.batch, self.config.latent, generator=generator, device=generator.device)}

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        (simulated, label), (real,) = batch["simulated"], batch["real"]
        drawn = self.generator(noise["z"])
        seen = [self.critic(x, domain) for domain, x in enumerate((simulated, real))]
        fake = [self.critic(x, domain) for domain, x in enumerate(drawn)]
        adversarial = [self.cost.critic(r[0], f[0]).mean() for r, f in zip(seen, fake)]
        features = fake[SIMULATED][2] - fake[REAL][2]
        terms = {
            "adversarial": adversarial[SIMULATED] + adversarial[REAL],
            "agreement": self.config.agreement * features.square().sum(1).mean(),
        }
        if self.classes:
            terms["classes"] = self.config.classification * labelled_cross_entropy(seen[SIMULATED][1], label)
        return terms

    def generator_terms(self, batch: Batch, noise: Noise) -> Terms:
        scores = [self.critic(x, domain)[0] for domain, x in enumerate(self.generator(noise["z"]))]
        return {"adversarial": torch.stack([self.cost.generator(score).mean() for score in scores]).sum()}

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        def passes() -> None:
            for _ in range(10):
                self.generator(torch.randn(256, self.config.latent, generator=generator, device=generator.device))

        calibrate(self.generator, passes)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """New images of the real domain in [−1, 1], (count, C, H, W)."""
        z = torch.randn(count, self.config.latent, generator=generator, device=generator.device)
        return self.generator(z)[REAL]

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """x: real images (N, C, H, W) in [−1, 1] → class probabilities (N, K), learned from simulated labels."""
        require_labels(self.classes, "cogan")
        return self.critic(x, REAL)[1].softmax(1)

    def translate(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The drawn real partners of the drawn images nearest to ``x``, found by Adam on the latent vectors.

        Each image is searched alone, from a start that ``generator`` draws; a search may end in a wrong place, so
        a label survives no better than the search finds its image.

        Args:
            x: simulated images (N, C, H, W) in [−1, 1].
            generator: of the starts.

        Returns:
            images (N, C, H, W) in [−1, 1].
        """
        z = torch.randn(len(x), self.config.latent, generator=generator, device=generator.device)
        z = z.to(x.device).requires_grad_()
        optimiser = torch.optim.Adam([z], self.config.search_rate)
        for _ in range(self.config.search):
            with torch.enable_grad():
                distance = (self.generator(z)[SIMULATED] - x).abs().mean((1, 2, 3)).sum()
            (z.grad,) = torch.autograd.grad(distance, [z])
            optimiser.step()
        with torch.no_grad():
            return self.generator(z)[REAL]

"""UNIT: translation through one latent space of two domains (Liu, Breuel & Kautz 2017, arXiv 1703.00848).

Each domain has a variational autoencoder whose code is a picture a quarter as wide, normal with variance one. The
encoders' last layers and the decoders' first are the same tensors, so that a pair of corresponding images has one
code; a domain's own layers only draw it. Translation encodes in one domain and decodes in the other, critics judge
it, and there and back again must return. Where the simulated samples have labels, a classifier shares
the critics' deep layers and answers for the real domain, as in the paper's domain adaptation.

All costs are means per pixel, code entry or sample. The likelihood is a Laplacian's, so its cost is absolute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from domain.config import Config, Count, NonNegative
from domain.nets.coupled import CoupledCritic
from domain.nets.translator import down, enlarged, residual, up
from domain.objectives.adversarial import COSTS
from domain.objectives.divergences import kl_to_standard_normal
from domain.objectives.likelihood import labelled_cross_entropy
from domain.refiners.base import require_labels, source_labels
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms

SIMULATED, REAL = 0, 1


@dataclass(frozen=True)
class UNITConfig(Config):
    """Parameters of UNIT.

    Attributes:
        width: channels of the autoencoders at full size; four times as many in the code.
        own, shared: residual blocks of each encoder and decoder that are a domain's own, and that both share.
        critic_widths: channels of the critics' 5×5 layers, of which the first is each domain's own.
        hidden: width of their last hidden layer.
        adversarial: weight of the critics' verdict on translations.
        reconstruction: weight of the absolute distance per pixel, in a domain and there and back.
        kl: weight of KL(q(z | x) ‖ N(0, 1)) per code entry, of images and of translations.
        classification: weight of the cross-entropy of simulated labels in the critics; 0 for none.
        agreement: weight of the absolute distance between the critics' features of a translated pair.
        batch: simulated and real images in each step.
        translator, critic: their optimisers.
    """

    width: Count = 32
    own: Count = 1
    shared: Count = 1
    critic_widths: tuple[Count, ...] = (32, 64, 128)
    hidden: Count = 256
    adversarial: NonNegative = 1.0
    reconstruction: NonNegative = 10.0
    kl: NonNegative = 0.01
    classification: NonNegative = 10.0
    agreement: NonNegative = 0.1
    batch: Count = 64
    translator: Adam = Adam(rate=2e-4)
    critic: Adam = Adam(rate=2e-4)


class Encoder(nn.Module):
    """Images of either domain to the mean of their code, (N, C, H, W) → (N, 4 width, H / 4, W / 4)."""

    def __init__(self, channels: int, config: UNITConfig) -> None:
        super().__init__()
        wide = 4 * config.width
        self.own = nn.ModuleList(
            nn.Sequential(down(channels, config.width), residual(wide, config.own)) for _ in range(2)
        )
        self.shared = residual(wide, config.shared)

    def forward(self, x: Tensor, domain: int) -> Tensor:
        return self.shared(self.own[domain](enlarged(x))).float()


class Decoder(nn.Module):
    """Codes to images of either domain, (N, 4 width, h, w) → (N, C, height, width) in [−1, 1]."""

    def __init__(self, channels: int, config: UNITConfig, size: Sequence[int]) -> None:
        super().__init__()
        wide, self.size = 4 * config.width, size
        self.shared = residual(wide, config.shared)
        self.own = nn.ModuleList(
            nn.Sequential(residual(wide, config.own), up(config.width, channels)) for _ in range(2)
        )

    def forward(self, z: Tensor, domain: int) -> Tensor:
        height, width = self.size
        return self.own[domain](self.shared(z))[..., :height, :width].float()


class UNIT(System):
    """Coupled autoencoders and critics at play; translates and classifies."""

    Config: ClassVar[type[Config]] = UNITConfig
    averaged = ("encoder", "decoder", "critic")

    def __init__(self, config: UNITConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        self.cost = COSTS["non_saturating"]
        self.classes = space.classes if config.classification else 0
        channels, *size = space.shape
        self.encoder, self.decoder = Encoder(channels, config), Decoder(channels, config, size)
        self.critic = CoupledCritic(space.shape, config.critic_widths, config.hidden, self.classes)
        self.players = (
            Player("critic", ("critic",), self.critic_terms, config.critic),
            Player("translator", ("encoder", "decoder"), self.translator_terms, config.translator),
        )

    def streams(self, simulated: Tensor, real: Tensor, label: Tensor | None = None) -> dict[str, Stream]:
        """Both are images (N, C, H, W) in [−1, 1]; label: classes of the simulated, (N,), −1 where unlabelled."""
        known = source_labels(simulated, label, self.classes)
        return {"simulated": Stream((simulated, known), self.config.batch), "real": Stream((real,), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        """What is added to the codes of both domains' images, and to those of their translations."""
        _, height, width = self.space.shape
        code = (self.config.batch, 4 * self.config.width, (height + 3) // 4, (width + 3) // 4)
        names = ("simulated", "real", "simulated_again", "real_again")
        return dict(zip(names, torch.randn(4, *code, generator=generator, device=generator.device)))

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        (simulated, label), (real,) = batch["simulated"], batch["real"]
        to_real = self.decoder(self.encoder(simulated, SIMULATED) + noise["simulated"], REAL)
        to_simulated = self.decoder(self.encoder(real, REAL) + noise["real"], SIMULATED)
        seen = [self.critic(x, domain) for domain, x in enumerate((simulated, real))]
        fake = [self.critic(x, domain) for domain, x in enumerate((to_simulated, to_real))]
        adversarial = [self.cost.critic(r[0], f[0]).mean() for r, f in zip(seen, fake)]
        apart = [seen[SIMULATED][2] - fake[REAL][2], seen[REAL][2] - fake[SIMULATED][2]]
        terms = {
            "adversarial": adversarial[SIMULATED] + adversarial[REAL],
            "agreement": self.config.agreement * (apart[0].abs().mean() + apart[1].abs().mean()),
        }
        if self.classes:
            terms["classes"] = self.config.classification * labelled_cross_entropy(seen[SIMULATED][1], label)
        return terms

    def translator_terms(self, batch: Batch, noise: Noise) -> Terms:
        (simulated, _), (real,) = batch["simulated"], batch["real"]
        ways = [self.round_trip(simulated, SIMULATED, noise["simulated"], noise["simulated_again"])]
        ways += [self.round_trip(real, REAL, noise["real"], noise["real_again"])]
        scores = [self.critic(way.translated, 1 - domain)[0] for domain, way in enumerate(ways)]
        fooled = [self.cost.generator(score).mean() for score in scores]
        return {
            "adversarial": self.config.adversarial * (fooled[0] + fooled[1]),
            "reconstruction": self.config.reconstruction * (ways[0].apart + ways[1].apart),
            "kl": self.config.kl * (ways[0].kl + ways[1].kl),
        }

    def round_trip(self, x: Tensor, domain: int, noise: Tensor, noise_again: Tensor) -> RoundTrip:
        """Images of one domain rebuilt, translated, and translated back.

        x: (N, C, H, W) in [−1, 1]; noise: standard normal in the shape of a code.
        """
        mean = self.encoder(x, domain)
        code = mean + noise
        translated = self.decoder(code, 1 - domain)
        again = self.encoder(translated, 1 - domain)
        rebuilt, back = self.decoder(code, domain), self.decoder(again + noise_again, domain)
        apart = (rebuilt - x).abs().mean() + (back - x).abs().mean()
        return RoundTrip(translated, apart, divergence(mean) + divergence(again))

    @torch.no_grad()
    def translate(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Simulated images as real ones, by their mean codes: (N, C, H, W) in [−1, 1] → the same. Deterministic."""
        return self.decoder(self.encoder(x, SIMULATED), REAL)

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """x: real images (N, C, H, W) in [−1, 1] → class probabilities (N, K), learned from simulated labels."""
        require_labels(self.classes, "unit")
        return self.critic(x, REAL)[1].softmax(1)


@dataclass(frozen=True)
class RoundTrip:
    """Translations (N, C, H, W), and the scalar costs of the way there and back."""

    translated: Tensor
    apart: Tensor
    kl: Tensor


def divergence(mean: Tensor) -> Tensor:
    """KL(N(mean, 1) ‖ N(0, 1)) per code entry, in nats; mean: (N, C, h, w) → scalar."""
    return kl_to_standard_normal(mean.flatten(1), torch.zeros_like(mean).flatten(1)).mean() / mean[0].numel()

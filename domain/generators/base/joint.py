"""Games about pairs: a real sample and its code, (x, E(x)), against a latent vector and its sample, (G(z), z)."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from domain.generators.base.codes import Encoding
from domain.generators.base.game import Adversarial, AdversarialConfig, beside
from domain.nets import pair
from domain.space import Space
from domain.system import Batch, Noise


@dataclass(frozen=True)
class JointConfig(AdversarialConfig):
    """Parameters of a game about pairs: those of the game, the encoder's optimiser being the generator's, and

    Attributes:
        unary: score samples without their codes too, by a network of their own (Donahue & Simonyan 2019, arXiv
            1907.02544, equation 3), which says sooner than the pairs do where no real sample lies. Both scores count
            alike, and whatever holds for the critic holds for both. Not in the first publications.
    """

    unary: bool = False


class TwoScores(nn.Module):
    """Scores of pairs, and after them scores of the same samples without their codes."""

    def __init__(self, config: JointConfig, space: Space) -> None:
        super().__init__()
        (self.channels, *rest), self.pack = space.shape, config.pack
        width = config.critic_width or config.width
        self.pairs, self.samples = (
            pair.Scorer((config.pack * each, *rest), width, config.hidden, config.kernels)
            for each in (self.channels + config.latent, self.channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """x: packs of samples with their codes beside them, (N, pack * (C + latent), ...) → (2 N,)."""
        alone = x.unflatten(1, (self.pack, -1))[:, :, : self.channels].flatten(1, 2)
        return torch.cat([self.pairs(x), self.samples(alone)])


class Joint(Encoding, Adversarial):
    """A family says how the encoder learns, and extends the generator's terms."""

    averaged = ("generator", "encoder")
    config: JointConfig

    def __init__(self, config: JointConfig, space: Space, outputs: int) -> None:
        """``outputs``: numbers that the encoder gives for a sample, the code's place first."""
        super().__init__(config, space, labels=config.latent)
        self.judged = (math.prod(space.shape) + config.latent,)
        self.encoder = pair.encoder(space.shape, outputs, config.width, config.hidden)
        critic, generator = self.players
        self.players = critic, dataclasses.replace(generator, roles=("generator", "encoder"))

    def scorer(self, labels: int) -> nn.Module:
        return TwoScores(self.config, self.space) if self.config.unary else super().scorer(labels)

    def joined(self, x: Tensor, z: Tensor) -> Tensor:
        """Pairs of samples (N, *shape) and codes (N, latent), (N, *judged)."""
        return torch.cat([x.flatten(1), z], 1)

    def shown(self, x: Tensor, label: Tensor) -> Tensor:
        sample, code = x.split([self.judged[0] - self.config.latent, self.config.latent], 1)
        return beside(sample.unflatten(1, self.space.shape), code)

    def made(self, batch: Batch, noise: Noise) -> Tensor:
        return self.joined(self.generate(noise, batch["real"][1]), noise["z"])

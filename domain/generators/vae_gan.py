"""VAE/GAN: a VAE that measures its reconstructions by what a GAN's critic sees (Larsen et al. 2016, arXiv 1512.09300).

The critic tells real samples from the decoder's, drawn and rebuilt alike, and its last hidden layer F is the space
in which x is normal around its reconstruction. With L = E_q ½‖F(x) − F(dec(z))‖² and z drawn from q(z | x):

    encoder:  min  KL(q(z | x) ‖ N(0, 1)) + L
    decoder:  min  γ L + cost against the critic, of rebuilt and of drawn samples
    critic:   min  its cost, in which rebuilt and drawn samples count half each
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from domain.config import Config, Count, NonNegative
from domain.generators.base.codes import Coded
from domain.nets import pair
from domain.nets.codes import Gaussian
from domain.objectives.adversarial import COSTS
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Terms

COST = COSTS["non_saturating"]


@dataclass(frozen=True)
class VAEGANConfig(Config):
    """Parameters of a VAE/GAN.

    Attributes:
        latent: width of the code.
        likeness: γ, weight of L for the decoder.
        width: channels at the largest size of networks for images.
        hidden: widths of the hidden layers of networks for vectors.
        batch: real and drawn samples in each step.
        encoder, decoder, critic: their optimisers.
    """

    latent: Count = 64
    likeness: NonNegative = 0.01
    width: Count = 64
    hidden: tuple[Count, ...] = (128, 128)
    batch: Count = 64
    encoder: Adam = Adam(rate=2e-4)
    decoder: Adam = Adam(rate=2e-4)
    critic: Adam = Adam(rate=2e-4)


class VAEGAN(Coded):
    """An encoder, a decoder and a critic; samples, encodes, decodes and reconstructs."""

    Config: ClassVar[type[Config]] = VAEGANConfig

    def __init__(self, config: VAEGANConfig, space: Space) -> None:
        super().__init__()
        pair.require(space.shape)
        self.config, self.space = config, space
        sizes = config.width, config.hidden
        self.encoder = pair.encoder(space.shape, Gaussian.outputs(config.latent), *sizes)
        self.decoder = pair.generator(config.latent, space.shape, *sizes)
        self.critic = pair.Scorer(space.shape, *sizes)
        self.players = (
            Player("critic", ("critic",), self.critic_terms, config.critic),
            Player("encoder", ("encoder",), self.encoder_terms, config.encoder),
            Player("decoder", ("decoder",), self.decoder_terms, config.decoder),
        )

    def code_noise(self, count: int, generator: torch.Generator) -> Noise:
        return {"code": self.drawn(count, generator)}

    def posterior(self, x: Tensor) -> Gaussian:
        """q(z | x); x: (N, *shape)."""
        return Gaussian.of(self.encoder(x))

    def coded(self, x: Tensor, noise: Noise) -> Tensor:
        return self.posterior(x).draw(noise["code"])

    def made(self, x: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Rebuilt and drawn samples, each (N, *shape)."""
        return self.decoder(self.coded(x, noise)), self.decoder(noise["z"])

    def likeness(self, x: Tensor, rebuilt: Tensor) -> Tensor:
        """½‖F(x) − F(x̃)‖² of samples (N, *shape), (N,), in nats but for a constant."""
        return 0.5 * (self.critic.features(x) - self.critic.features(rebuilt)).float().square().sum(1)

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        real, (rebuilt, drawn) = self.critic(x), (self.critic(made) for made in self.made(x, noise))
        return {"adversarial": 0.5 * (COST.critic(real, rebuilt) + COST.critic(real, drawn)).mean()}

    def encoder_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        code = self.posterior(x)
        rebuilt = self.decoder(code.draw(noise["code"]))
        return {
            "kl": code.kl().mean(),
            "likeness": self.likeness(x, rebuilt).mean(),
        }

    def decoder_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        rebuilt, drawn = self.made(x, noise)
        scores = torch.stack([self.critic(rebuilt), self.critic(drawn)])
        return {
            "likeness": self.config.likeness * self.likeness(x, rebuilt).mean(),
            "adversarial": COST.generator(scores).mean(),
        }

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Mean codes; x: (N, *shape) → (N, latent)."""
        return self.posterior(x).mean

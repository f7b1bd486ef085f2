"""α-GAN: an autoencoder between two critics, of samples and of codes (Rosca et al. 2017, arXiv 1706.04987).

The evidence bound E_q[log p(x | z)] − KL(q(z) ‖ p(z)) for samples and codes that can only be drawn. The likelihood
is a Laplace one of weight λ, and beside it a synthetic one: at its optimum a critic of samples D scores
log p*(x) − log p(x), so that E −D(x̃) estimates how unlikely the decoder's samples are as real ones. A critic of
codes C scores log q(z) − log p(z), so that E C(z) estimates the KL term.

    encoder:  min  λ E‖x − x̃‖₁ + E C(z)                    z = enc(x), x̃ = dec(z)
    decoder:  min  λ E‖x − x̃‖₁ − E D(x̃) − E D(dec(ẑ))      ẑ drawn from N(0, 1)
    critics:  min  cross-entropy of real and made samples, rebuilt and drawn ones half each; of the encoder's and drawn codes
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from domain.config import Config, Count, NonNegative
from domain.generators.base.codes import Coded
from domain.nets import pair
from domain.nets.mlp import mlp
from domain.objectives.adversarial import cross_entropy
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Terms


@dataclass(frozen=True)
class AlphaGANConfig(Config):
    """Parameters of an α-GAN.

    Attributes:
        latent: width of the code.
        reconstruction: λ, of the absolute error averaged over a sample's numbers.
        width: channels at the largest size of networks for images.
        hidden: widths of the hidden layers of networks for vectors.
        code_hidden: of the critic of codes.
        batch: real and drawn samples in each step.
        model: optimiser of the encoder and of the decoder.
        critic: of both critics.
    """

    latent: Count = 64
    reconstruction: NonNegative = 10.0
    width: Count = 64
    hidden: tuple[Count, ...] = (128, 128)
    code_hidden: tuple[Count, ...] = (200, 200)
    batch: Count = 64
    model: Adam = Adam(rate=5e-4)
    critic: Adam = Adam(rate=2e-4)


class AlphaGAN(Coded):
    """An encoder, a decoder and two critics; samples, encodes, decodes and reconstructs."""

    Config: ClassVar[type[Config]] = AlphaGANConfig

    def __init__(self, config: AlphaGANConfig, space: Space) -> None:
        super().__init__()
        pair.require(space.shape)
        self.config, self.space = config, space
        sizes = config.width, config.hidden
        self.encoder = pair.encoder(space.shape, config.latent, *sizes)
        self.decoder = pair.generator(config.latent, space.shape, *sizes)
        self.critic = pair.Scorer(space.shape, *sizes)
        self.code_critic = mlp((config.latent, *config.code_hidden, 1), lambda: nn.LeakyReLU(pair.SLOPE))
        self.players = (
            Player("encoder", ("encoder",), self.encoder_terms, config.model),
            Player("decoder", ("decoder",), self.decoder_terms, config.model),
            Player("critic", ("critic",), self.critic_terms, config.critic),
            Player("code_critic", ("code_critic",), self.code_critic_terms, config.critic),
        )

    def score(self, code: Tensor) -> Tensor:
        """C; codes (N, latent) → (N,)."""
        return self.code_critic(code).float().squeeze(1)

    def error(self, x: Tensor, rebuilt: Tensor) -> Tensor:
        """λ times the mean absolute error, a scalar; samples (N, *shape)."""
        return self.config.reconstruction * (x - rebuilt).float().abs().mean()

    def encoder_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        code = self.coded(x, noise)
        return {"reconstruction": self.error(x, self.decoder(code)), "kl": self.score(code).mean()}

    def decoder_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        rebuilt = self.decoder(self.coded(x, noise))
        return {
            "reconstruction": self.error(x, rebuilt),
            "rebuilt": -self.critic(rebuilt).mean(),
            "drawn": -self.critic(self.decoder(noise["z"])).mean(),
        }

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        made = torch.stack([self.critic(self.decoder(z)) for z in (self.coded(x, noise), noise["z"])])
        return {"adversarial": cross_entropy(self.critic(x), made).mean()}

    def code_critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["real"]
        return {"codes": cross_entropy(self.score(self.coded(x, noise)), self.score(noise["z"])).mean()}

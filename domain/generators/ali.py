"""Adversarially learned inference: a generator and an encoder against a critic of pairs.

ALI (Dumoulin et al. 2016, arXiv 1606.00704) and BiGAN (Donahue et al. 2016, arXiv 1605.09782) let the critic tell
(x, E(x)) from (G(z), z). The generator makes its pairs look like the encoder's and the encoder its own like the
generator's; where they cannot be told apart, E inverts G. ALI's encoder draws its codes, BiGAN's does not:
``stochastic``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from domain.config import Config
from domain.generators.base.joint import Joint, JointConfig
from domain.nets.codes import Gaussian
from domain.space import Space
from domain.system import Batch, Noise, Terms


@dataclass(frozen=True)
class ALIConfig(JointConfig):
    """Parameters of an ALI: those of the game about pairs, and

    Attributes:
        stochastic: draw codes from a normal distribution that the encoder gives; else they are its output.
    """

    stochastic: bool = True


class ALI(Joint):
    """A generator, an encoder and a critic; samples, encodes, decodes and reconstructs."""

    Config: ClassVar[type[Config]] = ALIConfig
    config: ALIConfig

    def __init__(self, config: ALIConfig, space: Space) -> None:
        super().__init__(config, space, Gaussian.outputs(config.latent) if config.stochastic else config.latent)

    def drawn(self, count: int, generator: torch.Generator) -> Noise:
        drawn = dict(super().drawn(count, generator))
        if self.config.stochastic:
            drawn["code"] = Gaussian.noise((count,), self.config.latent, generator)
        return drawn

    def real(self, batch: Batch, noise: Noise) -> Tensor:
        x = batch["real"][0]
        out = self.encoder(x).float()
        return self.joined(x, Gaussian.of(out).draw(noise["code"]) if self.config.stochastic else out)

    def answer_terms(self, batch: Batch, noise: Noise) -> Terms:
        """The generator's cost and the encoder's, which is the same with the sides' parts changed."""
        terms = super().answer_terms(batch, noise)
        if self.cost.relative:  # which is both already
            return terms
        mirrored = 2 * self.cost.middle - self.score(self.real(batch, noise), batch["real"][1])
        return {**terms, "encoder": self.cost.generator(mirrored).mean()}

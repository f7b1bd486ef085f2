"""Generative adversarial network, conditional or not.

Goodfellow et al. 2014 (arXiv 1406.2661) play a game between a generator, which turns latent
vectors into samples, and a critic, which tells them from real ones; Radford et al. 2015
(arXiv 1511.06434) give the convolutional networks, and Mirza & Osindero 2014 (arXiv 1411.1784)
condition both on a label. Costs, penalties and what else may bind the critic are in ``base/game.py``:

========================  ==========================================================================
least squares GAN         ``cost: least_squares``
Wasserstein GAN           ``cost: wasserstein, clip: 0.01, critic_steps: 5``
WGAN-GP                   ``cost: wasserstein, critic_steps: 5`` and
                          ``penalty: {at: interpolates, target: 1, weight: 10}``
DRAGAN                    ``penalty: {at: perturbed, target: 1, weight: 10}``
R1                        ``penalty: {at: real, target: 0, weight: 5}``
spectrally normalised     ``cost: hinge, spectral: true``
PacGAN                    ``pack: 2``
unrolled GAN              ``unroll: 5``
========================  ==========================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from domain.config import Config
from domain.errors import InputError
from domain.generators.base.game import Adversarial, AdversarialConfig, beside
from domain.space import Space
from domain.system import Noise


@dataclass(frozen=True)
class GANConfig(AdversarialConfig):
    """Parameters of a GAN: those of the game, and

    Attributes:
        conditional: give both networks the label (all zeros where unlabelled).
    """

    conditional: bool = False


class GAN(Adversarial):
    """A generator and a critic at play, both told the label where asked; samples."""

    Config: ClassVar[type[Config]] = GANConfig

    def __init__(self, config: GANConfig, space: Space) -> None:
        if config.conditional and not space.classes:
            raise InputError("gan.conditional: these samples have no classes; set it to false")
        labels = space.classes if config.conditional else 0
        super().__init__(config, space, given=labels, labels=labels)
        self.labels = labels
        self.given = ("label",) if labels else ()

    def inputs(self, noise: Noise, label: Tensor) -> Tensor:
        return torch.cat([noise["z"], self.one_hot(label)], 1)

    def shown(self, x: Tensor, label: Tensor) -> Tensor:
        return beside(x, self.one_hot(label))

    def one_hot(self, label: Tensor) -> Tensor:
        """(N,) → (N, K), zeros where unlabelled; K = 0 when unconditional."""
        return (label[:, None] == torch.arange(self.labels, device=label.device)).float()

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator, label: Tensor | None = None) -> Tensor:
        """Images in [−1, 1], or vectors, (count, *shape); label: (count,) for a conditional GAN."""
        noise = self.drawn(count, generator)
        return self.generate(noise, torch.full((count,), -1, device=generator.device) if label is None else label)

"""Networks for two domains that share the layers where meaning is decided (Liu & Tuzel 2016, arXiv 1606.07536).

What differs between the domains is low-level, so a generator's last layer and a critic's first are each domain's
own; all others are the same tensors. Domains are numbered 0 and 1.
"""

from __future__ import annotations

import copy
import itertools

import torch
from torch import Tensor, nn

from domain.nets.batch_norm import BatchNorm
from domain.nets.dcgan import Generator

DOMAINS = 2


class CoupledGenerator(nn.Module):
    """One latent vector to a pair of images, one in each domain.

    Args:
        latent: width of the latent vector.
        shape: (C, H, W) of an image.
        width: channels at full size.
    """

    def __init__(self, latent: int, shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        channels, *size = shape
        self.shared = nn.Sequential(Generator(latent, (width, *size), width), BatchNorm(width), nn.ReLU())
        self.own = nn.ModuleList(nn.Conv2d(width, channels, 5, 1, 2) for _ in range(DOMAINS))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z: (N, latent) → two batches of images (N, C, H, W) in [−1, 1]; row by row they belong together."""
        h = self.shared(z)
        first, second = (torch.tanh(layer(h).float()) for layer in self.own)
        return first, second


class CoupledCritic(nn.Module):
    """Two critics, and two classifiers, that differ in their first layer only.

    Both first layers start from the same values (published: each from its own), so that a classifier for one domain
    begins as the other's and not as a guess.

    Args:
        shape: (C, H, W) of an image.
        widths: channels of the 5×5 convolutions, each followed by halving; the first is each domain's own.
        hidden: width of the last hidden layer.
        classes: K, 0 for a critic alone.
    """

    def __init__(self, shape: tuple[int, int, int], widths: tuple[int, ...], hidden: int, classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        halvings = 2 ** len(widths)
        first = self._layer(channels, widths[0])
        self.own = nn.ModuleList([first, copy.deepcopy(first)])
        self.shared = nn.Sequential(
            *(self._layer(a, b) for a, b in itertools.pairwise(widths)),
            nn.Flatten(),
            nn.Linear(widths[-1] * (height // halvings) * (width // halvings), hidden),
            nn.PReLU(),
        )
        self.head = nn.Linear(hidden, 1 + classes)

    @staticmethod
    def _layer(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 5, 1, 2), nn.MaxPool2d(2), nn.PReLU())

    def forward(self, x: Tensor, domain: int) -> tuple[Tensor, Tensor, Tensor]:
        """x: images (N, C, H, W) of one domain → scores (N,), class logits (N, K), features (N, hidden)."""
        features = self.shared(self.own[domain](x))
        out = self.head(features).float()
        return out[:, 0], out[:, 1:], features.float()

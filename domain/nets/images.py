"""Networks between images and codes, and what a decoder's output says of pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from domain.nets.dcgan import Critic, Generator
from domain.nets.mlp import mlp
from domain.objectives import likelihood

Network = Literal["dcgan", "mlp"]
Pixels = Literal["bernoulli", "gaussian"]


def encoder(network: Network, shape: tuple[int, ...], outputs: int, width: int, hidden: tuple[int, ...]) -> nn.Module:
    """Images (N, C, H, W) → (N, outputs).

    Args:
        network: ``dcgan``, convolutions; ``mlp``, tanh layers.
        shape: (C, H, W).
        width: channels of dcgan's first layer.
        hidden: units of mlp's layers.
    """
    if network == "dcgan":
        return Critic(shape, width, outputs)
    return nn.Sequential(nn.Flatten(), tanh_layers((math.prod(shape), *hidden, outputs)))


def decoder(network: Network, inputs: int, shape: tuple[int, ...], width: int, hidden: tuple[int, ...]) -> nn.Module:
    """Codes (N, inputs) → (N, C, H, W), unbounded; arguments as in :func:`encoder`, from the image's end."""
    if network == "dcgan":
        return Generator(inputs, shape, width)
    return nn.Sequential(tanh_layers((inputs, *hidden[::-1], math.prod(shape))), nn.Unflatten(1, shape))


def tanh_layers(widths: tuple[int, ...], activation: Callable[[], nn.Module] = nn.Tanh) -> nn.Sequential:
    """A perceptron with the start values of Glorot & Bengio 2010, under which tanh neither fades nor saturates."""
    layers = mlp(widths, activation)
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return layers


class Scaled(nn.Module):
    """Its input times a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


class PixelModel(nn.Module):
    """p(x | decoder's output), pixel by pixel.

    Args:
        pixels: ``bernoulli``, for black (−1) and white (1); ``gaussian``, with one learned deviation, for grey.
    """

    def __init__(self, pixels: Pixels) -> None:
        super().__init__()
        self.pixels = pixels
        if pixels == "gaussian":
            self.log_deviation = nn.Parameter(torch.tensor(-1.0))

    def log_prob(self, x: Tensor, out: Tensor) -> Tensor:
        """In nats; x: (..., C, H, W) in [−1, 1]; out: (..., C, H, W) → (...). Leading axes may broadcast."""
        x, out = x.expand_as(out).flatten(-3), out.float().flatten(-3)
        leading = out.shape[:-1]
        x, out = x.reshape(-1, x.shape[-1]), out.reshape(-1, out.shape[-1])
        if self.pixels == "bernoulli":
            return likelihood.bernoulli((x + 1) / 2, out).reshape(leading)
        return likelihood.gaussian(x, torch.tanh(out), self.log_deviation).reshape(leading)

    def mean(self, out: Tensor) -> Tensor:
        """The mean image, in [−1, 1], of the shape of ``out``."""
        return 2 * torch.sigmoid(out.float()) - 1 if self.pixels == "bernoulli" else torch.tanh(out.float())

    def start(self, output: nn.Module, images: Tensor) -> None:
        """Let a decoder's last linear layer begin at the mean of training images (N, C, H, W) in [−1, 1]."""
        mean = images.float().mean(0).flatten().clamp(-0.998, 0.998)
        output.bias.data.copy_(2 * torch.atanh(mean) if self.pixels == "bernoulli" else torch.atanh(mean))


def binarised(x: Tensor, uniform: Tensor) -> Tensor:
    """Black (−1) and white (1) pixels drawn with the grey values as probabilities; x in [−1, 1], uniform in [0, 1)."""
    return torch.where(uniform < (x + 1) / 2, 1.0, -1.0)

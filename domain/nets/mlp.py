"""Multilayer perceptrons."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from torch import nn

from domain.nets.batch_norm import BatchNorm


def mlp(
    widths: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU, batch_norm: bool = False
) -> nn.Sequential:
    """Linear layers with an activation after each but the last.

    Args:
        widths: width of the input, of each hidden layer, and of the output.
        activation: makes the module behind a hidden layer.
        batch_norm: normalise behind each activation (shift learned, no scale).
    """
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths[:-1]):
        layers += [nn.Linear(inputs, outputs), activation()]
        layers += [BatchNorm(outputs, scale=False)] if batch_norm else []
    return nn.Sequential(*layers, nn.Linear(*widths[-2:]))

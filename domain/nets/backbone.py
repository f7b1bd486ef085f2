"""A trunk of features and a head, for networks that answer about samples."""

from __future__ import annotations

import math

from torch import nn

from domain.nets.dcgan import Critic
from domain.nets.mlp import mlp


def backbone(
    network: str, shape: tuple[int, ...], hidden: tuple[int, ...], width: int, outputs: int
) -> tuple[nn.Module, nn.Module]:
    """Trunk and head, which together map samples (N, *shape) to (N, outputs).

    Args:
        network: ``conv`` for images, with DCGAN's critic as trunk, or ``mlp`` for any samples.
        shape: of a sample; (C, H, W) for ``conv``.
        hidden: widths of the hidden layers of an ``mlp``.
        width: channels of a ``conv`` network's first layer.
        outputs: width of the output.
    """
    if network == "conv":
        critic = Critic(shape, width, outputs)
        return critic.trunk, critic.head
    return nn.Sequential(nn.Flatten(), mlp((math.prod(shape), *hidden)), nn.ReLU()), nn.Linear(hidden[-1], outputs)

"""Networks of equal kind for images and for vectors: DCGAN's or perceptrons."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from domain.errors import InputError
from domain.nets import dcgan
from domain.nets.minibatch import MinibatchDiscrimination
from domain.nets.mlp import mlp

SLOPE = 0.2  # of the leaky rectifiers, as in DCGAN


def require(shape: Sequence[int]) -> None:
    """Refuse what is neither an image nor a vector."""
    if len(shape) not in (1, 3):
        raise InputError(f"samples of shape {tuple(shape)} have no network here; give images (C, H, W) or vectors (F,)")


def packed(x: Tensor, pack: int) -> Tensor:
    """Samples that a critic judges together: their channels or columns side by side, (N, C, ...) → (N / pack, pack · C, ...)."""
    return x.unflatten(0, (-1, pack)).flatten(1, 2)


def generator(inputs: int, shape: Sequence[int], width: int, hidden: Sequence[int]) -> nn.Sequential:
    """Latent vectors (N, inputs) → images in [−1, 1] or unbounded vectors, (N, *shape).

    Args:
        inputs: width of the latent vector.
        shape: (C, H, W) of an image or (F,) of a vector.
        width: channels at the largest size, for images.
        hidden: widths of the hidden layers, for vectors.
    """
    if len(shape) == 1:
        return mlp((inputs, *hidden, *shape))
    channels, height, columns = shape
    return nn.Sequential(dcgan.Generator(inputs, (channels, height, columns), width), nn.Tanh())


def encoder(shape: Sequence[int], outputs: int, width: int, hidden: Sequence[int]) -> nn.Sequential:
    """Samples (N, *shape) → (N, outputs), without batch normalisation; arguments as of :func:`generator`."""
    if len(shape) == 1:
        return mlp((*shape, *hidden, outputs), lambda: nn.LeakyReLU(SLOPE))
    channels, height, columns = shape
    net = dcgan.Critic((channels, height, columns), width, outputs, batch_norm=False)
    return nn.Sequential(*net.trunk, net.head)


class Scorer(nn.Module):
    """Samples → one number each, through features that a batch may share.

    Args:
        shape, width, hidden: as of :func:`generator`.
        kernels: of minibatch discrimination; 0 for none.
    """

    def __init__(self, shape: Sequence[int], width: int, hidden: Sequence[int], kernels: int = 0) -> None:
        super().__init__()
        *trunk, head = encoder(shape, 1, width, hidden)
        assert isinstance(head, nn.Linear)
        self.width: int = head.in_features
        self.trunk = nn.Sequential(*trunk)
        self.alike = MinibatchDiscrimination(self.width, kernels)
        self.head = nn.Linear(self.width + kernels, 1) if kernels else head

    def features(self, x: Tensor) -> Tensor:
        """The last hidden layer; x: (N, *shape) → (N, width)."""
        return self.trunk(x)

    def forward(self, x: Tensor) -> Tensor:
        """x: one batch (N, *shape) → scores (N,), in float32."""
        return self.head(self.alike(self.features(x), [len(x)])).squeeze(1).float()

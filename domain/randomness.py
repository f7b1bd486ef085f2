"""Every random number comes from a seed and a purpose, never from a global state.

A purpose is a path of words and numbers: ``numpy_generator(seed, "shard", 3)`` gives shard 3 the
same stream whichever worker draws it, and step 1000 of a training the same noise whether or not
the run was interrupted before it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

import numpy as np
import torch


def seed_sequence(seed: int, *purpose: str | int) -> np.random.SeedSequence:
    """The seed sequence of one purpose; distinct purposes give independent streams."""
    words = (hashlib.sha256(str(word).encode()).digest()[:4] for word in purpose)
    return np.random.SeedSequence(seed, spawn_key=[int.from_bytes(word, "big") for word in words])


def numpy_generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A numpy generator for one purpose."""
    return np.random.default_rng(seed_sequence(seed, *purpose))


def torch_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose, as ``torch.Generator.manual_seed`` takes it."""
    return int(seed_sequence(seed, *purpose).generate_state(1, np.uint64)[0] >> 1)


def torch_generator(
    seed: int, *purpose: str | int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A torch generator for one purpose on one device."""
    return torch.Generator(device).manual_seed(torch_seed(seed, *purpose))


@contextlib.contextmanager
def scoped_seed(seed: int, *purpose: str | int) -> Iterator[None]:
    """Seed torch's global generator inside a ``with`` block and restore it afterwards.

    Only for code that takes no generator: the start values of ``torch.nn`` layers, kornia's
    augmentations, and the sampling of ``torch.distributions``.
    """
    with torch.random.fork_rng():
        torch.manual_seed(torch_seed(seed, *purpose))
        yield

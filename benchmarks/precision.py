"""Does bfloat16 pay here? Training rounds per second of each family, float32 and bfloat16, side by side.

    python -m benchmarks.precision

Each figure is the median of three turns taken alternately in one run, one thread, random data. The
ratio is what `precision: auto` gains on this processor, if it takes bfloat16 at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from domain.classifiers.feature_matching import FeatureMatchingConfig, FeatureMatchingGAN
from domain.device import fast_bfloat16
from domain.generators.gan import GAN, GANConfig
from domain.generators.vae import VAE, VAEConfig
from domain.metrics.speed import processor
from domain.refiners.simgan import SimGAN, SimGANConfig
from domain.space import Space
from domain.system import System
from domain.training import Budget, fit

ROUNDS = 30


def image_space(side: int) -> Space:
    return Space("image", (1, side, side), (0.0, 255.0), integer=True, classes=10)


CASES: dict[str, Callable[[], System]] = {
    "GAN, 8×8, width 64": lambda: GAN(GANConfig(latent=32), image_space(8)),
    "GAN, 28×28, width 64": lambda: GAN(GANConfig(), image_space(28)),
    "VAE, 28×28, width 64": lambda: VAE(VAEConfig(), image_space(28)),
    "SimGAN, 28×28, width 32": lambda: SimGAN(SimGANConfig(), image_space(28)),
    "feature matching, 784 → 1000-500-250-250-250": lambda: FeatureMatchingGAN(FeatureMatchingConfig(), image_space(28)),
}


def rounds_per_second(make: Callable[[], System], precision: str) -> float:
    """Training rounds a second, the first few left out."""
    system = make()
    x = torch.rand(1000, *system.space.shape) * 2 - 1
    streams = system.streams(x, x) if isinstance(system, SimGAN) else system.streams(x, torch.arange(1000) % 10)
    fit(system, streams, Budget(steps=3, precision=precision), seed=0)
    began = time.perf_counter()
    fit(system, streams, Budget(steps=ROUNDS, precision=precision), seed=0)
    return ROUNDS / (time.perf_counter() - began)


def main() -> None:
    torch.set_num_threads(1)
    auto = "bfloat16" if fast_bfloat16(torch.device("cpu")) else "float32"
    print(f"{processor()}, one thread; precision: auto takes {auto}")
    print(f"{'rounds per second':46}{'float32':>9}{'bfloat16':>10}{'ratio':>7}")
    for name, make in CASES.items():
        turns = [[rounds_per_second(make, precision) for precision in ("float32", "bfloat16")] for _ in range(3)]
        full, half = np.median(turns, axis=0)
        print(f"{name:46}{full:9.1f}{half:10.1f}{half / full:7.2f}")


if __name__ == "__main__":
    main()

"""The cascade's speed: milliseconds a shower against energy, beside GFLASH; and what a second worker gains.

    python -m benchmarks.cascade [--energies 1 10 100]

One core, showers of positrons in CaloGAN's detector at the cut of 1 MeV, compiled before the clock starts;
GFLASH makes batches of 100 on the same core in the same run. The exponent is the slope of ln(time) over
ln(energy): 1 is linear. Then the same shards are simulated by one worker and by two, each started and
compiled beforehand, in turns. Beside the figures stands where the energy goes, for both simulators.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch

from domain.geometry import CALOGAN
from domain.metrics.speed import processor
from domain.randomness import numpy_generator, torch_generator
from domain.simulators.cascade import Cascade
from domain.simulators.gflash import GFlash

SHARDS, EACH, ENERGY = 16, 20, 10.0


def cascades(energy: float, count: int) -> np.ndarray:
    """(count, 504) in MeV."""
    simulator, rng = Cascade(), numpy_generator(0, "benchmark")
    return np.stack([simulator.shower(1000 * energy, rng).total for _ in range(count)])


def gflashes(energy: float, count: int) -> np.ndarray:
    """(count, 504) in MeV."""
    generator = torch_generator(0, "benchmark")
    return GFlash(scoring="total", threshold=0.0).showers(torch.full((count,), energy), generator).numpy()


def timed(make: object, energy: float, count: int) -> tuple[float, np.ndarray]:
    """Median milliseconds a shower over three turns, and the showers of the last."""
    turns = []
    for _ in range(3):
        began = time.perf_counter()
        x = make(energy, count)
        turns.append(1e3 * (time.perf_counter() - began) / count)
    return float(np.median(turns)), x


def fractions(x: np.ndarray) -> str:
    """Mean share of each layer, and of the energy in all."""
    layers = np.stack([layer.reshape(len(x), -1).sum(1) for layer in CALOGAN.split(x)], 1)
    shares = layers / layers.sum(1, keepdims=True)
    return " ".join(f"{m:.3f}±{s:.3f}" for m, s in zip(shares.mean(0), shares.std(0)))


def shard(seed: int) -> float:
    """Simulate one shard; its energy, so that nothing is left out."""
    torch.set_num_threads(1)
    return float(Cascade(energy=(ENERGY, ENERGY)).simulate(EACH, seed).x.sum())


def seconds(pool: ProcessPoolExecutor) -> float:
    """For all shards."""
    began = time.perf_counter()
    list(pool.map(shard, range(SHARDS)))
    return time.perf_counter() - began


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--energies", type=float, nargs="+", default=[1.0, 3.0, 10.0, 30.0, 100.0], metavar="GeV")
    energies = made.parse_args().energies
    torch.set_num_threads(1)
    cascades(min(energies), 2)
    print(f"{processor()}, one thread\n{'GeV':>5}{'cascade':>10}{'GFLASH':>9} ms a shower; shares of layers, mean ± sd")
    times = []
    for energy in energies:
        count = max(10, int(1000 / energy))
        slow, showers = timed(cascades, energy, count)
        fast, formula = timed(gflashes, energy, 100)
        times.append(slow)
        print(f"{energy:5g}{slow:10.2f}{fast:9.2f}   cascade {fractions(showers)}   GFLASH {fractions(formula)}")
    slope = np.polyfit(np.log(energies), np.log(times), 1)[0] if len(energies) > 1 else float("nan")
    print(f"time grows as the energy to the power {slope:.3f}")
    with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(2) as two:
        for pool in (one, two):
            seconds(pool)
        ratios = [seconds(one) / seconds(two) for _ in range(3)]
    print(f"two workers on {os.cpu_count()} cores: {np.median(ratios):.2f} times one")


if __name__ == "__main__":
    main()

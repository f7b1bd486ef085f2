"""The speed of surrogates: milliseconds a shower, beside the simulators that they stand for.

    python -m benchmarks.surrogates [data/surrogates/* ...] [--batches 1 100 10000] [--energies 10 50]

Every model directory named (those of data/surrogates by default) makes showers of one energy, on one thread, on
all threads, and on a GPU where there is one; the cascade and GFLASH do the same on one thread of the same
processor in the same run. Each figure is the median of three turns after a first, untimed one; conditions start
and samples end in the main memory, so a GPU's figure holds both transfers. What a surrogate saves is the last
column: the cascade's time over its own, at the same energy. GFLASH is fast already: against it only
faithfulness counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from domain import models
from domain.device import device
from domain.errors import InputError
from domain.metrics.speed import milliseconds_each, processor
from domain.randomness import numpy_generator, torch_generator
from domain.simulators.cascade import Cascade
from domain.simulators.gflash import GFlash
from domain.system import System
from pipelines import stage

MOST = 400.0  # GeV of cascades in one turn, some two seconds


def surrogate(model: System, energy: float, place: torch.device) -> Callable[[int], Tensor]:
    """Makes that many showers, in the main memory."""
    model, generator = model.to(place), torch_generator(0, "benchmark", device=place)

    def call(count: int) -> Tensor:
        return model.sample(count, generator, condition=torch.full((count, 1), energy).to(place)).cpu()

    return call


def cascade(energy: float) -> Callable[[int], object]:
    """Cascades, compiled beforehand."""
    simulator, rng = Cascade(), numpy_generator(0, "benchmark")
    return lambda count: [simulator.shower(1000 * energy, rng) for _ in range(count)]


def gflash(energy: float) -> Callable[[int], object]:
    """GFLASH showers."""
    simulator, generator = GFlash(), torch_generator(0, "benchmark")
    return lambda count: simulator.showers(torch.full((count,), energy), generator)


def places() -> list[tuple[str, torch.device, int]]:
    """Where surrogates run: a name, the device, and how many threads."""
    found = [("one thread", torch.device("cpu"), 1)]
    if (threads := torch.get_num_threads()) > 1:
        found.append((f"{threads} threads", torch.device("cpu"), threads))
    if torch.cuda.is_available():
        found.append((torch.cuda.get_device_name(), device(), 1))
    return found


def main(arguments: argparse.Namespace) -> None:
    if not arguments.models:
        raise InputError("data/surrogates: holds no model; run `dvc repro`, or name model directories")
    found = places()
    print(f"{processor()}\n{'GeV':>4} {'':32}{'':12}{'batch':>7}{'ms a shower':>14}{'cascade over it':>17}")
    for energy in arguments.energies:
        torch.set_num_threads(1)
        slow = milliseconds_each(cascade(energy), max(1, int(MOST / energy)))
        print(f"{energy:4g} {'cascade':32}{'one thread':12}{'':>7}{slow:14.3f}")
        line(energy, "gflash", "one thread", 100, milliseconds_each(gflash(energy), 100), slow)
        for directory in arguments.models:
            model = models.load(directory)
            if model.space.condition != ("energy",):
                continue
            for where, place, threads in found:
                torch.set_num_threads(threads)
                make = surrogate(model, energy, place)
                for batch in arguments.batches:
                    line(energy, named(Path(directory)), where, batch, milliseconds_each(make, batch), slow)


def named(folder: Path) -> str:
    """A model's folder, and where that is the number of a seed, the one around it."""
    return f"{folder.parent.name}/{folder.name}" if folder.name.isdigit() else folder.name


def line(energy: float, name: str, where: str, batch: int, milliseconds: float, slow: float) -> None:
    """One row of the table."""
    print(f"{energy:4g} {name:32}{where:12}{batch:7}{milliseconds:14.3f}{slow / milliseconds:16.0f}×", flush=True)


if __name__ == "__main__":
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = sorted(str(path.parent) for path in Path("data/surrogates").glob("*/model.json"))
    made.add_argument("models", nargs="*", default=here, metavar="MODEL", help="model directories (all of data/surrogates)")
    made.add_argument("--batches", type=int, nargs="+", default=[1, 100, 10_000])
    made.add_argument("--energies", type=float, nargs="+", default=[10.0, 50.0], metavar="GeV")
    stage.run(main, made)

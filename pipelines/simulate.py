"""Simulate samples with exact labels.

    python -m pipelines.simulate strokes data/simulated/strokes.h5

Reads nothing but ``simulate.<name>`` of the parameter file. Writes one sample file, the same for
any number of workers: the request is cut into shards, and each shard has a seed of its own. Finished
shards are kept in data/scratch until the file is whole, so the same command goes on where a killed
run stopped, as long as the parameters and the code are the same.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from domain.config import Config, Count, Natural
from domain.randomness import torch_seed
from domain.samples import Samples, Writer, read, write
from domain.simulators import SIMULATORS, Simulator
from pipelines import launch, stage


@dataclass(frozen=True)
class Simulate(Config):
    """``simulate.<name>``.

    Attributes:
        simulator: its name in domain/simulators; the entry's own name if left out.
        options: the simulator's own parameters.
        count: samples to make.
        seed: of everything random.
    """

    simulator: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    count: Count = 1000
    seed: Natural = 0


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Simulate, arguments.params, "simulate", arguments.name)
    where = f"{arguments.params}: simulate.{arguments.name}"
    name = config.simulator or arguments.name
    simulator = stage.family(SIMULATORS, name, f"{where}: simulator").parse(config.options, f"{where}.options")
    about = dataclasses.replace(
        simulator.about(), producer=f"simulators.{name}", parameters=config.as_dict(), seed=config.seed
    )
    out = Path(arguments.out)
    with stage.scratch(out, config.as_dict()) as folder:
        tasks = {folder / f"{k:06d}.h5": task for k, task in enumerate(shards(simulator, config))}
        make(tasks, name)
        with Writer(out, about) as writer:
            for path in tasks:
                writer.append(read(path))


def make(tasks: Mapping[Path, tuple[Simulator, int, int]], name: str) -> None:
    """Simulate the shards that are not there yet, each into its file."""
    missing = {path: task for path, task in tasks.items() if not path.exists()}
    total, wanted = (sum(count for _, count, _ in some.values()) for some in (tasks, missing))
    began = time.monotonic()
    bar = tqdm(total=total, initial=total - wanted, desc=name, unit=" events", disable=None)
    with bar, launch.executor() as pool:
        for path, samples in zip(missing, launch.ordered(pool, simulate, missing.values())):
            write(path, samples)
            bar.update(len(samples))
    kept = f", {total - wanted} of them kept from before" if wanted < total else ""
    rate = wanted / (time.monotonic() - began)
    print(f"{name}: {total} samples{kept}, {rate:.0f} per second", file=sys.stderr)


def shards(simulator: Simulator, config: Simulate) -> list[tuple[Simulator, int, int]]:
    """The tasks of a request: simulator, count and seed of each shard."""
    starts = range(0, config.count, simulator.shard)
    return [
        (simulator, min(simulator.shard, config.count - start), torch_seed(config.seed, "shard", k))
        for k, start in enumerate(starts)
    ]


def simulate(simulator: Simulator, count: int, seed: int) -> Samples:
    """One shard, in whichever process."""
    return simulator.simulate(count, seed)


if __name__ == "__main__":
    made = stage.parser(__name__, name="entry of simulate in the parameter file", out="sample file to write")
    stage.run(main, made)

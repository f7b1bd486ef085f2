"""Train a surrogate of a simulator.

    python -m pipelines.surrogate data/simulated/gflash.h5 flow data/surrogates/gflash-flow

Reads simulated samples with their conditions or labels and ``surrogate.<name>`` of the parameter
file. Learns the training split of a file that has splits, else all but the last ``held_out``
samples. Writes a model directory, or one for each of several seeds in a folder; a seed that is done is
kept when the others are interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from domain.config import Natural
from domain.errors import InputError
from domain.files import whole_directory
from domain.samples import SampleFile, Samples
from domain.space import Space
from domain.surrogates import SURROGATES
from domain.system import System
from pipelines import stage
from pipelines.learn import Learn, model_directory, run_missing, training_samples


@dataclass(frozen=True)
class Surrogate(Learn):
    """``surrogate.<name>``.

    Attributes:
        held_out: samples at the end of a file without splits that evaluation compares with.
        seeds: train one model with each, in place of ``seed``.
    """

    held_out: Natural = 0
    seeds: tuple[Natural, ...] = ()


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Surrogate, arguments.params, "surrogate", arguments.name)
    source, out = Path(arguments.samples), Path(arguments.out)
    where = f"{arguments.params}: surrogate.{arguments.name}"
    if not config.seeds:
        train(config, where, source, out)
        return
    with stage.scratch(out, config.as_dict(), stage.inputs(source)) as folder, whole_directory(out) as partial:
        tasks = [
            (dataclasses.replace(config, seed=seed, seeds=()), where, source, folder / f"{out.name}-{seed}")
            for seed in config.seeds
        ]
        run_missing(train, tasks)
        for seed, (*_, trained) in zip(config.seeds, tasks):
            shutil.copytree(trained, partial / str(seed))


def train(config: Surrogate, where: str, source: Path, out: Path) -> None:
    """One model directory."""
    inputs, samples = stage.inputs(source), training_part(source, config.held_out)
    space = Space.of(samples)
    model = config.build(SURROGATES, where, space)
    data = model.streams(space.encode(samples.x), **given(model, samples, source))
    with model_directory(model, data, config, out, inputs):
        pass


def training_part(source: Path, held_out: int) -> Samples:
    """The training split, or without splits all samples but the last ``held_out``."""
    file = SampleFile(source)
    if "split" in file.columns:
        if held_out:
            raise InputError(f"{source}: says itself what is held out, in its column 'split'; set held_out to 0")
        return training_samples(source)
    if held_out >= len(file):
        raise InputError(f"{source}: has {len(file)} samples, of which {held_out} are to be held out; simulate more")
    return file.read(0, len(file) - held_out)


def given(model: System, samples: Samples, source: Path) -> dict[str, torch.Tensor]:
    """The columns that the model learns samples given, ``label`` or ``condition`` or both."""
    for name in model.given:
        if name not in samples.columns:
            raise InputError(f"{source}: has no column {name!r}; this surrogate learns samples given it")
    return {name: torch.from_numpy(samples.columns[name]) for name in model.given}


if __name__ == "__main__":
    made = stage.parser(
        __name__,
        samples="sample file to learn from",
        name="entry of surrogate in the parameter file",
        out="model directory to write",
    )
    stage.run(main, made)

"""Train a surrogate of a simulator.

    python -m pipelines.surrogate data/simulated/gflash.h5 flow data/surrogates/gflash-flow

Reads simulated samples with their conditions or labels and ``surrogate.<name>`` of the parameter
file. Learns the training split of a file that has splits, else all but the last ``held_out``
samples, and of these none whose condition lies in a range to be left out. Writes a model directory, or one for each of several seeds in a folder; a seed that is done is
kept when the others are interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from domain.config import Natural, suggestion
from domain.errors import InputError
from domain.samples import SampleFile, Samples
from domain.space import Space
from domain.surrogates import SURROGATES
from domain.system import Stream, System
from pipelines import stage
from pipelines.learn import Seeded, each_seed, model_directory, training_samples


@dataclass(frozen=True)
class Surrogate(Seeded):
    """``surrogate.<name>``.

    Attributes:
        held_out: samples at the end of a file without splits that evaluation compares with.
        without: condition → lowest and highest value of samples not to learn from, to see what it makes of them.
    """

    held_out: Natural = 0
    without: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Surrogate, arguments.params, "surrogate", arguments.name)
    source, out = Path(arguments.samples), Path(arguments.out)
    where = f"{arguments.params}: surrogate.{arguments.name}"
    each_seed(train, config, where, source, out)


def train(config: Surrogate, where: str, source: Path, out: Path) -> None:
    """One model directory."""
    inputs = stage.inputs(source)
    entry = json.dumps(dataclasses.replace(config, seed=0, seeds=()).as_dict(), sort_keys=True)
    space, data, buffers = measured(entry, where, source, inputs[source.as_posix()])
    model = config.build(SURROGATES, where, space)
    for name, value in buffers.items():
        model.get_buffer(name).copy_(value)
    with model_directory(model, data, config, out, inputs):
        pass


@functools.lru_cache(maxsize=1)
def measured(entry: str, where: str, source: Path, digest: str) -> tuple[Space, dict[str, Stream], dict[str, Tensor]]:
    """What all seeds share: the samples as a family learns them, and the buffers that hold what it measured on them.

    Measuring may take as long as training, so a process that trains several seeds does it once.

    Args:
        entry: of ``surrogate`` in the parameter file, as JSON.
        where: its place there.
        source: the samples' file.
        digest: of that file.
    """
    config = Surrogate.parse(json.loads(entry), where)
    samples = training_part(source, config.held_out)
    with stage.naming(f"{where}.without"):
        samples = left_out(samples, config.without)
    space = Space.of(samples)
    model = config.build(SURROGATES, where, space)
    before = {name: value.clone() for name, value in model.named_buffers()}
    data = model.streams(space.encode(samples.x), **given(model, samples, source))
    return space, data, {name: value for name, value in model.named_buffers() if not torch.equal(value, before[name])}


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


def left_out(samples: Samples, without: Mapping[str, tuple[float, float]]) -> Samples:
    """The samples that lie in none of these ranges of a condition."""
    keep = np.ones(len(samples), bool)
    for name, (low, high) in without.items():
        if name not in samples.about.condition:
            raise InputError(f"no condition {name!r}; {suggestion(name, samples.about.condition)}")
        values = samples.condition[:, samples.about.condition.index(name)]
        keep &= (values < low) | (values > high)
    return samples if keep.all() else samples.select(keep)


def given(model: System, samples: Samples, source: Path) -> dict[str, Tensor]:
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

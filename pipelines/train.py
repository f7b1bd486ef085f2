"""Train a generative model.

    python -m pipelines.train data/prepared/digits.h5 gan data/models/digits-gan

Reads the training split of a sample file (all of it where there is no split) and ``train.<name>``
of the parameter file. Writes a model directory, or one for each of several seeds in a folder. A run that
is killed resumes where it was; a seed that is done is kept when the others are interrupted.
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
from domain.generators import GENERATORS
from domain.randomness import torch_generator
from domain.samples import Samples
from domain.space import Space
from domain.system import System
from domain.view.pictures import grid
from pipelines import stage
from pipelines.learn import Learn, model_directory, run_missing, training_samples


@dataclass(frozen=True)
class Train(Learn):
    """``train.<name>``.

    Attributes:
        seeds: train one model with each, in place of ``seed``.
    """

    seeds: tuple[Natural, ...] = ()


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Train, arguments.params, "train", arguments.name)
    source, out = Path(arguments.samples), Path(arguments.out)
    where = f"{arguments.params}: train.{arguments.name}"
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


def train(config: Train, where: str, source: Path, out: Path) -> None:
    """One model directory."""
    inputs, samples = stage.inputs(source), training_samples(source)
    space = Space.of(samples)
    space.require_images(str(source))
    model = config.build(GENERATORS, where, space)
    label = torch.full((len(samples),), -1) if samples.label is None else torch.from_numpy(samples.label)
    with stage.naming(str(source)):
        data = model.streams(space.encode(samples.x), label, **conditions(model, samples))
    with model_directory(model, data, config, out, inputs) as folder:
        x = model.sample(64, torch_generator(config.seed, "picture"))
        grid(space.decode(x), space.range, folder / "samples.png")


def conditions(model: System, samples: Samples) -> dict[str, torch.Tensor]:
    """The samples' conditions, by keyword, for a model that learns them."""
    if "condition" not in model.given:
        return {}
    if samples.condition is None:
        raise InputError("has no column 'condition'; this model learns samples given it")
    return {"condition": torch.from_numpy(samples.condition)}


if __name__ == "__main__":
    made = stage.parser(
        __name__,
        samples="sample file to learn from",
        name="entry of train in the parameter file",
        out="model directory to write",
    )
    stage.run(main, made)

"""Train a generative model.

    python -m pipelines.train data/prepared/digits.h5 gan data/models/digits-gan

Reads the training split of a sample file (all of it where there is no split) and ``train.<name>``
of the parameter file. Writes a model directory, or one for each of several seeds in a folder. A run
that is killed resumes where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from domain.generators import GENERATORS
from domain.randomness import torch_generator
from domain.space import Space
from domain.view.pictures import grid
from pipelines import stage
from pipelines.learn import Seeded, conditions, each_seed, model_directory, training_samples


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Seeded, arguments.params, "train", arguments.name)
    where = f"{arguments.params}: train.{arguments.name}"
    each_seed(train, config, where, Path(arguments.samples), Path(arguments.out))


def train(config: Seeded, where: str, source: Path, out: Path) -> None:
    """One model directory; of images also a picture."""
    inputs, samples = stage.inputs(source), training_samples(source)
    space = Space.of(samples)
    if space.kind != "table":
        space.require_images(str(source))
    model = config.build(GENERATORS, where, space)
    label = torch.full((len(samples),), -1) if samples.label is None else torch.from_numpy(samples.label)
    with stage.naming(str(source)):
        data = model.streams(space.encode(samples.x), label, **conditions(model, samples))
    with model_directory(model, data, config, out, inputs) as folder:
        if space.kind != "table":
            x = model.sample(64, torch_generator(config.seed, "picture"))
            grid(space.decode(x), space.range, folder / "samples.png")


if __name__ == "__main__":
    made = stage.parser(
        __name__,
        samples="sample file to learn from",
        name="entry of train in the parameter file",
        out="model directory to write",
    )
    stage.run(main, made)

"""Train a generative model.

    python -m pipelines.train data/prepared/digits.h5 gan data/models/digits-gan

Reads the training split of a sample file (all of it where there is no split) and ``train.<name>``
of the parameter file. Writes a model directory. A run that is killed resumes where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from domain.view.pictures import grid

from domain import models
from domain.config import Config, Natural
from domain.files import whole_directory
from domain.generators import GENERATORS
from domain.randomness import scoped_seed, torch_generator
from domain.samples import SampleFile, Samples
from domain.space import Space
from domain.training import Budget, fit
from pipelines import launch, stage


@dataclass(frozen=True)
class Train(Config):
    """``train.<name>``.

    Attributes:
        family: its name in domain/generators; the entry's own name if left out.
        model: the family's own parameters.
        budget: how long to train.
        seed: of start values, order and noise.
    """

    family: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = Budget()
    seed: Natural = 0


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Train, arguments.params, "train", arguments.name)
    where = f"{arguments.params}: train.{arguments.name}"
    family = stage.family(GENERATORS, config.family or arguments.name, f"{where}: generator")
    source, out = Path(arguments.samples), Path(arguments.out)
    provenance = {"seed": config.seed, "inputs": stage.inputs(source)}
    samples = training_samples(source)
    space = Space.of(samples)
    with scoped_seed(config.seed, "start values"):
        model = family(family.Config.parse(config.model, f"{where}.model"), space)
    label = torch.full((len(samples),), -1) if samples.label is None else torch.from_numpy(samples.label)
    with stage.scratch(out, config.as_dict(), provenance) as folder, whole_directory(out) as partial:
        history = fit(
            model, model.streams(space.encode(samples.x), label), config.budget, config.seed,
            device=launch.device(), checkpoint=folder / "checkpoint.safetensors",
            save_seconds=launch.checkpoint_seconds(), progress=out.name,
        )
        model.cpu()
        models.save(partial, model, history, provenance)
        grid(space.decode(model.sample(64, torch_generator(config.seed, "picture"))), space.range, partial / "samples.png")


def training_samples(source: Path) -> Samples:
    """The training split, or everything where there is none."""
    file = SampleFile(source)
    return SampleFile(source, "train").read() if "split" in file.columns else file.read()


if __name__ == "__main__":
    made = stage.parser(
        __name__, samples="sample file to learn from", name="entry of train in the parameter file", out="model directory to write"
    )
    stage.run(main, made)

"""Train a surrogate of a simulator.

    python -m pipelines.surrogate data/simulated/gflash.h5 flow data/surrogates/gflash-flow

Reads simulated samples with their conditions and ``surrogate.<name>`` of the parameter file; the
last ``held_out`` samples are not touched. Writes a model directory.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from domain import models
from domain.config import Config, Natural
from domain.errors import InputError
from domain.files import whole_directory
from domain.randomness import scoped_seed
from domain.samples import SampleFile, Samples
from domain.space import Space
from domain.surrogates import SURROGATES
from domain.training import Budget, fit
from pipelines import launch, stage


@dataclass(frozen=True)
class Surrogate(Config):
    """``surrogate.<name>``.

    Attributes:
        family: its name in domain/surrogates; the entry's own name if left out.
        model: the family's own parameters.
        budget: how long to train.
        held_out: samples at the end of the file that evaluation compares with.
        seed: of start values, order and noise.
    """

    family: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = Budget()
    held_out: Natural = 0
    seed: Natural = 0


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Surrogate, arguments.params, "surrogate", arguments.name)
    where = f"{arguments.params}: surrogate.{arguments.name}"
    family = stage.family(SURROGATES, config.family or arguments.name, f"{where}: surrogate")
    source, out = Path(arguments.samples), Path(arguments.out)
    provenance = {"seed": config.seed, "inputs": stage.inputs(source)}
    samples = training_part(source, config.held_out)
    space = Space.of(samples)
    with scoped_seed(config.seed, "start values"):
        model = family(family.Config.parse(config.model, f"{where}.model"), space)
    with stage.scratch(out, config.as_dict(), provenance) as folder, whole_directory(out) as partial:
        history = fit(
            model, model.streams(space.encode(samples.x), torch.from_numpy(samples.condition)), config.budget,
            config.seed, device=launch.device(), checkpoint=folder / "checkpoint.safetensors",
            save_seconds=launch.checkpoint_seconds(), progress=out.name,
        )
        models.save(partial, model.cpu(), history, provenance)


def training_part(source: Path, held_out: int) -> Samples:
    """All samples but the last ``held_out``."""
    file = SampleFile(source)
    if "condition" not in file.columns:
        raise InputError(f"{source}: has no column 'condition'; a surrogate learns samples given conditions")
    if held_out >= len(file):
        raise InputError(f"{source}: has {len(file)} samples, of which {held_out} are to be held out; simulate more")
    return file.read(0, len(file) - held_out)


if __name__ == "__main__":
    made = stage.parser(
        __name__, samples="sample file to learn from", name="entry of surrogate in the parameter file", out="model directory to write"
    )
    stage.run(main, made)

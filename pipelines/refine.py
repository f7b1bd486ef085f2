"""Refine simulated samples towards real ones; labels, conditions and masks survive.

    python -m pipelines.refine data/simulated/strokes.h5 data/prepared/digits.h5 simgan \\
        data/refined/strokes-digits.h5 data/models/strokes-digits-simgan

Reads simulated samples, the training split of real ones (never their labels), and
``refine.<name>`` of the parameter file. Writes the refined samples, one for each simulated one and
in the same order, and the refiner as a model directory.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.view.pictures import rows
from tqdm import trange

from domain import models
from domain.config import Config, Natural
from domain.files import digest, whole_directory
from domain.randomness import scoped_seed, torch_generator
from domain.refiners import REFINERS
from domain.samples import SampleFile, Writer
from domain.space import Space
from domain.system import System
from domain.training import Budget, fit
from pipelines import launch, stage
from pipelines.train import training_samples

BATCH = 1000


@dataclass(frozen=True)
class Refine(Config):
    """``refine.<name>``.

    Attributes:
        family: its name in domain/refiners; the entry's own name if left out.
        model: the family's own parameters.
        budget: how long to train.
        seed: of start values, order and noise.
    """

    family: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = Budget()
    seed: Natural = 0


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Refine, arguments.params, "refine", arguments.name)
    where = f"{arguments.params}: refine.{arguments.name}"
    family = stage.family(REFINERS, config.family or arguments.name, f"{where}: refiner")
    simulated, real, out, model_out = map(Path, (arguments.simulated, arguments.real, arguments.out, arguments.model))
    provenance = {"seed": config.seed, "inputs": stage.inputs(simulated, real)}
    samples, target = SampleFile(simulated).read(), training_samples(real)
    space = Space.of(target)
    space.require(Space.of(samples), f"a refiner towards {real}", str(simulated))
    with scoped_seed(config.seed, "start values"):
        model = family(family.Config.parse(config.model, f"{where}.model"), space)
    with stage.scratch(model_out, config.as_dict(), provenance) as folder, whole_directory(model_out) as partial:
        history = fit(
            model, model.streams(space.encode(samples.x), space.encode(target.x)), config.budget, config.seed,
            device=launch.device(), checkpoint=folder / "checkpoint.safetensors",
            save_seconds=launch.checkpoint_seconds(), progress=out.stem,
        )
        model.cpu().requires_grad_(False)
        models.save(partial, model, history, provenance)
        write_refined(model, simulated, partial / "model.json", out, config)
        refined = SampleFile(out).read(0, 12)
        rows([samples.x[:12], refined.x, target.x[:12]], space.range, partial / "samples.png")


def write_refined(model: System, simulated: Path, refiner: Path, out: Path, config: Refine) -> None:
    """Refine a sample file batch by batch into another; all columns but ``x`` are carried over."""
    file = SampleFile(simulated)
    inputs = {simulated.name: digest(simulated), "refiner": digest(refiner)}
    about = dataclasses.replace(
        file.about, producer="pipelines.refine", parameters={"simulation": file.about.parameters, "refinement": config.as_dict()},
        inputs=inputs,
    )
    with Writer(out, about) as writer:
        for k in trange(0, len(file), BATCH, desc="refine", disable=None, leave=False):
            samples = file.read(k, k + BATCH)
            refined = model.translate(model.space.encode(samples.x), torch_generator(config.seed, "refine", k))
            writer.append(dataclasses.replace(samples, x=model.space.decode(refined), about=about))


if __name__ == "__main__":
    made = stage.parser(
        __name__,
        simulated="sample file to refine",
        real="sample file that it should come to look like",
        name="entry of refine in the parameter file",
        out="sample file to write",
        model="model directory to write",
    )
    stage.run(main, made)

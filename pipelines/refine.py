"""Refine simulated samples towards real ones; labels, conditions and masks survive.

    python -m pipelines.refine data/simulated/strokes.h5 data/prepared/digits.h5 simgan \\
        data/refined/strokes-digits.h5 data/models/strokes-digits-simgan

Reads simulated samples, the training split of real ones (never their labels), and
``refine.<name>`` of the parameter file. Of simulated samples that have splits the training split is
learned from; a refiner that learns from pairs takes row k of both. Writes the refined samples, one for
each simulated one and in the same order (``-`` for none), and the refiner as a model directory. With
``seeds`` both are folders with one file, <seed>.h5, and one model a seed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import trange

from domain.config import Natural
from domain.files import digest, whole_directory
from domain.randomness import torch_generator
from domain.refiners import REFINERS
from domain.samples import SampleFile, Writer
from domain.space import Space
from domain.system import System
from domain.view.pictures import rows
from pipelines import stage
from pipelines.learn import Learn, model_directory, run_missing, training_samples

BATCH = 1000
SHOWN = 12


@dataclass(frozen=True)
class Refine(Learn):
    """``refine.<name>``.

    Attributes:
        seeds: train and refine once with each, in place of ``seed``.
    """

    seeds: tuple[Natural, ...] = ()


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Refine, arguments.params, "refine", arguments.name)
    simulated, real, model = map(Path, (arguments.simulated, arguments.real, arguments.model))
    out = None if arguments.out == "-" else Path(arguments.out)
    where = f"{arguments.params}: refine.{arguments.name}"
    if not config.seeds:
        refine(config, where, simulated, real, out, model)
        return
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(stage.scratch(model, config.as_dict(), stage.inputs(simulated, real)))
        models = stack.enter_context(whole_directory(model))
        files = stack.enter_context(whole_directory(out)) if out else None
        alone = {seed: dataclasses.replace(config, seed=seed, seeds=()) for seed in config.seeds}
        tasks = [
            (one, where, simulated, real, folder / f"{seed}.h5" if files else None, folder / f"{model.name}-{seed}")
            for seed, one in alone.items()
        ]
        run_missing(refine, tasks)
        for seed, (*_, refined, trained) in zip(config.seeds, tasks):
            shutil.copytree(trained, models / str(seed))
            if files and refined:
                shutil.copy(refined, files / f"{seed}.h5")


def refine(config: Refine, where: str, simulated: Path, real: Path, out: Path | None, model_out: Path) -> None:
    """One refiner, and the samples it refined."""
    inputs = stage.inputs(simulated, real)
    samples, target = training_samples(simulated), training_samples(real)
    space = Space.of(target)
    space.require_images(str(real))
    space.require(Space.of(samples), f"a refiner towards {real}", str(simulated))
    model = config.build(REFINERS, where, space)
    label = None if samples.label is None else torch.from_numpy(samples.label)
    with stage.naming(f"{simulated}, {real}"):
        data = model.streams(space.encode(samples.x), space.encode(target.x), label)
    with model_directory(model, data, config, model_out, inputs) as folder:
        if out:
            write_refined(model, simulated, folder / "model.json", out, config)
        shown = space.encode(samples.x[:SHOWN])
        refined = space.decode(model.translate(shown, torch_generator(config.seed, "refine", 0)))
        rows([samples.x[:SHOWN], refined, target.x[:SHOWN]], space.range, folder / "samples.png")


def write_refined(model: System, simulated: Path, refiner: Path, out: Path, config: Learn) -> None:
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
        out="sample file to write, or - for the model alone",
        model="model directory to write",
    )
    stage.run(main, made)

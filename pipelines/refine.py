"""Refine simulated samples towards real ones; labels, conditions and masks survive.

    python -m pipelines.refine data/simulated/strokes.h5 data/prepared/digits.h5 simgan \\
        data/refined/strokes-digits.h5 data/models/strokes-digits-simgan

Reads simulated samples, the training split of real ones (never their labels), and
``refine.<name>`` of the parameter file: family, model, budget and seed as for ``train``, and how
the simulated samples are refined at the end:

    copies   refinements of each sample (1); they differ where the refiner draws numbers
    points   pairs of conditions, x and y of a place in pixels from the upper left corner, that a warp moves
    seeds    train and refine once with each, in place of ``seed``

Of simulated samples that have splits the training split is learned from; a refiner that learns from
pairs takes row k of both. Writes the refined samples as ``pipelines.translate`` does (``-`` for none),
and the refiner as a model directory with pictures: raw, refined, real, and refined minus raw, at each
quarter of the training; of deposits the averages of all three. With ``seeds`` both are folders with one
file, <seed>.h5, and one model a seed. A training that went wrong is named in a warning at the end.
More samples are refined by

    python -m pipelines.translate data/models/strokes-digits-simgan more.h5 more-refined.h5
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from domain.config import Count
from domain.files import whole_directory
from domain.randomness import torch_generator
from domain.refiners import REFINERS
from domain.refiners.base import DepositRefiner
from domain.samples import Samples
from domain.space import Space
from domain.system import System
from domain.view.pictures import layers, rows
from pipelines import stage, translate
from pipelines.learn import Seeded, conditions, model_directory, run_missing, training_samples

SHOWN, AVERAGED = 12, 500  # images in a picture, and deposits whose average one shows


@dataclass(frozen=True)
class Refine(Seeded):
    """``refine.<name>``: how to train, and how to refine; further keys as in the module's docstring."""

    copies: Count = 1
    points: tuple[tuple[str, str], ...] = ()


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
    if not issubclass(stage.family(REFINERS, config.family or where.rpartition(".")[2], f"{where}: family"), DepositRefiner):
        space.require_images(str(real))
    known = Space.of(samples)
    space.require(known, f"a refiner towards {real}", str(simulated))
    space = dataclasses.replace(space, classes=known.classes, condition=known.condition, units=known.units)
    model = config.build(REFINERS, where, space)
    request = translate.Request(config.copies, config.points, config.seed, config.budget.precision)
    translate.check(request, model, samples.about, str(simulated))
    label = None if samples.label is None else torch.from_numpy(samples.label)
    with stage.naming(f"{where}: {simulated}, {real}"):
        data = model.streams(space.encode(samples.x), space.encode(target.x), label, **conditions(model, samples))

    def draw(path: Path) -> None:
        picture(model, samples, target, path)

    with model_directory(model, data, config, model_out, inputs, draw) as folder:
        if out:
            family = config.family or where.rpartition(".")[2]
            about = {"family": family, "model": config.model, "budget": config.budget.as_dict()}
            translate.refine(folder, simulated, out, request, "pipelines.refine", **about)
        draw(folder / "samples.png")


def picture(model: System, samples: Samples, target: Samples, path: Path) -> None:
    """Raw, refined and real images, and what the refiner as it stands changes; of deposits averages, layer by layer."""
    device = next(itertools.chain(model.parameters(), model.buffers())).device
    raw = samples.x[: AVERAGED if isinstance(model, DepositRefiner) else SHOWN]
    encoded = model.space.encode(raw).to(device)
    refined = model.space.decode(model.translate(encoded, torch_generator(0, "shown", device=device)))
    if isinstance(model, DepositRefiner):
        averages = {name: model.layers(x.mean(0)) for name, x in (("raw", raw), ("refined", refined), ("real", target.x))}
        layers(averages, [(1.0, 1.0)] * len(model.shapes), path)
        return
    difference = refined.astype(np.float32) - raw.astype(np.float32)
    rows([raw, refined, target.x[:SHOWN]], model.space.range, path, difference=difference)


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

"""Train a refiner and refine simulated samples towards real ones; labels, conditions and masks survive.

    python -m pipelines.refine data/simulated/strokes.h5 data/prepared/digits.h5 simgan \\
        data/refined/strokes-digits.h5 data/models/strokes-digits-simgan

Reads simulated samples, the training split of real ones (never their labels), and
``refine.<name>`` of the parameter file: family, model, budget and seed as for ``train``, and how
the simulated samples are refined at the end:

    copies   refinements of each sample (1); they differ where the refiner draws numbers
    points   pairs of conditions, x and y of a place in pixels from the upper left corner, that a warp moves

Writes the refined samples as ``pipelines.translate`` does, and the refiner as a model directory with
pictures: raw, refined, real, and refined minus raw, at each quarter of the training. A training
that went wrong is named in a warning at the end. More samples are refined by

    python -m pipelines.translate data/models/strokes-digits-simgan more.h5 more-refined.h5
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from domain.config import Count
from domain.randomness import torch_generator
from domain.refiners import REFINERS
from domain.samples import SampleFile, Samples
from domain.space import Space
from domain.system import System
from domain.view.pictures import rows
from pipelines import stage, translate
from pipelines.learn import Learn, model_directory, training_samples

SHOWN = 12


@dataclass(frozen=True)
class Refine(Learn):
    """``refine.<name>``: how to train, and how to refine; ``copies`` and ``points`` as in the module's docstring."""

    copies: Count = 1
    points: tuple[tuple[str, str], ...] = ()


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Refine, arguments.params, "refine", arguments.name)
    simulated, real, out, model_out = map(Path, (arguments.simulated, arguments.real, arguments.out, arguments.model))
    inputs = stage.inputs(simulated, real)
    samples, target = SampleFile(simulated).read(), training_samples(real)
    space = Space.of(target)
    space.require_images(str(real))
    space.require(Space.of(samples), f"a refiner towards {real}", str(simulated))
    where = f"{arguments.params}: refine.{arguments.name}"
    model = config.build(REFINERS, where, dataclasses.replace(space, classes=samples.about.classes))
    request = translate.Request(config.copies, config.points, config.seed, config.budget.precision)
    translate.check(request, model, samples.about, str(simulated))
    label = None if samples.label is None else torch.from_numpy(samples.label)
    with stage.naming(where):
        data = model.streams(space.encode(samples.x), space.encode(target.x), label)

    def draw(path: Path) -> None:
        picture(model, samples, target, path)

    with model_directory(model, data, config, model_out, inputs, draw) as folder:
        about = {"family": config.family or arguments.name, "model": config.model, "budget": config.budget.as_dict()}
        translate.refine(folder, simulated, out, request, "pipelines.refine", **about)
        draw(folder / "samples.png")


def picture(model: System, samples: Samples, target: Samples, path: Path) -> None:
    """Raw, refined and real images, and what the refiner as it stands changes."""
    device = next(itertools.chain(model.parameters(), model.buffers())).device
    raw = samples.x[:SHOWN]
    encoded = model.space.encode(raw).to(device)
    refined = model.space.decode(model.translate(encoded, torch_generator(0, "shown", device=device)))
    difference = refined.astype(np.float32) - raw.astype(np.float32)
    rows([raw, refined, target.x[:SHOWN]], model.space.range, path, difference=difference)


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

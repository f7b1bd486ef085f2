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
from pathlib import Path

from domain.view.pictures import rows
from tqdm import trange

from domain.files import digest
from domain.randomness import torch_generator
from domain.refiners import REFINERS
from domain.samples import SampleFile, Writer
from domain.space import Space
from domain.system import System
from pipelines import stage
from pipelines.learn import Learn, model_directory, training_samples

BATCH = 1000
SHOWN = 12


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Learn, arguments.params, "refine", arguments.name)
    simulated, real, out, model_out = map(Path, (arguments.simulated, arguments.real, arguments.out, arguments.model))
    inputs = stage.inputs(simulated, real)
    samples, target = SampleFile(simulated).read(), training_samples(real)
    space = Space.of(target)
    space.require_images(str(real))
    space.require(Space.of(samples), f"a refiner towards {real}", str(simulated))
    model = config.build(REFINERS, f"{arguments.params}: refine.{arguments.name}", space)
    data = model.streams(space.encode(samples.x), space.encode(target.x))
    with model_directory(model, data, config, model_out, inputs) as folder:
        write_refined(model, simulated, folder / "model.json", out, config)
        shown = [samples.x[:SHOWN], SampleFile(out).read(0, SHOWN).x, target.x[:SHOWN]]
        rows(shown, space.range, folder / "samples.png")


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
        out="sample file to write",
        model="model directory to write",
    )
    stage.run(main, made)

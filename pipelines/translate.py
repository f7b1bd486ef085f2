"""Refine samples with a trained refiner; labels, conditions and masks survive.

    python -m pipelines.translate data/models/strokes-digits-simgan data/simulated/strokes.h5 refined.h5 --copies 3

Reads a refiner's model directory and a sample file. Writes a sample file: the refined samples in the
same order, once for each copy, with all other columns as they were. ``origin`` is each sample's row in
the file that was read, whose seed and digest the new file carries beside the refiner's digest.

A refiner that warps moves ``mask`` along, and conditions that --point names as x and y of a place in
pixels from the upper left corner. Other conditions keep their values, which hold for the sample before
the warp; the new file's parameters list them as ``before_warp``.

Copies differ where the refiner draws random numbers. The result is the same for any number of workers.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from domain import models
from domain.config import Config, Count, Natural, suggestion
from domain.device import Precision, autocast
from domain.errors import InputError
from domain.files import digest
from domain.nets.warp import warped_mask, warped_points
from domain.randomness import torch_generator
from domain.samples import About, SampleFile, Samples, Writer
from domain.space import Space
from domain.system import CanTranslate, CanWarp, System
from pipelines import launch, stage

SHARD, BATCH = 5000, 250  # samples with a random stream of their own; samples refined at once


@dataclass(frozen=True)
class Request(Config):
    """What is asked of a refiner.

    Attributes:
        copies: refinements of each sample.
        points: pairs of conditions, x and y of a place in pixels from the upper left corner.
        seed: of the numbers that the refiner draws.
        precision: of matrix products, as in training.
    """

    copies: Count = 1
    points: tuple[tuple[str, str], ...] = ()
    seed: Natural = 0
    precision: Precision = "auto"


def main(arguments: argparse.Namespace) -> None:
    given = {name: getattr(arguments, name) for name in ("copies", "points", "seed", "precision")}
    request = Request.parse(given, "pipelines.translate")
    refine(Path(arguments.model), Path(arguments.samples), Path(arguments.out), request, "pipelines.translate")


def refine(folder: Path, source: Path, out: Path, request: Request, producer: str, **parameters: Any) -> None:
    """Refine a sample file into another with the refiner in ``folder``, shard by shard on all workers.

    Args:
        folder: the refiner's model directory.
        source: the sample file.
        out: the sample file to write.
        request: how.
        producer: the script, and what it was asked beyond the request, for provenance.
    """
    model, file = models.load(folder), SampleFile(source)
    if not isinstance(model, CanTranslate):
        raise InputError(f"{folder}: this model does not translate; name a refiner")
    model.space.require(Space.of(file), f"the refiner {folder}", str(source))
    unmoved = check(request, model, file.about, str(source))
    about = dataclasses.replace(
        file.about,
        producer=producer,
        parameters={"simulation": file.about.parameters, "refinement": {**parameters, **request.as_dict(), **unmoved}},
        inputs={source.name: digest(source), "refiner": digest(folder / "model.json")},
    )
    tasks = [
        (folder, source, about, request, copy, start)
        for copy in range(request.copies) for start in range(0, len(file), SHARD)
    ]
    bar = tqdm(total=request.copies * len(file), desc="refine", unit=" samples", disable=None, leave=False)
    pool = launch.executor() if len(tasks) > 1 else launch.Serial()
    with Writer(out, about) as writer, bar, pool as workers:
        for samples in launch.ordered(workers, shard, tasks):
            writer.append(samples)
            bar.update(len(samples))


def check(request: Request, model: System, about: About, where: str) -> Mapping[str, Any]:
    """Refuse points that are none; what a warp does not move, by name."""
    units = dict(zip(about.condition, about.units))
    for name in (name for pair in request.points for name in pair):
        if name not in units:
            raise InputError(f"{where}: has no condition {name!r} to move; {suggestion(name, units)}")
        if units[name] != "px":
            raise InputError(f"{where}: condition {name!r} is in {units[name]!r}; a place to move must be in 'px'")
    if not (isinstance(model, CanWarp) and model.warps):
        return {}
    moved = {name for pair in request.points for name in pair}
    return {"before_warp": [name for name in units if name not in moved]}


def shard(folder: Path, source: Path, about: About, request: Request, copy: int, start: int) -> Samples:
    """One shard of one copy, in whichever process."""
    device = launch.device()
    model, file = models.load(folder).to(device), SampleFile(source)
    generator = torch_generator(request.seed, "refine", copy, start // SHARD, device=device)
    stop = min(start + SHARD, len(file))
    batches = list(refined(model, file, range(start, stop), generator, request))
    file.close()
    columns = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return Samples(about=about, **columns)


def refined(
    model: System, file: SampleFile, rows: range, generator: torch.Generator, request: Request
) -> Iterator[dict[str, np.ndarray]]:
    """The columns of refined samples, batch by batch."""
    for start in range(rows.start, rows.stop, BATCH):
        stop = min(start + BATCH, rows.stop)
        samples, grid = file.read(start, stop), None
        x = model.space.encode(samples.x).to(generator.device)
        with autocast(generator.device, request.precision):
            if isinstance(model, CanWarp):
                x, grid = model.translate_with_grid(x, generator)
            else:
                x = model.translate(x, generator)
        columns = {**samples.columns, "x": model.space.decode(x), "origin": np.arange(start, stop)}
        yield columns if grid is None else {**columns, **moved(samples, grid.cpu(), request.points)}


def moved(samples: Samples, grid: torch.Tensor, points: Sequence[tuple[str, str]]) -> dict[str, np.ndarray]:
    """The columns that hold places, as the warp leaves them."""
    columns = {}
    if samples.mask is not None:
        columns["mask"] = warped_mask(torch.from_numpy(samples.mask), grid).numpy()
    if points:
        at = [[samples.about.condition.index(name) for name in pair] for pair in points]
        columns["condition"] = samples.condition.copy()
        columns["condition"][:, at] = warped_points(torch.from_numpy(samples.condition[:, at]), grid).numpy()
    return columns


if __name__ == "__main__":
    made = stage.parser(
        __name__,
        reads_parameters=False,
        model="model directory of a refiner",
        samples="sample file to refine",
        out="sample file to write",
    )
    made.add_argument("--copies", type=int, default=1, metavar="N", help="refinements of each sample (1)")
    made.add_argument(
        "--point", dest="points", nargs=2, action="append", default=[], metavar=("X", "Y"),
        help="conditions that are a place in pixels",
    )
    made.add_argument("--seed", type=int, default=0, metavar="SEED", help="of the refiner's random numbers (0)")
    made.add_argument("--precision", default="auto", help="of matrix products, as in training (auto)")
    stage.run(main, made)

"""A study's table of log-likelihoods: held-out images rated by importance sampling, every model with every seed.

    python -m pipelines.evaluate.bounds studies/bounds

Reads ``evaluate.bounds`` of the study's parameter file, the models it names and the test split of their samples.
Writes into the study's folder ``results.csv`` (study, method, seed, metric, value, seconds, and where it was
measured), ``summary.md`` and, of codes of two numbers, ``codes.png``. A model that is rated is not rated again when
the others are interrupted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from domain import models
from domain.config import Config, Count, Natural, Positive
from domain.errors import InputError
from domain.files import read_json, write_json
from domain.metrics.likelihood import CanFit, importance_sampled, importance_sampled_fitted
from domain.randomness import torch_generator
from domain.samples import SampleFile, Samples
from domain.view import plots, study
from pipelines import launch, stage
from pipelines.classify import origin, table
from pipelines.evaluate import held_out, none_or_all, trained

FITTED = ("nll", "effective_median", "effective_least")  # told of draws fitted to each image
PICTURED = 2000  # samples whose codes are drawn

Record = Mapping[str, float]
Measured = Mapping[tuple[str, str], Mapping[str, Any]]


@dataclass(frozen=True)
class Bounds(Config):
    """``evaluate.bounds``.

    Attributes:
        title: of the summary.
        samples: the file whose training split the models learned from; its test split is rated.
        models: method → folder with one model directory a seed, of as many seeds as were trained.
        count: test images; 0 takes all.
        draws: codes for each image.
        fitted: steps of fitting their distribution to each image, for a second figure; of models with a density of codes.
        published: method → published nats, and ``published_from`` where they were read.
        dimensions: number of dimensions → methods to set side by side, such as codes in space and on a sphere.
        columns: headings of these methods.
        codes: methods with codes of two numbers, whose draws are pictured in the colours of the labels.
        rests_on: sentences that end the summary, the binarisation first.
    """

    title: str
    samples: str
    models: Mapping[str, str]
    count: Natural = 0
    draws: Count = 5000
    fitted: Natural = 0
    published: Mapping[str, Positive] = field(default_factory=dict)
    published_from: str = ""
    dimensions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in (*self.published, *(name for row in self.dimensions.values() for name in row), *self.codes):
            if name not in self.models:
                raise InputError(f"Bounds.models: lacks {name!r}, which the summary sets beside others; add it")


def main(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.study)
    where = (folder / "params.yaml").as_posix()
    config = stage.parameters(Bounds, where, "evaluate", "bounds")
    cases = {(name, seed): path for name, models in config.models.items() for seed, path in trained(Path(models)).items()}
    inputs = stage.inputs(Path(config.samples), *(path / "model.json" for path in cases.values()))
    with stage.scratch(folder, config.as_dict(), inputs) as kept, none_or_all(folder) as new:
        files = {case: kept / f"{case[0]}-{case[1]}.json" for case in cases}
        tasks = [(config, cases[case], int(case[1]), file) for case, file in files.items() if not file.exists()]
        with launch.executor() as pool:
            for _ in launch.ordered(pool, rate, tasks):
                pass
        measured = {case: read_json(file) for case, file in files.items()}
        columns = ("study", "method", "seed", "metric", "value", "seconds", *origin())
        table(new("results.csv"), columns, rows(folder.name, measured))
        new("summary.md").write_text(page(measured, config))
        if config.codes:
            first = {name: next(path for (method, _), path in cases.items() if method == name) for name in config.codes}
            draw_codes(first, rated(config), new("codes.png"))


def rated(config: Bounds) -> Samples:
    """The test images."""
    source = Path(config.samples)
    return held_out(source, config.count or len(SampleFile(source, "test")))


def rate(config: Bounds, directory: Path, seed: int, out: Path) -> None:
    """Write one model's figures, and what they took."""
    began = time.monotonic()
    model = models.load(directory)
    if not hasattr(model, "estimate"):
        raise InputError(f"{directory}: this family has no importance weights; leave it out")
    device = launch.device()
    model, x = model.to(device), model.space.encode(rated(config).x).to(device)
    figures = importance_sampled(model, x, config.draws, seed)
    if config.fitted and isinstance(model, CanFit):
        fitted = importance_sampled_fitted(model, x, config.draws, seed, config.fitted)
        figures |= {f"fitted_{name}": fitted[name] for name in FITTED}
    write_json(out, {"figures": figures, "seconds": time.monotonic() - began, "made": origin()})


def draw_codes(directories: Mapping[str, Path], samples: Samples, path: Path) -> None:
    """A code of each of the first samples, drawn from each model's posterior."""
    samples, panels = samples.select(slice(PICTURED)), {}
    for name, directory in directories.items():
        model = models.load(directory)
        with torch.no_grad():
            noise = model.code_noise(len(samples), torch_generator(0, "codes"))
            points = model.coded(model.space.encode(samples.x), noise).numpy()
        if points.shape[1] != 2 or samples.label is None:
            raise InputError(f"evaluate.bounds.codes: {name} has no codes of two numbers for labelled samples; leave it out")
        panels[study.name(name)] = points
    plots.scatter(panels, samples.label, path)


def rows(name: str, measured: Measured) -> Iterator[tuple[object, ...]]:
    """The rows of ``results.csv``."""
    for (method, seed), record in measured.items():
        for metric, value in record["figures"].items():
            made = record["made"].values()
            yield name, method, seed, metric, f"{value:.6g}", f"{record['seconds']:.0f}", *made


def page(measured: Measured, config: Bounds) -> str:
    """``summary.md``."""
    figures = {name: [record["figures"] for case, record in measured.items() if case[0] == name] for name in config.models}
    beside = {name for row in config.dimensions.values() for name in row}
    lines = [line(name, config, records) for name, records in figures.items() if name not in beside]
    fitted = ("codes fitted", "worst seed", "effective draws") if config.fitted else ()
    columns = ("method", "seeds", "−log p(x)", "worst seed", "effective draws", *fitted, "−bound of one draw", "published")
    count = config.count or len(SampleFile(Path(config.samples), "test"))
    text = (
        f"Nats a test image, {count:,} of them; lower is better. Importance-sampled with {config.draws:,} draws, "
        "mean ± standard deviation over seeds; the figure is above the true one on average. "
        "Effective draws: the median image's, in the mean over seeds."
    )
    if config.fitted:
        text += (
            " Codes fitted: drawn from a distribution that begins as the encoder's and takes "
            f"{config.fitted} steps up the bound of each image, which is nearer to the true figure."
        )
    parts = [f"# {config.title}", text, study.table(columns, lines) if lines else ""]
    if config.dimensions:
        cells = [[size, *(nats(figures[name], "nll") for name in row)] for size, row in config.dimensions.items()]
        parts += ["## By the number of dimensions of the code", study.table(("dimensions", *config.columns), cells)]
    parts += [config.published_from, "\n".join(f"- {sentence}" for sentence in config.rests_on)]
    return "\n\n".join(part for part in parts if part) + "\n"


def line(name: str, config: Bounds, records: list[Record]) -> list[str]:
    """One method's cells."""
    published = config.published.get(name)
    shown = "" if published is None else f"{published:.2f}"
    fitted = likelihood(records, "fitted_") if config.fitted else []
    return [study.name(name), str(len(records)), *likelihood(records), *fitted, nats(records, "elbo"), shown]


def likelihood(records: list[Record], of: str = "") -> list[str]:
    """Mean and worst likelihood and the effective draws; blank where they were not measured."""
    if f"{of}nll" not in records[0]:
        return ["", "", ""]
    worst, effective = (max(r[f"{of}nll"] for r in records), np.mean([r[f"{of}effective_median"] for r in records]))
    return [nats(records, f"{of}nll"), f"{worst:.2f}", f"{effective:.0f}"]


def nats(records: list[Record], metric: str) -> str:
    """Mean ± standard deviation over seeds, to hundredths."""
    values = np.array([record[metric] for record in records])
    spread = f" ± {values.std(ddof=1):.2f}" if len(values) > 1 else ""
    return f"{values.mean():.2f}{spread}"


if __name__ == "__main__":
    made = stage.parser(__name__, reads_parameters=False, study="folder of the study")
    stage.run(main, made)

"""Set one study's figures beside the published ones: every method, number of labels and seed.

    python -m pipelines.evaluate.few_labels studies/mnist_few_labels

Reads ``evaluate.few_labels`` of the params.yaml in the study's folder and what classify wrote for its
tasks: data/classified/<task> and, for what a run cost, data/classified/<task>.runs.csv. Writes into
the study's folder, all of them or none,

* ``results.csv``, one row a measurement; the seed ``ensemble`` is the mean of all seeds' probabilities;
* ``labelled.csv``, the labelled sets: rows of the sample file;
* ``summary.md`` and ``summary.json``, the tables a paper would print;
* ``errors.svg``, ``cost.svg``, ``reliability.svg`` and ``risk_coverage.svg``;
* ``warps.png``, where ``warps`` names a sample file: how its features lie in the plane that they span.

With ``--partial`` a task that has not been run is left out, and the summary names it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from domain.config import Config, Count, NonNegative, suggestion
from domain.errors import InputError
from domain.files import write_json
from domain.metrics.classification import summary
from domain.randomness import numpy_generator
from domain.samples import SampleFile, Samples
from domain.topology import Topology, Warps
from domain.view import comparisons, plots, study
from pipelines import stage
from pipelines.classify import table
from pipelines.evaluate import Record, none_or_all, runs
from pipelines.evaluate.runs import ENSEMBLE, Cost, Entry, Measured

RESULTS = ("method", "labels", "seed", "metric", "value", *Cost._fields)
LABELLED = ("methods", "labels", "seed", "rows")

Published = Mapping[str, Mapping[str, tuple[NonNegative, NonNegative | None]]]


@dataclass(frozen=True)
class FewLabels(Config):
    """``evaluate.few_labels`` of a study.

    Attributes:
        title: of the summary.
        method: the arm that the study is about, whose calibration is drawn
        labels: at this number of labels.
        tasks: folders of data/classified → the number of labels that their arms see.
        budgets: that of the tasks ``apart`` whose arms are the method with shorter trainings, or nothing.
        apart: task → what to know of it; its arms stand in a table of their own.
        unit: of the errors in the summary and of the published figures; percent of the test samples.
        published: method → labels → mean and standard deviation, null where none was published.
        published_ensembles: the same for ensembles.
        warps: a file of images whose learned positions are drawn (``domain/topology.py``), or nothing.
        rests_on: sentences on what the figures rest on.
    """

    title: str
    method: str
    labels: Count
    tasks: Mapping[str, Count]
    budgets: str = ""
    apart: Mapping[str, str] = field(default_factory=dict)
    unit: Literal["errors", "percent"] = "errors"
    published: Published = field(default_factory=dict)
    published_ensembles: Published = field(default_factory=dict)
    warps: str = ""
    rests_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.budgets and self.budgets not in self.apart:
            raise InputError(f"FewLabels.budgets: {self.budgets!r} does not stand apart; {suggestion(self.budgets, self.apart)}")
        for task in self.apart:
            if task not in self.tasks:
                raise InputError(
                    f"FewLabels.apart: {task!r} is none of the tasks; {suggestion(task, self.tasks)}"
                )


def main(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.study)
    file = (folder / "params.yaml").as_posix()
    where = f"{file}: evaluate.few_labels"
    config = stage.parameters(FewLabels, file, "evaluate", "few_labels")
    missing = [task for task in config.tasks if not runs.predictions(task).exists()]
    if missing and not arguments.partial:
        mend = f"run `dvc repro {folder.as_posix()}/dvc.yaml:classify@{missing[0]}`, or add --partial"
        raise InputError(f"{where}.tasks: {missing[0]} has not been run; {mend}")
    tasks = {task: labels for task, labels in config.tasks.items() if task not in missing}
    entries = [entry for task, labels in tasks.items() for entry in runs.read(task, labels)]
    check(entries, where)
    drawn = [entry for entry in entries if (entry.method, entry.labels) == (config.method, config.labels)]
    if not drawn and not missing:
        what = f"no task has an arm {config.method!r} with {config.labels} labels"
        raise InputError(f"{where}.method: {what}; name one that has")
    with none_or_all(folder) as new:
        table(new("results.csv"), RESULTS, results(entries))
        table(new("labelled.csv"), LABELLED, runs.labelled_sets(tasks, f"{where}.tasks"))
        record = summed(entries, config, missing)
        write_json(new("summary.json"), record)
        new("summary.md").write_text(study.page(record, with_trust=bool(drawn), with_warps=bool(config.warps)))
        draw_errors(record, new("errors.svg"))
        draw_cost(record, config, new("cost.svg"))
        if config.warps:
            draw_warps(SampleFile(Path(config.warps), "train").read(), new("warps.png"))
        for entry in drawn:
            runs.draw_trust(entry, new("reliability.svg"), new("risk_coverage.svg"))


def check(entries: Sequence[Entry], where: str) -> None:
    """At each number of labels a method may stand in one task only, or rows could not be told apart."""
    tasks: dict[tuple[str, int], str] = {}
    for entry in entries:
        if (other := tasks.setdefault((entry.method, entry.labels), entry.task)) != entry.task:
            both = f"{other} and {entry.task} both have an arm {entry.method!r} with {entry.labels} labels"
            raise InputError(f"{where}.tasks: {both}; give one of them another name")


def results(entries: Iterable[Entry]) -> Iterable[tuple[object, ...]]:
    """The rows of ``results.csv``; what does not exist is empty, such as a share of no errors."""
    for entry in entries:
        for seed, values in entry.measured.items():
            cost = Cost.total(entry.costs.values()) if seed == ENSEMBLE else entry.costs[seed]
            seconds = "" if cost.seconds is None else f"{cost.seconds:.1f}"
            for metric, value in values.items():
                figure = "" if value is None else f"{value:.6g}"
                yield entry.method, entry.labels, seed, metric, figure, seconds, *cost[1:]


def summed(entries: Sequence[Entry], config: FewLabels, missing: Sequence[str]) -> Record:
    """``summary.json``: the rows of every table."""
    of_task: dict[str, list[Record]] = {task: [] for task in config.tasks}
    for entry in entries:
        of_task[entry.task].append(row_of(entry, config))
    apart = {task: of_task.pop(task) for task in config.apart}
    compared = [row for rows in of_task.values() for row in rows]
    return {
        "title": config.title,
        "unit": config.unit,
        "test": len(entries[0].truth) if entries else None,
        "rejected": runs.REJECTED,
        "missing": list(missing),
        "rows": best_first([beside(row, config) for row in compared + not_run(compared, config)]),
        "apart": {
            task: {"note": config.apart[task], "rows": best_first(rows)}
            for task, rows in apart.items()
            if rows
        },
        "rests_on": list(config.rests_on),
    }


def draw_cost(record: Record, config: FewLabels, path: Path) -> None:
    """Errors of every method at the study's number of labels against what they cost."""
    rows = [row for row in record["rows"] if row["labels"] == config.labels and row["core_hours"]]
    series = {row["method"]: [row] for row in sorted(rows, key=lambda row: row["method"] != config.method)}
    if config.method in series and config.budgets in record["apart"]:
        series[config.method] += record["apart"][config.budgets]["rows"]
    points = {
        study.name(method): [(row["core_hours"], tuple(row["seeds"].values())) for row in rows if row["core_hours"]]
        for method, rows in series.items()
    }
    published = next((row["published"] for row in rows if row["method"] == config.method), None)
    comparisons.against_cost(points, published, path, study.unit(record))


def draw_warps(samples: Samples, path: Path, rows: int = 6, columns: int = 6) -> None:
    """``warps.png`` of grey images, (N, 1, H, W): their pixels' places, and class means under warps."""
    images, label = samples.x, samples.label
    if images.ndim != 4 or images.shape[1] != 1 or label is None:
        raise InputError(f"FewLabels.warps: samples of shape {images.shape[1:]}; it draws grey images with labels, (1, height, width)")
    height, width = images.shape[2:]
    flat = images.reshape(len(images), -1).astype(np.float32) / images.max()
    topology = Topology.learn(flat)
    bank = Warps(topology, columns, 1.0, numpy_generator(0, "warps.png"))
    means = torch.from_numpy(np.stack([flat[label == k].mean(0) for k in np.unique(label[label >= 0])[:rows]]))
    shown = [means, *(bank(means, torch.tensor([k])) for k in range(columns))]
    number = np.full((height, width), -1)
    number.flat[topology.features] = np.arange(len(topology.features))
    pairs = [(number[:, :-1], number[:, 1:]), (number[:-1], number[1:])]
    edges = np.concatenate([np.stack([a.ravel(), b.ravel()], 1) for a, b in pairs])
    pictures = torch.stack(shown, 1).unflatten(2, (height, width)).numpy()
    plots.topology(topology.positions, edges[(edges >= 0).all(1)], pictures / pictures.max(), path)


def row_of(entry: Entry, config: FewLabels) -> Record:
    """One method at one number of labels: each metric over its seeds, and of their ensemble."""
    scale = 100 / len(entry.truth) if config.unit == "percent" else 1
    measured = {
        seed: {**values, "test_errors": scale * values["test_errors"]}
        for seed, values in entry.measured.items()
    }
    ensemble = measured.pop(ENSEMBLE, None)
    hours = [cost.core_hours for cost in entry.costs.values()]
    return {
        "labels": entry.labels,
        "method": entry.method,
        "seeds": {seed: values["test_errors"] for seed, values in measured.items()},
        "single": {metric: over_seeds(metric, measured.values()) for metric in runs.METRICS},
        "ensemble": ensemble,
        "core_hours": None if None in hours else sum(hours) / len(hours),
        "hardware": Cost.total(entry.costs.values()).hardware,
    }


def over_seeds(metric: str, measured: Iterable[Measured]) -> Record | None:
    """Mean, spread, median and worst of a metric over the seeds for which it exists, if for any."""
    known = np.array([values[metric] for values in measured if values[metric] is not None])
    better = "higher" if metric.startswith("errors_removed") else "lower"
    return summary(known, better) if len(known) else None


def not_run(rows: Sequence[Record], config: FewLabels) -> list[Record]:
    """Rows for the published figures of methods that the study has no run of."""
    published = {(method, int(labels)) for method, figures in config.published.items() for labels in figures}
    run = {(row["method"], row["labels"]) for row in rows}
    nothing = {"seeds": {}, "single": None, "ensemble": None, "core_hours": None, "hardware": ""}
    return [{"labels": labels, "method": method, **nothing} for method, labels in sorted(published - run)]


def beside(row: Record, config: FewLabels) -> Record:
    """A row with the published figures."""
    method, labels = row["method"], str(row["labels"])
    figures = {"published": config.published, "published_ensemble": config.published_ensembles}
    return {**row, **{name: figure.get(method, {}).get(labels) for name, figure in figures.items()}}


def best_first(rows: list[Record]) -> list[Record]:
    """Rows by labels, then by errors; what has only been published stands where it belongs among them."""

    def place(row: Record) -> tuple[int, float]:
        return row["labels"], row["single"]["test_errors"]["mean"] if row["single"] else row["published"][0]

    return sorted(rows, key=place)


def draw_errors(record: Record, path: Path) -> None:
    """Every seed of the main table beside the published figures."""
    panels: dict[str, dict[str, comparisons.Compared]] = {}
    for row in record["rows"]:
        ensemble = row["ensemble"]["test_errors"] if row["ensemble"] else None
        compared = comparisons.Compared(tuple(row["seeds"].values()), ensemble, row["published"])
        panels.setdefault(f"{row['labels']} labels", {})[row["method"].replace("_", " ")] = compared
    comparisons.against_published(panels, path, study.unit(record))


if __name__ == "__main__":
    made = stage.parser(__name__, reads_parameters=False, study="folder of the study, with its params.yaml")
    made.add_argument("--partial", action="store_true", help="write what there is, though tasks are missing")
    stage.run(main, made)

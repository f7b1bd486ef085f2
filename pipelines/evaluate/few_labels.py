"""Set one study's figures beside the published ones: every method, number of labels and seed.

    python -m pipelines.evaluate.few_labels studies/mnist_few_labels

Reads ``evaluate.few_labels`` of the params.yaml in the study's folder and what classify wrote for its
tasks: data/classified/<task> and, for what a run cost, data/classified/<task>.runs.csv. Writes into
the study's folder, all of them or none,

* ``results.csv``, one row a measurement; the seed ``ensemble`` is the mean of all seeds' probabilities;
* ``labelled.csv``, the labelled sets: rows of the sample file;
* ``summary.md`` and ``summary.json``, the tables a paper would print;
* ``errors.svg``, ``reliability.svg`` and ``risk_coverage.svg``.

With ``--partial`` a task that has not been run is left out, and the summary names it.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from domain.config import Config, Count, NonNegative, suggestion
from domain.errors import InputError
from domain.files import whole_file, write_json
from domain.metrics.calibration import reliability, risk_coverage
from domain.metrics.classification import summary
from domain.view import plots, study
from pipelines import stage
from pipelines.classify import table
from pipelines.evaluate import Record
from pipelines.evaluate.runs import CLASSIFIED, ENSEMBLE, PREDICTIONS, REJECTED, Cost, Entry, answers, read, read_table

Published = Mapping[str, Mapping[str, tuple[NonNegative, NonNegative | None]]]


@dataclass(frozen=True)
class FewLabels(Config):
    """``evaluate.few_labels`` of a study.

    Attributes:
        title: of the summary.
        method: the arm that the study is about, whose calibration is drawn
        labels: at this number of labels.
        tasks: folders of data/classified → the number of labels that their arms see.
        apart: task → what to know of it; its arms stand in a table of their own.
        unit: of the errors in the summary and of the published figures; percent of the test samples.
        published: method → labels → mean and standard deviation, null where none was published.
        published_ensembles: the same for ensembles.
        rests_on: sentences on what the figures rest on.
    """

    title: str
    method: str
    labels: Count
    tasks: Mapping[str, Count]
    apart: Mapping[str, str] = field(default_factory=dict)
    unit: Literal["errors", "percent"] = "errors"
    published: Published = field(default_factory=dict)
    published_ensembles: Published = field(default_factory=dict)
    rests_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for task in self.apart:
            if task not in self.tasks:
                raise InputError(f"FewLabels.apart: {task!r} is none of the tasks; {suggestion(task, self.tasks)}")


def main(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.study)
    file = (folder / "params.yaml").as_posix()
    config, where = stage.parameters(FewLabels, file, "evaluate", "few_labels"), f"{file}: evaluate.few_labels"
    missing = [task for task in config.tasks if not (CLASSIFIED / task / PREDICTIONS).exists()]
    if missing and not arguments.partial:
        raise InputError(
            f"{where}.tasks: {missing[0]} has not been run; run `dvc repro {folder.as_posix()}/dvc.yaml:classify@{missing[0]}`, "
            "or see what there is with --partial"
        )
    tasks = {task: labels for task, labels in config.tasks.items() if task not in missing}
    entries = [entry for task, labels in tasks.items() for entry in read(task, labels)]
    check(entries, where)
    drawn = [entry for entry in entries if (entry.method, entry.labels) == (config.method, config.labels)]
    if not drawn and not missing:
        raise InputError(f"{where}.method: no task has an arm {config.method!r} with {config.labels} labels; name one that has")
    record = summed(entries, config, missing)
    with contextlib.ExitStack() as outputs:

        def new(name: str) -> Path:
            return outputs.enter_context(whole_file(folder / name))

        table(new("results.csv"), ("method", "labels", "seed", "metric", "value", *Cost._fields), results(entries))
        table(new("labelled.csv"), ("methods", "labels", "seed", "rows"), labelled_sets(tasks, where))
        write_json(new("summary.json"), record)
        new("summary.md").write_text(study.page(record))
        draw_errors(record, new("errors.svg"))
        for entry in drawn:
            draw_trust(entry, new("reliability.svg"), new("risk_coverage.svg"))


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
                yield entry.method, entry.labels, seed, metric, "" if value is None else f"{value:.6g}", seconds, *cost[1:]


def labelled_sets(tasks: Mapping[str, int], where: str) -> list[tuple[str, int, int, str]]:
    """Each labelled set once, with the methods that saw it: equal seeds share one."""
    sets: dict[tuple[int, int, str], set[str]] = {}
    for task, labels in tasks.items():
        for row in read_table(CLASSIFIED / task / "labelled.csv"):
            if (seen := len(row["rows"].split())) != labels:
                raise InputError(f"{where}.tasks.{task}: is {labels}, but its arm {row['arm']!r} saw {seen} labels; correct it")
            sets.setdefault((labels, int(row["seed"]), row["rows"]), set()).add(row["arm"])
    return [(" ".join(sorted(methods)), *key) for key, methods in sorted(sets.items())]


def summed(entries: Sequence[Entry], config: FewLabels, missing: Sequence[str]) -> Record:
    """``summary.json``: the rows of every table."""
    together = [row_of(entry, config) for entry in entries if entry.task not in config.apart]
    apart = {task: [row_of(entry, config) for entry in entries if entry.task == task] for task in config.apart}
    return {
        "title": config.title,
        "unit": config.unit,
        "test": len(entries[0].truth) if entries else None,
        "rejected": REJECTED,
        "missing": list(missing),
        "rows": best_first([beside(row, config) for row in together + not_run(together, config)]),
        "apart": {task: {"note": config.apart[task], "rows": best_first(rows)} for task, rows in apart.items() if rows},
        "rests_on": list(config.rests_on),
    }


def row_of(entry: Entry, config: FewLabels) -> Record:
    """One method at one number of labels: each metric over its seeds, and of their ensemble."""
    scale = 100 / len(entry.truth) if config.unit == "percent" else 1
    measured = {seed: {**values, "test_errors": scale * values["test_errors"]} for seed, values in entry.measured.items()}
    ensemble = measured.pop(ENSEMBLE, None)
    columns = {metric: [values[metric] for values in measured.values()] for metric in measured[next(iter(measured))]}
    cost = Cost.total(entry.costs.values())
    return {
        "labels": entry.labels,
        "method": entry.method,
        "seeds": {seed: values["test_errors"] for seed, values in measured.items()},
        "single": {metric: over_seeds(metric, values) for metric, values in columns.items()},
        "ensemble": ensemble,
        "core_hours": None if cost.seconds is None else float(np.mean([each.core_hours for each in entry.costs.values()])),
        "hardware": cost.hardware,
    }


def over_seeds(metric: str, values: Sequence[float | None]) -> Record | None:
    """Mean, spread, median and worst of a metric over the seeds for which it exists, if for any."""
    known = np.array([value for value in values if value is not None])
    return summary(known, "higher" if metric.startswith("errors_removed") else "lower") if len(known) else None


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
    return sorted(rows, key=lambda row: (row["labels"], row["single"]["test_errors"]["mean"] if row["single"] else row["published"][0]))


def draw_errors(record: Record, path: Path) -> None:
    """Every seed of the main table beside the published figures."""
    panels: dict[str, dict[str, plots.Compared]] = {}
    for row in record["rows"]:
        ensemble = row["ensemble"]["test_errors"] if row["ensemble"] else None
        compared = plots.Compared(tuple(row["seeds"].values()), ensemble, row["published"])
        panels.setdefault(f"{row['labels']} labels", {})[row["method"].replace("_", " ")] = compared
    plots.against_published(panels, path, study.unit(record))


def draw_trust(entry: Entry, reliability_svg: Path, risk_coverage_svg: Path) -> None:
    """Calibration and rejection of single networks, pooled over the seeds, and of their ensemble."""
    series = {"single": entry.pooled, **({} if entry.ensemble is None else {ENSEMBLE: (entry.truth, entry.ensemble)})}
    plots.reliability({name: reliability(*pair) for name, pair in series.items()}, reliability_svg)
    plots.risk_coverage({name: risk_coverage(*answers(*pair)) for name, pair in series.items()}, risk_coverage_svg)


if __name__ == "__main__":
    made = stage.parser(__name__, reads_parameters=False, study="the study's folder, which holds its params.yaml")
    made.add_argument("--partial", action="store_true", help="write what there is, though tasks are missing")
    stage.run(main, made)

"""Sum up every classification task over its seeds.

    python -m pipelines.evaluate.classification data/evaluation/classification

Reads the predictions under data/classified that ``evaluate.classification`` names. Writes a JSON
file and a folder of plots of that name.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from domain.config import Config
from domain.errors import InputError
from domain.metrics.classification import paired_interval, scores, summary
from domain.view import comparisons
from pipelines import stage
from pipelines.evaluate import Record, figure, runs, write


@dataclass(frozen=True)
class Classification(Config):
    """``evaluate.classification``.

    Attributes:
        tasks: folders of data/classified → pairs of arms to compare, each as ``a - b``.
        trust: folder of data/classified → the arm whose calibration and rejection are drawn.
    """

    tasks: Mapping[str, tuple[str, ...]]
    trust: Mapping[str, str] = field(default_factory=dict)


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Classification, arguments.params, "evaluate", "classification")
    write(Path(arguments.out), lambda out: measure(config, out))


def measure(config: Classification, out: Path) -> Record:
    """Every arm of every task, and the differences asked for."""
    tasks, figures = {}, []
    for task, asked in config.tasks.items():
        tasks[task] = measure_task(task, asked)
        accuracy = {arm.replace("_", " "): row["accuracy"]["values"] for arm, row in tasks[task]["arms"].items()}
        comparisons.seeds(accuracy, out / f"{task}.svg", "accuracy on real test digits")
        caption = f"{tasks[task]['title'].capitalize()}: each dot is one seed, the bar is their mean."
        figures.append(figure(out, f"{task}.svg", caption, f"accuracy by arm, {task}"))
    for task, arm in config.trust.items():
        figures += trust(task, arm, out)
    return {"tasks": tasks, "figures": figures}


def trust(task: str, arm: str, out: Path) -> list[Record]:
    """How far one arm's probabilities can be believed, and what it gains by leaving answers out."""
    entries = {entry.method: entry for entry in runs.read(task, labels=0)}
    entry = stage.family(entries, arm, f"evaluate.classification.trust.{task}: arm")
    runs.draw_trust(entry, out / f"{task}_reliability.svg", out / f"{task}_risk_coverage.svg")
    title = arm.replace("_", " ")
    return [
        figure(
            out, f"{task}_reliability.svg", f"How often an answer is right against how sure it was: {title}, "
            "single networks and the mean of all seeds.", f"reliability of {title}",
        ),
        figure(
            out, f"{task}_risk_coverage.svg", "Errors among the answers that are left when the least sure are left out: "
            f"{title}.", f"risk against coverage of {title}",
        ),
    ]


def measure_task(task: str, asked: tuple[str, ...]) -> Record:
    """One task's arms over their seeds, from the stored class probabilities."""
    stored = stage.tensors(Path("data/classified") / task / "predictions.safetensors")
    label = stored.pop("label")
    runs: dict[str, list[dict[str, float]]] = {}
    for key in sorted(stored, key=lambda key: int(key.rpartition("/")[2])):
        runs.setdefault(key.rpartition("/")[0], []).append(scores(label, stored[key]))
    arms = {arm: over_seeds(rows) for arm, rows in runs.items()}
    differences = [difference(comparison, arms) for comparison in asked]
    return {"title": task.replace("_", " "), "test": len(label), "arms": arms, "differences": differences}


def over_seeds(rows: list[dict[str, float]]) -> Record:
    """Each metric's summary and its value for every seed."""
    columns = {metric: [row[metric] for row in rows] for metric in rows[0]}
    return {
        metric: {**summary(np.array(values), "higher" if metric == "accuracy" else "lower"), "values": values}
        for metric, values in columns.items()
    }


def difference(comparison: str, arms: Mapping[str, Record]) -> Record:
    """``a - b`` in accuracy, paired over seeds."""
    a, _, b = comparison.partition(" - ")
    for arm in (a, b):
        if arm not in arms:
            raise InputError(
                f"evaluate.classification.tasks: {comparison!r} names the arm {arm!r}, which was not run; "
                f"write 'a - b' with arms among {', '.join(arms)}"
            )
    return {"a": a, "b": b, **paired_interval(*(np.array(arms[arm]["accuracy"]["values"]) for arm in (a, b)))}


if __name__ == "__main__":
    stage.run(main, stage.parser(__name__, out="name of the JSON file and the folder to write"))

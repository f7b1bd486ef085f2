"""A study's table of unsupervised domain adaptation: labels of one domain, accuracy in the other.

    python -m pipelines.evaluate.domains studies/digits_domains

Reads ``evaluate.domains`` of the params.yaml in the study's folder, what classify wrote for its tasks, the models it
names, whose own classifiers answer for the test split, and the sample files whose looks are measured. Writes into the
study's folder, all or none, ``results.csv`` (study, task, arm, seed, metric, value, and what it cost), ``summary.md`` and,
where looks ask for it, ``samples-<task>.png``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

import numpy as np
import torch

from domain import models
from domain.config import Config, NonNegative
from domain.errors import InputError
from domain.metrics.classification import scores, summary
from domain.samples import SampleFile
from domain.space import Space
from domain.system import CanClassify
from domain.view import study
from pipelines import stage
from pipelines.classify import origin, table
from pipelines.evaluate import none_or_all, runs, trained
from pipelines.evaluate.arms import BySeed, collected, difference, differences_table, paired
from pipelines.evaluate.looks import Looks, draw_samples, looked, looks_table
from pipelines.evaluate.runs import Cost, Entry

RESULTS = ("study", "task", "arm", "seed", "metric", "value", *Cost._fields)
BATCH = 500


@dataclass(frozen=True)
class Task(Config):
    """One direction under one protocol.

    Attributes:
        test: sample file whose test split classify and the models answer for.
        models: arm → folder with one model a seed, which need not be the seeds of classify; each classifies by itself.
        published: arm → accuracy in percent; of no arm here, it stands in a line of its own.
        differences: pairs of arms to compare, each as ``a - b``.
        looks: what is compared with real images, or nothing.
        note: sentences above the table.
    """

    test: str
    models: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[str, NonNegative] = field(default_factory=dict)
    differences: tuple[str, ...] = ()
    looks: Looks | None = None
    note: str = ""


@dataclass(frozen=True)
class Domains(Config):
    """``evaluate.domains`` of a study.

    Attributes:
        title: of the summary.
        tasks: folders of data/classified → what else to know of them.
        floor: the arm that the others are compared with, seed by seed.
        rests_on: sentences that end the summary.
    """

    title: str
    tasks: Mapping[str, Task]
    floor: str
    rests_on: tuple[str, ...] = ()


def main(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.study)
    config = stage.parameters(Domains, (folder / "params.yaml").as_posix(), "evaluate", "domains")
    entries = {name: measured(name, task, config.floor) for name, task in config.tasks.items()}
    accuracy = {name: {arm: percent(entry) for arm, entry in arms.items()} for name, arms in entries.items()}
    compared = {name: differences(name, task, accuracy[name]) for name, task in config.tasks.items()}
    looks = {
        name: looked(task.looks, list(entries[name][config.floor].probabilities))
        for name, task in config.tasks.items() if task.looks
    }
    with none_or_all(folder) as new:
        table(new("results.csv"), RESULTS, [*rows(folder.name, entries), *looks_rows(folder.name, looks)])
        captions = {
            name: draw_samples(task.looks, list(entries[name][config.floor].probabilities), new(f"samples-{name}.png"))
            for name, task in config.tasks.items() if task.looks and task.looks.picture
        }
        new("summary.md").write_text(page(config, accuracy, compared, looks, captions))


def measured(name: str, task: Task, floor: str) -> dict[str, Entry]:
    """Every arm of one task: those of classify, then the models' own classifiers."""
    entries = {entry.method: entry for entry in runs.read(name, labels=0)}
    if floor not in entries:
        raise InputError(f"evaluate.domains.floor: {name} has no arm {floor!r}; name one of {', '.join(entries)}")
    for arm, folder in task.models.items():
        if arm in entries:
            raise InputError(f"evaluate.domains.tasks.{name}.models: classify has an arm {arm!r} too; rename one")
        answers = {seed: answer(path, task.test) for seed, path in trained(Path(folder)).items()}
        entries[arm] = Entry(name, arm, 0, entries[floor].truth, answers, {seed: Cost() for seed in answers})
    return entries


def answer(directory: Path, test: str) -> np.ndarray:
    """A model's class probabilities of the test split of a sample file, (N, K)."""
    model = models.load(directory)
    if not isinstance(model, CanClassify):
        raise InputError(f"{directory}: does not classify; name a model that does, or take it from the table")
    samples = SampleFile(test, "test").read()
    model.space.require(Space.of(samples), str(directory), test)
    return torch.cat([model.classify(x) for x in model.space.encode(samples.x).split(BATCH)]).numpy()


def rows(name: str, tasks: Mapping[str, Mapping[str, Entry]]) -> Iterable[tuple[object, ...]]:
    """The rows of ``results.csv``."""
    for task, entries in tasks.items():
        for arm, entry in entries.items():
            for seed, probabilities in entry.probabilities.items():
                cost = entry.costs[seed]
                for metric, value in scores(entry.truth, probabilities).items():
                    yield name, task, arm, seed, metric, f"{value:.6g}", *("" if c is None else c for c in cost)


def looks_rows(name: str, looks: Mapping[str, Sequence[Mapping[str, str]]]) -> Iterable[tuple[object, ...]]:
    """Those of the images themselves, under the arms that learn from them."""
    cost = ("", *origin().values())
    for task, lines in looks.items():
        for line in lines:
            yield name, task, *(line[key] for key in ("arm", "seed", "metric", "value")), *cost


def differences(name: str, task: Task, arms: Mapping[str, BySeed]) -> list[list[str]]:
    """The lines of one task's table of differences, in percent."""
    return [difference(pair, arms, f"evaluate.domains.tasks.{name}.differences") for pair in task.differences]


def page(
    config: Domains,
    tasks: Mapping[str, Mapping[str, BySeed]],
    compared: Mapping[str, Sequence[Sequence[str]]],
    looks: Mapping[str, Sequence[Mapping[str, str]]],
    captions: Mapping[str, str],
) -> str:
    """``summary.md``, from the accuracy of every arm of every task by seed, in percent."""
    text = "Accuracy in percent on the target's test split, over seeds; no target label was used but by the ceiling."
    parts = [f"# {config.title}", text]
    for name, arms in tasks.items():
        lines = [
            line(arm, by_seed, arms[config.floor], config.tasks[name].published.get(arm))
            for arm, by_seed in sorted(arms.items(), key=lambda item: mean(item[1].values()))
        ]
        elsewhere = {arm: value for arm, value in config.tasks[name].published.items() if arm not in arms}
        lines += [[study.name(arm), *[""] * 4, study.number(value)] for arm, value in elsewhere.items()]
        columns = ["arm", "mean ± sd", "worst", "each seed", f"more than {study.name(config.floor)} (95 %)", "published"]
        parts += [f"## {study.name(name)}", config.tasks[name].note, study.table(columns, lines)]
        parts += [differences_table(compared[name], "accuracy [%]")] if compared[name] else []
        parts += looks_table(collected(looks[name])) if name in looks else []
        parts += [f"![{captions[name]}](samples-{name}.png)"] if name in captions else []
    parts += ["\n".join(f"- {sentence}" for sentence in config.rests_on)]
    return "\n\n".join(part for part in parts if part) + "\n"


def percent(entry: Entry) -> BySeed:
    """The accuracy of each seed in percent."""
    return {seed: 100 * scores(entry.truth, p)["accuracy"] for seed, p in entry.probabilities.items()}


def line(arm: str, by_seed: BySeed, floor: BySeed, published: float | None) -> list[str]:
    """One arm of a task; the gain is paired over the seeds that the floor has too."""
    values = np.array(list(by_seed.values()))
    over = None if by_seed is floor else paired(by_seed, floor)
    gain = f"{over['mean']:+.2f} ({over['low']:+.2f} to {over['high']:+.2f})" if over else ""
    cells = [study.name(arm), study.spread(float(values.mean()), summary(values)["sd"]), study.number(float(values.min()))]
    return [*cells, " ".join(map(study.number, values)), gain, "" if published is None else study.number(published)]


if __name__ == "__main__":
    made = stage.parser(__name__, reads_parameters=False, study="folder of the study, with its params.yaml")
    stage.run(main, made)

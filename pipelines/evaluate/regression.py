"""A study's table of regressors: every arm and seed, their differences, and how far simulated images look real.

    python -m pipelines.evaluate.regression studies/eyes

Reads ``evaluate.regression`` of the study's parameter file, what regress wrote of its task, and the sample files that
``looks`` names. Writes into the study's folder ``results.csv`` (study, arm, seed, metric, value, and what each run
took and ran on) and ``summary.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from domain.config import Config, Count, suggestion
from domain.errors import InputError
from domain.metrics.classification import paired_interval, summary
from domain.metrics.two_sample import Judge, classifier_two_sample_test
from domain.samples import SampleFile
from domain.view import study
from pipelines import stage
from pipelines.classify import origin, table
from pipelines.evaluate import none_or_all
from pipelines.evaluate.runs import read_table

REGRESSED = Path("data/regressed")
COST = ("seconds", "hardware", "threads", "revision")
COLUMNS = ("study", "arm", "seed", "metric", "value", *COST)
AUC = "auc"
Values = Mapping[str, Mapping[str, Mapping[str, float]]]  # arm → metric → seed → value


@dataclass(frozen=True)
class Looks(Config):
    """What a fresh classifier is asked to tell from real images.

    Attributes:
        real: a sample file of real images.
        sets: name → sample file, in which ``{seed}`` stands for the seed; one more real file gives the null.
        count: images a side.
        judge: the two-sample test's classifier.
    """

    real: str
    sets: Mapping[str, str]
    count: Count = 1000
    judge: Judge = Judge()


@dataclass(frozen=True)
class Regression(Config):
    """``evaluate.regression``.

    Attributes:
        title: of the summary.
        task: folder of data/regressed.
        metrics: those of the summary's table, the first also for the differences; less is better in the first.
        differences: pairs of arms, each as ``a - b``.
        looks: what is compared with real images, or nothing.
        rests_on: sentences that end the summary.
    """

    title: str
    task: str
    metrics: tuple[str, ...]
    differences: tuple[str, ...] = ()
    looks: Looks | None = None
    rests_on: tuple[str, ...] = field(default_factory=tuple)


def main(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.study)
    file = (folder / "params.yaml").as_posix()
    config = stage.parameters(Regression, file, "evaluate", "regression")
    source = REGRESSED / config.task / "results.csv"
    if not source.exists():
        raise InputError(f"{source}: no such file; run `dvc repro {folder.as_posix()}/dvc.yaml` to make it")
    measured = read_table(source)
    values = collected(measured)
    where = f"{file}: evaluate.regression"
    for metric in config.metrics:
        if any(metric not in arm for arm in values.values()):
            raise InputError(f"{where}.metrics: no arm has {metric!r}; {suggestion(metric, next(iter(values.values())))}")
    compared = [difference(pair, values, config.metrics[0], f"{where}.differences") for pair in config.differences]
    looks = looked(config.looks, sorted({row["seed"] for row in measured})) if config.looks else []
    costs = read_costs(config.task)
    nothing = dict.fromkeys(COST, "")
    with none_or_all(folder) as new:
        rows = [{**row, **costs.get((row["arm"], row["seed"]), nothing)} for row in measured]
        rows += [{**row, "seconds": "", **origin()} for row in looks]
        table(new("results.csv"), COLUMNS, ([{"study": folder.name, **row}[column] for column in COLUMNS] for row in rows))
        new("summary.md").write_text(page(config, values, compared, collected(looks)))


def collected(rows: Sequence[Mapping[str, str]]) -> Values:
    """Rows of a table of results by arm, metric and seed, in the table's order."""
    values: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows:
        values.setdefault(row["arm"], {}).setdefault(row["metric"], {})[row["seed"]] = float(row["value"])
    return values


def read_costs(task: str) -> dict[tuple[str, str], dict[str, str]]:
    """Arm and seed → what the run took; empty without the record, which DVC does not keep."""
    file = REGRESSED / f"{task}.runs.csv"
    rows = read_table(file) if file.exists() else []
    return {(row["arm"], row["seed"]): {key: row[key] for key in COST} for row in rows}


def looked(looks: Looks, seeds: Sequence[str]) -> list[dict[str, str]]:
    """The area under the ROC curve of a fresh classifier of pixels, for each set and seed."""

    def pixels(file: str) -> np.ndarray:
        images = SampleFile(file).read(0, looks.count)
        if len(images) < looks.count:
            raise InputError(f"{file}: has {len(images)} samples, {looks.count} are compared; lower 'looks.count'")
        return images.x.reshape(len(images), -1)

    real, rows = pixels(looks.real), []
    for name, file in looks.sets.items():
        for seed in seeds:
            auc = classifier_two_sample_test(pixels(file.replace("{seed}", seed)), real, int(seed), looks.judge)["auc"]
            rows.append({"arm": name, "seed": seed, "metric": AUC, "value": f"{auc:.6g}"})
    return rows


def difference(pair: str, values: Values, metric: str, where: str) -> list[str]:
    """One line of the table of differences, paired over the seeds."""
    a, _, b = pair.partition(" - ")
    for arm in (a, b):
        if arm not in values:
            raise InputError(f"{where}: {pair!r} names no two arms; write 'a - b' with arms among {', '.join(values)}")
    first, second = values[a][metric], values[b][metric]
    shared = [seed for seed in first if seed in second]
    if len(shared) < 2:
        return [study.name(pair), *["needs two seeds"] * 2]
    found = paired_interval(np.array([first[s] for s in shared]), np.array([second[s] for s in shared]))
    return [study.name(pair), f"{found['mean']:+.3f}", f"{found['low']:+.3f} to {found['high']:+.3f}"]


def page(config: Regression, values: Values, compared: Sequence[Sequence[str]], looks: Values) -> str:
    """``summary.md``."""
    lines = [
        [study.name(arm), *(spread(of[metric]) for metric in config.metrics), spread(of[f"floor_{config.metrics[0]}"])]
        for arm, of in values.items()
    ]
    titles = [study.name(metric) for metric in config.metrics]
    seeds = len({seed for of in values.values() for seed in of[config.metrics[0]]})
    parts = [
        f"# {config.title}",
        f"Mean ± standard deviation; {seeds} seed{'s' * (seeds > 1)}. The floor is the mean of the training targets.",
        study.table(("arm", *titles, f"floor: {titles[0]}"), lines),
    ]
    if compared:
        parts += [study.table(("difference", titles[0], "95 % interval, paired over seeds"), compared)]
    if looks:
        told = [[study.name(name), spread(of[AUC])] for name, of in looks.items()]
        parts += ["Area under the ROC curve of a fresh classifier that tells images from real ones; 0.5 is chance.",
                  study.table(("images", "AUC"), told)]  # fmt: skip
    parts += ["\n".join(f"- {sentence}" for sentence in config.rests_on)]
    return "\n\n".join(part for part in parts if part) + "\n"


def spread(by_seed: Mapping[str, float]) -> str:
    """Mean ± standard deviation over seeds."""
    found = summary(np.array(list(by_seed.values())), "lower")
    return f"{found['mean']:.3f}" if found["sd"] is None else f"{found['mean']:.3f} ± {found['sd']:.3f}"


if __name__ == "__main__":
    made = stage.parser(__name__, reads_parameters=False, study="folder of the study, with its params.yaml")
    stage.run(main, made)

"""A study's table of regressors: every arm and seed, their differences, and how far simulated images look real.

    python -m pipelines.evaluate.regression studies/eyes

Reads ``evaluate.regression`` of the study's parameter file, what regress wrote of its task, and the sample files that
``looks`` names. Writes into the study's folder ``results.csv`` (study, arm, seed, metric, value, and what each run
took and ran on), ``summary.md`` and, where asked, ``samples.png``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from domain.config import Config, suggestion
from domain.errors import InputError
from domain.view import study
from pipelines import stage
from pipelines.classify import origin, table
from pipelines.evaluate import none_or_all
from pipelines.evaluate.arms import BySeed, Values, collected, difference, differences_table, spread
from pipelines.evaluate.looks import Looks, draw_samples, looked, looks_table
from pipelines.evaluate.runs import read_table

REGRESSED = Path("data/regressed")
COST = ("seconds", "hardware", "threads", "revision")
COLUMNS = ("study", "arm", "seed", "metric", "value", *COST)


@dataclass(frozen=True)
class Regression(Config):
    """``evaluate.regression``.

    Attributes:
        title: of the summary.
        task: folder of data/regressed.
        metrics: those of the summary's table, the first also for the differences; less is better in the first.
        differences: pairs of arms, each as ``a - b``.
        reference: an arm over which the first metric of all others is given too, seed by seed; none if left out.
        looks: what is compared with real images, or nothing.
        rests_on: sentences that end the summary.
    """

    title: str
    task: str
    metrics: tuple[str, ...]
    differences: tuple[str, ...] = ()
    reference: str = ""
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
    first = {arm: of[config.metrics[0]] for arm, of in values.items()}
    compared = [difference(pair, first, f"{where}.differences") for pair in config.differences]
    if config.reference:
        measured += over_reference(first, config, where)
        values = collected(measured)
    seeds = sorted({row["seed"] for row in measured})
    looks = looked(config.looks, seeds) if config.looks else []
    costs = read_costs(config.task)
    nothing = dict.fromkeys(COST, "")
    with none_or_all(folder) as new:
        rows = [{**row, **costs.get((row["arm"], row["seed"]), nothing)} for row in measured]
        rows += [{**row, "seconds": "", **origin()} for row in looks]
        table(new("results.csv"), COLUMNS, ([{"study": folder.name, **row}[column] for column in COLUMNS] for row in rows))
        caption = ""
        if config.looks and config.looks.picture:
            caption = draw_samples(config.looks, seeds, new("samples.png"))
        new("summary.md").write_text(page(config, values, compared, collected(looks), caption))


def over_reference(first: Mapping[str, BySeed], config: Regression, where: str) -> list[dict[str, str]]:
    """Rows of the first metric over that of the reference with the same seed."""
    if config.reference not in first:
        raise InputError(f"{where}.reference: no arm {config.reference!r}; {suggestion(config.reference, first)}")
    of = first[config.reference]
    return [
        {"arm": arm, "seed": seed, "metric": ratio(config), "value": f"{value / of[seed]:.6g}"}
        for arm, values in first.items() for seed, value in values.items() if seed in of
    ]


def ratio(config: Regression) -> str:
    """The name of the first metric over the reference's."""
    return f"{config.metrics[0]}_over_{config.reference}"


def read_costs(task: str) -> dict[tuple[str, str], dict[str, str]]:
    """Arm and seed → what the run took; empty without the record, which DVC does not keep."""
    file = REGRESSED / f"{task}.runs.csv"
    rows = read_table(file) if file.exists() else []
    return {(row["arm"], row["seed"]): {key: row[key] for key in COST} for row in rows}


def page(config: Regression, values: Values, compared: Sequence[Sequence[str]], looks: Values, caption: str) -> str:
    """``summary.md``."""
    metrics = (*config.metrics, ratio(config)) if config.reference else config.metrics
    floor = f"floor_{config.metrics[0]}"
    lines = [
        [study.name(arm), *(spread(of[metric]) if metric in of else "" for metric in metrics), spread(of[floor])]
        for arm, of in values.items()
    ]
    titles = [study.name(metric) for metric in metrics]
    seeds = len({seed for of in values.values() for seed in of[config.metrics[0]]})
    parts = [
        f"# {config.title}",
        f"Mean ± standard deviation; {study.seeds(seeds)}. The floor is the mean of the training targets.",
        study.table(("arm", *titles, f"floor: {titles[0]}"), lines),
    ]
    if compared:
        parts += [differences_table(compared, titles[0])]
    if looks:
        parts += looks_table(looks)
    if caption:
        parts += [f"![{caption}](samples.png)"]
    parts += ["\n".join(f"- {sentence}" for sentence in config.rests_on)]
    return "\n\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    made = stage.parser(__name__, reads_parameters=False, study="folder of the study, with its params.yaml")
    stage.run(main, made)

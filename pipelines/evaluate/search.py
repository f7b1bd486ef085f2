"""A study's tables of a random search: what tuning gives, and whether tuned methods differ more than seeds do.

    python -m pipelines.evaluate.search studies/equal_gans

Reads ``protocol`` and ``evaluate.search`` of the study's parameter file, and what ``pipelines/search.py`` wrote of
each method. The floor is real training images judged as the models' samples are. Writes into the study's folder
``results.csv`` (study, method, seed, metric, value, phase, trial, setting, and what it took where), ``summary.md``,
``budget.svg`` and ``trade.svg``.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from domain.config import Config, Count
from domain.errors import InputError
from domain.files import read_json
from domain.metrics.class_score import class_score
from domain.randomness import numpy_generator
from domain.samples import SampleFile
from domain.search import best_so_far, rank_correlation, spreads
from domain.view import comparisons, study
from pipelines import stage
from pipelines.classify import table
from pipelines.evaluate import Record, none_or_all
from pipelines.evaluate.yardstick import all_figures, feature_net
from pipelines.search import Protocol

COLUMNS = ("study", "method", "seed", "metric", "value", "phase", "trial", "setting")
COST = ("seconds", "hardware", "threads", "revision")
FLOOR = "floor"
TOLD = {  # of a final training, on test samples
    "feature_fid": "feature FID", "feature_kid": "feature KID", "class_score": "class score", "precision": "precision",
    "recall": "recall", "f1/8": "F1/8", "f8": "F8", "mmd_p": "MMD's p",
}  # fmt: skip


@dataclass(frozen=True)
class Search(Config):
    """``evaluate.search``.

    Attributes:
        title: of the summary.
        folder: with what the search wrote of each method.
        budgets: numbers of trials to compare at.
        resamples: of the bootstrap.
        methods: name → what it is, in words.
        adversarial: those that the claim is about.
        rests_on: sentences that end the summary.
    """

    title: str
    folder: str
    budgets: tuple[Count, ...]
    methods: Mapping[str, str]
    adversarial: tuple[str, ...]
    resamples: Count = 10_000
    rests_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.adversarial:
            if name not in self.methods:
                raise InputError(f"Search.adversarial: {name!r} is not among methods; add it there")


@dataclass(frozen=True)
class Found:
    """What the search wrote of one method: trials in order, figures by seed, and the cost of each run if known."""

    trials: Sequence[Record]
    seeds: Mapping[str, Record | None]
    costs: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, folder: Path) -> Found:
        file = folder.with_name(f"{folder.name}.runs.csv")
        costs = {}
        if file.exists():  # it does not come with what DVC pulls
            with open(file, newline="") as stream:
                costs = {row.pop("run"): row for row in csv.DictReader(stream)}
        return cls(read_json(folder / "trials.json"), read_json(folder / "seeds.json"), costs)

    def distances(self, phase: str) -> list[float]:
        """The Fréchet distance of each trial of a phase, infinite where it diverged."""
        kept = (trial["figures"] for trial in self.trials if trial["phase"] == phase)
        return [figures["feature_fid"] if figures else math.inf for figures in kept]

    def values(self, metric: str) -> np.ndarray:
        """One figure of each seed that did not diverge."""
        return np.array([figures[metric] for figures in self.seeds.values() if figures])


def main(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.study)
    where = (folder / "params.yaml").as_posix()
    config, protocol = stage.parameters(Search, where, "evaluate", "search"), stage.parameters(Protocol, where, "protocol")
    if max(config.budgets) > protocol.wide + protocol.narrow:
        raise InputError(f"{where}: evaluate.search.budgets: has {max(config.budgets)}, the protocol fewer trials; lower it")
    found = {name: Found.read(Path(config.folder) / name) for name in config.methods}
    curves = {name: bootstrap(name, one, config, protocol) for name, one in found.items()}
    least = floor(protocol)
    with none_or_all(folder) as new:
        table(new("results.csv"), (*COLUMNS, *COST), rows(folder.name, found, least))
        new("summary.md").write_text(page(found, curves, least, config, protocol))
        comparisons.best_so_far(curves, new("budget.svg"), "feature FID of the best trial")
        comparisons.trade(points(found), new("trade.svg"))


def bootstrap(name: str, found: Found, config: Search, protocol: Protocol) -> dict[int, tuple[float, float, float]]:
    """Budget → median and the middle 95 % of the best trial."""
    wide, narrow, rng = found.distances("wide"), found.distances("narrow"), numpy_generator(protocol.seed, "bootstrap", name)
    lowest = {budget: best_so_far(wide, narrow, budget, config.resamples, rng) for budget in config.budgets}
    cuts = {budget: np.percentile(values, (50, 2.5, 97.5), method="nearest") for budget, values in lowest.items()}
    return {budget: (float(middle), float(low), float(high)) for budget, (middle, low, high) in cuts.items()}


def floor(protocol: Protocol) -> Record:
    """The figures of real training images; of the test images their own class score, the mark to reach."""
    x, real = (SampleFile(protocol.samples, split).read(0, protocol.count).x for split in ("train", "test"))
    net = feature_net(protocol.features)
    figures = all_figures(net, x, real, protocol.seed)
    return {**figures, **class_score(net.classify(net.space.encode(real)).numpy())}


def points(found: Mapping[str, Found]) -> dict[str, dict[str, np.ndarray]]:
    """Method → figures of its trials that did not diverge."""
    kept = {name: [trial["figures"] for trial in one.trials if trial["figures"]] for name, one in found.items()}
    metrics = ("feature_fid", "precision", "recall")
    return {name: {metric: np.array([f[metric] for f in figures]) for metric in metrics} for name, figures in kept.items()}


def rows(name: str, found: Mapping[str, Found], least: Record) -> Iterator[tuple[object, ...]]:
    """The rows of ``results.csv``."""
    for method, one in found.items():
        runs: list[tuple[str, Any, str, Any]] = [
            ("", trial, trial["phase"], trial["figures"]) for trial in one.trials
        ]
        runs += [(seed, {"setting": {}}, "final", figures) for seed, figures in one.seeds.items()]
        for number, (seed, trial, phase, figures) in enumerate(runs):
            cost = one.costs.get(f"seed-{seed}" if seed else str(number), {})
            setting, made = json.dumps(trial["setting"]), [cost.get(key, "") for key in COST]
            for metric, value in (figures or {"diverged": 1.0}).items():
                yield name, method, seed, metric, f"{value:.6g}", phase, "" if seed else number, "" if seed else setting, *made
    for metric, value in least.items():
        yield name, FLOOR, "", metric, f"{value:.6g}", "final", "", "", *[""] * len(COST)


def page(
    found: Mapping[str, Found],
    curves: Mapping[str, Mapping[int, tuple[float, float, float]]],
    least: Record,
    config: Search,
    protocol: Protocol,
) -> str:
    """``summary.md``."""
    searched = (
        f"Feature FID of the best trial on {protocol.count:,} validation images, the median and the middle 95 % over "
        f"{config.resamples:,} resamples of the trials. The default is the first trial of every budget; the first "
        f"{protocol.wide} trials are drawn from wide ranges, {protocol.narrow} more from narrow ones around the best."
    )
    judged = (
        f"Each method's best setting, trained anew with {len(protocol.seeds)} seeds that chose nothing; mean ± standard "
        f"deviation on {protocol.count:,} test images. The floor is as many real training images; its class score is that "
        "of the test images."
    )
    titles = ("default alone" if budget == 1 else f"{budget} trials" for budget in config.budgets)
    lines = [[study.name(name), *(band(*curve[budget]) for budget in config.budgets)] for name, curve in curves.items()]
    finals = [final(study.name(name), one, config.methods[name]) for name, one in found.items()]
    finals.append([FLOOR, *(study.small(least[metric]) for metric in TOLD), "", "real images"])
    parts = [
        f"# {config.title}",
        claim(found, config),
        "## What tuning gives", searched,
        study.table(("method", *titles), lines),
        "![Best trial against the number of trials](budget.svg)",
        "## Tuned methods", judged,
        study.table(("method", *TOLD.values(), "diverged", "what it is"), finals),
        "![Feature FID of every trial against its precision and its recall](trade.svg)",
        agreement(found),
        "## What the figures rest on", "\n".join(f"- {sentence}" for sentence in config.rests_on),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def band(middle: float, low: float, high: float) -> str:
    """A median and its band; one figure where they are the same."""
    if low == high:
        return study.number(middle) if math.isfinite(middle) else "diverged"
    return f"{study.number(middle)} ({study.number(low)} to {study.number(high)})"


def final(name: str, found: Found, words: str) -> list[str]:
    """One line of the table of tuned methods."""
    cells, diverged = [name], sum(figures is None for figures in found.seeds.values())
    for metric in TOLD:
        values = found.values(metric)
        spread = float(values.std(ddof=1)) if len(values) > 1 else None
        cells.append(study.spread(float(values.mean()), spread) if len(values) else "")
    return [*cells, str(diverged or ""), words]


def claim(found: Mapping[str, Found], config: Search) -> str:
    """Whether tuned adversarial costs lie no further apart than the seeds of one."""
    groups = {name: found[name].values("feature_fid") for name in config.adversarial}
    short = [name for name, values in groups.items() if len(values) < 2]
    if short:
        return f"Nothing is claimed: fewer than two seeds of {', '.join(map(study.name, short))} came to their end."
    s = spreads(list(groups.values()))
    means = {name: float(values.mean()) for name, values in groups.items()}
    best, worst = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    holds = s["between"] <= s["within"]
    return (
        f"**The paper's claim, that tuned costs differ no more than seeds do, {'holds' if holds else 'does not hold'} here.** "
        f"The means of {len(groups)} tuned adversarial costs have a standard deviation of {study.small(s['between'])} in feature "
        f"FID, the seeds of one cost {study.small(s['within'])} (Kruskal-Wallis p = {study.small(s['p'])}); the lowest mean "
        f"is that of {study.name(best)}, {study.number(means[best])}, the highest that of {study.name(worst)}, {study.number(means[worst])}."
    )


def agreement(found: Mapping[str, Found]) -> str:
    """How the trials' Fréchet distance goes with their precision and recall."""
    kept, metrics = points(found), ("feature_fid", "precision", "recall")
    every = {metric: np.concatenate([one[metric] for one in kept.values()]) for metric in metrics}
    both = [study.small(rank_correlation(every["feature_fid"], every[metric])) for metric in ("precision", "recall")]
    return (
        f"Over all {len(every['feature_fid'])} trials that came to their end, the rank correlation of feature FID is {both[0]} "
        f"with precision and {both[1]} with recall: a distance alone does not say which of the two is missing."
    )


if __name__ == "__main__":
    made = stage.parser(__name__, reads_parameters=False, study="folder of the study, with its params.yaml")
    stage.run(main, made)

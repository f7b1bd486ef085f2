"""A study's table of surrogates: each seed of each beside samples of the simulator that nobody learned from.

    python -m pipelines.evaluate.surrogates studies/tpc

Reads ``evaluate.surrogates`` of the study's parameter file and the models it names. Half of the held-out samples
is compared with, the other half stands as the surrogate ``floor``. Writes into the study's folder ``results.csv``
(surrogate, seed, metric, value, and where each model was judged), ``summary.md``, ``observables.svg`` and
``averages.png``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler

from domain import models
from domain.config import Config, Count, Natural
from domain.metrics import pictures as measures
from domain.metrics.coverage import copying, prdc
from domain.metrics.physics_distance import fpd, kpd
from domain.metrics.separation import separation_power, wasserstein
from domain.metrics.two_sample import Judge, classifier_two_sample_test
from domain.randomness import torch_generator
from domain.samples import SampleFile, Samples
from domain.view import pictures, plots, study
from pipelines import launch, stage
from pipelines.classify import origin, table
from pipelines.evaluate import held_out, none_or_all

FLOOR = "floor"
SHOWN = ("total", "hits", "row_width", "column_width", "tilt", "contrast")
TOLD = {  # metric → column of the summary
    "auc_low": "AUC, pixels",
    "auc_high": "AUC, observables",
    "fpd": "FPD × 10³",
    "kpd": "KPD × 10³",
    "separation_worst": "worst separation × 10³",
    "coverage": "coverage",
    "copies": "nearer than held-out",
}
THOUSANDTHS = ("fpd", "kpd", "separation_worst")


@dataclass(frozen=True)
class Surrogates(Config):
    """``evaluate.surrogates``.

    Attributes:
        title: of the summary.
        samples: the file that the surrogates learned from.
        shape: rows and columns of one of its pictures.
        surrogates: name → folder with one model directory a seed.
        seeds: of the models, and of what each draws.
        count: held-out samples a side.
        judge: the two-sample test's classifier.
        rests_on: sentences that end the summary.
    """

    title: str
    samples: str
    shape: tuple[Count, Count]
    surrogates: Mapping[str, str]
    seeds: tuple[Natural, ...]
    count: Count
    judge: Judge = Judge()
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Side:
    """Pictures (N, cells) given conditions (N, C), and what is seen of them.

    Attributes:
        least: the smallest deposit of the reference, the unit of :attr:`low`.
    """

    x: np.ndarray
    condition: np.ndarray
    shape: tuple[int, int]
    least: float

    @property
    def observables(self) -> dict[str, np.ndarray]:
        """(N,) each."""
        return measures.observables(self.x, self.shape)

    @property
    def high(self) -> np.ndarray:
        """Conditions, ln(total) and the other observables, (N, D)."""
        columns = self.observables
        columns["total"] = np.log(np.maximum(columns["total"], self.least))
        return np.column_stack([self.condition, *columns.values()])

    @property
    def low(self) -> np.ndarray:
        """Conditions and ln(1 + deposit / least), (N, D)."""
        return np.column_stack([self.condition, np.log1p(self.x / self.least)])


def main(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.study)
    config = stage.parameters(Surrogates, (folder / "params.yaml").as_posix(), "evaluate", "surrogates")
    reference, other, training = sides(config)
    tasks = [(config, name, seed, reference, training) for name in config.surrogates for seed in config.seeds]
    with launch.executor() as pool:
        judged = dict(zip([task[1:3] for task in tasks], launch.ordered(pool, surrogate, tasks)))
    drawn = {name: judged[name, config.seeds[0]][0] for name in config.surrogates}
    measured = {key: values for key, (_, values) in judged.items()}
    measured |= {(FLOOR, seed): compared(other, reference, training, config, seed) for seed in config.seeds}
    with none_or_all(folder) as new:
        table(new("results.csv"), ("surrogate", "seed", "metric", "value", *origin()), rows(measured))
        new("summary.md").write_text(page(measured, config))
        draw({"simulator": reference, **drawn, FLOOR: other}, new("observables.svg"), new("averages.png"))


def sides(config: Surrogates) -> tuple[Side, Side, Side]:
    """The reference, as many held-out samples more, and the training samples."""
    source = Path(config.samples)
    held = held_out(source, 2 * config.count)
    file = SampleFile(source)
    training = SampleFile(source, "train").read() if "split" in file.columns else file.read(0, len(file) - len(held))
    halves = held.select(slice(0, config.count)), held.select(slice(config.count, None))
    x = halves[0].x
    least = float(x[x > 0].min())

    def side(samples: Samples) -> Side:
        return Side(samples.x.reshape(len(samples), -1), samples.condition, config.shape, least)

    return side(halves[0]), side(halves[1]), side(training)


def surrogate(
    config: Surrogates, name: str, seed: int, reference: Side, training: Side
) -> tuple[Side, dict[str, float]]:
    """What one model draws at the reference's conditions, and its figures."""
    model = models.load(Path(config.surrogates[name]) / str(seed))
    condition = torch.from_numpy(reference.condition)
    x = model.sample(len(condition), torch_generator(seed, "evaluate", name), condition=condition)
    drawn = Side(model.space.decode(x).reshape(len(x), -1), reference.condition, config.shape, reference.least)
    return drawn, compared(drawn, reference, training, config, seed)


def compared(side: Side, reference: Side, training: Side, config: Surrogates, seed: int) -> dict[str, float]:
    """Every figure of one set of samples against the reference."""
    high, low = (side.high, reference.high), (side.low, reference.low)
    scaler = StandardScaler().fit(reference.high)
    a, b, known = (scaler.transform(each.high) for each in (side, reference, training))
    ours, theirs = side.observables, reference.observables
    separation = {name: separation_power(ours[name], theirs[name])["separation"] for name in theirs}
    return {
        "auc_high": classifier_two_sample_test(*high, seed, config.judge)["auc"],
        "auc_low": classifier_two_sample_test(*low, seed, config.judge)["auc"],
        "fpd": fpd(b, a, min_samples=len(b) // 2, max_samples=len(b))["fpd"],
        "kpd": kpd(b, a, batch_size=min(5000, len(b)))["kpd"],
        **{f"separation_{name}": value for name, value in separation.items()},
        "separation_worst": max(separation.values()),
        **{f"wasserstein_{name}": wasserstein(ours[name], theirs[name])["wasserstein"] for name in theirs},
        **prdc(b, a),
        "copies": copying(a, known, b)["nearer"],
    }


def rows(measured: Mapping[tuple[str, int], Mapping[str, float]]) -> Iterator[tuple[object, ...]]:
    """The rows of ``results.csv``."""
    made = tuple(origin().values())
    for (name, seed), values in measured.items():
        for metric, value in values.items():
            yield name, seed, metric, f"{value:.6g}", *made


def page(measured: Mapping[tuple[str, int], Mapping[str, float]], config: Surrogates) -> str:
    """``summary.md``."""
    names = dict.fromkeys(name for name, _ in measured)
    lines = []
    for name in names:
        cells = [study.name(name)]
        for metric in TOLD:
            values = np.array([values[metric] for (who, _), values in measured.items() if who == name])
            values *= 1000 if metric in THOUSANDTHS else 1
            cells.append(f"{values.mean():.3f} ± {values.std(ddof=1):.3f}" if len(values) > 1 else f"{values.mean():.3f}")
        lines.append(cells)
    text = (
        f"Mean ± standard deviation over {len(config.seeds)} seeds; {config.count:,} drawn samples against as many of the "
        "simulator, given the same conditions. The floor is other samples of the simulator, seeds of the judge alone: "
        "0.5 is the AUC of what cannot be told apart, and half of what copies nothing is nearer than held-out samples are."
    )
    parts = [
        f"# {config.title}", text, study.table(("surrogate", *TOLD.values()), lines),
        "![Observables; below each, the ratio to the simulator](observables.svg)",
        "![Average pictures: the simulator, each surrogate, other samples of the simulator](averages.png)",
        "\n".join(f"- {sentence}" for sentence in config.rests_on),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def draw(drawn: Mapping[str, Side], observables: Path, averages: Path) -> None:
    """Histograms with ratios, and average pictures side by side."""
    values = {name: side.observables for name, side in drawn.items()}
    panels = []
    for name in SHOWN:
        edges = np.linspace(*np.quantile(values["simulator"][name], (0.005, 0.995)), 41)
        series = {study.name(who): np.histogram(columns[name], edges)[0] for who, columns in values.items()}
        panels.append((measures.OBSERVABLES[name], edges, series))
    plots.histograms(panels, observables)
    pictures.heat(np.stack([side.x.mean(0).reshape(side.shape) for side in drawn.values()]), averages)


if __name__ == "__main__":
    made = stage.parser(__name__, reads_parameters=False, study="folder of the study")
    stage.run(main, made)

"""A study's tables of mode coverage: each seed of each generator on Gaussians whose places are known.

    python -m pipelines.evaluate.modes studies/modes

Reads ``evaluate.modes`` of the study's parameter file, the simulated mixtures and the models that it names. Other
samples of the simulator stand as the method ``floor``. Writes into the study's folder ``results.csv`` (study,
method, seed, metric, value, mixture, budget, and where it was measured), ``summary.md``, ``samples.png`` and
``orbit.svg``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain import models
from domain.config import Config, Count, Natural
from domain.metrics.modes import gaussian_modes
from domain.objectives.games import orbit
from domain.randomness import torch_generator, torch_seed
from domain.samples import SampleFile
from domain.simulators.mixture import Mixture
from domain.view import plots, study
from pipelines import stage
from pipelines.classify import origin, table
from pipelines.evaluate import none_or_all

FLOOR = "floor"
COLUMNS = ("study", "method", "seed", "metric", "value", "mixture", "budget")
TOLD = {"modes": "modes", "high_quality": "high quality [%]", "kl": "KL [nats]"}
RATE, STEPS = 0.1, 200  # of the smallest game

Cell = tuple[str, str, str, int]
Measured = Mapping[Cell, Mapping[str, float]]


@dataclass(frozen=True)
class Modes(Config):
    """``evaluate.modes``.

    Attributes:
        title: of the summary.
        models: folder with ``<mixture>-<budget>-<method>/<seed>``.
        mixtures: name → simulated sample file.
        budgets: name → what it is, in words.
        methods: name → what it is, in words.
        seeds: of the models, and of what each draws.
        count: samples that each draws.
        rests_on: sentences that end the summary.
    """

    title: str
    models: str
    mixtures: Mapping[str, str]
    budgets: Mapping[str, str]
    methods: Mapping[str, str]
    seeds: tuple[Natural, ...]
    count: Count = 10_000
    rests_on: tuple[str, ...] = ()


def main(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.study)
    config = stage.parameters(Modes, (folder / "params.yaml").as_posix(), "evaluate", "modes")
    mixtures = {name: mixture(Path(file)) for name, file in config.mixtures.items()}
    drawn = dict(samples(config, mixtures))
    measured = {
        cell: gaussian_modes(x, mixtures[cell[0]].centres, mixtures[cell[0]].deviation) for cell, x in drawn.items()
    }
    with none_or_all(folder) as new:
        table(new("results.csv"), (*COLUMNS, *origin()), rows(measured, folder.name))
        new("summary.md").write_text(page(measured, config, mixtures))
        draw(drawn, config, mixtures, new("samples.png"))
        ways = {title: orbit((1.0, 0.0), RATE, STEPS, turn).numpy() for title, turn in (("together", False), ("in turn", True))}
        plots.orbits(ways, new("orbit.svg"))


def mixture(file: Path) -> Mixture:
    """The simulator that made a sample file."""
    about = SampleFile(file).about
    return Mixture.parse(about.parameters.get("options"), f"{file}: the attribute 'parameters': options")


def samples(config: Modes, mixtures: Mapping[str, Mixture]) -> Iterator[tuple[Cell, np.ndarray]]:
    """(mixture, budget, method, seed) → what that model draws, (count, 2); the simulator's own last."""
    for name, simulator in mixtures.items():
        for budget in config.budgets:
            for method in config.methods:
                for seed in config.seeds:
                    model = models.load(Path(config.models) / f"{name}-{budget}-{method}" / str(seed))
                    x = model.sample(config.count, torch_generator(seed, "evaluate", name, budget, method))
                    yield (name, budget, method, seed), model.space.decode(x)
            for seed in config.seeds:
                yield (name, budget, FLOOR, seed), simulator.simulate(config.count, torch_seed(seed, "floor", budget)).x


def rows(measured: Measured, name: str) -> Iterator[tuple[object, ...]]:
    """The rows of ``results.csv``."""
    made = tuple(origin().values())
    for (mixture, budget, method, seed), values in measured.items():
        for metric, value in values.items():
            yield name, method, seed, metric, f"{value:.6g}", mixture, budget, *made


def page(measured: Measured, config: Modes, mixtures: Mapping[str, Mixture]) -> str:
    """``summary.md``."""
    text = (
        f"Mean ± standard deviation over {study.seeds(len(config.seeds))}, {config.count:,} samples each. A sample is of high quality "
        "within three deviations of its nearest Gaussian, a mode is covered by one such sample, and KL is that of "
        "the share of all samples nearest to each Gaussian to the uniform share. The floor is the simulator itself."
    )
    parts = [f"# {config.title}", text]
    for name, simulator in mixtures.items():
        for budget, words in config.budgets.items():
            parts.append(f"## {simulator.modes} Gaussians on a {simulator.layout}, {words}")
            lines = [cells(measured, (name, budget, method), config) for method in (*config.methods, FLOOR)]
            parts.append(study.table(("method", *TOLD.values(), "what it is"), lines))
    parts += [
        "![Samples of the first seed](samples.png)",
        "## Why games circle",
        "The smallest game, v(a, b) = a b, has its equilibrium at (0, 0). Gradient steps that both players take from "
        "the same point spiral out, steps in turn stay on an ellipse; neither comes closer.",
        "![Gradient steps on v(a, b) = a b](orbit.svg)",
        "## What the figures rest on",
        "\n".join(f"- {sentence}" for sentence in config.rests_on),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def cells(measured: Measured, row: tuple[str, str, str], config: Modes) -> Sequence[str]:
    """One line of a table."""
    method, line = row[2], [study.name(row[2])]
    for metric in TOLD:
        values = np.array([measured[(*row, seed)][metric] for seed in config.seeds])
        values *= 100 if metric == "high_quality" else 1
        line.append(study.spread(values.mean(), values.std(ddof=1) if len(values) > 1 else None))
    return [*line, config.methods.get(method, "other samples of the simulator")]


def draw(drawn: Mapping[Cell, np.ndarray], config: Modes, mixtures: Mapping[str, Mixture], path: Path) -> None:
    """Samples of the first seed, a row for each mixture and budget."""
    panels: dict[str, dict[str, np.ndarray]] = {}
    reach: dict[str, float] = {}
    for (name, budget, method, seed), x in drawn.items():
        if seed == config.seeds[0]:
            panels.setdefault(f"{name}, {budget}", {})[study.name(method).replace(" ", "\n")] = x
            reach[f"{name}, {budget}"] = 1.1 * mixtures[name].about().range[1]
    plots.densities(panels, reach, path)


if __name__ == "__main__":
    made = stage.parser(__name__, reads_parameters=False, study="folder of the study, with its params.yaml")
    stage.run(main, made)

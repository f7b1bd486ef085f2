"""Compare every surrogate's showers with held-out simulated ones, and time both.

    python -m pipelines.evaluate.showers data/evaluation/showers

Reads the surrogates and simulated files that ``evaluate.showers`` names. Writes a JSON file and a
folder of pictures and plots of that name; beside them ``speed.json``, which holds wall times: two
runs never share them, so it is no tracked output.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from domain import models
from domain.config import Config, Count, Natural
from domain.files import write_json
from domain.geometry import CALOGAN
from domain.metrics.separation import separation_power
from domain.metrics.showers import OBSERVABLES, energy_response, features_high, features_low, observables
from domain.metrics.speed import milliseconds_each, processor
from domain.metrics.two_sample import Judge, classifier_two_sample_test
from domain.randomness import torch_generator
from domain.simulators import SIMULATORS
from domain.view import pictures, plots
from pipelines import launch, stage
from pipelines.evaluate import Record, figure, held_out, history, write

SHOWN = ("response", "fraction_0", "shower_depth", "width_x_1", "ratio_1", "sparsity_1")
Sides = Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Showers(Config):
    """``evaluate.showers``.

    Attributes:
        surrogates: folders of data/surrogates → the simulated file that each learned from.
        count: showers a side; as many more, at the end of the file, are the floor.
        bins: edges of the energy bins in GeV.
        judge: the two-sample test's classifier.
        batches: showers made at once where both sides are timed.
        seed: of samples and of fresh classifiers.
    """

    surrogates: Mapping[str, str]
    count: Count = 5000
    bins: tuple[float, ...] = (1.0, 20.0, 40.0, 60.0, 80.0, 100.0)
    judge: Judge = Judge()
    batches: tuple[Count, ...] = (1, 100, 10000)
    seed: Natural = 0


def main(arguments: argparse.Namespace) -> None:
    config, out = stage.parameters(Showers, arguments.params, "evaluate", "showers"), Path(arguments.out)
    write(out, lambda folder: measure(config, folder))
    write_json(out.with_name("speed.json"), speed(config))


def measure(config: Showers, out: Path) -> Record:
    """Every surrogate against held-out showers; other held-out showers are the floor."""
    entries: Record = {}
    figures: list[Record] = []
    for name, simulator in config.surrogates.items():
        directory = Path("data/surrogates") / name
        sides = both_sides(directory, Path("data/simulated") / f"{simulator}.h5", config)
        response = responses(sides, config.bins)
        entries[name] = {"observables": separations(sides), "auc": two_sample(sides, config), "response": response}
        figures += draw(name, sides, response, out)
        plots.curves(history(directory), out / f"{name}-training.svg")
        figures.append(figure(out, f"{name}-training.svg", f"{name}: training curves.", f"training curves of {name}"))
    return {"surrogates": entries, "figures": figures}


def both_sides(directory: Path, source: Path, config: Showers) -> Sides:
    """Cells (N, 504) in MeV and incident energies (N,) in GeV of simulator, surrogate, and simulator again."""
    held = held_out(source, 2 * config.count)
    reference, other = held.select(slice(0, config.count)), held.select(slice(config.count, None))
    model, condition = models.load(directory), torch.from_numpy(reference.condition)
    x = model.space.decode(model.sample(len(condition), torch_generator(config.seed, directory.name), condition=condition))
    return {
        "simulator": (reference.x, reference.condition[:, 0]),
        "surrogate": (x, reference.condition[:, 0]),
        "simulator again": (other.x, other.condition[:, 0]),
    }


def separations(sides: Sides) -> Record:
    """Separation power of each observable, less its expected bias, beside the simulator's with itself."""
    values = {side: observables(*arrays) for side, arrays in sides.items()}
    measured: Record = {}
    for name, axis in OBSERVABLES.items():
        power = separation_power(values["surrogate"][name], values["simulator"][name])
        again = separation_power(values["simulator again"][name], values["simulator"][name])
        measured[name] = {
            "label": str(axis),
            "separation": power["separation"],
            "floor": again["separation"],
            "bias": power["floor"],
        }
    return measured


def two_sample(sides: Sides, config: Showers) -> Record:
    """AUC of a fresh classifier on observables (high) and on cells (low), with its null."""
    levels: Record = {}
    for level, features in (("high", features_high), ("low", features_low)):
        rows = {side: features(*arrays) for side, arrays in sides.items()}
        test = classifier_two_sample_test(rows["surrogate"], rows["simulator"], config.seed, config.judge)
        null = classifier_two_sample_test(rows["simulator again"], rows["simulator"], config.seed, config.judge)
        levels[level] = {"value": test["auc"], "error": test["auc_error"], "floor": null["auc"]}
    return levels


def responses(sides: Sides, bins: tuple[float, ...]) -> list[Record]:
    """Bias and resolution of the total energy in each bin of the incident energy."""
    simulator, surrogate = (energy_response(*sides[side], bins) for side in ("simulator", "surrogate"))
    return [
        {
            "low": a.low,
            "high": a.high,
            "simulator_bias": a.bias,
            "simulator_resolution": a.resolution,
            "surrogate_bias": b.bias,
            "surrogate_resolution": b.resolution,
        }
        for a, b in zip(simulator, surrogate)
    ]


def draw(name: str, sides: Sides, response: list[Record], out: Path) -> list[Record]:
    """Average showers, observables with ratios, and the energy response."""
    values = {side: observables(*arrays) for side, arrays in sides.items()}
    panels = []
    for observable in SHOWN:
        edges = np.linspace(*np.quantile(values["simulator"][observable], (0.005, 0.995)), 41)
        series = {side: np.histogram(values[side][observable], edges)[0] for side in sides}
        panels.append((str(OBSERVABLES[observable]), edges, series))
    plots.histograms(panels, out / f"{name}-observables.svg")
    plots.response(response, out / f"{name}-response.svg")
    averages = {side: CALOGAN.split(sides[side][0].mean(0)) for side in ("simulator", "surrogate")}
    pictures.layers(averages, CALOGAN.sizes, out / f"{name}.png")
    return [
        figure(out, f"{name}.png", "Average showers in the three layers, MeV per cell, logarithmic: simulator above, surrogate below.", f"average showers, {name}"),
        figure(out, f"{name}-observables.svg", "Observables; below each, the ratio to the simulator, whose second sample is the floor.", f"observables, {name}"),
        figure(out, f"{name}-response.svg", "Energy response: bias and resolution against incident energy.", f"energy response, {name}"),
    ]


def speed(config: Showers) -> Record:
    """Milliseconds a shower, simulator and surrogate side by side in this very run."""
    rows = [
        {"surrogate": name, "batch": batch, **race(name, simulator, batch, config.seed)}
        for name, simulator in config.surrogates.items()
        for batch in config.batches
    ]
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"hardware": processor(), "threads": launch.threads(), "measured": now, "rows": rows}


def race(name: str, simulator_name: str, batch: int, seed: int) -> dict[str, float]:
    """Both at one batch size."""
    model, simulator = models.load(Path("data/surrogates") / name), SIMULATORS[simulator_name]()
    slow = milliseconds_each(lambda count: simulator.simulate(count, seed), batch)
    fast = milliseconds_each(lambda count: model.sample(count, torch_generator(seed, "speed")), batch)
    return {"simulator_ms": slow, "surrogate_ms": fast, "ratio": slow / fast}


if __name__ == "__main__":
    stage.run(main, stage.parser(__name__, out="name of the JSON file and the folder to write"))

"""Compare every surrogate's showers with held-out simulated ones, and time both.

    python -m pipelines.evaluate.showers data/evaluation/showers

Reads the surrogates and simulated files that ``evaluate.showers`` names, one of them simulated particle by
particle, whose layers are set beside GFLASH's. Writes a JSON file and a
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
from domain.metrics.physics_distance import fpd, kpd
from domain.metrics.separation import separation_power, wasserstein
from domain.metrics.showers import (
    OBSERVABLES,
    energy_response,
    features_high,
    features_low,
    linearity,
    observables,
)
from domain.metrics.speed import milliseconds_each, processor
from domain.metrics.two_sample import Judge, classifier_two_sample_test
from domain.randomness import torch_generator
from domain.samples import SampleFile
from domain.simulators import SIMULATORS
from domain.simulators.gflash import GFlash
from domain.view import pictures, plots
from pipelines import launch, stage
from pipelines.evaluate import Record, figure, held_out, history, write

SHOWN = ("response", "fraction_0", "shower_depth", "width_x_1", "ratio_1", "sparsity_1")
KPD_BATCH = 2000  # showers; jetnet's 5,000 take six times as long
Sides = Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Showers(Config):
    """``evaluate.showers``.

    Attributes:
        surrogates: folders of data/surrogates → the simulated file that each learned from.
        cascade: the file of showers simulated particle by particle, in every slab.
        count: showers a side; as many more, at the end of the file, are the floor.
        bins: edges of the energy bins in GeV.
        judge: the two-sample test's classifier.
        batches: showers made at once where both sides are timed.
        seed: of samples and of fresh classifiers.
    """

    surrogates: Mapping[str, str]
    cascade: str
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
        entries[name] = {
            "observables": separations(sides),
            "auc": two_sample(sides, config),
            "distances": distances(sides, config.bins),
            "response": response,
        }
        figures += draw(name, sides, config.bins, out)
        plots.curves(history(directory), out / f"{name}-training.svg")
        figures.append(figure(out, f"{name}-training.svg", f"{name}: training curves.", f"training curves of {name}"))
    return {"surrogates": entries, "layers": layers(config), "figures": figures}


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


def layers(config: Showers) -> list[Record]:
    """Each layer's share of the energy, particle by particle and by GFLASH at the same energies."""
    samples = SampleFile(Path("data/simulated") / f"{config.cascade}.h5").read()
    energy = samples.condition[:, 0]
    formula = GFlash(scoring="total", threshold=0.0)
    drawn = formula.showers(torch.from_numpy(energy), torch_generator(config.seed, "gflash")).numpy()
    sides = {"cascade": observables(samples.x, energy), "gflash": observables(drawn, energy)}
    return [
        {
            "layer": layer,
            **{f"{side}_mean": float(values[f"fraction_{layer}"].mean()) for side, values in sides.items()},
            **{f"{side}_sd": float(values[f"fraction_{layer}"].std()) for side, values in sides.items()},
            "energy": float(energy.mean()),
            "count": len(energy),
        }
        for layer in range(len(CALOGAN.shapes))
    ]


def distances(sides: Sides, bins: tuple[float, ...]) -> Record:
    """FPD and KPD of observables, the farthest observable, and how straight the response is, each with its floor."""
    values = {side: observables(*arrays) for side, arrays in sides.items()}
    features = {side: features_high(*arrays) for side, arrays in sides.items()}
    real, size = features["simulator"], len(features["simulator"])
    spread = [name for name in OBSERVABLES if values["simulator"][name].std() > 0]
    measured: Record = {name: {} for name in ("fpd", "kpd", "wasserstein_worst", "linearity")}
    for key, side in (("value", "surrogate"), ("floor", "simulator again")):
        apart = [wasserstein(values[side][name], values["simulator"][name])["wasserstein"] for name in spread]
        measured["fpd"][key] = fpd(real, features[side], min_samples=size // 2, max_samples=size)["fpd"]
        measured["kpd"][key] = kpd(real, features[side], batch_size=min(KPD_BATCH, size))["kpd"]
        measured["wasserstein_worst"][key] = max(apart)
        measured["linearity"][key] = linearity(*sides[side], bins).deviation
    return measured


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


def draw(name: str, sides: Sides, bins: tuple[float, ...], out: Path) -> list[Record]:
    """Average showers, observables with ratios, and the energy response."""
    values = {side: observables(*arrays) for side, arrays in sides.items()}
    panels = []
    for observable in SHOWN:
        edges = np.linspace(*np.quantile(values["simulator"][observable], (0.005, 0.995)), 41)
        series = {side: np.histogram(values[side][observable], edges)[0] for side in sides}
        panels.append((str(OBSERVABLES[observable]), edges, series))
    plots.histograms(panels, out / f"{name}-observables.svg")
    plots.response({side: energy_response(*arrays, bins) for side, arrays in sides.items()}, out / f"{name}-response.svg")
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

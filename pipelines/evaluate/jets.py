"""Describe the simulated jets, class by class.

    python -m pipelines.evaluate.jets data/evaluation/jets

Reads the sample file that ``evaluate.jets`` names. Writes a JSON file and a folder of pictures and
plots of that name.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from domain.config import Config
from domain.samples import SampleFile, Samples
from domain.view import pictures, plots
from pipelines import stage
from pipelines.evaluate import Record, figure, write

CLASSES = ("QCD", "W")


@dataclass(frozen=True)
class Jets(Config):
    """``evaluate.jets``.

    Attributes:
        samples: name of the file under data/simulated.
        bin: width in GeV of the bins whose fullest gives the mass peak.
    """

    samples: str
    bin: float = 2.0


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Jets, arguments.params, "evaluate", "jets")
    write(Path(arguments.out), lambda out: measure(config, out))


def measure(config: Jets, out: Path) -> Record:
    """Mass, transverse momentum and τ21 of each class, and how well τ21 alone tells them apart."""
    samples = SampleFile(Path("data/simulated") / f"{config.samples}.h5").read()
    columns = dict(zip(samples.about.condition, samples.condition.T))
    draw(samples, columns, out)
    return {
        "classes": {
            name: {
                "count": int((samples.label == k).sum()),
                "mass_median": float(np.median(columns["mass"][samples.label == k])),
                "mass_peak": peak(columns["mass"][samples.label == k], config.bin),
                "tau21_median": float(np.median(columns["tau21"][samples.label == k])),
                "pt_median": float(np.median(columns["pt"][samples.label == k])),
            }
            for k, name in enumerate(CLASSES)
        },
        "tau21_auc": float(roc_auc_score(samples.label == 0, columns["tau21"])),
        "figures": [
            figure(out, "averages.png", "The average QCD jet and the average W jet, GeV per pixel, logarithmic.", "average jets"),
            figure(out, "observables.svg", "Mass, transverse momentum and τ21; below each, the ratio to QCD.", "jet observables"),
        ],
    }


def peak(values: np.ndarray, width: float) -> float:
    """The middle of the fullest bin of this width."""
    counts, edges = np.histogram(values, np.arange(np.floor(values.min()), values.max() + width, width))
    return float(edges[counts.argmax()] + width / 2)


def draw(samples: Samples, columns: dict[str, np.ndarray], out: Path) -> None:
    """Average images and histograms of the conditions."""
    panels = []
    for (name, values), unit in zip(columns.items(), samples.about.units):
        edges = np.linspace(*np.quantile(values, (0.002, 0.998)), 31)
        series = {kind: np.histogram(values[samples.label == k], edges)[0] for k, kind in enumerate(CLASSES)}
        panels.append((f"{name} [{unit}]" if unit else name, edges, series))
    plots.histograms(panels, out / "observables.svg")
    averages = np.stack([samples.x[samples.label == k, 0].mean(0) for k in range(len(CLASSES))])
    pictures.heat(averages, out / "averages.png")


if __name__ == "__main__":
    stage.run(main, stage.parser(__name__, out="name of the JSON file and the folder to write"))

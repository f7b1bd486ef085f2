"""Compare raw and refined simulated images with held-out real ones.

    python -m pipelines.evaluate.refinement data/evaluation/refinement

Reads the refined, simulated and prepared files that ``evaluate.refinement`` names, and
``evaluate.images``. Writes a JSON file and a folder of pictures of that name.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.config import Config
from domain.samples import SampleFile, Samples
from domain.view import pictures
from pipelines import stage
from pipelines.evaluate import Record, figure, write
from pipelines.evaluate.yardstick import Images, Yardstick

SHOWN = 16


@dataclass(frozen=True)
class Refinement(Config):
    """``evaluate.refinement``.

    Attributes:
        pairs: files of data/refined → names of the simulated and of the prepared real file.
    """

    pairs: Mapping[str, tuple[str, str]]


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Refinement, arguments.params, "evaluate", "refinement")
    images = stage.parameters(Images, arguments.params, "evaluate", "images")
    write(Path(arguments.out), lambda out: measure(config, images, out))


def measure(config: Refinement, images: Images, out: Path) -> Record:
    """Each pair: raw, refined, and real training images as the floor."""
    pairs: Record = {}
    figures: list[Record] = []
    for pair, (simulated, real) in config.pairs.items():
        yardstick = Yardstick.of(real, images)
        raw = SampleFile(Path("data/simulated") / f"{simulated}.h5").read(0, images.count)
        refined = SampleFile(Path("data/refined") / f"{pair}.h5").read(0, images.count)
        space = yardstick.features.space
        pairs[pair] = {
            "raw": judged(yardstick, raw),
            "refined": judged(yardstick, refined),
            "floor": {**yardstick.measure(yardstick.training.x), "label_agreement": agreement(yardstick, yardstick.test)},
            "change": float((space.encode(refined.x) - space.encode(raw.x)).abs().mean()),
        }
        shown = [side.x[:SHOWN] for side in (yardstick.training, raw, refined)]
        difference = shown[2].astype(np.float32) - shown[1].astype(np.float32)
        pictures.rows(shown, raw.about.range, out / f"{pair}.png", difference=difference)
        caption = f"{pair}: real, simulated, refined, and refined minus simulated."
        figures.append(figure(out, f"{pair}.png", caption, f"real, simulated and refined images, {pair}"))
    return {"pairs": pairs, "figures": figures}


def judged(yardstick: Yardstick, samples: Samples) -> Record:
    """How real the images look, and whether their labels still fit."""
    return {**yardstick.measure(samples.x), "label_agreement": agreement(yardstick, samples)}


def agreement(yardstick: Yardstick, samples: Samples) -> float:
    """How often a classifier trained on real images reads the label that the sample carries."""
    features = yardstick.features
    predicted = features.classify(features.space.encode(samples.x)).argmax(1).numpy()
    return float((predicted == samples.label).mean())


if __name__ == "__main__":
    stage.run(main, stage.parser(__name__, out="name of the JSON file and the folder to write"))

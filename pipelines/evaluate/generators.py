"""Compare every generator's images with held-out real ones.

    python -m pipelines.evaluate.generators data/evaluation/generators

Reads the models and prepared data that ``evaluate.generators`` names, and ``evaluate.images``.
Writes a JSON file and a folder of pictures and plots of that name.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain import models
from domain.config import Config
from domain.metrics.coverage import nearest_training
from domain.randomness import torch_generator
from domain.samples import Samples
from domain.system import CanRate, System, capabilities
from domain.view import pictures, plots
from pipelines import stage
from pipelines.evaluate import Record, figure, history, write
from pipelines.evaluate.yardstick import Images, Yardstick

SHOWN = 16


@dataclass(frozen=True)
class Generators(Config):
    """``evaluate.generators``.

    Attributes:
        models: folders of data/models → the prepared data set that each learned from.
    """

    models: Mapping[str, str]


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Generators, arguments.params, "evaluate", "generators")
    images = stage.parameters(Images, arguments.params, "evaluate", "images")
    write(Path(arguments.out), lambda out: measure(config, images, out))


def measure(config: Generators, images: Images, out: Path) -> Record:
    """Every generator against held-out real images; real training images are the floor."""
    entries: Record = {}
    floor: Record = {}
    figures: list[Record] = []
    for name, dataset in config.models.items():
        directory, yardstick = Path("data/models") / name, Yardstick.of(dataset, images)
        model = models.load(directory)
        x = model.space.decode(model.sample(images.count, torch_generator(images.seed, name)))
        floor = floor or yardstick.floor()
        entries[name] = {
            "family": name.removeprefix(f"{dataset}-"),
            "capabilities": capabilities(model),
            **yardstick.measure(x),
            "memorisation": yardstick.copies(x),
            **log_density(model, yardstick.test, images.seed),
        }
        beside_neighbours(x[:SHOWN], yardstick.training, out / f"{name}.png")
        plots.curves(history(directory), out / f"{name}.svg")
        caption = f"{name}: samples, and below each its nearest training image."
        figures.append(figure(out, f"{name}.png", caption, f"samples of {name}"))
        figures.append(figure(out, f"{name}.svg", f"{name}: training curves.", f"training curves of {name}"))
    return {"models": entries, "floor": floor, "figures": figures}


def log_density(model: System, test: Samples, seed: int) -> Record:
    """The mean log density of the test images in nats, for models that give one, under its kind."""
    if not isinstance(model, CanRate):
        return {}
    density = model.density(model.space.encode(test.x), torch_generator(seed, "density"))
    return {f"{density.kind}_nats": float(density.value.double().mean())}


def beside_neighbours(x: np.ndarray, training: Samples, path: Path) -> None:
    """Samples above, the nearest training image of each below."""
    flat = [side.astype(np.float32).reshape(len(side), -1) for side in (x, training.x)]
    nearest = nearest_training(*flat)[0][:, 0]
    pictures.rows([x, training.x[nearest]], training.about.range, path)


if __name__ == "__main__":
    stage.run(main, stage.parser(__name__, out="name of the JSON file and the folder to write"))

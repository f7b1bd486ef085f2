"""Look into a model's codes.

    python -m pipelines.latent data/models/digits-vae data/prepared/digits.h5 data/latent/digits-vae

Reads a model and the sample file it learned from. Writes a folder of pictures, as far as the model's capabilities
go, and ``summary.json`` with the figures behind them: ``reconstructions.png`` (held-out samples, rebuilt, the
difference), ``linear.png`` and ``spherical.png`` (ways between held-out samples), ``manifold.png`` (codes of two
numbers), ``neighbours.png`` (drawn samples above the training samples nearest to them) and ``strangest.png`` (the
held-out samples that are most, and least, like the training samples).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from domain import latent, models
from domain.files import whole_directory, write_json
from domain.metrics.coverage import nearest_training
from domain.randomness import torch_generator
from domain.samples import SampleFile, Samples
from domain.space import Space
from domain.system import CanDecode, CanEncode, CanRate, CanReconstruct, CanSample, System
from domain.view import pictures
from pipelines import stage
from pipelines.evaluate import held_out
from pipelines.learn import training_samples

SHOWN, STEPS, SIDE, RATED = 12, 10, 20, 500
Record = dict[str, float | str]


def main(arguments: argparse.Namespace) -> None:
    source, out = Path(arguments.samples), Path(arguments.out)
    model = models.load(arguments.model)
    file = SampleFile(source)
    model.space.require(Space.of(file), arguments.model, str(source))
    model.space.require_images(str(source))
    available = len(SampleFile(source, "test")) if "split" in file.columns else len(file) // 2
    test, training = held_out(source, min(RATED, available)), training_samples(source)
    with whole_directory(out) as folder:
        record: Record = {}
        for look in (reconstructions, ways, manifold, neighbours, strangest):
            record |= look(model, test, training, folder)
        write_json(folder / "summary.json", record)


def shown(x: torch.Tensor) -> np.ndarray:
    """Pictures in [−1, 1], grey where the samples are black and white."""
    return x.clamp(-1, 1).numpy()


def reconstructions(model: System, test: Samples, training: Samples, folder: Path) -> Record:
    """Held-out samples, rebuilt, and the difference; the mean squared error over the variance of the pixels."""
    if not isinstance(model, CanReconstruct):
        return {}
    x = model.space.encode(test.x)
    rebuilt = model.reconstruct(x)
    images = shown(x[:SHOWN]), shown(rebuilt[:SHOWN])
    pictures.rows(images, (-1, 1), folder / "reconstructions.png", difference=images[1] - images[0])
    error = (rebuilt - x).square().mean() / (x - x.mean(0)).square().mean()
    return {"reconstruction_error": float(error)}


def ways(model: System, test: Samples, training: Samples, folder: Path) -> Record:
    """Straight lines and arcs between the codes of held-out samples."""
    if not (isinstance(model, CanEncode) and isinstance(model, CanDecode)):
        return {}
    codes = model.encode(model.space.encode(test.x[: min(2 * SHOWN, len(test) // 2 * 2)]))
    for name, way in (("linear", latent.linear), ("spherical", latent.spherical)):
        path = way(codes[::2], codes[1::2], STEPS)
        images = shown(model.decode(path.flatten(0, 1)))
        pictures.grid(images, (-1, 1), folder / f"{name}.png", columns=STEPS)
    return {}


def manifold(model: System, test: Samples, training: Samples, folder: Path) -> Record:
    """A grid of codes, where a code is two numbers: equal shares of a normal prior, or around the circle."""
    if not (isinstance(model, CanEncode) and isinstance(model, CanDecode)):
        return {}
    code = model.encode(model.space.encode(test.x[:1]))
    if code.shape[1] != 2:
        return {}
    on_circle = getattr(model.config, "code", "normal") == "sphere"
    codes = latent.circle(SIDE) if on_circle else latent.manifold(SIDE)
    pictures.grid(shown(model.decode(codes)), (-1, 1), folder / "manifold.png", columns=SIDE)
    return {}


def neighbours(model: System, test: Samples, training: Samples, folder: Path) -> Record:
    """Drawn samples and their nearest training samples."""
    if not isinstance(model, CanSample):
        return {}
    x = shown(model.sample(SHOWN, torch_generator(0, "neighbours")))
    known = shown(model.space.encode(training.x))
    nearest, distance = nearest_training(x.reshape(SHOWN, -1), known.reshape(len(known), -1))
    pictures.rows([x, known[nearest[:, 0]]], (-1, 1), folder / "neighbours.png")
    return {"nearest_training_distance": float(distance.mean())}


def strangest(model: System, test: Samples, training: Samples, folder: Path) -> Record:
    """The held-out samples that the model finds strangest, above, and least strange."""
    if not isinstance(model, CanRate | CanReconstruct):
        return {}
    x = model.space.encode(test.x)
    score = latent.strangeness(model, x, torch_generator(0, "strangeness"))
    order = score.argsort(descending=True)
    ends = [shown(x[rows[:SHOWN]]) for rows in (order, order.flip(0))]
    pictures.rows(ends, (-1, 1), folder / "strangest.png")
    kind = "−log p(x)" if isinstance(model, CanRate) else "squared error"
    return {"strangeness": kind, "median_strangeness": float(score.median())}


if __name__ == "__main__":
    made = stage.parser(
        __name__, reads_parameters=False, model="model directory", samples="sample file it learned from", out="folder to write"
    )
    stage.run(main, made)

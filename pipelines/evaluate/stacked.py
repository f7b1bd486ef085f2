"""A study's table of mode coverage on stacked images: how many classes of a thousand each seed of each generator draws.

    python -m pipelines.evaluate.stacked studies/stacked_mnist

Reads ``evaluate.stacked`` of the study's parameter file, the stacked samples, the models and the classifier of one
channel that it names. Held-out samples stand as the method ``floor``. Writes into the study's folder ``results.csv``
(study, method, seed, metric, value, and where it was measured), ``summary.md`` and ``samples.png``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from domain import models
from domain.config import Config, Count, Natural, NonNegative
from domain.errors import InputError
from domain.metrics.modes import stacked_modes
from domain.randomness import torch_generator
from domain.space import Space
from domain.system import CanClassify
from domain.view import pictures, study
from pipelines import stage
from pipelines.classify import origin, table
from pipelines.evaluate import held_out, none_or_all

FLOOR, SHOWN, BATCH = "floor", 12, 1000
COLUMNS = ("study", "method", "seed", "metric", "value")

Cell = tuple[str, int]
Measured = Mapping[Cell, Mapping[str, float]]


@dataclass(frozen=True)
class Stacked(Config):
    """``evaluate.stacked``.

    Attributes:
        title: of the summary.
        samples: sample file of stacked images that the models learned from; its test split is the floor.
        classifier: model directory of a classifier of single channels.
        models: folder with ``<method>/<seed>``.
        methods: name → what it is, in words.
        seeds: of the models, and of what each draws.
        count: samples that each draws.
        published: method → published number of modes, and ``published_from`` where it was read.
        rests_on: sentences that end the summary.
    """

    title: str
    samples: str
    classifier: str
    models: str
    methods: Mapping[str, str]
    seeds: tuple[Natural, ...]
    count: Count = 10_000
    published: Mapping[str, NonNegative] = field(default_factory=dict)
    published_from: str = ""
    rests_on: tuple[str, ...] = ()


def main(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.study)
    config = stage.parameters(Stacked, (folder / "params.yaml").as_posix(), "evaluate", "stacked")
    real, reader = held_out(Path(config.samples), config.count), models.load(config.classifier)
    space = Space.of(real)
    if not isinstance(reader, CanClassify) or reader.space.shape != (1, *space.shape[1:]):
        raise InputError(f"{config.classifier}: does not classify the channels of {config.samples}; name a model that does")

    def classify(images: np.ndarray) -> np.ndarray:
        parts = space.encode(images).split(BATCH)
        return torch.cat([reader.classify(part).argmax(1) for part in parts]).numpy()

    drawn = {**dict(samples(config, space)), (FLOOR, config.seeds[0]): real.x}
    classes = reader.space.classes
    measured = {cell: stacked_modes(x, classify, classes) for cell, x in drawn.items()}
    right = (classify(real.x[:, :1]) == real.label // classes ** (space.shape[0] - 1)).mean()
    with none_or_all(folder) as new:
        table(new("results.csv"), (*COLUMNS, *origin()), rows(measured, folder.name))
        new("summary.md").write_text(page(measured, config, classes ** space.shape[0], right))
        first = [x[:SHOWN] for (_, seed), x in drawn.items() if seed == config.seeds[0]]
        pictures.rows(first, space.range, new("samples.png"))


def samples(config: Stacked, space: Space) -> Iterator[tuple[Cell, np.ndarray]]:
    """(method, seed) → what that model draws, (count, C, H, W) in the samples' own units."""
    for method in config.methods:
        for seed in config.seeds:
            where = Path(config.models) / method / str(seed)
            model = models.load(where)
            model.space.require(space, str(where), config.samples)
            generator = torch_generator(seed, "evaluate", method)
            sizes = [min(BATCH, config.count - start) for start in range(0, config.count, BATCH)]
            yield (method, seed), np.concatenate([space.decode(model.sample(size, generator)) for size in sizes])


def rows(measured: Measured, name: str) -> Iterator[tuple[object, ...]]:
    """The rows of ``results.csv``."""
    made = tuple(origin().values())
    for (method, seed), values in measured.items():
        for metric, value in values.items():
            yield name, method, seed, metric, f"{value:.6g}", *made


def page(measured: Measured, config: Stacked, modes: int, right: float) -> str:
    """``summary.md``; modes: how many there are; right: the share of real digits that the classifier reads right."""
    text = (
        f"Mean ± standard deviation over {study.seeds(len(config.seeds))}, {config.count:,} samples each. A sample is of the mode "
        f"that the classifier reads from its channels, one of {modes:,}; KL is that of the modes' shares to equal ones, in "
        f"nats. The classifier reads {100 * right:.2f} % of held-out digits right. The floor is held-out samples."
    )
    lines = [cells(measured, method, config) for method in (*config.methods, FLOOR)]
    columns = ("method", "modes", "worst seed", "KL [nats]", "published modes", "what it is")
    parts = [f"# {config.title}", text, study.table(columns, lines), config.published_from]
    parts += [f"![Samples of the first seed: {', '.join(map(study.name, (*config.methods, FLOOR)))}](samples.png)"]
    parts += ["## What the figures rest on", "\n".join(f"- {sentence}" for sentence in config.rests_on)]
    return "\n\n".join(part for part in parts if part) + "\n"


def cells(measured: Measured, method: str, config: Stacked) -> list[str]:
    """One line of the table."""
    values = [figures for (name, _), figures in measured.items() if name == method]
    modes, kl = (np.array([figures[metric] for figures in values]) for metric in ("modes", "kl"))
    spreads = [study.spread(v.mean(), v.std(ddof=1) if len(v) > 1 else None) for v in (modes, kl)]
    published = study.number(config.published[method]) if method in config.published else ""
    words = config.methods.get(method, "held-out samples")
    return [study.name(method), spreads[0], study.number(modes.min()), spreads[1], published, words]


if __name__ == "__main__":
    made = stage.parser(__name__, reads_parameters=False, study="folder of the study, with its params.yaml")
    stage.run(main, made)

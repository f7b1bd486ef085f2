"""Prepare a real data set: read or download it, split it, choose the few labels.

    python -m pipelines.prepare digits data/prepared/digits.h5

Reads the raw files of the data set (from the folder SIMULACRA_RAW, or downloaded once into
data/raw) and ``prepare.<name>`` of the parameter file. Writes one sample file in which only the
labelled training samples, the validation and the test samples show their class.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from domain.config import Config, Natural
from domain.datasets import DATASETS
from domain.errors import InputError
from domain.randomness import numpy_generator
from domain.samples import SPLITS, Samples, balanced_labels, write
from pipelines import launch, stage


@dataclass(frozen=True)
class Prepare(Config):
    """``prepare.<name>``.

    Attributes:
        dataset: the data set's name in domain/datasets; the entry's own name if left out.
        options: the data set's own parameters.
        labels: labelled training samples, equally many of each class; 0 keeps every label.
        train: training samples that are kept, drawn at random; 0 keeps all.
        validation: training samples set aside for choosing parameters.
        test: samples set aside for the final figure, where the data set has no official test split.
        seed: of the split and of the labelled set.
    """

    dataset: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    labels: Natural = 0
    train: Natural = 0
    validation: Natural = 0
    test: Natural = 0
    seed: Natural = 0


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Prepare, arguments.params, "prepare", arguments.name)
    name = config.dataset or arguments.name
    where = f"{arguments.params}: prepare.{arguments.name}"
    dataset = stage.family(DATASETS, name, f"{where}: data set").parse(config.options, f"{where}.options")
    samples = dataset.load(launch.raw_folders(Path("data/raw") / name), progress=True)
    prepared = prepare(samples, config, where)
    about = dataclasses.replace(prepared.about, producer=f"datasets.{name}", parameters=config.as_dict(), seed=config.seed)
    write(arguments.out, dataclasses.replace(prepared, about=about))


def prepare(samples: Samples, config: Prepare, where: str) -> Samples:
    """Split the samples and hide all but a balanced set of the training labels."""
    split = np.zeros(len(samples), np.int8) if samples.split is None else samples.split.copy()
    for part, count in (("test", config.test), ("validation", config.validation)):
        if part == "test" and (split == SPLITS.index("test")).any():
            continue
        training = np.flatnonzero(split == 0)
        if count >= len(training):
            raise InputError(f"{where}.{part}: is {count}, but only {len(training)} samples are left; make it smaller")
        drawn = numpy_generator(config.seed, part).choice(training, count, replace=False)
        split[drawn] = SPLITS.index(part)
    if config.train:
        training = np.flatnonzero(split == 0)
        if config.train > len(training):
            raise InputError(f"{where}.train: is {config.train}, but only {len(training)} samples are left; make it smaller")
        kept = split != 0
        kept[numpy_generator(config.seed, "train").choice(training, config.train, replace=False)] = True
        samples, split = samples.select(kept), split[kept]
    if samples.label is None:
        if config.labels:
            raise InputError(f"{where}.labels: is {config.labels}, but these data have no labels; set it to 0")
        return dataclasses.replace(samples, split=split)
    label = samples.label
    if config.labels:
        rng = numpy_generator(config.seed, "labels")
        with stage.naming(where):
            few = balanced_labels(label, split == 0, config.labels, samples.about.classes, rng)
        label = np.where(split == 0, few, label)
    return dataclasses.replace(samples, split=split, label=label, truth=samples.label)


if __name__ == "__main__":
    made = stage.parser(__name__, name="entry of prepare in the parameter file", out="sample file to write")
    stage.run(main, made)

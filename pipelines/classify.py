"""Train and test classifiers: every arm of one task, each with several seeds.

    python -m pipelines.classify few_labels data/classified/few_labels

Reads ``classify.<task>`` of the parameter file and the sample files its arms name. Writes
``results.csv`` (arm, seed, metric, value), ``predictions.safetensors`` (class probabilities of
the test samples by arm and seed) and, where asked, one arm's network as a model directory. The
test samples are read once, after the last step. A finished seed is never trained again.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tqdm import tqdm

from domain import models
from domain.classifiers import CLASSIFIERS
from domain.classifiers.base import NetworkClassifier
from domain.config import Config, Natural, checked, suggestion
from domain.errors import InputError
from domain.files import whole_directory, whole_file
from domain.metrics.classification import scores
from domain.randomness import numpy_generator, torch_seed
from domain.samples import SampleFile, Samples, balanced_labels
from domain.space import Space
from pipelines import launch, stage
from pipelines.learn import training_samples


@dataclass(frozen=True)
class Arm(Config):
    """One way to a classifier.

    Attributes:
        classifier: its name in domain/classifiers.
        samples: sample file it learns from.
        labels: how many balanced labels it sees, drawn anew for each seed; 0 for all.
        only: use no more than this many samples, drawn anew for each seed; 0 for all.
        options: the classifier's own parameters.
    """

    classifier: str
    samples: str
    labels: Natural = 0
    only: Natural = 0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Classify(Config):
    """``classify.<task>``.

    Attributes:
        test: sample file whose test split gives the figures.
        seeds: one run of each arm a seed; equal seeds see equal labelled sets.
        arms: name → arm.
        keep: name of the arm whose first network is kept as a model directory, if any.
        validate: use the validation split instead of the test split, for choosing parameters.
    """

    test: str
    arms: Mapping[str, Arm]
    seeds: tuple[Natural, ...] = (0, 1, 2, 3, 4)
    keep: str = ""
    validate: bool = False


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Classify, arguments.params, "classify", arguments.task)
    check(config, f"{arguments.params}: classify.{arguments.task}")
    out = Path(arguments.out)
    provenance = stage.inputs(*{Path(config.test): 0, **{Path(arm.samples): 0 for arm in config.arms.values()}})
    test = test_samples(config)
    with stage.scratch(out, config.as_dict(), provenance) as folder:
        runs = [(name, seed) for name in config.arms for seed in config.seeds]
        tasks = [(config.arms[name], test, seed, folder / f"{name}-{seed}", provenance) for name, seed in runs]
        with launch.executor() as pool:
            done = launch.ordered(pool, run_arm, tasks)
            predictions = dict(zip(runs, tqdm(done, total=len(runs), desc=arguments.task, disable=None)))
        with whole_directory(out) as partial:
            write(partial, predictions, test.label)
            if config.keep:
                shutil.copytree(folder / f"{config.keep}-{config.seeds[0]}" / "model", partial / "model")


def check(config: Classify, where: str) -> None:
    """Refuse names that lead nowhere before anything is trained."""
    for name, arm in config.arms.items():
        kind = stage.family(CLASSIFIERS, arm.classifier, f"{where}.arms.{name}.classifier")
        hints = typing.get_type_hints(kind if is_dataclass(kind) else kind.__init__)
        for key, value in arm.options.items():
            if key not in (known := kind().get_params()):
                raise InputError(f"{where}.arms.{name}.options.{key}: unknown key; {suggestion(key, known)}")
            checked(value, hints[key], f"{where}.arms.{name}.options.{key}")
    kinds = {name: CLASSIFIERS[arm.classifier] for name, arm in config.arms.items()}
    networks = [name for name, kind in kinds.items() if issubclass(kind, NetworkClassifier)]
    if config.keep and config.keep not in networks:
        hint = suggestion(config.keep, networks)
        raise InputError(f"{where}.keep: {config.keep!r} is no arm with a network; {hint}")
    if not config.seeds:
        raise InputError(f"{where}.seeds: is empty; name at least one seed")


def test_samples(config: Classify) -> Samples:
    """The samples that give the figures, alike those of every arm and labelled throughout."""
    split = "validation" if config.validate else "test"
    test = SampleFile(config.test, split).read()
    if test.label is None or not len(test) or test.label.min() < 0:
        raise InputError(f"{config.test}: its split {split!r} must hold samples with a 'label'; prepare it")
    for arm in config.arms.values():
        Space.of(test).require(Space.of(SampleFile(arm.samples)), f"the test of {config.test}", arm.samples)
    return test


def run_arm(arm: Arm, test: Samples, seed: int, folder: Path, provenance: Mapping[str, str]) -> np.ndarray:
    """Train one arm with one seed, unless that is done; class probabilities of the test samples, (N, K)."""
    finished = folder / "probabilities.safetensors"
    if finished.exists():
        return stage.tensors(finished)["probabilities"]
    folder.mkdir(parents=True, exist_ok=True)
    samples = training_samples(Path(arm.samples))
    X, y = labelled(samples, arm, seed)
    classifier = CLASSIFIERS[arm.classifier](**arm.options)
    is_network = isinstance(classifier, NetworkClassifier)
    if is_network:
        classifier.set_params(
            checkpoint=folder / "checkpoint.safetensors", device=str(launch.device()),
            random_state=torch_seed(seed, "classifier") % 2**31,
        )
    try:
        classifier.fit(X, y)
    except ValueError as error:  # scikit-learn's word for a parameter or data that it cannot use
        raise InputError(f"{folder.name}: {error}") from error
    if is_network:
        with whole_directory(folder / "model") as partial:
            models.save(partial, classifier.system_, classifier.history_, {"seed": seed, "inputs": dict(provenance)})
    probabilities = classifier.predict_proba(test.x.astype(np.float32)).astype(np.float32)
    with whole_file(finished) as partial:
        save_file({"probabilities": probabilities}, partial)
    return probabilities


def labelled(samples: Samples, arm: Arm, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The samples that an arm learns from and their labels, −1 where it may not see them."""
    y = samples.label if samples.truth is None else samples.truth
    if y is None:
        raise InputError(f"{arm.samples}: has no labels; an arm of classify needs them")
    rows = np.arange(len(y))
    if arm.only:
        if arm.only > len(y):
            raise InputError(f"{arm.samples}: has {len(y)} samples, an arm asks for {arm.only}; simulate more or ask for fewer")
        rows = numpy_generator(seed, "only").choice(len(y), arm.only, replace=False)
    X, y = samples.x[rows].astype(np.float32), y[rows]
    if arm.labels:
        rng = numpy_generator(seed, "labels")
        with stage.naming(arm.samples):
            y = balanced_labels(y, np.ones(len(y), bool), arm.labels, samples.about.classes, rng)
    if absent := set(range(samples.about.classes)) - set(y.tolist()):
        raise InputError(f"{arm.samples}: no label of class {min(absent)} is left; give the arm more samples")
    return X, y


def write(out: Path, predictions: Mapping[tuple[str, int], np.ndarray], label: np.ndarray) -> None:
    """The scores of every run as a table, and the probabilities behind them."""
    save_file(
        {"label": label, **{f"{arm}/{seed}": p for (arm, seed), p in predictions.items()}},
        out / "predictions.safetensors",
    )
    with open(out / "results.csv", "w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["arm", "seed", "metric", "value"])
        for (arm, seed), probabilities in predictions.items():
            for metric, value in scores(label, probabilities).items():
                writer.writerow([arm, seed, metric, f"{value:.6g}"])


if __name__ == "__main__":
    made = stage.parser(__name__, task="entry of classify in the parameter file", out="folder to write")
    stage.run(main, made)

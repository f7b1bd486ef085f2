"""Train and test classifiers: every arm of one task, each with several seeds.

    python -m pipelines.classify few_labels data/classified/few_labels

Reads ``classify.<task>`` of the parameter file and the sample files its arms name. Writes
``results.csv`` (arm, seed, metric, value), ``predictions.safetensors`` (class probabilities of
the test samples by arm and seed), ``labelled.csv`` (the rows of the sample file whose labels each
seed saw) and, where asked, one arm's network as a model directory. The test samples are read
once, after the last step.

Each run has its folder in data/runs/<task>, kept until someone deletes it: a finished seed is never
trained again, also when arms or seeds are added, as long as its parameters, its data, and its
classifier's file with all that it imports are the same. Wall times go to <out>.runs.csv, which DVC does not track.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import functools
import inspect
import shutil
import subprocess
import time
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from tqdm import tqdm

from domain import models
from domain.classifiers import CLASSIFIERS
from domain.classifiers.base.estimator import NetworkClassifier
from domain.config import Config, Natural, checked, suggestion
from domain.errors import InputError
from domain.files import read_json, whole_directory, whole_file, write_json
from domain.metrics.classification import scores
from domain.metrics.speed import processor
from domain.randomness import numpy_generator, torch_seed
from domain.samples import SampleFile, Samples, balanced_labels
from domain.space import Space
from pipelines import launch, stage
from pipelines.learn import training_samples


@dataclass(frozen=True)
class Method(Config):
    """A classifier.

    Attributes:
        classifier: its name in domain/classifiers.
        options: its own parameters; ``teacher`` among them is a method in turn.
    """

    classifier: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def check(self, where: str) -> None:
        """Refuse names and values that it does not know."""
        kind = stage.family(CLASSIFIERS, self.classifier, f"{where}.classifier")
        hints = typing.get_type_hints(kind if is_dataclass(kind) else kind.__init__)
        for key, value in self.options.items():
            place = f"{where}.options.{key}"
            if key not in (known := kind().get_params()):
                raise InputError(f"{place}: unknown key; {suggestion(key, known)}")
            if key == "teacher" and value is not None:
                Method.parse(value, place).check(place)
            else:
                checked(value, hints[key], place)

    def files(self) -> list[Path]:
        """The source of the classifier, and of its teachers."""
        teacher = self.options.get("teacher")
        taught = Method(**teacher).files() if teacher else []
        return [Path(inspect.getsourcefile(CLASSIFIERS[self.classifier])), *taught]

    def build(self) -> Any:
        """The estimator."""
        options = dict(self.options)
        if options.get("teacher"):
            options["teacher"] = Method(**options["teacher"]).build()
        return CLASSIFIERS[self.classifier](**options)


@dataclass(frozen=True, kw_only=True)
class Arm(Method):
    """One way to a classifier, and what it learns from.

    Attributes:
        samples: sample file it learns from; ``{seed}`` in it stands for the seed, where each has a file of its own.
        labels: how many balanced labels it sees, drawn anew for each seed; 0 for all.
        only: use no more than this many samples, drawn anew for each seed; 0 for all.
        unlabelled: another sample file, whose training samples are seen too, without their labels: the real
            ones beside simulated ``samples``.
    """

    samples: str
    labels: Natural = 0
    only: Natural = 0
    unlabelled: str = ""

    def sources(self, seed: int) -> list[Path]:
        """The sample files that one seed learns from."""
        return [Path(name.replace("{seed}", str(seed))) for name in (self.samples, self.unlabelled) if name]


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
    paths = [path for arm in config.arms.values() for seed in config.seeds for path in arm.sources(seed)]
    provenance = stage.inputs(*dict.fromkeys([Path(config.test), *paths]))
    test = test_samples(config)
    runs = [
        Run(out.name, name, arm, seed, provenance, config.validate)
        for name, arm in config.arms.items() for seed in config.seeds
    ]
    for run in runs:
        run.folder.mkdir(parents=True, exist_ok=True)  # here and now: workers keep the name though code be edited meanwhile
    with launch.executor() as pool:
        done = launch.ordered(pool, probabilities, [(run, test) for run in runs])
        predictions = dict(zip(runs, tqdm(done, total=len(runs), desc=arguments.task, disable=None)))
    with whole_directory(out) as partial:
        write(partial, predictions, test.label)
        if config.keep:
            kept = next(run for run in runs if run.name == config.keep)
            shutil.copytree(kept.folder / "model", partial / "model")
    with whole_file(out.with_name(f"{out.name}.runs.csv")) as partial:
        write_costs(partial, runs)


def check(config: Classify, where: str) -> None:
    """Refuse names that lead nowhere before anything is trained."""
    for name, arm in config.arms.items():
        arm.check(f"{where}.arms.{name}")
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
        for path in arm.sources(config.seeds[0]):
            Space.of(test).require(Space.of(SampleFile(path)), f"the test of {config.test}", str(path))
    return test


@dataclass(frozen=True, eq=False)
class Run:
    """One arm of a task with one seed."""

    task: str
    name: str
    arm: Arm
    seed: int
    provenance: Mapping[str, str]
    validate: bool

    @functools.cached_property
    def folder(self) -> Path:
        """Where it lives; the name holds a digest of all that decides its outcome."""
        code = stage.sources(*self.arm.files()) + ["pipelines/classify.py"]
        content = [self.arm.as_dict(), self.seed, self.validate, *sorted(self.provenance.values())]
        return Path("data/runs") / self.task / f"{self.name}-{self.seed}-{stage.key(*content, code=code)}"


def probabilities(run: Run, test: Samples) -> np.ndarray:
    """Class probabilities of the test samples, (N, K); trains the run unless that is done."""
    finished = run.folder / "probabilities.safetensors"
    if not finished.exists():
        values = train(run, test)
        with whole_file(finished) as partial:
            save_file({"probabilities": values}, partial)
        for checkpoint in run.folder.glob("checkpoint.*"):
            checkpoint.unlink()
    return stage.tensors(finished)["probabilities"]


def train(run: Run, test: Samples) -> np.ndarray:
    """Train one arm with one seed, resuming where it was killed; class probabilities (N, K)."""
    checkpoint = run.folder / "checkpoint.safetensors"
    X, y, rows = labelled(training_samples(run.arm.sources(run.seed)[0]), run.arm, run.seed)
    write_json(run.folder / "labelled.json", rows[y >= 0].tolist() if run.arm.labels else [])
    if run.arm.unlabelled:
        others = training_samples(Path(run.arm.unlabelled)).x.astype(np.float32)
        X, y = np.concatenate([X, others]), np.concatenate([y, np.full(len(others), -1)])
    classifier = run.arm.build()
    is_network = isinstance(classifier, NetworkClassifier)
    if is_network:
        classifier.set_params(
            checkpoint=checkpoint, device=str(launch.device()), save_seconds=launch.checkpoint_seconds(),
            random_state=torch_seed(run.seed, "classifier") % 2**31,
        )
    with stopwatch(run.folder / "cost.json", checkpoint):
        try:
            classifier.fit(X, y)
        except ValueError as error:  # scikit-learn's word for a parameter or data that it cannot use
            raise InputError(f"{run.name}-{run.seed}: {error}") from error
    if is_network:
        with whole_directory(run.folder / "model") as partial:
            provenance = {"seed": run.seed, "inputs": dict(run.provenance)}
            models.save(partial, classifier.system_, classifier.history_, provenance)
    return classifier.predict_proba(test.x.astype(np.float32)).astype(np.float32)


@contextlib.contextmanager
def stopwatch(file: Path, checkpoint: Path) -> Iterator[None]:
    """Write to ``file`` how long the block took, with the time that killed runs put into their checkpoint."""
    began = time.time()
    cost = read_json(file) if file.exists() else {"seconds": 0.0}
    if checkpoint.exists() and "began" in cost:  # it is missing where the training had ended
        cost["seconds"] += max(0.0, checkpoint.stat().st_mtime - cost["began"])
    write_json(file, {"seconds": cost["seconds"], "began": began})
    yield
    write_json(file, {"seconds": round(cost["seconds"] + time.time() - began, 1), **origin()})


def origin() -> dict[str, Any]:
    """The hardware and the code that a run is made with."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    revision = subprocess.run(command, cwd=stage.ROOT, capture_output=True, text=True, check=False)
    device = launch.device()
    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {"hardware": hardware, "threads": torch.get_num_threads(), "revision": revision.stdout.strip()}


def labelled(samples: Samples, arm: Arm, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The samples that an arm learns from, their labels (−1 where it may not see them) and their rows."""
    y = samples.label if samples.truth is None else samples.truth
    if y is None:
        raise InputError(f"{arm.samples}: has no labels; an arm of classify needs them")
    rows = np.arange(len(y))
    if arm.only:
        if arm.only > len(y):
            raise InputError(f"{arm.samples}: has {len(y)} samples, an arm asks for {arm.only}; ask for fewer")
        rows = numpy_generator(seed, "only").choice(len(y), arm.only, replace=False)
    X, y = samples.x[rows].astype(np.float32), y[rows]
    if arm.labels:
        rng = numpy_generator(seed, "labels")
        with stage.naming(arm.samples):
            y = balanced_labels(y, np.ones(len(y), bool), arm.labels, samples.about.classes, rng)
    if absent := set(range(samples.about.classes)) - set(y.tolist()):
        raise InputError(f"{arm.samples}: no label of class {min(absent)} is left; give the arm more samples")
    return X, y, rows


def write(out: Path, predictions: Mapping[Run, np.ndarray], label: np.ndarray) -> None:
    """The scores of every run as a table, the probabilities behind them, and the labels each seed saw."""
    arrays = {f"{run.name}/{run.seed}": values for run, values in predictions.items()}
    save_file({"label": label, **arrays}, out / "predictions.safetensors")
    measured = [
        (run.name, run.seed, metric, f"{value:.6g}")
        for run, values in predictions.items() for metric, value in scores(label, values).items()
    ]
    table(out / "results.csv", ("arm", "seed", "metric", "value"), measured)
    seen = [
        (run.name, run.seed, " ".join(map(str, read_json(run.folder / "labelled.json"))))
        for run in predictions if run.arm.labels
    ]
    table(out / "labelled.csv", ("arm", "seed", "rows"), seen)


def write_costs(file: Path, runs: Sequence[Run]) -> None:
    """What each run took, and what it ran on."""
    columns = ("seconds", "hardware", "threads", "revision")
    costs = [read_json(run.folder / "cost.json") for run in runs]
    rows = [(run.name, run.seed, *(cost[key] for key in columns)) for run, cost in zip(runs, costs)]
    table(file, ("arm", "seed", *columns), rows)


def table(file: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV file."""
    with open(file, "w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


if __name__ == "__main__":
    made = stage.parser(__name__, task="entry of classify in the parameter file", out="folder to write")
    stage.run(main, made)

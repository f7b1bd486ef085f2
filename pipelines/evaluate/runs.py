"""What classify wrote of one task: each arm's probabilities by seed, its ensemble, and what they cost."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from domain.ensemble import mean_probabilities
from domain.errors import InputError
from domain.metrics.calibration import brier, errors_removed, reliability, risk_coverage
from domain.metrics.classification import scores
from domain.view import plots
from pipelines import stage

CLASSIFIED = Path("data/classified")
ENSEMBLE = "ensemble"  # stands where a seed does
REJECTED = 0.01  # the share of the answers that is left to a human

METRICS = ("test_errors", "nll", "ece", "brier", "errors_removed", "errors_removed_oracle")
Measured = dict[str, float | None]


class Cost(NamedTuple):
    """What a run took and ran on; empty where its record is gone, as after ``dvc pull``."""

    seconds: float | None = None
    hardware: str = ""
    threads: str = ""
    revision: str = ""

    @classmethod
    def total(cls, costs: Iterable[Cost]) -> Cost:
        """Of several runs: seconds add up if all are known, the other columns are listed."""
        seconds, *others = zip(*costs)
        known = None if None in seconds else sum(seconds)
        return cls(known, *(" + ".join(sorted(set(column))) for column in others))

    @property
    def core_hours(self) -> float | None:
        """Threads times hours; on a GPU, hours of it and of the cores that feed it."""
        return None if self.seconds is None else self.seconds * int(self.threads) / 3600


@dataclass(frozen=True)
class Entry:
    """One method at one number of labels.

    Attributes:
        task, method, labels: what it is.
        truth: (N,) true classes of the test samples.
        probabilities: seed → (N, K) in [0, 1], the seeds rising.
        costs: seed → what it took.
    """

    task: str
    method: str
    labels: int
    truth: np.ndarray
    probabilities: Mapping[str, np.ndarray]
    costs: Mapping[str, Cost]

    @cached_property
    def ensemble(self) -> np.ndarray | None:
        """Mean of the seeds' probabilities, (N, K), each from labels of its own; None for a single seed."""
        return mean_probabilities(self.probabilities.values()) if len(self.probabilities) > 1 else None

    @cached_property
    def measured(self) -> dict[str, Measured]:
        """Seed, and last the ensemble if there is one → metric → value."""
        members = (
            dict(self.probabilities)
            if self.ensemble is None
            else {**self.probabilities, ENSEMBLE: self.ensemble}
        )
        return {seed: measure(self.truth, p) for seed, p in members.items()}

    @property
    def pooled(self) -> tuple[np.ndarray, np.ndarray]:
        """The answers of all seeds as if of one classifier: classes (S N,), probabilities (S N, K)."""
        return np.tile(self.truth, len(self.probabilities)), np.concatenate(list(self.probabilities.values()))


def measure(truth: np.ndarray, probabilities: np.ndarray) -> Measured:
    """What class probabilities (N, K) are worth for samples of true classes (N,).

    Returns:
        ``test_errors``, wrong answers; ``nll``, in nats; ``ece``; ``brier``; and of the errors, if
        there are any, the share that is gone with the least confident answers (``errors_removed``)
        and what a choice that knows the labels would remove (``errors_removed_oracle``).
    """
    removed = errors_removed(*answers(truth, probabilities), REJECTED)
    of_class = scores(truth, probabilities)
    values = [of_class[name] for name in ("errors", "nll", "ece")]
    values += [brier(truth, probabilities), removed["removed"], removed["oracle"]]
    return dict(zip(METRICS, values, strict=True))


def answers(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each answer is right, (N,) bool, and how sure the classifier was of it, (N,) in [0, 1]."""
    return probabilities.argmax(1) == truth, probabilities.max(1)


def draw_trust(entry: Entry, reliability_svg: Path, risk_coverage_svg: Path) -> None:
    """Calibration and rejection of single networks, pooled over the seeds, and of their ensemble."""
    series = {"single": entry.pooled}
    if entry.ensemble is not None:
        series[ENSEMBLE] = (entry.truth, entry.ensemble)
    calibration = {name: reliability(*pair) for name, pair in series.items()}
    rejection = {name: risk_coverage(*answers(*pair)) for name, pair in series.items()}
    plots.reliability(calibration, reliability_svg)
    plots.risk_coverage(rejection, risk_coverage_svg)


def predictions(task: str) -> Path:
    """Where classify leaves a task's probabilities."""
    return CLASSIFIED / task / "predictions.safetensors"


def read(task: str, labels: int) -> list[Entry]:
    """The arms of one task, by name."""
    stored = stage.tensors(predictions(task))
    truth, costs = stored.pop("label"), read_costs(task)
    runs: dict[str, list[int]] = {}
    for method, _, seed in sorted(key.rpartition("/") for key in stored):
        runs.setdefault(method, []).append(int(seed))
    return [
        Entry(
            task, method, labels, truth,
            probabilities={str(seed): stored[f"{method}/{seed}"] for seed in sorted(seeds)},
            costs={str(seed): costs.get((method, str(seed)), Cost()) for seed in sorted(seeds)},
        )
        for method, seeds in runs.items()
    ]  # fmt: skip


def read_costs(task: str) -> dict[tuple[str, str], Cost]:
    """Arm and seed → what the run took; empty without the record, which DVC does not keep."""
    file = CLASSIFIED / f"{task}.runs.csv"
    rows = read_table(file) if file.exists() else []
    return {
        (row["arm"], row["seed"]): Cost(
            float(row["seconds"]), row["hardware"], row["threads"], row["revision"]
        )
        for row in rows
    }


def labelled_sets(tasks: Mapping[str, int], where: str) -> list[tuple[str, int, int, str]]:
    """Each labelled set once: the methods that saw it, labels, seed, rows of the sample file.

    Args:
        tasks: task → labels; equal labels and seeds share a set.
        where: the tasks' place in the parameter file, for errors.
    """
    sets: dict[tuple[int, int, str], set[str]] = {}
    for task, labels in tasks.items():
        for row in read_table(CLASSIFIED / task / "labelled.csv"):
            if (seen := len(row["rows"].split())) != labels:
                what = f"is {labels}, but its arm {row['arm']!r} saw {seen} labels"
                raise InputError(f"{where}.{task}: {what}; correct it")
            sets.setdefault((labels, int(row["seed"]), row["rows"]), set()).add(row["arm"])
    return [(" ".join(sorted(methods)), *key) for key, methods in sorted(sets.items())]


def read_table(file: Path) -> list[dict[str, str]]:
    """A CSV file's rows."""
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))

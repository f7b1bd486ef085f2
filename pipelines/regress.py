"""Train and test regressors of conditions, such as gaze or energy: every arm of one task, each with several seeds.

    python -m pipelines.regress eyes data/regressed/eyes

Reads ``regress.<task>`` of the parameter file and the sample files its arms name. Writes ``results.csv`` (arm, seed,
metric, value; each metric with its floor, the mean of the training targets for every sample) and
``predictions.safetensors`` (``truth``, and the estimates of the test samples by arm and seed). The test samples are
read once, after the last step.

Each run has its folder in data/runs/<task>, kept until someone deletes it: a finished seed is never trained again,
also when arms or seeds are added, as long as its parameters, its data, and its regressor's file with all that it
imports are the same. Wall times go to <out>.runs.csv, which DVC does not track.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import shutil
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors.numpy import save_file
from tqdm import tqdm

from domain import models
from domain.config import Config, Natural, checked, suggestion
from domain.errors import InputError
from domain.files import whole_directory, whole_file
from domain.metrics import gaze, regression, showers
from domain.randomness import numpy_generator, torch_seed
from domain.regressors import REGRESSORS
from domain.samples import SampleFile, Samples
from domain.space import Space
from pipelines import launch, stage
from pipelines.classify import stopwatch, table, write_costs
from pipelines.learn import training_samples


@dataclass(frozen=True)
class Arm(Config):
    """One way to a regressor, and what it learns from.

    Attributes:
        samples: sample file it learns from; ``{seed}`` in it stands for the run's seed.
        also: other files that it learns from together with this one, such as a few real samples beside simulated ones.
        regressor: its name in domain/regressors.
        options: its own parameters.
        only: use no more than this many samples, drawn anew for each seed; 0 for all.
        seeds: those of this arm alone, where it is tried with fewer than the task's.
    """

    samples: str
    also: tuple[str, ...] = ()
    regressor: str = "supervised"
    options: Mapping[str, Any] = field(default_factory=dict)
    only: Natural = 0
    seeds: tuple[Natural, ...] = ()

    def check(self, where: str) -> None:
        """Refuse names and values that the regressor does not know."""
        kind = stage.family(REGRESSORS, self.regressor, f"{where}.regressor")
        hints, known = typing.get_type_hints(kind), kind().get_params()
        for key, value in self.options.items():
            if key not in known:
                raise InputError(f"{where}.options.{key}: unknown key; {suggestion(key, known)}")
            checked(value, hints[key], f"{where}.options.{key}")

    def sources(self, seed: int) -> list[Path]:
        """The sample files that one seed learns from."""
        return [Path(name.replace("{seed}", str(seed))) for name in (self.samples, *self.also)]


@dataclass(frozen=True)
class Regress(Config):
    """``regress.<task>``.

    Attributes:
        test: sample file whose test split gives the figures; all of it where there is no split.
        targets: names of the conditions that are estimated.
        arms: name → arm.
        seeds: one run of each arm a seed.
        keep: name of the arm whose first network is kept as a model directory, if any.
        measure: ``gaze`` adds the angle between directions, where the targets are yaw and pitch in degrees; ``energy``
            the bias and resolution of a single target in GeV.
        bins: edges of the energy bins of ``energy``, in GeV.
        validate: use the validation split instead of the test split, for choosing parameters.
    """

    test: str
    targets: tuple[str, ...]
    arms: Mapping[str, Arm]
    seeds: tuple[Natural, ...] = (0, 1, 2, 3, 4)
    keep: str = ""
    measure: Literal["targets", "gaze", "energy"] = "targets"
    bins: tuple[float, ...] = ()
    validate: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("targets", "arms", "seeds"):
            if not getattr(self, key):
                raise InputError(f"Regress.{key}: is empty; name at least one")
        if self.keep and self.keep not in self.arms:
            raise InputError(f"Regress.keep: no arm {self.keep!r}; {suggestion(self.keep, self.arms)}")
        if self.measure == "gaze" and self.targets != ("yaw", "pitch"):
            raise InputError("Regress.measure: is 'gaze', so 'targets' must be [yaw, pitch]")
        if self.measure == "energy" and (len(self.targets) != 1 or len(self.bins) < 2):
            raise InputError("Regress.measure: is 'energy', so 'targets' must be one name, and 'bins' edges of energy in GeV")

    def scores(self, truth: np.ndarray, estimate: np.ndarray) -> dict[str, float]:
        """Every metric of estimates (N, T)."""
        found = gaze.scores(truth, estimate) if self.measure == "gaze" else {}
        if self.measure == "energy":
            found = showers.estimate_scores(truth[:, 0], estimate[:, 0], self.bins)
        return {**found, **regression.scores(truth, estimate, self.targets)}


def main(arguments: argparse.Namespace) -> None:
    config = stage.parameters(Regress, arguments.params, "regress", arguments.task)
    for name, arm in config.arms.items():
        arm.check(f"{arguments.params}: regress.{arguments.task}.arms.{name}")
    out = Path(arguments.out)
    test, test_digest = test_samples(config), stage.inputs(Path(config.test))
    truth = targets(test, config, Path(config.test))
    runs = [
        Run(out.name, name, arm, seed, config, {**test_digest, **stage.inputs(*arm.sources(seed))})
        for name, arm in config.arms.items() for seed in arm.seeds or config.seeds
    ]  # fmt: skip
    for run in runs:
        for file in run.sources:
            Space.of(test).require(Space.of(SampleFile(file)), f"the test of {config.test}", str(file))
        run.folder.mkdir(parents=True, exist_ok=True)  # here and now: workers keep the name though code be edited meanwhile
    with launch.executor() as pool:
        done = launch.ordered(pool, estimates, [(run, test) for run in runs])
        found = list(tqdm(done, total=len(runs), desc=arguments.task, disable=None))
    with whole_directory(out) as partial:
        save_file({"truth": truth, **{f"{run.name}/{run.seed}": each["estimate"] for run, each in zip(runs, found)}}, partial / "predictions.safetensors")
        measured = []
        for run, each in zip(runs, found):
            floor = config.scores(truth, np.tile(each["mean"], (len(truth), 1)))
            values = {**config.scores(truth, each["estimate"]), **{f"floor_{key}": value for key, value in floor.items()}}
            measured += [(run.name, run.seed, metric, f"{value:.6g}") for metric, value in values.items()]
        table(partial / "results.csv", ("arm", "seed", "metric", "value"), measured)
        if config.keep:
            kept = next(run for run in runs if run.name == config.keep)
            shutil.copytree(kept.folder / "model", partial / "model")
    with whole_file(out.with_name(f"{out.name}.runs.csv")) as partial:
        write_costs(partial, runs)


def test_samples(config: Regress) -> Samples:
    """The samples that give the figures."""
    whole = "split" not in SampleFile(config.test).columns and not config.validate
    return SampleFile(config.test, None if whole else "validation" if config.validate else "test").read()


def targets(samples: Samples, config: Regress, file: Path) -> np.ndarray:
    """The conditions to estimate, (N, T) float32, in the order of the task."""
    names = samples.about.condition
    for name in config.targets:
        if samples.condition is None or name not in names:
            raise InputError(f"{file}: has no condition {name!r}; {suggestion(name, names)}")
    return np.ascontiguousarray(samples.condition[:, [names.index(name) for name in config.targets]])


@dataclass(frozen=True, eq=False)
class Run:
    """One arm of a task with one seed."""

    task: str
    name: str
    arm: Arm
    seed: int
    config: Regress
    provenance: Mapping[str, str]

    @property
    def sources(self) -> list[Path]:
        """The sample files that it learns from."""
        return self.arm.sources(self.seed)

    @functools.cached_property
    def folder(self) -> Path:
        """Where it lives; the name holds a digest of all that decides its outcome."""
        source = Path(inspect.getsourcefile(REGRESSORS[self.arm.regressor]))
        content = [self.arm.as_dict(), self.seed, self.config.targets, self.config.validate, *sorted(self.provenance.values())]
        code = [*stage.sources(source), "pipelines/regress.py"]
        return Path("data/runs") / self.task / f"{self.name}-{self.seed}-{stage.key(*content, code=code)}"


def estimates(run: Run, test: Samples) -> dict[str, np.ndarray]:
    """``estimate`` of the test samples, (N, T), and ``mean`` of the training targets, (T,); trains unless that is done."""
    finished = run.folder / "estimates.safetensors"
    if not finished.exists():
        values = train(run, test)
        with whole_file(finished) as partial:
            save_file(values, partial)
        for checkpoint in run.folder.glob("checkpoint.*"):
            checkpoint.unlink()
    return stage.tensors(finished)


def train(run: Run, test: Samples) -> dict[str, np.ndarray]:
    """Train one arm with one seed, resuming where it was killed; as :func:`estimates` returns it."""
    parts, checkpoint = [training_samples(file) for file in run.sources], run.folder / "checkpoint.safetensors"
    x = np.concatenate([part.x for part in parts])
    y = np.concatenate([targets(part, run.config, file) for part, file in zip(parts, run.sources)])
    rows = np.arange(len(y))
    if run.arm.only:
        if run.arm.only > len(y):
            files = ", ".join(map(str, run.sources))
            raise InputError(f"{files}: has {len(y)} samples, an arm asks for {run.arm.only}; ask for fewer")
        rows = numpy_generator(run.seed, "only").choice(len(y), run.arm.only, replace=False)
    regressor = REGRESSORS[run.arm.regressor](**run.arm.options)
    regressor.set_params(
        checkpoint=checkpoint, device=str(launch.device()), save_seconds=launch.checkpoint_seconds(),
        random_state=torch_seed(run.seed, "regressor") % 2**31,
    )  # fmt: skip
    with stopwatch(run.folder / "cost.json", checkpoint):
        try:
            regressor.fit(x[rows].astype(np.float32), y[rows] if y.shape[1] > 1 else y[rows, 0])
        except ValueError as error:  # scikit-learn's word for a parameter or data that it cannot use
            raise InputError(f"{run.name}-{run.seed}: {error}") from error
    with whole_directory(run.folder / "model") as partial:
        provenance = {"seed": run.seed, "inputs": dict(run.provenance)}
        models.save(partial, regressor.system_, regressor.history_, provenance)
    estimate = regressor.predict(test.x.astype(np.float32)).reshape(len(test), -1)
    return {"estimate": estimate.astype(np.float32), "mean": regression.guess(y[rows], 1)[0].astype(np.float32)}


if __name__ == "__main__":
    made = stage.parser(__name__, task="entry of regress in the parameter file", out="folder to write")
    stage.run(main, made)

"""Search a generator's parameters at random, then train the best setting with several seeds.

    python -m pipelines.search non_saturating data/search/equal_gans/non_saturating --params studies/equal_gans/params.yaml

Reads ``protocol`` and ``search.<method>`` of the parameter file, the samples, and the frozen classifier whose
features judge. The model as it stands is the first trial; wide ranges follow, then narrow ones around the best.
Trials are judged on validation samples, the seeds of the best setting once on test samples. Writes ``trials.json``
(setting and figures of each), ``seeds.json`` (figures of each seed) and a model directory for each seed. A training
that diverges has no figures, and no model. Wall times go to <out>.runs.csv, which DVC does not track.

Trials run wherever ``pipelines/launch.py`` sends them. A finished one is never run again when the others are
interrupted, and one that was interrupted goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from domain import models
from domain.config import Config, Count, Natural, Range
from domain.errors import InputError
from domain.files import read_json, whole_directory, whole_file, write_json
from domain.generators import GENERATORS
from domain.randomness import numpy_generator, torch_generator
from domain.samples import SampleFile
from domain.search import Setting, Span, applied, drawn, narrowed, own_setting
from domain.space import Space
from domain.system import System
from domain.training import Budget, History, NotFinite, fit
from pipelines import launch, stage
from pipelines.classify import origin, table
from pipelines.evaluate import Record
from pipelines.evaluate.yardstick import all_figures, feature_net, few_figures
from pipelines.learn import Learn, run_missing, training_samples

BATCH = 1000  # samples drawn at once


@dataclass(frozen=True)
class Protocol(Config):
    """``protocol``: what every method shares.

    Attributes:
        samples: prepared sample file with a validation and a test split.
        features: model directory of the frozen classifier whose features judge.
        budget: of every training; ``steps`` counts batches of real samples, so a round in which a critic
            takes five of them is five.
        wide: trials in the wide ranges, the model's own setting among them.
        narrow: trials after them.
        share: width of a narrow range in that of the wide one.
        seeds: of the trainings with the best setting; others than ``seed``, whose luck chose it.
        count: samples a side in every figure.
        seed: of the drawn settings, and of every trial.
    """

    samples: str
    features: str
    budget: Budget
    wide: Count = 25
    narrow: Natural = 15
    share: Annotated[float, Range(0, 1, open=True)] = 1 / 3
    seeds: tuple[Natural, ...] = (1, 2, 3, 4, 5)
    count: Count = 1000
    seed: Natural = 0


@dataclass(frozen=True)
class Searched(Config):
    """``search.<method>``.

    Attributes:
        family: its name in the table of generators.
        model: the family's parameters; what ranges set is the first trial.
        ranges: name → where values are drawn from.
    """

    family: str
    model: Mapping[str, Any] = field(default_factory=dict)
    ranges: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One training of a search: a method with a setting and a seed, judged on a split."""

    protocol: Protocol
    method: Searched
    where: str
    setting: Setting
    seed: int

    @property
    def model(self) -> dict[str, Any]:
        """All parameters of the model."""
        family = stage.family(GENERATORS, self.method.family, f"{self.where}.family")
        with stage.naming(f"{self.where}.ranges"):
            own = family.Config.parse(self.method.model, f"{self.where}.model").as_dict()
            return applied(self.method.ranges, self.setting, own)


def main(arguments: argparse.Namespace) -> None:
    protocol = stage.parameters(Protocol, arguments.params, "protocol")
    method = stage.parameters(Searched, arguments.params, "search", arguments.method)
    out, inputs = Path(arguments.out), stage.inputs(Path(protocol.samples), Path(protocol.features))
    plain = Job(protocol, method, f"{arguments.params}: search.{arguments.method}", {}, protocol.seed)
    with stage.naming(f"{plain.where}.ranges"):
        own = own_setting(method.ranges, plain.model)
    with stage.scratch(out, protocol.as_dict(), method.as_dict(), inputs) as kept, whole_directory(out) as partial:
        trials = search(plain, own, kept)
        best = lowest(trials)
        if best["figures"] is None:
            raise InputError(f"{plain.where}: every trial diverged; give lower learning rates")
        seeds = seeded(dataclasses.replace(plain, setting=best["setting"]), kept, partial)
        write_json(partial / "trials.json", [{key: trial[key] for key in ("phase", "setting", "figures")} for trial in trials])
        write_json(partial / "seeds.json", {str(seed): record["figures"] for seed, record in seeds.items()})
        costs = {str(number): record for number, record in enumerate(trials)}
        costs |= {f"seed-{seed}": record for seed, record in seeds.items()}
        with whole_file(out.with_name(f"{out.name}.runs.csv")) as file:
            table(file, ("run", *best["cost"]), [(run, *record["cost"].values()) for run, record in costs.items()])


def search(plain: Job, own: Setting, kept: Path) -> list[Record]:
    """All trials in order: the model's own setting, the wide ones, the narrow ones around the best of these."""
    protocol, spans = plain.protocol, plain.method.ranges
    rng = numpy_generator(protocol.seed, "wide", plain.where.rpartition(".")[2])
    settings = [own, *(drawn(spans, rng) for _ in range(protocol.wide - 1))]
    trials = tried(plain, "wide", settings, kept)
    around = narrowed(spans, lowest(trials)["setting"], protocol.share)
    rng = numpy_generator(protocol.seed, "narrow", plain.where.rpartition(".")[2])
    return trials + tried(plain, "narrow", [drawn(around, rng) for _ in range(protocol.narrow)], kept)


def tried(plain: Job, phase: str, settings: Sequence[Setting], kept: Path) -> list[Record]:
    """What each setting gave; those that were tried before are read."""
    files = [kept / f"{phase}-{number:03d}.json" for number in range(len(settings))]
    run_missing(trial, [(dataclasses.replace(plain, setting=setting), file) for setting, file in zip(settings, files)])
    return [{"phase": phase, "setting": setting, **read_json(file)} for setting, file in zip(settings, files)]


def lowest(trials: Sequence[Record]) -> Record:
    """The trial with the lowest Fréchet distance; a diverged one only if all did."""
    return min(trials, key=lambda trial: trial["figures"]["feature_fid"] if trial["figures"] else math.inf)


def seeded(best: Job, kept: Path, out: Path) -> dict[int, Record]:
    """Train the best setting with each seed into ``out``/<seed>; what each gave."""
    folders = {seed: kept / f"seed-{seed}" for seed in best.protocol.seeds}
    run_missing(final, [(dataclasses.replace(best, seed=seed), folder) for seed, folder in folders.items()])
    for seed, folder in folders.items():
        shutil.copytree(folder, out / str(seed), ignore=shutil.ignore_patterns("final.json"))
    return {seed: read_json(folder / "final.json") for seed, folder in folders.items()}


def trial(job: Job, out: Path) -> None:
    """Write a trial's figures on validation samples, and what it took."""
    began = time.monotonic()
    try:
        model, _ = trained(job, out)
        figures = few_figures(feature_net(job.protocol.features), *sides(model, job, "validation"))
    except NotFinite:
        figures = None
    write_json(out, {"figures": figures, "cost": cost(began)})
    checkpoint(out).unlink(missing_ok=True)


def final(job: Job, out: Path) -> None:
    """Write a model directory with its figures on test samples; without a model where the training diverged."""
    began, figures = time.monotonic(), None
    with whole_directory(out) as partial:
        try:
            model, history = trained(job, out)
            inputs = stage.inputs(Path(job.protocol.samples))
            models.save(partial, model, history, {"seed": job.seed, "inputs": inputs})
            figures = all_figures(feature_net(job.protocol.features), *sides(model, job, "test"), job.seed)
        except NotFinite:
            pass
        write_json(partial / "final.json", {"figures": figures, "cost": cost(began)})
    checkpoint(out).unlink(missing_ok=True)


def trained(job: Job, out: Path) -> tuple[System, History]:
    """Train a model, resuming where it was interrupted."""
    space, x, label = training(Path(job.protocol.samples).resolve())
    learn = Learn(job.method.family, job.model, job.protocol.budget, job.seed)
    model = learn.build(GENERATORS, job.where, space)
    rounds = max(1, learn.budget.steps // max(player.steps for player in model.players))
    history = fit(
        model,
        model.streams(x, label),
        dataclasses.replace(learn.budget, steps=rounds),
        job.seed,
        device=launch.device(),
        checkpoint=checkpoint(out),
        save_seconds=launch.checkpoint_seconds(),
        progress=out.stem,
    )
    return model.cpu().requires_grad_(False), history


@functools.cache
def training(source: Path) -> tuple[Space, Tensor, Tensor]:
    """The training samples as models see them, read once a process: reading takes as long as a short trial."""
    samples = training_samples(source)
    space = Space.of(samples)
    space.require_images(str(source))
    return space, space.encode(samples.x), torch.full((len(samples),), -1)


def sides(model: System, job: Job, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Generated samples and as many real ones of a split, in their own units."""
    count, generator = job.protocol.count, torch_generator(job.seed, "judged", split)
    parts = [model.sample(min(BATCH, count - start), generator) for start in range(0, count, BATCH)]
    return model.space.decode(torch.cat(parts)), real(Path(job.protocol.samples).resolve(), split, count)


@functools.cache
def real(source: Path, split: str, count: int) -> np.ndarray:
    """The first samples of a split."""
    x = SampleFile(source, split).read(0, count).x
    if len(x) < count:
        raise InputError(f"{source}: its split {split!r} has {len(x)} samples, protocol.count asks for {count}; prepare more")
    return x


def checkpoint(out: Path) -> Path:
    """Where a training that is interrupted waits."""
    return out.with_name(f"{out.name}.safetensors")


def cost(began: float) -> Record:
    """What a run took since ``began`` and what it ran on."""
    return {"seconds": round(time.monotonic() - began, 1), **origin()}


if __name__ == "__main__":
    made = stage.parser(__name__, method="entry of search in the parameter file", out="folder to write")
    stage.run(main, made)

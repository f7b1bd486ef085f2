"""What the stages that train a model share: its entry in the parameter file, and the way from a
system to a model directory that survives being killed."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import torch

from domain import models
from domain.config import Config, Natural
from domain.errors import InputError
from domain.files import whole_directory
from domain.randomness import scoped_seed
from domain.samples import SampleFile, Samples
from domain.space import Space
from domain.system import Stream, System
from domain.training import Budget, fit
from pipelines import launch, stage

PICTURES = 4  # of a training, the last of which is the stage's own


@dataclass(frozen=True)
class Learn(Config):
    """One entry of ``refine``; those of ``train`` and ``surrogate`` add to it.

    Attributes:
        family: its name in the table of families; the entry's own name if left out.
        model: the family's own parameters.
        budget: how long to train.
        seed: of start values, order and noise.
        pretrained: the directory of a trained model of the same networks to begin with; where this entry has seeds, the
            folder of the same seeds' models.
    """

    family: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = Budget()
    seed: Natural = 0
    pretrained: str = ""

    @property
    def begins_with(self) -> list[Path]:
        """The weights that the training begins with, none or one file."""
        return [Path(self.pretrained, "model.safetensors")] if self.pretrained else []

    def build(self, table: Mapping[str, type[System]], where: str, space: Space) -> System:
        """The untrained system; ``where`` names the entry, such as ``params.yaml: train.gan``."""
        family = stage.family(table, self.family or where.rpartition(".")[2], f"{where}: family")
        parameters = family.Config.parse(self.model, f"{where}.model")
        with stage.naming(where), scoped_seed(self.seed, "start values"):
            return family(parameters, space)


@dataclass(frozen=True)
class Seeded(Learn):
    """One entry of ``train``, ``refine`` or ``surrogate``.

    Attributes:
        seeds: train one model with each, in place of ``seed``.
    """

    seeds: tuple[Natural, ...] = ()

    def of(self, seed: int) -> Self:
        """The entry of one of the seeds."""
        begun = f"{self.pretrained}/{seed}" if self.pretrained else ""
        return dataclasses.replace(self, seed=seed, seeds=(), pretrained=begun)


S = TypeVar("S", bound=Seeded)


def each_seed(train: Callable[[S, str, Path, Path], None], config: S, where: str, source: Path, out: Path) -> None:
    """``train(config, where, source, out)``, or with ``seeds`` once for each into ``out/<seed>``.

    A seed that is done is kept when the others are interrupted.
    """
    if not config.seeds:
        train(config, where, source, out)
        return
    each = [config.of(seed) for seed in config.seeds]
    read = stage.inputs(source, *(file for one in each for file in one.begins_with))
    with stage.scratch(out, config.as_dict(), read) as folder, whole_directory(out) as partial:
        tasks = [(one, where, source, folder / f"{out.name}-{one.seed}") for one in each]
        run_missing(train, tasks)
        for seed, (*_, trained) in zip(config.seeds, tasks):
            shutil.copytree(trained, partial / str(seed))


@contextlib.contextmanager
def model_directory(
    model: System,
    data: Mapping[str, Stream],
    config: Learn,
    out: Path,
    inputs: Mapping[str, str],
    draw: Callable[[Path], None] | None = None,
) -> Iterator[Path]:
    """Train, save, and yield the directory for the stage to add to; it appears whole at the end.

    What the model's own alarms say of the training is a warning, and stands in its provenance. ``draw``
    makes a picture of the model as it stands: one at each quarter of the training, ``step-<rounds>.png``.
    """
    weights = models.weights(config.pretrained, model) if config.pretrained else None
    provenance: dict[str, Any] = {"seed": config.seed, "inputs": {**inputs, **stage.inputs(*config.begins_with)}}
    steps = config.budget.steps
    drawn = {steps * k // PICTURES: f"step-{steps * k // PICTURES:06d}.png" for k in range(1, PICTURES)} if draw else {}
    with stage.scratch(out, config.as_dict(), provenance) as folder, whole_directory(out) as partial:
        history = fit(
            model,
            data,
            config.budget,
            config.seed,
            device=launch.device(),
            checkpoint=folder / "checkpoint.safetensors",
            save_seconds=launch.checkpoint_seconds(),
            progress=out.name,
            watch=lambda rounds: draw(folder / drawn[rounds]) if rounds in drawn else None,
            weights=weights,
        )
        for name in drawn.values():
            if (folder / name).exists():
                shutil.copy(folder / name, partial / name)
        if alarms := model.alarms(history):
            provenance["alarms"] = alarms
            print(f"warning: {out.name}: {'; also '.join(alarms)}", file=sys.stderr)
        models.save(partial, model.cpu().requires_grad_(False), history, provenance)
        yield partial


def run_missing(train: Callable[..., None], tasks: Sequence[tuple]) -> None:
    """``train(*task)`` for each task whose last entry, the path of a model directory, does not exist yet."""
    with launch.executor() as pool:
        for _ in launch.ordered(pool, train, [task for task in tasks if not task[-1].exists()]):
            pass


def training_samples(source: Path) -> Samples:
    """The training split of a sample file, or all of it where there is no split."""
    file = SampleFile(source)
    return SampleFile(source, "train").read() if "split" in file.columns else file.read()


def conditions(model: System, samples: Samples) -> dict[str, torch.Tensor]:
    """The samples' conditions, by keyword, for a model that learns them."""
    if "condition" not in model.given:
        return {}
    if samples.condition is None:
        raise InputError("has no column 'condition'; this model learns samples given it")
    return {"condition": torch.from_numpy(samples.condition)}

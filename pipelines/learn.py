"""What the stages that train a model share: its entry in the parameter file, and the way from a
system to a model directory that survives being killed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain import models
from domain.config import Config, Natural
from domain.files import whole_directory
from domain.randomness import scoped_seed
from domain.samples import SampleFile, Samples
from domain.space import Space
from domain.system import Stream, System
from domain.training import Budget, fit
from pipelines import launch, stage


@dataclass(frozen=True)
class Learn(Config):
    """One entry of ``train``, ``refine`` or ``surrogate``.

    Attributes:
        family: its name in the table of families; the entry's own name if left out.
        model: the family's own parameters.
        budget: how long to train.
        seed: of start values, order and noise.
    """

    family: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = Budget()
    seed: Natural = 0

    def build(self, table: Mapping[str, type[System]], where: str, space: Space) -> System:
        """The untrained system; ``where`` names the entry, such as ``params.yaml: train.gan``."""
        family = stage.family(table, self.family or where.rpartition(".")[2], f"{where}: family")
        parameters = family.Config.parse(self.model, f"{where}.model")
        with stage.naming(where), scoped_seed(self.seed, "start values"):
            return family(parameters, space)


@contextlib.contextmanager
def model_directory(
    model: System, data: Mapping[str, Stream], config: Learn, out: Path, inputs: Mapping[str, str]
) -> Iterator[Path]:
    """Train, save, and yield the directory for the stage to add to; it appears whole at the end."""
    provenance = {"seed": config.seed, "inputs": dict(inputs)}
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
        )
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

"""A study's table of surrogates: each seed of each beside samples of the simulator that nobody learned from.

    python -m pipelines.evaluate.surrogates studies/tpc

Reads ``evaluate.surrogates`` of the study's parameter file and the models it names. Half of the held-out samples
is compared with, the other half stands as the surrogate ``floor``. Writes into the study's folder ``results.csv``
(surrogate, particle, seed, metric, value, the range of conditions, and where it was judged), ``summary.md``, and
of each group of samples ``observables.svg``, ``averages.png`` and, where there is one, ``response.svg``; of
several groups their names are added, as in ``averages-gamma.png``.

What is measured is kept until the table is whole, so the same command goes on where a killed run stopped. With
``--only`` some surrogates are measured ahead, such as while others still learn, and nothing is written.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tqdm import tqdm

from domain import models
from domain.config import Config, Count, Natural
from domain.errors import InputError
from domain.files import whole_file
from domain.metrics.two_sample import CaloChallengeJudge, Judge
from domain.randomness import torch_generator
from domain.samples import SampleFile, Samples
from domain.simulators import SIMULATORS
from domain.view import plots, study
from pipelines import launch, stage
from pipelines.classify import origin, table
from pipelines.evaluate import held_out, none_or_all
from pipelines.evaluate.fidelity import compared, transferred
from pipelines.evaluate.sides import KINDS, Side
from pipelines.evaluate.summary import Measured, page

FLOOR, ALL = "floor", "all"
COLUMNS = ("surrogate", "particle", "seed", "metric", "value", "range")
BATCH = 1000  # samples drawn at once
UNREAD = ("title", "surrogates", "simulators", "seeds", "fewer", "drawn", "rests_on")  # change no figure of one surrogate
WINDOW_BINS = 4  # of energy, within a window


@dataclass(frozen=True)
class Within(Config):
    """A window in which some surrogates are measured apart, such as one that another did not learn from.

    Attributes:
        condition: its name.
        range: lowest and highest value.
        surrogates: which; the floor and the simulators are measured there too.
    """

    condition: str
    range: tuple[float, float]
    surrogates: tuple[str, ...]

    @property
    def name(self) -> str:
        """As in the column ``range``."""
        return f"{self.condition} {self.range[0]:g} to {self.range[1]:g}"


@dataclass(frozen=True)
class Surrogates(Config):
    """``evaluate.surrogates``. In a path or an option, ``{group}`` stands for each group's name.

    Attributes:
        title: of the summary.
        kind: what the samples are; ``pipelines/evaluate/sides.py`` says what is seen of each kind.
        groups: particles or classes, each measured by itself. Where ``samples`` does not name them, they are the
            classes of its labels in this order.
        samples: the file that the surrogates learned from.
        shape: rows and columns of a picture whose samples are flat.
        surrogates: name → folder with one model directory a seed.
        simulators: rivals that make showers of given energies: name in domain/simulators → options.
        seeds: of the models, and of what each draws.
        fewer: surrogates and simulators that only the first seeds are measured of → how many.
        count: held-out samples a side, of each file.
        bins: edges of the energy bins of a response, in GeV.
        within: a window to measure apart.
        transfer: samples a group and side that train and test a classifier of groups, simulated and drawn ones crosswise; 0 for none.
        drawn: surrogates in the pictures, by the first seed's models; all if left out.
        judge: the two-sample tests' classifier.
        rests_on: sentences that end the summary.
    """

    title: str
    samples: str
    surrogates: Mapping[str, str]
    seeds: tuple[Natural, ...]
    count: Count
    kind: Literal["picture", "jet", "shower"] = "picture"
    groups: tuple[str, ...] = (ALL,)
    shape: tuple[Count, Count] | None = None
    fewer: Mapping[str, Count] = field(default_factory=dict)
    simulators: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bins: tuple[float, ...] = (1.0, 20.0, 40.0, 60.0, 80.0, 100.0)
    within: Within | None = None
    transfer: Natural = 4000
    drawn: tuple[str, ...] = ()
    judge: Judge | CaloChallengeJudge = Judge()
    rests_on: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that is measured, in the order of the tables."""
        return *self.surrogates, *self.simulators, FLOOR

    @property
    def measured(self) -> tuple[tuple[str, int], ...]:
        """Each of them with each of its seeds."""
        return tuple((name, seed) for name in self.names for seed in self.seeds[: self.fewer.get(name)])


@dataclass(frozen=True)
class Group:
    """One particle's or class's held-out samples, and what training samples look like.

    Attributes:
        reference: what surrogates are compared with.
        other: the floor.
        known: range of conditions → high-level features of the training samples in it, (M, D).
    """

    reference: Side
    other: Side
    known: Mapping[str, np.ndarray]


def main(arguments: argparse.Namespace) -> None:
    folder, config = Path(arguments.study), parameters(arguments.study)
    for where, names in (("--only", arguments.only), ("evaluate.surrogates.fewer", config.fewer)):
        for name in names:
            stage.family(dict.fromkeys(config.names), name, where)
    wanted = [each for each in config.measured if not arguments.only or each[0] in arguments.only]
    with stage.scratch(folder, "evaluation", keep=bool(arguments.only)) as kept, launch.executor() as pool:
        done = launch.ordered(pool, judged_once, [(arguments.study, *each, kept) for each in wanted])
        measured = dict(zip(wanted, tqdm(done, total=len(wanted), desc=folder.name, disable=None)))
        if arguments.only:
            return
        with none_or_all(folder) as new:
            table(new("results.csv"), (*COLUMNS, *origin()), rows(measured))
            figures = [figure for group in config.groups for figure in draw(arguments.study, group, new)]
            new("summary.md").write_text(page(measured, config.title, config.count, KINDS[config.kind], figures, config.rests_on))


def parameters(folder: str) -> Surrogates:
    """The study's parameters."""
    return stage.parameters(Surrogates, f"{folder}/params.yaml", "evaluate", "surrogates")


@functools.lru_cache(maxsize=1)
def groups(folder: str) -> dict[str, Group]:
    """The simulator's samples, read once in a process."""
    config = parameters(folder)
    return {name: read_group(config, name) for name in config.groups}


def read_group(config: Surrogates, group: str) -> Group:
    """Reference, floor and training samples of one group."""
    source = Path(config.samples.format(group=group))
    file, held = SampleFile(source), held_out(source, 2 * config.count)
    training = SampleFile(source, "train").read() if "split" in file.columns else file.read(0, len(file) - len(held))
    parts = held.select(slice(0, config.count)), held.select(slice(config.count, None)), training
    if len(config.groups) > 1 and source == Path(config.samples):
        parts = tuple(of_class(part, config.groups.index(group), source) for part in parts)
    kind = KINDS[config.kind]
    reference = kind.of(parts[0], config.shape)
    other, learned = (kind.of(part, config.shape, reference.least) for part in parts[1:])
    known = {name: learned.select(inside(learned, name, config)).features["high"] for name in ranges(config)}
    return Group(reference, other, known)


def of_class(samples: Samples, k: int, source: Path) -> Samples:
    """The samples of class ``k``."""
    if samples.label is None or not (samples.label == k).any():
        raise InputError(f"{source}: has no samples of class {k}; name in 'groups' the classes of its labels, in order")
    return samples.select(samples.label == k)


def ranges(config: Surrogates, name: str = FLOOR) -> tuple[str, ...]:
    """The ranges of conditions in which a surrogate is measured."""
    window = config.within
    apart = window is not None and (name in window.surrogates or name not in config.surrogates)
    return (ALL, window.name) if apart else (ALL,)


def inside(side: Side, name: str, config: Surrogates) -> np.ndarray:
    """(N,) bool of the samples in a range of conditions."""
    if name == ALL:
        return np.ones(len(side.x), bool)
    file = SampleFile(config.samples.format(group=config.groups[0]))
    if config.within.condition not in file.about.condition:
        raise InputError(f"{file.path}: has no condition {config.within.condition!r}; mend evaluate.surrogates.within")
    values = side.condition[:, file.about.condition.index(config.within.condition)]
    return (values >= config.within.range[0]) & (values <= config.within.range[1])


def judged_once(folder: str, name: str, seed: int, kept: Path) -> dict[tuple[str, str], dict[str, float]]:
    """What :func:`judged` gives, from the file that an earlier run left or into one."""
    config = parameters(folder)
    content = {key: value for key, value in config.as_dict().items() if key not in UNREAD}
    paths = [config.samples, *([f"{config.surrogates[name]}/{seed}"] if name in config.surrogates else [])]
    digests = stage.inputs(*(Path(path.format(group=group)) for path in paths for group in config.groups))
    finished = kept / f"{name}-{seed}-{stage.key(content, config.simulators.get(name), digests, code=[])}.json"
    if not finished.exists():
        figures = judged(folder, name, seed)
        with whole_file(finished) as partial:
            partial.write_text(json.dumps([[*part, values] for part, values in figures.items()]))
    return {(group, part): values for group, part, values in json.loads(finished.read_text())}


def judged(folder: str, name: str, seed: int) -> dict[tuple[str, str], dict[str, float]]:
    """(group, range) → every figure of one surrogate; all groups together have figures of their own."""
    config, known = parameters(folder), groups(folder)
    sides = {group: drawn(config, name, seed, group, known[group]) for group in config.groups}
    figures = {}
    for group, side in sides.items():
        for part in ranges(config, name):
            chosen = [each.select(inside(each, part, config)) for each in (side, known[group].reference)]
            bins = config.bins if part == ALL else np.linspace(*config.within.range, WINDOW_BINS + 1)
            figures[group, part] = compared(*chosen, known[group].known[part], config.judge, seed, bins, launch.device())
    if len(sides) > 1 and config.transfer:
        references = [each.reference for each in known.values()]
        told = transferred(references, list(sides.values()), config.transfer, seed)
        figures[" and ".join(config.groups), ALL] = told
    return figures


def drawn(config: Surrogates, name: str, seed: int, group: str, known: Group) -> Side:
    """What one surrogate makes of the conditions and classes of the reference."""
    if name == FLOOR:
        return known.other
    reference, generator = known.reference, torch_generator(seed, "evaluate", name, group, device=launch.device())
    if name in config.simulators:
        return reference.drawn(rival(config, name, seed, group, reference))
    model = models.load(Path(config.surrogates[name].format(group=group)) / str(seed)).to(launch.device())
    given = {key: torch.from_numpy(getattr(reference, key)).to(launch.device()) for key in model.given}
    parts = []
    for start in range(0, len(reference.x), BATCH):
        asked = {key: values[start : start + BATCH] for key, values in given.items()}
        parts.append(model.space.decode(model.sample(min(BATCH, len(reference.x) - start), generator, **asked)))
    return reference.drawn(np.concatenate(parts))


def rival(config: Surrogates, name: str, seed: int, group: str, reference: Side) -> np.ndarray:
    """Another simulator's showers of the reference's energies."""
    where = f"evaluate.surrogates.simulators.{name}"
    options = {key: v.format(group=group) if isinstance(v, str) else v for key, v in config.simulators[name].items()}
    simulator = stage.family(SIMULATORS, name, where).parse(options, where)
    if not hasattr(simulator, "showers"):
        raise InputError(f"{where}: cannot be asked for showers of given energies; gflash can")
    return simulator.showers(torch.from_numpy(reference.energy), torch_generator(seed, "evaluate", name, group)).numpy()


def rows(measured: Measured) -> Iterator[tuple[object, ...]]:
    """The rows of ``results.csv``."""
    made = tuple(origin().values())
    for (name, seed), parts in measured.items():
        for (group, part), values in parts.items():
            for metric, value in values.items():
                yield name, group, seed, metric, f"{value:.6g}", part, *made


def draw(folder: str, group: str, new: Callable[[str], Path]) -> list[tuple[str, str, str]]:
    """Histograms with ratios, average samples and the response of one group: (group, file, caption) of each."""
    config, known = parameters(folder), groups(folder)[group]
    names = [name for name in config.names if not config.drawn or name in (*config.drawn, *config.simulators, FLOOR)]
    sides = {"simulator": known.reference}
    sides |= {study.name(name): drawn(config, name, config.seeds[0], group, known) for name in names}
    suffix, kind, order = f"-{group}" if len(config.groups) > 1 else "", KINDS[config.kind], ", ".join(sides)
    values = {name: side.observables for name, side in sides.items()}
    panels = []
    for name in kind.shown:
        edges = np.linspace(*np.quantile(values["simulator"][name], (0.005, 0.995)), 41)
        panels.append((kind.labels[name], edges, {who: np.histogram(columns[name], edges)[0] for who, columns in values.items()}))
    plots.histograms(panels, new(f"observables{suffix}.svg"))
    kind.draw_averages(sides, new(f"averages{suffix}.png"))
    files = [("observables", "svg", "Observables; below each, the ratio to the simulator"), ("averages", "png", f"{kind.averages}: {order}")]
    if kind.has_response:
        kind.draw_response(sides, config.bins, new(f"response{suffix}.svg"))
        files.append(("response", "svg", "Bias and resolution of the total energy against incident energy"))
    return [(group, f"{name}{suffix}.{ending}", caption) for name, ending, caption in files]


if __name__ == "__main__":
    made = stage.parser(__name__, reads_parameters=False, study="folder of the study")
    made.add_argument("--only", nargs="+", default=[], metavar="SURROGATE", help="measure these ahead, write nothing")
    stage.run(main, made)

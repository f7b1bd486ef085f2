"""What a study measures of simulated and refined images themselves, whatever is learned from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from domain import models
from domain.config import Config, Count, Natural
from domain.errors import InputError
from domain.metrics import gaze, lines
from domain.metrics.two_sample import Judge, classifier_two_sample_test
from domain.randomness import numpy_generator
from domain.samples import SampleFile, Samples
from domain.system import CanClassify, CanPredict, System
from domain.view import pictures, study
from pipelines.evaluate.arms import Values, spread
from pipelines.evaluate.sides import KINDS

REAL = "real"  # the floor's name
AUC, AGREEMENT, LINES, DRIFT, GAZE = "auc", "label_agreement", "centre_line_iou", "energy_drift", "gaze_drift"
TESTS = {f"{AUC}_{name}": f"AUC, {name}" for kind in reversed(list(KINDS.values())) for name in kind.tests}
TITLES = {
    AUC: "AUC", **TESTS, AGREEMENT: "label agreement [%]", LINES: "centre-line IoU", DRIFT: "energy drift [%]",
    GAZE: "gaze drift [°]",
}
PERCENT = (AGREEMENT, DRIFT)
SAYS = {
    AUC: "AUC: area under the ROC curve of a fresh classifier that tells samples from real ones; 0.5 is chance.",
    AGREEMENT: "Label agreement: how often a classifier of other real images reads the label that an image carries.",
    LINES: "Centre-line IoU: of the lines an image shows and those it is labelled with, to a pixel.",
    DRIFT: "Energy drift: the total deposit over the incident energy against that of real samples, less 1, over equal bins.",
    GAZE: "Gaze drift: what a network that learned from other images reads, less the label: the longest median among "
    "the four quarters of directions; its own unease with what it never saw is in it.",
}
BATCH, SHOWN = 500, 12  # images read at once, and images in a row of a picture


@dataclass(frozen=True)
class Looks(Config):
    """What a fresh classifier is asked to tell from real images, and whether labels still fit.

    Attributes:
        real: a sample file of real images.
        split: of that file; all of it if left out.
        sets: name → sample file, in which ``{seed}`` stands for the seed; one more real file gives the floor.
        seeds: those that sets are judged with, where they are fewer than the arms'.
        floor: judge as many other images of ``real`` too, as the set ``real``.
        count: images a side.
        judge: the two-sample test's classifier.
        reader: model directory of a classifier of other real images, which reads the labels of the sets; or of a
            regressor of yaw and pitch, which reads their gaze.
        lines: whether the sets' masks are centre lines that strokes should follow.
        bins: edges of energy bins in GeV; with them the energy drift of showers is measured.
        picture: draw the sets and real samples, row under row: of images twelve each, of deposits the average.
    """

    real: str
    sets: Mapping[str, str]
    split: str = ""
    seeds: tuple[Natural, ...] = ()
    floor: bool = False
    count: Count = 1000
    judge: Judge = Judge()
    reader: str = ""
    lines: bool = False
    bins: tuple[float, ...] = ()
    picture: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.floor and REAL in self.sets:
            raise InputError(f"Looks.sets: {REAL!r} is the name of the floor; give this set another, or set 'floor' to false")

    def among(self, seeds: Sequence[str]) -> list[str]:
        """The seeds that sets are judged with, where arms have these."""
        return list(map(str, self.seeds)) or list(seeds)


def looked(looks: Looks, seeds: Sequence[str]) -> list[dict[str, str]]:
    """A row (arm, seed, metric, value) for each set, seed and measurement.

    A set whose file is the same for all seeds has its label agreement and lines measured with the first alone.
    """
    reader, rows = models.load(looks.reader) if looks.reader else None, []
    seeds = looks.among(seeds)
    for seed in seeds:
        real = _real(looks, seed)
        sets = {name: _read(file.replace("{seed}", seed), looks.count) for name, file in looks.sets.items()}
        kept = real.select(slice(0, looks.count))
        for name, samples in sets.items():
            found = _seen(samples, kept, seed, looks)
            if seed == seeds[0] or "{seed}" in looks.sets[name]:
                found |= _labels(samples, looks, reader, looks.sets[name])
            rows += _rows(name, seed, found)
        if looks.floor:
            rows += _rows(REAL, seed, _seen(real.select(slice(looks.count, None)), kept, seed, looks))
    return rows


def _rows(name: str, seed: str, found: Mapping[str, float]) -> list[dict[str, str]]:
    return [{"arm": name, "seed": seed, "metric": key, "value": f"{value:.6g}"} for key, value in found.items()]


def draw_samples(looks: Looks, seeds: Sequence[str], path: Path) -> str:
    """Draw samples of each set, of the first seed, and real ones, a row each; what the picture shows."""
    seed = looks.among(seeds)[0]
    real = _real(looks, seed)
    sides = {name: _read(file.replace("{seed}", seed), looks.count) for name, file in looks.sets.items()}
    sides |= {REAL: real}
    names = ", ".join(map(study.name, sides))
    if real.about.kind in KINDS:
        kind = KINDS[real.about.kind]
        kind.draw_averages({name: kind.of(each) for name, each in sides.items()}, path)
        return f"{kind.averages}: {names}"
    pictures.rows([each.x[:SHOWN] for each in sides.values()], real.about.range, path)
    return f"From above: {names}"


def _read(file: str, count: int) -> Samples:
    samples = SampleFile(file).read(0, count)
    if len(samples) < count:
        raise InputError(f"{file}: has {len(samples)} samples, {count} are compared; lower 'looks.count'")
    return samples


def _real(looks: Looks, seed: str) -> Samples:
    """Real samples, drawn without order, as a file may be sorted; with ``floor`` twice as many."""
    samples = SampleFile(looks.real, looks.split or None).read()
    wanted = looks.count * (1 + looks.floor)
    if len(samples) < wanted:
        raise InputError(f"{looks.real}: has {len(samples)} samples, {wanted} are compared; lower 'looks.count'")
    return samples.select(numpy_generator(int(seed), "looks").permutation(len(samples))[:wanted])


def _seen(samples: Samples, real: Samples, seed: str, looks: Looks) -> dict[str, float]:
    """The AUC of each two-sample test of their kind, of images on their pixels; with ``bins`` the energy drift."""
    if real.about.kind not in KINDS:
        return {AUC: classifier_two_sample_test(samples.x, real.x, int(seed), looks.judge)["auc"]}
    kind = KINDS[real.about.kind]
    reference = kind.of(real)
    side = kind.of(samples, least=reference.least)
    ours, theirs = side.features, reference.features
    found = {
        f"{AUC}_{name}": classifier_two_sample_test(ours[name], theirs[name], int(seed), looks.judge)["auc"] for name in theirs
    }
    return {**found, DRIFT: side.response(reference, looks.bins)["etot_bias"]} if looks.bins and kind.has_response else found


def _labels(samples: Samples, looks: Looks, reader: System | None, file: str) -> dict[str, float]:
    """How well labels, gaze and masks fit the images that carry them."""
    found = {}
    if isinstance(reader, CanClassify):
        if samples.label is None:
            raise InputError(f"{file}: has no labels for 'looks.reader' to read; leave this set or the reader out")
        found[AGREEMENT] = float((_read_off(reader, reader.classify, samples).argmax(1) == samples.label).mean())
    elif isinstance(reader, CanPredict):
        yaw_pitch = [k for k, name in enumerate(samples.about.condition) if name in ("yaw", "pitch")]
        if samples.condition is None or len(yaw_pitch) != 2:
            raise InputError(f"{file}: has no yaw and pitch for 'looks.reader' to read; leave this set or the reader out")
        found[GAZE] = gaze.drift(samples.condition[:, yaw_pitch], _read_off(reader, reader.predict, samples))
    elif reader is not None:
        raise InputError(f"looks.reader: {looks.reader} reads nothing off an image; name a classifier's or a regressor's model")
    if looks.lines:
        if samples.mask is None:
            raise InputError(f"{file}: has no masks for 'looks.lines'; leave this set out, or set it to false")
        found[LINES] = lines.quality(samples.x, samples.mask, sum(samples.about.range) / 2)
    return found


def _read_off(reader: System, answer: Callable[[Tensor], Tensor], samples: Samples) -> np.ndarray:
    """What a reader answers of each sample, (N, ...)."""
    return torch.cat([answer(part) for part in reader.space.encode(samples.x).split(BATCH)]).numpy()


def looks_table(looks: Values) -> list[str]:
    """What the columns mean, and the table."""
    columns = [key for key in TITLES if any(key in of for of in looks.values())]
    cells = [
        [study.name(name), *(spread(of[key], 100 if key in PERCENT else 1) if key in of else "" for key in columns)]
        for name, of in looks.items()
    ]
    says = [SAYS[key] for key in dict.fromkeys(AUC if key in TESTS else key for key in columns)]
    return [" ".join(says), study.table(("samples", *(TITLES[key] for key in columns)), cells)]

"""What a study measures of simulated and refined images themselves, whatever is learned from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from domain import models
from domain.config import Config, Count
from domain.errors import InputError
from domain.metrics import lines
from domain.metrics.two_sample import Judge, classifier_two_sample_test
from domain.randomness import numpy_generator
from domain.samples import SampleFile, Samples
from domain.system import CanClassify
from domain.view import study
from pipelines.evaluate.arms import Values, spread

REAL = "real"  # the floor's name
AUC, AGREEMENT, LINES = "auc", "label_agreement", "centre_line_iou"
TITLES = {AUC: "AUC", AGREEMENT: "label agreement [%]", LINES: "centre-line IoU"}
SAYS = {
    AUC: "AUC: area under the ROC curve of a fresh classifier that tells images from real ones; 0.5 is chance.",
    AGREEMENT: "Label agreement: how often a classifier of other real images reads the label that an image carries.",
    LINES: "Centre-line IoU: of the lines an image shows and those it is labelled with, to a pixel.",
}
BATCH = 500


@dataclass(frozen=True)
class Looks(Config):
    """What a fresh classifier is asked to tell from real images, and whether labels still fit.

    Attributes:
        real: a sample file of real images.
        split: of that file; all of it if left out.
        sets: name → sample file, in which ``{seed}`` stands for the seed; one more real file gives the floor.
        floor: judge as many other images of ``real`` too, as the set ``real``.
        count: images a side.
        judge: the two-sample test's classifier.
        reader: model directory of a classifier of other real images, which reads the labels of the sets.
        lines: whether the sets' masks are centre lines that strokes should follow.
    """

    real: str
    sets: Mapping[str, str]
    split: str = ""
    floor: bool = False
    count: Count = 1000
    judge: Judge = Judge()
    reader: str = ""
    lines: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.floor and REAL in self.sets:
            raise InputError(f"Looks.sets: {REAL!r} is the name of the floor; give this set another, or set 'floor' to false")


def looked(looks: Looks, seeds: Sequence[str]) -> list[dict[str, str]]:
    """A row (arm, seed, metric, value) for each set, seed and measurement.

    A set whose file is the same for all seeds has its label agreement and lines measured with the first alone.
    """
    reader, rows = _reader(looks), []
    for seed in seeds:
        real = _real(looks, seed)
        sets = {name: _read(file.replace("{seed}", seed), looks.count) for name, file in looks.sets.items()}
        for name, samples in sets.items():
            found = {AUC: _auc(samples.x, real[: looks.count], seed, looks.judge)}
            if seed == seeds[0] or "{seed}" in looks.sets[name]:
                found |= _labels(samples, looks, reader, looks.sets[name])
            rows += [{"arm": name, "seed": seed, "metric": key, "value": f"{value:.6g}"} for key, value in found.items()]
        if looks.floor:
            value = _auc(real[looks.count :], real[: looks.count], seed, looks.judge)
            rows.append({"arm": REAL, "seed": seed, "metric": AUC, "value": f"{value:.6g}"})
    return rows


def _read(file: str, count: int) -> Samples:
    samples = SampleFile(file).read(0, count)
    if len(samples) < count:
        raise InputError(f"{file}: has {len(samples)} samples, {count} are compared; lower 'looks.count'")
    return samples


def _real(looks: Looks, seed: str) -> np.ndarray:
    """Real images, drawn without order, as a file may be sorted; with ``floor`` twice as many."""
    images = SampleFile(looks.real, looks.split or None).read().x
    wanted = looks.count * (1 + looks.floor)
    if len(images) < wanted:
        raise InputError(f"{looks.real}: has {len(images)} samples, {wanted} are compared; lower 'looks.count'")
    return images[numpy_generator(int(seed), "looks").permutation(len(images))[:wanted]]


def _auc(x: np.ndarray, real: np.ndarray, seed: str, judge: Judge) -> float:
    sides = (side.reshape(len(side), -1) for side in (x, real))
    return classifier_two_sample_test(*sides, int(seed), judge)["auc"]


def _reader(looks: Looks) -> CanClassify | None:
    if not looks.reader:
        return None
    model = models.load(looks.reader)
    if not isinstance(model, CanClassify):
        raise InputError(f"looks.reader: {looks.reader} does not classify; name a classifier's model directory")
    return model


def _labels(samples: Samples, looks: Looks, reader: CanClassify | None, file: str) -> dict[str, float]:
    """How well labels and masks fit the images that carry them."""
    found = {}
    if reader:
        if samples.label is None:
            raise InputError(f"{file}: has no labels for 'looks.reader' to read; leave this set or the reader out")
        x = reader.space.encode(samples.x)
        answers = torch.cat([reader.classify(part).argmax(1) for part in x.split(BATCH)])
        found[AGREEMENT] = float((answers.numpy() == samples.label).mean())
    if looks.lines:
        if samples.mask is None:
            raise InputError(f"{file}: has no masks for 'looks.lines'; leave this set out, or set it to false")
        found[LINES] = lines.quality(samples.x, samples.mask, sum(samples.about.range) / 2)
    return found


def looks_table(looks: Values) -> list[str]:
    """What the columns mean, and the table."""
    columns = [key for key in TITLES if any(key in of for of in looks.values())]
    cells = [
        [study.name(name), *(spread(of[key], 100 if key == AGREEMENT else 1) if key in of else "" for key in columns)]
        for name, of in looks.items()
    ]
    return [" ".join(SAYS[key] for key in columns), study.table(("images", *(TITLES[key] for key in columns)), cells)]

"""Stacked digits: three random digits as the channels of one image, 1000 classes (Metz et al. 2016, arXiv 1611.02163).

The test of mode coverage on images. Any prepared file of grey images of ten classes will do, such as
MNIST or the digits that scikit-learn carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.config import Config, Count, Natural
from domain.errors import InputError
from domain.randomness import numpy_generator
from domain.samples import SPLITS, About, Samples, read

CHANNELS, DIGITS = 3, 10


@dataclass(frozen=True)
class Stacked(Config):
    """Triples of another data set's images.

    Attributes:
        source: prepared sample file with labelled grey images.
        count: triples to draw from the training images; a sixth as many from the test images, if there are any.
        seed: draws them.
    """

    source: str = "data/prepared/mnist.h5"
    count: Count = 60_000
    seed: Natural = 0

    def about(self) -> About:
        return About(kind="image", range=(0, 255), classes=DIGITS**CHANNELS, producer="datasets.stacked")

    def load(self, folders: Sequence[Path] = (), progress: bool = False) -> Samples:
        """x: (N, 3, H, W) uint8; label: 100 a + 10 b + c for the digits a, b, c; no folder is read."""
        samples = read(self.source)
        label = samples.label if samples.truth is None else samples.truth
        if samples.x.ndim != 4 or samples.x.shape[1] != 1 or label is None or samples.about.classes != DIGITS:
            raise InputError(f"{self.source}: stacking takes grey images (N, 1, H, W) of {DIGITS} classes; name such a file")
        split = np.zeros(len(samples), np.int8) if samples.split is None else samples.split
        parts = []
        for part, count in (("train", self.count), ("test", -(-self.count // 6))):
            rows = np.flatnonzero((split == SPLITS.index(part)) & (label >= 0))
            if len(rows):
                rng = numpy_generator(self.seed, "stacked", part)
                parts.append((rng.choice(rows, (count, CHANNELS)), np.full(count, SPLITS.index(part), np.int8)))
        if not parts:
            raise InputError(f"{self.source}: has no labelled training images; prepare it with labels: 0")
        triples, splits = (np.concatenate(column) for column in zip(*parts))
        low, high = samples.about.range
        x = ((samples.x[:, 0].astype(np.float32) - low) * (255 / (high - low))).round().astype(np.uint8)[triples]
        return Samples(x, self.about(), label=label[triples] @ np.array([100, 10, 1]), split=splits)

"""Held-out real images, and the ways in which others are compared with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from domain import models
from domain.classifiers.supervised import Supervised
from domain.config import Config, Count, Natural
from domain.errors import InputError
from domain.metrics.coverage import memorisation, prdc
from domain.metrics.frechet import feature_fid
from domain.metrics.two_sample import Judge, classifier_two_sample_test
from domain.randomness import numpy_generator
from domain.samples import SampleFile, Samples
from pipelines.evaluate import Record


@dataclass(frozen=True)
class Images(Config):
    """``evaluate.images``: how images are compared.

    Attributes:
        features: model directory of the frozen classifier whose features some metrics use.
        count: images a side.
        judge: the two-sample test's classifier.
        seed: of samples and of fresh classifiers.
    """

    features: str
    count: Count = 500
    judge: Judge = Judge()
    seed: Natural = 0


@dataclass(frozen=True)
class Yardstick:
    """Held-out real samples and the frozen features that others are compared in."""

    training: Samples
    validation: Samples
    test: Samples
    features: Supervised
    config: Images

    @classmethod
    def of(cls, dataset: str, config: Images) -> Yardstick:
        source = Path("data/prepared") / f"{dataset}.h5"
        file = SampleFile(source)
        if "split" not in file.columns:
            raise InputError(f"{source}: has no column 'split'; evaluation compares with held-out samples")
        parts = [shuffled(SampleFile(source, split).read(), config.seed) for split in ("train", "validation", "test")]
        features = models.load(config.features)
        if not isinstance(features, Supervised):
            raise InputError(f"features: {config.features} is no supervised classifier; name the one to take features from")
        return cls(*parts, features, config)

    @torch.no_grad()
    def _features(self, x: np.ndarray) -> np.ndarray:
        return self.features.features(self.features.space.encode(x)).numpy()

    def measure(self, x: np.ndarray) -> Record:
        """How much ``x`` (N, C, H, W) looks like the real test samples, in equal numbers."""
        count = min(len(x), len(self.test), self.config.count)
        x, real = x[:count].astype(np.float32), self.test.x[:count].astype(np.float32)
        two_sample = classifier_two_sample_test(x, real, self.config.seed, self.config.judge)
        features, real_features = self._features(x), self._features(real)
        return {
            "c2st_auc": two_sample["auc"],
            "c2st_error": two_sample["auc_error"],
            "feature_fid": feature_fid(features, real_features),
            **prdc(real_features, features),
            "count": count,
        }

    def copies(self, x: np.ndarray) -> float:
        """Mean distance to the nearest training sample over that of held-out samples; copies give 0."""
        parts = (part.astype(np.float32).reshape(len(part), -1) for part in (x, self.training.x, self.test.x))
        return memorisation(*parts)

    def floor(self) -> Record:
        """The same figures for real samples the test samples are independent of."""
        return {**self.measure(self.training.x), "memorisation": self.copies(self.validation.x)}


def shuffled(samples: Samples, seed: int) -> Samples:
    """The rows in random order: files may be sorted, by class or by writer, and the first rows are used."""
    return samples.select(numpy_generator(seed, "rows").permutation(len(samples)))

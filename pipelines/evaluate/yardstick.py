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
from domain.metrics.class_score import class_score
from domain.metrics.coverage import memorisation, prdc
from domain.metrics.frechet import feature_fid
from domain.metrics.mmd import feature_kid, mmd_test
from domain.metrics.prd import f_scores, prd
from domain.metrics.two_sample import Judge, classifier_two_sample_test
from domain.randomness import numpy_generator
from domain.samples import SampleFile, Samples
from pipelines.evaluate import Record

TESTED = 2000  # rows a side of the permutation test, which holds the distances between all of them


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
        return cls(*parts, feature_net(config.features), config)

    def measure(self, x: np.ndarray) -> Record:
        """How much ``x`` (N, C, H, W) looks like the real test samples, in equal numbers."""
        count = min(len(x), len(self.test), self.config.count)
        x, real = x[:count].astype(np.float32), self.test.x[:count].astype(np.float32)
        two_sample = classifier_two_sample_test(x, real, self.config.seed, self.config.judge)
        return {
            "c2st_auc": two_sample["auc"],
            "c2st_error": two_sample["auc_error"],
            **all_figures(self.features, x, real, self.config.seed),
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


def feature_net(directory: str) -> Supervised:
    """The frozen classifier whose features are compared."""
    net = models.load(Path(directory))
    if not isinstance(net, Supervised):
        raise InputError(f"features: {directory} is no supervised classifier; name the one to take features from")
    return net


@torch.no_grad()
def features(net: Supervised, x: np.ndarray) -> np.ndarray:
    """The last hidden layer's values of images (N, C, H, W) in their own units, (N, F)."""
    return net.features(net.space.encode(x)).numpy()


def few_figures(net: Supervised, x: np.ndarray, real: np.ndarray) -> Record:
    """The figures that cost little: Fréchet distance and neighbours of images ``x`` and equally many real ones."""
    return _distances(features(net, x), features(net, real))


def all_figures(net: Supervised, x: np.ndarray, real: np.ndarray, seed: int) -> Record:
    """:func:`few_figures`, kernel distances, both ends of the PRD curve, and the score of the net's own classes."""
    a, b = features(net, x), features(net, real)
    return {
        **_distances(a, b),
        **feature_kid(a, b, seed=seed),
        **mmd_test(a[:TESTED], b[:TESTED], seed),
        **f_scores(*prd(b, a, seed=seed)),
        **class_score(net.classify(net.space.encode(x)).numpy()),
    }


def _distances(a: np.ndarray, b: np.ndarray) -> Record:
    return {"feature_fid": feature_fid(a, b), **prdc(b, a)}

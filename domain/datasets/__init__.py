"""Real data: raw files in, samples out; one dataset a file.

A dataset is a frozen :class:`~domain.config.Config`, usually without fields, with

* ``about()``: the :class:`~domain.samples.About` of its samples;
* ``load(folders, progress)``: ``x`` with every true class in ``label`` and the official train and
  test rows in ``split``, each where the dataset has it. The validation rows and the few labels of a
  semi-supervised task are drawn by the stage that prepares the data.

Raw files are looked for in each folder in turn, and in its subfolder of the dataset's name; what is
found nowhere is downloaded into the last folder and held to a pinned SHA-256.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from domain.datasets.cifar10 import Cifar10
from domain.datasets.digits import Digits
from domain.datasets.frey import Frey
from domain.datasets.mnist import Mnist
from domain.datasets.mpiigaze import MpiiGaze
from domain.datasets.own import Own
from domain.datasets.stacked import Stacked
from domain.datasets.svhn import Svhn
from domain.datasets.tpc import Tpc
from domain.datasets.unityeyes import UnityEyes
from domain.datasets.usps import Usps
from domain.samples import About, Samples


class Dataset(Protocol):
    """What every dataset offers."""

    def about(self) -> About:
        """Kind, value range and classes of the samples."""

    def load(self, folders: Sequence[Path], progress: bool = False) -> Samples:
        """Read every sample; ``progress`` shows a bar for what takes long."""


DATASETS: dict[str, type] = {
    "digits": Digits,
    "mnist": Mnist,
    "usps": Usps,
    "cifar10": Cifar10,
    "svhn": Svhn,
    "frey": Frey,
    "tpc": Tpc,
    "mpiigaze": MpiiGaze,
    "unityeyes": UnityEyes,
    "stacked": Stacked,
    "own": Own,
}

"""The field's own files: each format reads one into samples, and writes samples as one.

A format is a frozen :class:`~domain.config.Config` with

* ``read(path)``: :class:`~domain.samples.Samples`;
* ``write(path, samples)``: one file, whole or not at all.

What is written here and read back is equal, number by number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from domain.formats.calochallenge import CaloChallenge
from domain.formats.calogan import CaloGAN
from domain.formats.lagan import Lagan
from domain.samples import Samples


class Format(Protocol):
    """What every format offers."""

    def read(self, path: Path) -> Samples:
        """The samples of a file."""

    def write(self, path: Path, samples: Samples) -> None:
        """A file of samples."""


FORMATS = {
    "calogan": CaloGAN,
    "calochallenge": CaloChallenge,
    "lagan": Lagan,
}

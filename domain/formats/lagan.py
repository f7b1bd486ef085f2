"""LAGAN's jet images (de Oliveira, Paganini & Nachman 2017, doi:10.5281/zenodo.269622).

``image`` (N, 25, 25) holds transverse momenta in GeV, ``signal`` (N,) 1 for W bosons and 0 for QCD.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.config import Config, Count
from domain.errors import InputError
from domain.formats import hdf5
from domain.samples import About, Samples


@dataclass(frozen=True)
class Lagan(Config):
    """LAGAN's HDF5 files.

    Attributes:
        pixels: along a side.
    """

    pixels: Count = 25

    def read(self, path: Path) -> Samples:
        """x: (N, 1, pixels, pixels) in GeV; label: 0 QCD, 1 W."""
        content = hdf5.read(path, {"image": (self.pixels, self.pixels), "signal": ()})
        hdf5.require_no_negative(content["image"], "image", path)
        label = content["signal"]
        if not np.isin(label, (0, 1)).all():
            raise InputError(f"{path}: 'signal' holds other values than 0 and 1; correct them")
        x = content["image"][:, None]
        about = About("jet", (0.0, float(x.max(initial=0.0))), classes=2, producer="formats.lagan")
        return Samples(x, about, label=label)

    def write(self, path: Path, samples: Samples) -> None:
        """As LAGAN's own file."""
        hdf5.require(samples, "jet", (1, self.pixels, self.pixels), path)
        if samples.label is None or (samples.label < 0).any():
            raise InputError(f"{path}: this format needs a label of 0 or 1 for every jet")
        hdf5.write(path, {"image": samples.x[:, 0], "signal": samples.label.astype(np.float32)})

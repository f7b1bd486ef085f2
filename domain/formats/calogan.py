"""CaloGAN's showers (Paganini, de Oliveira & Nachman 2017, doi:10.17632/pvn3xc3wy5.1).

``layer_0`` (N, 3, 96), ``layer_1`` (N, 12, 12) and ``layer_2`` (N, 12, 6) hold cells in MeV, ``energy`` (N, 1) the
incident energy in GeV, ``overflow`` (N, 3) what fell outside the cells of each layer, which is not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.config import Config
from domain.formats import hdf5
from domain.geometry import CALOGAN
from domain.samples import About, Samples


@dataclass(frozen=True)
class CaloGAN(Config):
    """CaloGAN's HDF5 files."""

    def read(self, path: Path) -> Samples:
        """x: (N, 504) in MeV; condition: energy in GeV."""
        layers = {f"layer_{k}": shape for k, shape in enumerate(CALOGAN.shapes)}
        content = hdf5.read(path, {**layers, "energy": (1,)})
        x = np.concatenate([content[name].reshape(len(content[name]), -1) for name in layers], 1)
        hdf5.require_no_negative(x, "layer_0 to layer_2", path)
        hdf5.require_no_negative(content["energy"], "energy", path)
        top = float(x.max(initial=0.0))
        about = About("shower", (0.0, top), condition=("energy",), units=("GeV",), producer="formats.calogan")
        return Samples(x, about, condition=content["energy"])

    def write(self, path: Path, samples: Samples) -> None:
        """As CaloGAN's own files; nothing is known of the overflow, so it is 0."""
        hdf5.require(samples, "shower", (CALOGAN.cells,), path)
        layers = {f"layer_{k}": layer for k, layer in enumerate(CALOGAN.split(samples.x))}
        energy = samples.condition if samples.condition is not None else np.zeros((len(samples), 1), np.float32)
        overflow = np.zeros((len(samples), len(layers)), np.float32)
        hdf5.write(path, {**layers, "energy": energy[:, :1], "overflow": overflow})

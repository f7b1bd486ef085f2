"""The CaloChallenge's showers (Krause et al. 2024, arXiv 2410.21611).

``showers`` (N, cells) and ``incident_energies`` (N, 1), both in MeV. Where the cells are is said by a binning file:
``<Bin name="…"><Layer id="0" r_edges="0,5,10" n_bin_alpha="10"/>…``; a layer with one edge has no cells. In a
shower r runs fastest, then α, then the layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from domain.config import Config
from domain.errors import InputError
from domain.files import readable
from domain.formats import hdf5
from domain.geometry import Cylinder
from domain.samples import About, Samples


def read_binning(path: Path) -> Cylinder:
    """The geometry in a binning file.

    Raises:
        InputError: it is no XML, has no layers, or edges that do not rise.
    """
    with readable(path, "a binning file in XML"):
        layers = ElementTree.parse(path).getroot().findall("./Bin/Layer")
        radii = [tuple(float(edge) for edge in layer.attrib["r_edges"].split(",")) for layer in layers]
        angles = [int(layer.attrib["n_bin_alpha"]) for layer in layers]
    if not layers:
        raise InputError(f"{path}: has no <Bin> with a <Layer>; name a binning file of the CaloChallenge")
    for layer, edges, n in zip(layers, radii, angles):
        if n < 1 or list(edges) != sorted(set(edges)):
            raise InputError(f"{path}: layer {layer.get('id')}: r_edges must rise and n_bin_alpha be at least 1")
    return Cylinder(tuple(edges if len(edges) > 1 else () for edges in radii), tuple(angles))


@dataclass(frozen=True)
class CaloChallenge(Config):
    """The CaloChallenge's HDF5 files, of any of its data sets.

    Attributes:
        binning: the binning file in XML.
    """

    binning: str

    @property
    def geometry(self) -> Cylinder:
        """Where the cells are."""
        return read_binning(Path(self.binning).expanduser())

    def read(self, path: Path) -> Samples:
        """x: (N, cells) in MeV; condition: energy in MeV."""
        cells = self.geometry.cells
        content = hdf5.read(path, {"incident_energies": (1,), "showers": (cells,)})
        for name, values in content.items():
            hdf5.require_no_negative(values, name, path)
        x = content["showers"]
        about = About(
            "shower", (0.0, float(x.max(initial=0.0))), condition=("energy",), units=("MeV",),
            producer="formats.calochallenge", parameters=self.as_dict(),
        )
        return Samples(x, about, condition=content["incident_energies"])

    def write(self, path: Path, samples: Samples) -> None:
        """As the organisers' own files."""
        hdf5.require(samples, "shower", (self.geometry.cells,), path)
        if samples.condition is None or samples.about.units[:1] not in (("MeV",), ("GeV",)):
            raise InputError(f"{path}: this format needs the incident energy in MeV or GeV as the first condition")
        energy = samples.condition[:, :1] * (1 if samples.about.units[0] == "MeV" else 1000)
        hdf5.write(path, {"incident_energies": energy, "showers": samples.x})

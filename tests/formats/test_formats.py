"""Files of the field: round trips, and one clear error for each way in which a file can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from domain.errors import InputError
from domain.formats import FORMATS, Format
from domain.formats.calochallenge import read_binning
from domain.samples import About, Samples

BINNING = """<Bins><Bin pid="22" name="photon">
<Layer id="0" r_edges="0,5,10,30" n_bin_alpha="1" /><Layer id="1" r_edges="0" n_bin_alpha="1" />
<Layer id="2" r_edges="0,2,4" n_bin_alpha="8" /></Bin></Bins>"""
CELLS = 3 + 16


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], tuple[Format, Samples, Path]]:
    """A format, samples that it can hold, and a file of them."""
    (tmp_path / "binning.xml").write_text(BINNING)

    def make(name: str) -> tuple[Format, Samples, Path]:
        rng = np.random.default_rng(0)
        options = {"binning": str(tmp_path / "binning.xml")} if name == "calochallenge" else {}
        shape = {"calogan": (504,), "calochallenge": (CELLS,), "lagan": (1, 25, 25)}[name]
        x = (rng.exponential(1e3, (20, *shape)) * (rng.random((20, *shape)) < 0.3)).astype(np.float32)
        if name == "lagan":
            samples = Samples(x, About("jet", (0, float(x.max())), classes=2), label=np.arange(20) % 2)
        else:
            unit = "GeV" if name == "calogan" else "MeV"
            about = About("shower", (0, float(x.max())), condition=("energy",), units=(unit,))
            samples = Samples(x, about, condition=rng.uniform(1, 100, (20, 1)))
        form, path = FORMATS[name](**options), tmp_path / f"{name}.hdf5"
        form.write(path, samples)
        return form, samples, path

    return make


@pytest.mark.parametrize("name", FORMATS)
def test_round_trip(made: Callable[..., Any], name: str) -> None:
    form, samples, path = made(name)
    again = form.read(path)
    for column, values in samples.columns.items():
        np.testing.assert_array_equal(getattr(again, column), values)
    assert again.about.units == samples.about.units
    before = path.read_bytes()
    form.write(path, again)
    assert path.read_bytes() == before


def test_calogan_has_the_published_keys(made: Callable[..., Any]) -> None:
    _, samples, path = made("calogan")
    with h5py.File(path) as file:
        shapes = {key: file[key].shape for key in file}
        np.testing.assert_array_equal(file["layer_1"][:], samples.x[:, 288:432].reshape(20, 12, 12))
    assert shapes == {
        "layer_0": (20, 3, 96), "layer_1": (20, 12, 12), "layer_2": (20, 12, 6), "energy": (20, 1), "overflow": (20, 3)
    }  # fmt: skip


def test_energies_in_gev_become_mev(made: Callable[..., Any]) -> None:
    form, samples, path = made("calochallenge")
    about = About("shower", samples.about.range, condition=("energy",), units=("GeV",))
    form.write(path, Samples(samples.x, about, condition=samples.condition / 1000))
    np.testing.assert_allclose(form.read(path).condition, samples.condition, rtol=1e-6)


@pytest.mark.parametrize(
    ("file", "cells"),
    [("dataset_1_photons", 368), ("dataset_1_pions", 533), ("dataset_2", 6480), ("dataset_3", 40500)],
)
def test_the_published_binnings(shared_data: Path, file: str, cells: int) -> None:
    path = shared_data / f"physics/calochallenge/binning_{file}.xml"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    geometry = read_binning(path)
    assert geometry.cells == cells
    for layer, (angles, rings) in enumerate(geometry.shapes):
        if rings:
            x, y = geometry.centres(layer)
            assert x.shape == y.shape == (angles * rings,)
            assert angles == 1 or np.hypot(x, y)[:rings] == pytest.approx(np.convolve(geometry.radii[layer], [0.5, 0.5], "valid"))


def change(path: Path, key: str, values: np.ndarray | None) -> None:
    with h5py.File(path, "a") as file:
        del file[key]
        if values is not None:
            file[key] = values


@pytest.mark.parametrize(
    ("name", "key", "values", "message"),
    [
        ("calogan", "layer_1", None, r"calogan.hdf5: the key 'layer_1' is missing; it has energy, layer_0, layer_2, overflow"),
        ("calogan", "layer_1", np.zeros((20, 12, 6)), r"'layer_1' has shape \(20, 12, 6\), must be \(N, 12, 12\) with N = 20"),
        ("calogan", "energy", np.ones((19, 1)), r"'energy' has shape \(19, 1\), must be \(N, 1\) with N = 20"),
        ("calogan", "energy", np.full((20, 1), np.nan), "'energy' holds NaN"),
        ("calochallenge", "showers", np.ones((20, CELLS + 1)), r"'showers' has shape \(20, 20\), must be \(N, 19\)"),
        ("calochallenge", "showers", -np.ones((20, CELLS)), "'showers' holds negative energies in 20 rows, the first is row 0"),
        ("lagan", "signal", np.full(20, 2.0), "'signal' holds other values than 0 and 1"),
    ],
)  # fmt: skip
def test_wrong_content(made: Callable[..., Any], name: str, key: str, values: Any, message: str) -> None:
    form, _, path = made(name)
    change(path, key, values)
    with pytest.raises(InputError, match=message):
        form.read(path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_file(made: Callable[..., Any], name: str) -> None:
    form, _, path = made(name)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(InputError, match="is not a whole HDF5 file"):
        form.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<Bins>", "is not a binning file in XML"),
        ("<Bins></Bins>", "has no <Bin> with a <Layer>"),
        (BINNING.replace("0,5,10,30", "0,10,5"), "layer 0: r_edges must rise"),
        (BINNING.replace('n_bin_alpha="8"', 'n_bin_alpha="0"'), "layer 2: .* n_bin_alpha be at least 1"),
        (BINNING.replace(' n_bin_alpha="8"', ""), "is not a binning file in XML"),
    ],
)
def test_wrong_binning(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "b.xml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_binning(tmp_path / "b.xml")


@pytest.mark.parametrize("name", FORMATS)
def test_samples_of_another_kind_are_refused(made: Callable[..., Any], name: str, tmp_path: Path) -> None:
    form, _, _ = made(name)
    with pytest.raises(InputError, match="this format holds samples of kind"):
        form.write(tmp_path / "other.hdf5", Samples(np.zeros((2, 7)), About("table", (0, 1))))
    assert not (tmp_path / "other.hdf5").exists()


def test_the_stage_converts_there_and_back(
    made: Callable[..., Any], pipeline: Callable[[str], None], tmp_path: Path
) -> None:
    _, samples, path = made("calochallenge")
    binning = f"binning={tmp_path / 'binning.xml'}"
    pipeline(f"convert calochallenge {path} there.h5 {binning}")
    pipeline(f"convert calochallenge there.h5 back.hdf5 {binning} --back")
    assert Path("back.hdf5").read_bytes() == path.read_bytes()
    with pytest.raises(SystemExit, match="convert: format .* did you mean 'calogan'"):
        pipeline(f"convert calogann {path} there.h5")
    with pytest.raises(SystemExit, match="is no option; write key=value"):
        pipeline(f"convert calochallenge {path} there.h5 binning.xml")

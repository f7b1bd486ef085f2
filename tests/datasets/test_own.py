"""A user's own images: folder, HDF5, NPZ, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from domain.datasets.own import Own
from domain.errors import InputError
from domain.samples import Samples

GREY = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
LABEL = np.array([0, 1, 2, -1, 1, 0])


def load(path: Path, **options: object) -> Samples:
    return Own(str(path), **options).load([])


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def store(path: Path, **columns: np.ndarray) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **columns)
    else:
        with h5py.File(path, "w") as file:
            for key, column in columns.items():
                file[key] = column
    return path


@pytest.mark.parametrize("name", ["a.h5", "a.hdf5", "a.npz"])
def test_file(tmp_path: Path, name: str) -> None:
    samples = load(store(tmp_path / name, x=GREY, label=LABEL, split=np.array([0, 0, 0, 1, 1, 2])))
    np.testing.assert_array_equal(samples.x, GREY[:, None])
    assert samples.label.tolist() == LABEL.tolist() and samples.split.tolist() == [0, 0, 0, 1, 1, 2]
    assert (samples.about.range, samples.about.classes, list(samples.about.inputs)) == ((0, 255), 3, [name])


def test_file_without_labels(tmp_path: Path) -> None:
    samples = load(store(tmp_path / "a.npz", x=GREY.astype(np.int64)))
    assert list(samples.columns) == ["x"] and samples.about.classes == 0 and samples.x.dtype == np.uint8


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_layouts(tmp_path: Path, layout: str) -> None:
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 9), np.uint8)
    stored = x if layout == "NCHW" else x.transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(load(store(tmp_path / "a.h5", x=stored)).x, x)


def test_floats(tmp_path: Path) -> None:
    path = store(tmp_path / "a.h5", x=np.linspace(-1, 1, 120).reshape(GREY.shape))
    with pytest.raises(InputError, match="a.h5.*'range'"):
        load(path)
    samples = load(path, range=(-1, 1))
    assert samples.x.dtype == np.float32 and samples.about.range == (-1, 1)
    assert load(store(tmp_path / "b.h5", x=GREY / 255)).about.range == (0, 1)


def test_folder_of_classes(tmp_path: Path) -> None:
    for name, image in zip(("cat/b.png", "cat/a.png", "ant/a.png", "loose.png"), GREY):
        save(tmp_path / name, image)
    (tmp_path / "notes.txt").write_text("not a picture")
    samples = load(tmp_path)
    np.testing.assert_array_equal(samples.x, GREY[[2, 1, 0, 3]][:, None])
    assert samples.label.tolist() == [0, 1, 1, -1] and samples.about.classes == 2
    assert Own(str(tmp_path)).about() == samples.about


def test_folder_without_classes_and_one_colour_picture(tmp_path: Path) -> None:
    save(tmp_path / "a.png", GREY[0])
    save(tmp_path / "b.png", np.stack([GREY[1], GREY[2], GREY[3]], axis=-1))
    samples = load(tmp_path)
    np.testing.assert_array_equal(samples.x, np.stack([GREY[[0, 0, 0]], GREY[[1, 2, 3]]]))
    assert samples.label is None


def test_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "a.png", GREY[0])
    Own(str(tmp_path)).load([], progress=True)
    assert "1/1" in capsys.readouterr().err


def sizes_differ(path: Path) -> Path:
    for name, size in (("a/1.png", 4), ("a/2.png", 4), ("b/3.png", 5), ("b/4.png", 6)):
        save(path / name, np.zeros((size, 4), np.uint8))
    return path


def sixteen_bits(path: Path) -> Path:
    save(path / "deep.png", np.zeros((4, 4), np.uint16))
    return path


def not_a_picture(path: Path) -> Path:
    (path / "broken.png").write_bytes(b"garbage")
    return path


def half_a_picture(path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    save(path / "half.png", noise)
    (path / "half.png").write_bytes((path / "half.png").read_bytes()[:2000])
    return path


def garbage(name: str) -> Callable[[Path], Path]:
    def broken(path: Path) -> Path:
        (path / name).write_bytes(b"garbage" * 20)
        return path / name

    return broken


BROKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no such file": (lambda p: p / "absent.h5", "absent.h5"),
    "unknown form": (garbage("a.csv"), r"a.csv.*\.npz"),
    "HDF5 garbage": (garbage("a.h5"), "a.h5"),
    "NPZ garbage": (garbage("a.npz"), "a.npz"),
    "pickled": (lambda p: store(p / "a.npz", x=np.array([{}, {}])), "a.npz"),
    "key missing": (lambda p: store(p / "a.h5", images=GREY), "a.h5.*'x' is missing"),
    "shape": (lambda p: store(p / "a.npz", x=np.zeros((2, 5, 6, 7))), r"a.npz.*\(2, 5, 6, 7\)"),
    "NaN": (lambda p: store(p / "a.npz", x=np.full((2, 4, 4), np.nan)), "a.npz.*NaN"),
    "counts": (lambda p: store(p / "a.npz", x=GREY, label=LABEL[:2]), "a.npz.*'label' has 2 rows"),
    "label type": (lambda p: store(p / "a.npz", x=GREY, label=LABEL / 2), "a.npz.*'label' is float64"),
    "label shape": (lambda p: store(p / "a.npz", x=GREY, label=np.eye(6, dtype=int)), r"a.npz.*\(6, 6\)"),
    "split": (lambda p: store(p / "a.npz", x=GREY, split=LABEL + 3), "a.npz.*'split'"),
    "empty folder": (lambda p: p, "no picture"),
    "sizes differ": (sizes_differ, r"3\.png.*4×5.*1\.png.*4×4"),
    "16 bits": (sixteen_bits, r"deep\.png.*8-bit"),
    "not a picture": (not_a_picture, r"broken\.png"),
    "half a picture": (half_a_picture, r"half\.png"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_bad_input_is_one_clear_error(tmp_path: Path, case: str) -> None:
    make, pattern = BROKEN[case]
    with pytest.raises(InputError, match=pattern) as error:
        load(make(tmp_path))
    assert "\n" not in str(error.value)

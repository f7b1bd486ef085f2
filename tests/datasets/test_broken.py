"""Broken, mismatched and missing raw files: each is one clear error."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from domain.datasets import DATASETS, mnist
from domain.errors import InputError
from tests.datasets.formats import (
    LABEL,
    TEST,
    TRAIN,
    WRITERS,
    bytes_of,
    idx,
    libsvm,
    pack,
    python2_batch,
    unpack,
    write_mnist,
    write_svhn,
    write_usps,
)


def name_of(index: int) -> str:
    return f"{list(mnist.HASHES)[index]}.gz"


def break_idx(index: int, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def broken(folder: Path) -> None:
        write_mnist(folder)
        path = folder / name_of(index)
        path.write_bytes(change(path.read_bytes()))

    return broken


def h5_without_target(folder: Path) -> None:
    write_usps(folder)
    with h5py.File(folder / "usps.h5", "a") as file:
        del file["test/target"]


def h5_with_wrong_shape(folder: Path) -> None:
    with h5py.File(folder / "usps.h5", "w") as file:
        for part in ("train", "test"):
            file[f"{part}/data"], file[f"{part}/target"] = np.zeros((3, 100)), np.zeros(3, int)


def svhn_mat(**content: np.ndarray) -> Callable[[Path], object]:
    return lambda folder: (write_svhn(folder), savemat(folder / "train_32x32.mat", content))


def libsvm_files(content: bytes) -> Callable[[Path], object]:
    return lambda folder: [(folder / name).write_bytes(content) for name in ("usps.bz2", "usps.t.bz2")]


BROKEN: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "truncated gzip": ("mnist", break_idx(0, lambda b: b[: len(b) // 2]), name_of(0)),
    "truncated idx": ("mnist", break_idx(2, lambda b: gzip.decompress(b)[:-5]), f"{name_of(2)}.*promises"),
    "header only": ("mnist", break_idx(3, lambda b: gzip.decompress(b)[:6]), name_of(3)),
    "empty idx": ("mnist", break_idx(3, lambda b: b""), name_of(3)),
    "too long": ("mnist", break_idx(1, lambda b: gzip.decompress(b) + b"0"), f"{name_of(1)}.*promises"),
    "wrong magic": (
        "mnist",
        break_idx(0, lambda b: b"\x00\x00\x0d\x03" + bytes(30)),
        f"{name_of(0)}.*0d03.*0803",
    ),
    "labels as images": ("mnist", break_idx(0, lambda b: idx(LABEL)), f"{name_of(0)}.*starts with"),
    "count mismatch": (
        "mnist",
        break_idx(1, lambda b: idx(LABEL[:3])),
        f"{name_of(1)}.*10 images but 3 labels",
    ),
    "sizes differ": (
        "mnist",
        break_idx(2, lambda b: idx(bytes_of(TEST, 20, 20))),
        r"\(1, 28, 28\).*\(1, 20, 20\)",
    ),
    "label above nine": (
        "mnist",
        break_idx(1, lambda b: idx(LABEL[:TRAIN] + 9)),
        f"{name_of(1)}.*'label' runs",
    ),
    "HDF5 key": ("usps", h5_without_target, "usps.h5.*'test/target'"),
    "HDF5 shape": ("usps", h5_with_wrong_shape, r"usps.h5.*\(3, 100\)"),
    "HDF5 garbage": ("usps", lambda f: (f / "usps.h5").write_bytes(b"garbage" * 99), "usps.h5"),
    "LIBSVM not compressed": ("usps", libsvm_files(b"garbage"), "usps.bz2: is not a LIBSVM file"),
    "LIBSVM garbage": ("usps", libsvm_files(bz2.compress(b"4 1:x")), "usps.bz2: is not a LIBSVM file"),
    "LIBSVM too wide": ("usps", libsvm_files(bz2.compress(b"4 257:1")), "usps.bz2: is not a LIBSVM file"),
    "LIBSVM label": ("usps", libsvm_files(libsvm(np.zeros((1, 256)), [12])), "usps.bz2.*'label' runs"),
    "archive garbage": (
        "cifar10",
        lambda f: (f / "cifar-10-python.tar.gz").write_bytes(b"no"),
        "cifar-10-python",
    ),
    "archive without batches": ("cifar10", lambda f: pack(f, {"readme": b"hello"}), "data_batch_1"),
    "batch garbage": ("cifar10", lambda f: unpack(f, {"data_batch_1": b"\x80\x02garbage"}), "data_batch_1"),
    "batch shape": (
        "cifar10",
        lambda f: pack(f, {"data_batch_1": python2_batch(bytes_of(2, 3072), LABEL[:3])}),
        "data_batch_1.*3 labels",
    ),
    ".mat garbage": (
        "svhn",
        lambda f: (write_svhn(f), (f / "test_32x32.mat").write_bytes(b"no" * 200)),
        "test_32x32.mat",
    ),
    ".mat keys": ("svhn", svhn_mat(images=np.zeros(3)), "train_32x32.mat.*'X' and 'y'"),
    ".mat shape": (
        "svhn",
        svhn_mat(X=bytes_of(3, 32, 32, 3), y=np.ones((3, 1))),
        r"train_32x32.mat.*\(3, 32, 32, 3\)",
    ),
    ".mat counts": (
        "svhn",
        svhn_mat(X=bytes_of(32, 32, 3, 4), y=np.ones((3, 1))),
        "train_32x32.mat.*4 images but 3 labels",
    ),
    "frey .mat garbage": (
        "frey",
        lambda f: (f / "frey_rawface.mat").write_bytes(b"no" * 200),
        "frey_rawface.mat",
    ),
    "frey .mat shape": (
        "frey",
        lambda f: savemat(f / "frey_rawface.mat", {"ff": bytes_of(99, 7)}),
        "frey_rawface.mat",
    ),
    "frey npz key": ("frey", lambda f: np.savez(f / "frey_faces.npz", faces=bytes_of(2, 28, 20)), "'images'"),
    "frey npz shape": (
        "frey",
        lambda f: np.savez(f / "frey_faces.npz", images=bytes_of(2, 20, 28)),
        "28, 20",
    ),
    "frey pickled": (
        "frey",
        lambda f: np.savez(f / "frey_faces.npz", images=np.array([{}])),
        "frey_faces.npz",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_one_clear_error(tmp_path: Path, case: str) -> None:
    name, write, pattern = BROKEN[case]
    write(tmp_path)
    with pytest.raises(InputError, match=pattern) as error:
        DATASETS[name]().load([tmp_path])
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)


@pytest.mark.parametrize("name", [*WRITERS, "frey"])
def test_wrong_files_list_what_was_looked_for_and_where(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "holiday.jpg").write_bytes(b"")
    with pytest.raises(InputError) as error:
        DATASETS[name]().load([tmp_path / "mine", tmp_path / "raw"])
    message = str(error.value)
    for place in (tmp_path / "mine", tmp_path / "mine" / name, tmp_path / "raw", tmp_path / "raw" / name):
        assert str(place) in message
    wanted = {
        "mnist": "train-images-idx3-ubyte.gz",
        "usps": "usps.h5",
        "cifar10": "cifar-10-batches-py",
        "svhn": "train_32x32.mat",
        "frey": "frey_rawface.mat",
    }
    assert wanted[name] in message and "put it there" in message

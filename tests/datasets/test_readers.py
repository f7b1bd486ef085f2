"""Every reader on small files of its own format, and on the real files."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from domain.config import Config
from domain.datasets import DATASETS, cifar10, mnist, usps
from domain.datasets.download import RemoteFile
from domain.errors import InputError
from tests.datasets.formats import (
    LABEL,
    RNG,
    SPLIT,
    TEST,
    TRAIN,
    WRITERS,
    bytes_of,
    libsvm,
    pack,
    write_cifar10,
    write_mnist,
)

REAL = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("subfolder", [False, True])
def test_reads_its_format(tmp_path: Path, name: str, subfolder: bool) -> None:
    folder = tmp_path / name if subfolder else tmp_path
    folder.mkdir(exist_ok=True)
    x = WRITERS[name](folder)
    samples = DATASETS[name]().load([tmp_path / "absent", tmp_path])
    np.testing.assert_array_equal(samples.x, x)
    np.testing.assert_array_equal(samples.label, LABEL)
    assert samples.split.tolist() == SPLIT and samples.x.flags.c_contiguous
    about = DATASETS[name]().about()
    assert (samples.about.kind, samples.about.range, samples.about.classes) == ("image", about.range, 10)
    assert samples.about.inputs and all(len(sha256) == 64 for sha256 in samples.about.inputs.values())


def test_digits() -> None:
    samples = DATASETS["digits"]().load([])
    assert samples.x.shape == (1797, 1, 8, 8) and samples.x.dtype == np.uint8
    assert (samples.x.min(), samples.x.max(), samples.split) == (0, 16, None)
    assert np.bincount(samples.label).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_every_dataset_parses_and_says_what_it_is() -> None:
    for name, dataset in DATASETS.items():
        assert issubclass(dataset, Config)
        if name != "own":
            assert dataset.parse({}, name).about().kind == ("shower" if name == "tpc" else "image")


def test_the_first_folder_wins(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir(), other.mkdir()
    x = write_mnist(mine)
    write_mnist(other)
    np.testing.assert_array_equal(DATASETS["mnist"]().load([mine, other]).x, x)


def test_mnist_plain(tmp_path: Path) -> None:
    x = write_mnist(tmp_path, compressed=False)
    np.testing.assert_array_equal(DATASETS["mnist"]().load([tmp_path]).x, x)


def test_mnist_binarised_once_by_seed(tmp_path: Path) -> None:
    ink = write_mnist(tmp_path)
    first, again, other = (DATASETS["mnist"](binarise="static", seed=seed).load([tmp_path]) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.x, again.x)
    assert (first.x != other.x).any() and first.about.range == (0, 1) and set(np.unique(first.x)) == {0, 1}
    assert (first.x[ink == 255] == 1).all() and (first.x[ink == 0] == 0).all()
    assert first.x.mean() == pytest.approx(ink.mean() / 255, abs=0.02)


def test_mnist_is_downloaded_where_it_is_missing(
    server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, mine, last = tmp_path / "source", tmp_path / "mine", tmp_path / "last"
    source.mkdir(), mine.mkdir()
    x = write_mnist(source)
    server.files = {path.name: path.read_bytes() for path in source.iterdir()}
    files = tuple(
        RemoteFile(name, (server.url(name),), hashlib.sha256(server.files[name]).hexdigest())
        for name in (f"{stem}.gz" for stem in mnist.HASHES)
    )
    monkeypatch.setattr(mnist, "FILES", files)
    os.replace(source / files[0].name, mine / files[0].name)
    for _ in range(2):
        np.testing.assert_array_equal(DATASETS["mnist"]().load([mine, last]).x, x)
    assert server.asked == [file.name for file in files[1:]]
    assert sorted(path.name for path in last.iterdir()) == sorted(server.asked)


def test_cifar10_extracted(tmp_path: Path) -> None:
    x = write_cifar10(tmp_path, archive=False)
    np.testing.assert_array_equal(DATASETS["cifar10"]().load([tmp_path]).x, x)


def test_cifar10_refuses_a_malicious_pickle(tmp_path: Path) -> None:
    class Malice:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "owned"),)

    content = {b"data": Malice(), b"labels": [0]}
    pack(tmp_path, {"data_batch_1": pickle.dumps(content, protocol=3)})
    with pytest.raises(InputError, match=r"data_batch_1.*mkdir"):
        DATASETS["cifar10"]().load([tmp_path])
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "name", ["builtins eval", "os system", "numpy load", "numpy.core.multiarray fromfile", "_codecs encode"]
)
def test_cifar10_admits_only_arrays(name: str) -> None:
    module, attribute = name.split()
    with pytest.raises(pickle.UnpicklingError, match=attribute):
        cifar10.ArrayUnpickler(io.BytesIO(f"c{module}\n{attribute}\n.".encode())).load()


@pytest.mark.parametrize("dense", [True, False])
def test_usps_libsvm(tmp_path: Path, dense: bool) -> None:
    x = np.round(RNG.uniform(-1, 1, (TRAIN + TEST, 256)), 3)
    x[:, ::3] = 0
    (tmp_path / "usps.bz2").write_bytes(libsvm(x[:TRAIN], LABEL[:TRAIN], dense))
    (tmp_path / "usps.t.bz2").write_bytes(libsvm(x[TRAIN:], LABEL[TRAIN:], dense))
    samples = DATASETS["usps"]().load([tmp_path])
    np.testing.assert_allclose(samples.x.reshape(-1, 256), (x + 1) / 2, atol=1e-7)
    assert samples.x.dtype == np.float32 and samples.label.tolist() == LABEL.tolist()


@pytest.mark.parametrize("form", ["mat", "npz"])
def test_frey(tmp_path: Path, form: str) -> None:
    frames = bytes_of(5, 28, 20)
    if form == "mat":
        savemat(tmp_path / "frey_rawface.mat", {"ff": frames.reshape(5, 560).T})
    else:
        np.savez(tmp_path / "frey_faces.npz", images=frames)
    samples = DATASETS["frey"]().load([tmp_path])
    np.testing.assert_array_equal(samples.x[:, 0], frames)
    assert list(samples.columns) == ["x"] and samples.about.classes == 0


def real(name: str) -> Path:
    if not (REAL / name).is_dir():
        pytest.skip(f"needs the real files in {name}/ of the folder shared/data beside the checkout")
    return REAL


def test_real_mnist() -> None:
    samples = DATASETS["mnist"]().load([real("mnist")])
    assert samples.x.shape == (70000, 1, 28, 28)
    assert counts(samples.select("train").label) == [
        5923,
        6742,
        5958,
        6131,
        5842,
        5421,
        5918,
        6265,
        5851,
        5949,
    ]
    assert counts(samples.select("test").label) == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_real_usps() -> None:
    samples = DATASETS["usps"]().load([real("usps")])
    assert samples.x.shape == (9298, 1, 16, 16) and samples.x.dtype == np.float32
    assert counts(samples.select("train").label) == [1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644]
    assert counts(samples.select("test").label) == [359, 264, 198, 166, 200, 160, 170, 147, 166, 177]


def test_usps_beside_mnist() -> None:
    """Enlarged to fill the frame: a constant stays, a left half stays a left half; whole grey levels."""
    x = np.full((2, 1, 16, 16), 0.4, np.float32)
    x[1, :, :, 8:] = 0
    resized = usps.Usps(size=28, grey=True).resized(x)
    assert resized.shape == (2, 1, 28, 28) and resized.dtype == np.uint8 and (resized[0] == 102).all()
    assert (resized[1, 0, :, :13] == 102).all() and (resized[1, 0, :, 15:] == 0).all()
    assert usps.Usps(size=28, grey=True).about().range == (0, 255)
    assert np.array_equal(usps.Usps().resized(x), x)


def test_real_usps_is_the_same_in_both_forms(tmp_path: Path) -> None:
    """The HDF5 values, written as LIBSVM writes them, come back bit for bit."""
    samples = DATASETS["usps"]().load([real("usps")]).select("test")
    flat = samples.x.reshape(-1, 256)
    (tmp_path / "usps.t.bz2").write_bytes(libsvm(flat.astype(float) * 2 - 1, samples.label))
    values, label = usps.read_libsvm(tmp_path / "usps.t.bz2")
    np.testing.assert_array_equal(values, flat)
    np.testing.assert_array_equal(label, samples.label)


def test_real_frey() -> None:
    samples = DATASETS["frey"]().load([real("frey")])
    assert samples.x.shape == (1965, 1, 28, 20) and (samples.x.min(), samples.x.max()) == (8, 238)
    frames = samples.x.astype(float)
    assert np.abs(np.diff(frames, axis=0)).mean() == pytest.approx(12.1, abs=0.1)  # the film's order is kept


def counts(label: np.ndarray) -> list[int]:
    return np.bincount(label, minlength=10).tolist()

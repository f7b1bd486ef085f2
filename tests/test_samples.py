"""The sample file: what is written is read back, by row, by batch and by split."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from domain.errors import InputError
from domain.samples import About, SampleFile, Samples, Writer, balanced_labels, read, write

COUNT = 23
ABOUT = About(
    kind="image",
    range=(0, 255),
    classes=4,
    condition=("energy", "angle"),
    units=("GeV", ""),
    producer="tests",
    parameters={"size": [3, 3], "style": "grey"},
    seed=5,
    inputs={"raw.gz": "00ff"},
)


@pytest.fixture
def samples() -> Samples:
    """23 images of 3×3, every column filled."""
    rng = np.random.default_rng(0)
    truth = np.arange(COUNT) % 4
    return Samples(
        x=rng.integers(0, 256, (COUNT, 1, 3, 3), dtype=np.uint8),
        about=ABOUT,
        label=np.where(np.arange(COUNT) % 3 == 0, truth, -1),
        condition=rng.normal(size=(COUNT, 2)),
        split=rng.permutation(np.arange(COUNT) % 3),
        mask=rng.integers(0, 2, (COUNT, 3, 3)),
        truth=truth,
        origin=np.arange(COUNT)[::-1],
    )


@pytest.fixture
def path(tmp_path: Path, samples: Samples) -> Path:
    write(tmp_path / "samples.h5", samples)
    return tmp_path / "samples.h5"


def assert_equal(a: Samples, b: Samples) -> None:
    assert a.columns.keys() == b.columns.keys()
    for name, column in a.columns.items():
        np.testing.assert_array_equal(column, b.columns[name])
        assert column.dtype == b.columns[name].dtype


def test_round_trip(path: Path, samples: Samples) -> None:
    back = read(path)
    assert_equal(back, samples)
    assert back.about == samples.about


def test_equal_bytes(path: Path, samples: Samples, tmp_path: Path) -> None:
    write(tmp_path / "again.h5", samples)
    assert path.read_bytes() == (tmp_path / "again.h5").read_bytes()


def test_only_x(tmp_path: Path) -> None:
    plain = Samples(np.zeros((2, 3), np.float32), About("table", (0.0, 1.0)))
    write(tmp_path / "plain.h5", plain)
    assert_equal(read(tmp_path / "plain.h5"), plain)


@pytest.mark.parametrize("size", [1, 5, COUNT])
def test_stream_equals_one_write(path: Path, samples: Samples, tmp_path: Path, size: int) -> None:
    with Writer(tmp_path / "stream.h5", ABOUT) as writer:
        for start in range(0, COUNT, size):
            writer.append(samples.select(slice(start, start + size)))
    assert_equal(read(tmp_path / "stream.h5"), samples)


def test_a_stream_that_breaks_leaves_the_old_file(path: Path, samples: Samples) -> None:
    before = path.read_bytes()
    with pytest.raises(RuntimeError), Writer(path, ABOUT) as writer:
        writer.append(samples)
        raise RuntimeError
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_splits(path: Path, samples: Samples, split: str) -> None:
    chosen = samples.select(split)
    assert 0 < len(chosen) < COUNT
    assert_equal(read(path, split), chosen)
    assert len(SampleFile(path, split)) == len(chosen)


def test_part_of_a_split(path: Path, samples: Samples) -> None:
    assert_equal(SampleFile(path, "test").read(2, 5), samples.select("test").select(slice(2, 5)))
    assert_equal(SampleFile(path).read(4, 9), samples.select(slice(4, 9)))


def test_rows_in_any_order(path: Path, samples: Samples) -> None:
    rows = [7, 2, 2, 20, 0]
    file = SampleFile(path)
    for item, row in zip(file.__getitems__(rows), rows):
        assert torch.equal(item["x"], torch.from_numpy(samples.x[row]))
        assert item["label"] == samples.label[row]
    assert torch.equal(file[3]["condition"], torch.from_numpy(samples.condition[3]))


@pytest.mark.parametrize("workers", [0, 1])
def test_data_loader(path: Path, samples: Samples, workers: int) -> None:
    """A worker process opens the file for itself; an open handle does not travel."""
    file = SampleFile(path, "train")
    file.read(0, 1)
    context = "spawn" if workers else None
    batches = list(DataLoader(file, batch_size=4, num_workers=workers, multiprocessing_context=context))
    expected = samples.select("train")
    for name, column in expected.columns.items():
        joined = torch.cat([batch[name] for batch in batches])
        assert torch.equal(joined, torch.from_numpy(column))


def test_data_loader_shuffles(path: Path, samples: Samples) -> None:
    loader = DataLoader(SampleFile(path), batch_size=6, shuffle=True, generator=torch.Generator().manual_seed(0))
    x = torch.cat([batch["x"] for batch in loader]).numpy()
    assert not np.array_equal(x, samples.x)
    assert sorted(map(bytes, x)) == sorted(map(bytes, samples.x))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": np.zeros(COUNT)}, r"'x' must be numbers of shape \(N, ...\)"),
        ({"x": np.full((COUNT, 1), "a")}, "'x' must be numbers"),
        ({"x": np.full((COUNT, 1), np.nan)}, "'x' holds NaN"),
        ({"x": np.full((COUNT, 1), 256)}, "'x' runs from 256 to 256, outside its value range 0 to 255"),
        ({"label": np.zeros(COUNT - 1)}, "'label' has 22 rows, 'x' has 23"),
        ({"label": np.zeros((COUNT, 1))}, r"'label' has shape \(23, 1\), must be \(23,\)"),
        ({"label": np.full(COUNT, 4)}, "'label' runs from 4 to 4; with 4 classes"),
        ({"truth": np.full(COUNT, -2)}, "'truth' runs from -2 to -2"),
        ({"split": np.full(COUNT, 3)}, "'split' must hold 0"),
        ({"condition": np.zeros((COUNT, 3))}, "'condition' has shape .* names 2 columns"),
        ({"condition": np.full((COUNT, 2), np.inf)}, "'condition' holds NaN or infinite"),
    ],
)
def test_contradictions(samples: Samples, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dataclasses.replace(samples, **change)


def test_samples_without_splits_have_none() -> None:
    plain = Samples(np.zeros((2, 3)), About("table", (0.0, 1.0)))
    with pytest.raises(InputError, match="no split 'test'"):
        plain.select("test")


def test_no_samples_at_all(tmp_path: Path) -> None:
    empty = Samples(np.zeros((0, 3), np.float32), About("table", (0.0, 1.0)))
    write(tmp_path / "empty.h5", empty)
    assert len(read(tmp_path / "empty.h5")) == 0


def test_the_checks_of_a_file_name_it(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["label"][0] = 9
    with pytest.raises(InputError, match=r"samples\.h5: 'label' runs from -1 to 9"):
        read(path)


def draw(seed: int = 0) -> tuple[np.ndarray, np.ndarray, Callable[[int], np.ndarray]]:
    truth = np.repeat(np.arange(4), 10)
    candidates = np.arange(40) % 2 == 0
    return truth, candidates, lambda count: balanced_labels(truth, candidates, count, 4, np.random.default_rng(seed))


def test_balanced_labels() -> None:
    truth, candidates, labels = draw()
    label = labels(12)
    assert np.bincount(label[label >= 0]).tolist() == [3, 3, 3, 3]
    assert (label[label >= 0] == truth[label >= 0]).all() and candidates[label >= 0].all()
    np.testing.assert_array_equal(label, draw()[2](12))
    assert not np.array_equal(label, draw(seed=1)[2](12))


@pytest.mark.parametrize("count, message", [(10, "10 labels do not divide"), (24, "class 0 has only 5 samples, 6")])
def test_labels_that_cannot_be_drawn(count: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw()[2](count)

"""The sample file: what every stage reads and writes.

One HDF5 file holds N samples:

=============  ==================  =====================================================
``x``          (N, ...)            the samples, in their own units and value range
``label``      (N,) int64          class, −1 where unlabelled (scikit-learn's convention)
``condition``  (N, C) float32      named physical conditions or exact simulator labels
``split``      (N,) int8           0 train, 1 validation, 2 test
``mask``       (N, H, W) uint8     per-pixel label, such as a stroke's centre line
``truth``      (N,) int64          the class behind a label of −1: for ceilings and for
                                   drawing other labelled sets, never for training
``origin``     (N,) int64          row of the sample it was made from, in the file it was made from
=============  ==================  =====================================================

All but ``x`` are optional. :class:`About` says what the file is and where it came from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import h5py
import numpy as np
import torch

from domain.config import checked, suggestion
from domain.errors import InputError
from domain.files import whole_file

SCHEMA = 1
SPLITS = ("train", "validation", "test")
COLUMNS = ("x", "label", "condition", "split", "mask", "truth", "origin")
TYPES = {
    "label": np.int64, "condition": np.float32, "split": np.int8, "mask": np.uint8, "truth": np.int64, "origin": np.int64
}

Kind = Literal["image", "shower", "jet", "table"]


@dataclass(frozen=True)
class About:
    """What a sample file says of itself.

    Attributes:
        kind: what one sample is.
        range: lowest and highest value ``x`` may hold, in its own units.
        classes: number of classes, 0 where there are none.
        condition: names of the conditions, in column order.
        units: their units, such as ``GeV``; an empty string for a pure number.
        producer: what made the samples, such as ``simulators.strokes``.
        parameters: the producer's parameters.
        seed: the seed it ran with.
        inputs: SHA-256 of each input file by name.
    """

    kind: Kind
    range: tuple[float, float]
    classes: int = 0
    condition: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    producer: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Samples:
    """Samples in memory; columns as in the module's table, checked when made."""

    x: np.ndarray
    about: About
    label: np.ndarray | None = None
    condition: np.ndarray | None = None
    split: np.ndarray | None = None
    mask: np.ndarray | None = None
    truth: np.ndarray | None = None
    origin: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name, dtype in TYPES.items():
            if (column := getattr(self, name)) is not None:
                object.__setattr__(self, name, np.asarray(column).astype(dtype, copy=False))
        check(self, "samples")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The columns that are there, ``x`` first."""
        return {name: c for name in COLUMNS if (c := getattr(self, name)) is not None}

    def select(self, rows: np.ndarray | slice | str) -> Self:
        """The given rows, or the rows of a split by its name."""
        if isinstance(rows, str):
            if self.split is None:
                raise InputError(f"these samples have no split {rows!r}; name a file with a 'split' column")
            rows = self.split == SPLITS.index(rows)
        return dataclasses.replace(self, **{name: column[rows] for name, column in self.columns.items()})


def check(samples: Samples, where: str) -> None:
    """Raise one clear error where a column contradicts ``about`` or another column."""
    about, x = samples.about, samples.x
    for name, column in samples.columns.items():
        if len(column) != len(x):
            raise InputError(f"{where}: {name!r} has {len(column)} rows, 'x' has {len(x)}; make them equal")
        if name in ("label", "split", "truth", "origin") and column.ndim != 1:
            raise InputError(f"{where}: {name!r} has shape {column.shape}, must be ({len(x)},); flatten it")
    if x.ndim < 2 or not (np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)):
        raise InputError(f"{where}: 'x' must be numbers of shape (N, ...), not {x.dtype} {x.shape}")
    if np.issubdtype(x.dtype, np.floating) and not np.isfinite(x).all():
        raise InputError(f"{where}: 'x' holds NaN or infinite values; remove those samples")
    low, high = about.range
    if x.size and (x.min() < low or x.max() > high):
        raise InputError(
            f"{where}: 'x' runs from {x.min():g} to {x.max():g}, outside its value range "
            f"{low:g} to {high:g}; rescale it or correct the attribute 'range'"
        )
    _check_labels(samples, where)
    if samples.condition is not None:
        if samples.condition.shape != (len(x), len(about.condition)):
            raise InputError(
                f"{where}: 'condition' has shape {samples.condition.shape}, but the attribute "
                f"'condition' names {len(about.condition)} columns for {len(x)} samples"
            )
        if not np.isfinite(samples.condition).all():
            raise InputError(f"{where}: 'condition' holds NaN or infinite values; remove those samples")


def _check_labels(samples: Samples, where: str) -> None:
    for name in ("label", "truth"):
        column = getattr(samples, name)
        if column is not None and column.size and (column.min() < -1 or column.max() >= samples.about.classes):
            raise InputError(
                f"{where}: {name!r} runs from {column.min()} to {column.max()}; with "
                f"{samples.about.classes} classes it must lie between -1 (unlabelled) and {samples.about.classes - 1}"
            )
    if samples.split is not None:
        _check_split(samples.split, where)


def _check_split(split: np.ndarray, where: str) -> None:
    if split.size and (split.min() < 0 or split.max() >= len(SPLITS)):
        raise InputError(f"{where}: 'split' must hold 0 (train), 1 (validation) or 2 (test)")


def balanced_labels(truth: np.ndarray, candidates: np.ndarray, count: int, classes: int, rng: np.random.Generator) -> np.ndarray:
    """A class-balanced labelled set: ``truth`` where drawn, −1 elsewhere.

    Args:
        truth: (N,) true classes.
        candidates: (N,) bool, the rows that may be labelled.
        count: how many labels in all, a multiple of ``classes``.
        classes: the number of classes.
        rng: draws the set.
    """
    if count % classes:
        raise InputError(f"labels: {count} labels do not divide evenly among {classes} classes")
    label = np.full(len(truth), -1, np.int64)
    for k in range(classes):
        rows = np.flatnonzero(candidates & (truth == k))
        if len(rows) < count // classes:
            raise InputError(f"labels: class {k} has only {len(rows)} samples, {count // classes} are asked for")
        label[rng.choice(rows, count // classes, replace=False)] = k
    return label


def write(path: str | Path, samples: Samples) -> None:
    """Write samples whole to one file; equal samples give equal bytes."""
    with Writer(path, samples.about) as writer:
        writer.append(samples)


class Writer(contextlib.AbstractContextManager):
    """Write a sample file batch by batch; it appears, whole, when the block ends without an error.

    >>> with Writer(path, about) as writer:            # doctest: +SKIP
    ...     for batch in batches:
    ...         writer.append(batch)
    """

    def __init__(self, path: str | Path, about: About) -> None:
        self.path, self.about = Path(path), about

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        partial = self._stack.enter_context(whole_file(self.path))
        self._file = self._stack.enter_context(h5py.File(partial, "w"))
        self._file.attrs.update(_encode(self.about))
        return self

    def append(self, samples: Samples) -> None:
        """Append a batch with the same columns as the batches before it.

        A full disk is noticed beforehand: HDF5 cannot even close a file that it failed to write.
        """
        if shutil.disk_usage(self.path.parent).free < sum(c.nbytes for c in samples.columns.values()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        for name, column in samples.columns.items():
            if name not in self._file:
                self._create(name, column)
            data = self._file[name]
            data.resize(len(data) + len(column), axis=0)
            data[len(data) - len(column) :] = column

    def _create(self, name: str, column: np.ndarray) -> None:
        row_bytes = max(1, column[:1].nbytes)
        self._file.create_dataset(
            name,
            shape=(0, *column.shape[1:]),
            maxshape=(None, *column.shape[1:]),
            dtype=column.dtype,
            chunks=(int(np.clip(2**18 // row_bytes, 1, 16384)), *column.shape[1:]),
            compression="gzip",
            compression_opts=4,
            shuffle=True,
            track_times=False,
        )

    def __exit__(self, *exception: Any) -> bool | None:
        return self._stack.__exit__(*exception)


def _encode(about: About) -> dict[str, Any]:
    content = {"schema": SCHEMA, **dataclasses.asdict(about)}
    return {key: json.dumps(value, sort_keys=True) for key, value in content.items()}


def _decode(attributes: Mapping[str, Any], where: str) -> About:
    if "schema" not in attributes:
        raise InputError(f"{where}: has no attribute 'schema', so it is not a sample file; see README, 'Use your own data'")
    try:
        values = {key: json.loads(value) for key, value in attributes.items()}
    except (TypeError, json.JSONDecodeError):
        raise InputError(f"{where}: its attributes are not JSON, so it is not a sample file") from None
    if (schema := values.pop("schema")) != SCHEMA:
        raise InputError(f"{where}: has schema {schema}, this version reads {SCHEMA}; make the file again")
    hints = typing.get_type_hints(About)
    for key in values:
        if key not in hints:
            raise InputError(f"{where}: unknown attribute {key!r}; {suggestion(key, hints)}")
    for key in ("kind", "range"):
        if key not in values:
            raise InputError(f"{where}: the attribute {key!r} is missing; add it")
    for key, value in values.items():
        values[key] = checked(value, hints[key], f"{where}: the attribute {key!r}")
    return About(**values)


class SampleFile(torch.utils.data.Dataset):
    """A sample file, read by row or by batch without loading it whole.

    As a ``torch.utils.data.Dataset`` an item is a dictionary of tensors by column; a batch of
    indices is read at once (``__getitems__``), so a ``DataLoader`` touches the file once a batch.

    Args:
        path: the file.
        split: keep only this split's rows.

    Raises:
        InputError: the file is missing, truncated, or not a sample file.
    """

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        self.path = Path(path)
        self._handle: h5py.File | None = None
        with self._readable():
            self.about = _decode(dict(self._file.attrs), str(self.path))
            self.columns = self._known_columns()
            self.shape = tuple(self._file["x"].shape[1:])
            self._rows = np.arange(len(self._file["x"]))
            if split is not None:
                if "split" not in self._file:
                    raise InputError(f"{self.path}: the key 'split' is missing, so it has no split {split!r}")
                column = self._file["split"][:]
                _check_split(column, str(self.path))
                self._rows = np.flatnonzero(column == SPLITS.index(split))

    @property
    def _file(self) -> h5py.File:
        if self._handle is None:
            if not self.path.exists():
                raise InputError(f"{self.path}: no such file; run `dvc repro` to make it, or correct the path")
            self._handle = h5py.File(self.path, "r")
        return self._handle

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # h5py raises almost anything on a damaged file
            raise InputError(f"{self.path}: not a whole HDF5 file ({error}); make or copy it again") from error

    def _known_columns(self) -> tuple[str, ...]:
        for key in self._file:
            if key not in COLUMNS or not getattr(self._file[key], "shape", ()):
                raise InputError(f"{self.path}: {key!r} is no column of samples; {suggestion(key, COLUMNS)}")
            if (dtype := self._file[key].dtype).kind not in "iuf":
                raise InputError(f"{self.path}: {key!r} holds {dtype}, must hold numbers; convert it")
        if "x" not in self._file:
            raise InputError(f"{self.path}: the key 'x' is missing; a sample file holds its samples there")
        count = len(self._file["x"])
        for key, column in self._file.items():
            if len(column) != count:
                problem = f"{key!r} has {len(column)} rows, 'x' has {count}"
                raise InputError(f"{self.path}: {problem}; make them equal")
        return tuple(name for name in COLUMNS if name in self._file)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, torch.Tensor]]:
        rows = self._rows[np.asarray(indices)]
        batch = {name: torch.from_numpy(self._read_rows(name, rows)) for name in self.columns}
        return [{name: column[i] for name, column in batch.items()} for i in range(len(rows))]

    def _read_rows(self, name: str, rows: np.ndarray) -> np.ndarray:
        ascending, back = np.unique(rows, return_inverse=True)  # h5py wants increasing indices
        with self._readable():
            return self._file[name][ascending][back]

    def read(self, start: int = 0, stop: int | None = None) -> Samples:
        """Rows ``start`` to ``stop`` (of the chosen split) in memory, checked."""
        rows = self._rows[start:stop]
        contiguous = len(rows) > 0 and rows[-1] - rows[0] + 1 == len(rows)
        with self._readable():
            columns = {
                name: self._file[name][rows[0] : rows[-1] + 1] if contiguous else self._file[name][:][rows]
                for name in self.columns
            }
        try:
            return Samples(about=self.about, **columns)
        except InputError as error:
            raise InputError(f"{self.path}: {str(error).removeprefix('samples: ')}") from None

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None


def read(path: str | Path, split: str | None = None) -> Samples:
    """A whole sample file, or one split of it, in memory."""
    file = SampleFile(path, split)
    try:
        return file.read()
    finally:
        file.close()

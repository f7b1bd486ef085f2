"""What the formats share: datasets of an HDF5 file, checked, and a file that appears whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from domain.errors import InputError
from domain.files import readable, whole_file
from domain.samples import Samples


def read(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Datasets of a file by name, as float32, all of one length.

    Args:
        path: the file.
        shapes: name → shape of one row.

    Raises:
        InputError: a dataset is missing, of another shape or length, or holds NaN or infinite values.
    """
    with readable(path, "a whole HDF5 file"), h5py.File(path) as file:
        for name in shapes:
            if name not in file:
                raise InputError(f"{path}: the key {name!r} is missing; it has {', '.join(sorted(file)) or 'none'}")
        content = {name: np.asarray(file[name][:], np.float32) for name in shapes}
    count = len(next(iter(content.values())))
    for name, values in content.items():
        if values.shape != (count, *shapes[name]):
            expected = ", ".join(map(str, ("N", *shapes[name])))
            raise InputError(f"{path}: {name!r} has shape {values.shape}, must be ({expected}) with N = {count}")
        if not np.isfinite(values).all():
            raise InputError(f"{path}: {name!r} holds NaN or infinite values; remove those rows")
    return content


def require_no_negative(values: np.ndarray, name: str, path: Path) -> None:
    """Energies are at least 0."""
    rows = np.flatnonzero((values < 0).reshape(len(values), -1).any(1))
    if len(rows):
        raise InputError(
            f"{path}: {name!r} holds negative energies in {len(rows)} rows, the first is row {rows[0]}; remove them"
        )


def require(samples: Samples, kind: str, shape: tuple[int, ...], path: Path) -> None:
    """Samples that the format can hold."""
    if samples.about.kind != kind or samples.x.shape[1:] != shape:
        raise InputError(
            f"{path}: this format holds samples of kind {kind!r} and shape {shape}, "
            f"not {samples.about.kind!r} and {samples.x.shape[1:]}"
        )


def write(path: Path, content: Mapping[str, np.ndarray]) -> None:
    """Write datasets, compressed; equal content gives equal bytes."""
    with whole_file(path) as partial, h5py.File(partial, "w") as file:
        for name, values in content.items():
            file.create_dataset(name, data=values, compression="gzip", shuffle=True, track_times=False)

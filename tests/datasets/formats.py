"""Small files of every raw format, written by other means than the readers use."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

from domain.datasets import cifar10, mnist

RNG = np.random.default_rng(0)
TRAIN, TEST = 10, 4
LABEL = np.arange(TRAIN + TEST) % 10
SPLIT = [0] * TRAIN + [2] * TEST


def bytes_of(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, np.uint8)


def idx(values: np.ndarray) -> bytes:
    header = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


def write_mnist(folder: Path, compressed: bool = True) -> np.ndarray:
    x = bytes_of(TRAIN + TEST, 28, 28)
    parts = (x[:TRAIN], LABEL[:TRAIN], x[TRAIN:], LABEL[TRAIN:])
    for name, values in zip(mnist.HASHES, parts):
        content = idx(values)
        path = folder / (f"{name}.gz" if compressed else name)
        path.write_bytes(gzip.compress(content) if compressed else content)
    return x[:, None]


def write_usps(folder: Path) -> np.ndarray:
    x = RNG.random((TRAIN + TEST, 256), np.float32)
    with h5py.File(folder / "usps.h5", "w") as file:
        for part, rows in (("train", slice(TRAIN)), ("test", slice(TRAIN, None))):
            file[f"{part}/data"], file[f"{part}/target"] = x[rows], LABEL[rows]
    return x.reshape(-1, 1, 16, 16)


def libsvm(x: np.ndarray, label: Sequence[int], dense: bool = True) -> bytes:
    """x (n, 256) in [-1, 1] with three decimals; digits as digit + 1."""
    rows = (" ".join(f"{i}:{v:.3f}" for i, v in enumerate(row, 1) if dense or v) for row in x)
    lines = (f"{k + 1} {row}" for k, row in zip(label, rows))
    return bz2.compress("\n".join(lines).encode())


def python2_batch(data: np.ndarray, label: np.ndarray) -> bytes:
    """The pickle of one batch as Python 2 and numpy 1 wrote the official files."""

    def text(content: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(content)) + content

    reconstruct = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    minus_one = b"J\xff\xff\xff\xff"
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R"
    dtype += b"(K\x03" + text(b"|") + b"NNN" + minus_one * 2 + b"K\x00tb"
    shape = b"J" + struct.pack("<i", len(data)) + b"M\x00\x0c\x86"
    state = b"(K\x01" + shape + dtype + b"\x89" + text(data.tobytes()) + b"tb"
    labels = b"](" + b"".join(b"K" + bytes([k]) for k in label) + b"e"
    items = (b"batch_label", text(b"training batch")), (b"labels", labels), (b"data", reconstruct + state)
    return b"\x80\x02}(" + b"".join(text(key) + value for key, value in items) + b"u."


def write_cifar10(folder: Path, archive: bool = True) -> np.ndarray:
    x = bytes_of(TRAIN + TEST, 3072)
    rows = dict(zip(cifar10.TRAIN + cifar10.TEST, np.split(np.arange(TRAIN + TEST), range(2, TRAIN + 1, 2))))
    batches = {name: python2_batch(x[r], LABEL[r]) for name, r in rows.items()}
    pack(folder, batches) if archive else unpack(folder, batches)
    return x.reshape(-1, 3, 32, 32)


def pack(folder: Path, batches: dict[str, bytes]) -> None:
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as archive:
        for name, content in batches.items():
            member = tarfile.TarInfo(f"{cifar10.FOLDER}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def unpack(folder: Path, batches: dict[str, bytes]) -> None:
    (folder / cifar10.FOLDER).mkdir()
    for name, content in batches.items():
        (folder / cifar10.FOLDER / name).write_bytes(content)


def write_svhn(folder: Path) -> np.ndarray:
    x = bytes_of(TRAIN + TEST, 3, 32, 32)
    for part, rows in (("train", slice(TRAIN)), ("test", slice(TRAIN, None))):
        y = np.where(LABEL[rows] == 0, 10, LABEL[rows])[:, None].astype(np.uint8)
        savemat(folder / f"{part}_32x32.mat", {"X": x[rows].transpose(2, 3, 1, 0), "y": y})
    return x


WRITERS: dict[str, Callable[[Path], np.ndarray]] = {
    "mnist": write_mnist,
    "usps": write_usps,
    "cifar10": write_cifar10,
    "svhn": write_svhn,
}

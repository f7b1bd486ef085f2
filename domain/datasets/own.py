"""Your own images, from one file or from a folder.

* a **folder** of pictures, all of one size: the subfolders are the classes, in alphabetical order;
  a picture that lies beside them is unlabelled;
* an **HDF5** (``.h5``, ``.hdf5``) or **NPZ** file: ``x`` (N, H, W) grey, (N, C, H, W) or (N, H, W, C)
  with C = 1 or 3; optionally ``label`` (N,), −1 where unlabelled, and ``split`` (N,), 0 train,
  1 validation, 2 test.

Values are whole numbers in 0..255, or floats in 0..1 unless ``range`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from tqdm import tqdm

from domain.config import Config
from domain.datasets.raw import sampled
from domain.errors import InputError
from domain.files import readable
from domain.samples import About, Samples

KEYS = ("x", "label", "split")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm", ".webp")
GREY = ("1", "L", "LA")
COLOUR = ("RGB", "RGBA", "P", "CMYK", "YCbCr")


def read_hdf5(path: Path) -> dict[str, np.ndarray]:
    """The known columns of an HDF5 file."""
    with readable(path, "a whole HDF5 file"), h5py.File(path) as file:
        return {key: file[key][:] for key in KEYS if key in file}


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The known columns of a numpy file; pickled objects are refused."""
    with readable(path, "a whole NPZ file"), np.load(path, allow_pickle=False) as content:
        return {key: content[key] for key in KEYS if key in content}


READERS = {".h5": read_hdf5, ".hdf5": read_hdf5, ".npz": read_npz}


def read_columns(path: Path, progress: bool) -> dict[str, np.ndarray]:
    """The columns of a file or folder; ``x`` is among them."""
    if path.is_dir():
        return read_folder(path, progress)
    if not path.exists() or path.suffix.lower() not in READERS:
        raise InputError(f"{path}: is no folder and no {', '.join(READERS)} file; correct 'path'")
    columns = READERS[path.suffix.lower()](path)
    if "x" not in columns:
        raise InputError(f"{path}: the key 'x' is missing; store the images under it")
    return columns


def read_folder(path: Path, progress: bool) -> dict[str, np.ndarray]:
    """x (N, C, H, W) uint8, C = 3 if any picture has colour, and label (N,) if there are classes."""
    files = sorted(f for f in (*path.glob("*"), *path.glob("*/*")) if f.suffix.lower() in PICTURES)
    if not files:
        raise InputError(
            f"{path}: no picture ({', '.join(PICTURES)}) in it or its subfolders; correct 'path'"
        )
    mode = common_mode(files)
    bar = tqdm(files, desc=str(path), unit="picture", disable=not progress)
    images = np.stack([read_picture(file, mode) for file in bar])
    x = images[:, None] if mode == "L" else images.transpose(0, 3, 1, 2)
    classes = sorted({file.parent.name for file in files if file.parent != path})
    if not classes:
        return {"x": x}
    label = [-1 if file.parent == path else classes.index(file.parent.name) for file in files]
    return {"x": x, "label": np.array(label)}


def common_mode(files: Sequence[Path]) -> str:
    """``L`` if every picture is grey, else ``RGB``; all must have the size of the first."""
    modes, first = set(), None
    for file in files:
        with readable(file, "a picture"), Image.open(file) as picture:
            size, mode = picture.size, picture.mode
        first = first or size
        if size != first:
            raise InputError(
                f"{file}: is {size[0]}×{size[1]} pixels, {files[0].name} is {first[0]}×{first[1]}; "
                "bring all to one size"
            )
        if mode not in GREY + COLOUR:
            raise InputError(f"{file}: has the pixel mode {mode!r}; save it as 8-bit grey or RGB")
        modes.add(mode)
    return "L" if modes <= set(GREY) else "RGB"


def read_picture(file: Path, mode: str) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8."""
    with readable(file, "a whole picture"), Image.open(file) as picture:
        return np.asarray(picture.convert(mode))


def channels_first(x: np.ndarray, path: Path) -> np.ndarray:
    """Images as (N, C, H, W) with C = 1 or 3, from any of the admitted layouts."""
    if x.ndim == 3:
        return x[:, None]
    if x.ndim == 4 and x.shape[1] in (1, 3):
        return x
    if x.ndim == 4 and x.shape[3] in (1, 3):
        return x.transpose(0, 3, 1, 2)
    raise InputError(f"{path}: 'x' has shape {x.shape}; make it (N, H, W) or (N, C, H, W) with C = 1 or 3")


def compact(x: np.ndarray) -> np.ndarray:
    """Floats as float32, and whole numbers as uint8 where they fit."""
    if np.issubdtype(x.dtype, np.floating):
        return x.astype(np.float32, copy=False)
    fits = np.issubdtype(x.dtype, np.integer) and x.size and x.min() >= 0 and x.max() <= 255
    return x.astype(np.uint8, copy=False) if fits else x


def check_column(column: np.ndarray | None, key: str, path: Path) -> None:
    """Raise where a label or split, if there is one, is not one whole number a sample."""
    if column is not None and (column.ndim != 1 or not np.issubdtype(column.dtype, np.integer)):
        raise InputError(f"{path}: {key!r} is {column.dtype} {column.shape}; make it (N,) whole numbers")


@dataclass(frozen=True)
class Own(Config):
    """Your own images.

    Attributes:
        path: the file or folder, as seen from where the command runs.
        range: the lowest and highest value ``x`` may hold; 0..255 for whole numbers and 0..1 for
            floats if left out.
    """

    path: str
    range: tuple[float, float] | None = None

    def about(self) -> About:
        return self.load().about

    def load(self, folders: Sequence[Path] = (), progress: bool = False) -> Samples:
        """x: (N, C, H, W), uint8 or float32; label and split where the data have them."""
        path = Path(self.path).expanduser()
        columns = read_columns(path, progress)
        x = compact(channels_first(columns["x"], path))
        for key in ("label", "split"):
            check_column(columns.get(key), key, path)
        label = columns.get("label")
        about = About(
            kind="image",
            range=self.range or ((0, 255) if np.issubdtype(x.dtype, np.integer) else (0, 1)),
            classes=0 if label is None or not label.size else int(label.max()) + 1,
            producer="datasets.own",
        )
        return sampled(about, [path], x, label, columns.get("split"))

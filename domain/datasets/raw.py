"""Raw files: found in a user's folders or downloaded, joined into samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.datasets.download import RemoteFile, fetch
from domain.errors import InputError
from domain.files import digest
from domain.samples import SPLITS, About, Samples


def find(dataset: str, names: Sequence[str], folders: Sequence[Path]) -> Path | None:
    """The first of the names in the first folder, or its subfolder ``dataset``, that holds one."""
    candidates = (place / name for place in places(dataset, folders) for name in names)
    return next((path for path in candidates if path.exists()), None)


def places(dataset: str, folders: Sequence[Path]) -> list[Path]:
    """Where a dataset's files may lie, in the order of the search."""
    return [place for folder in map(Path, folders) for place in (folder, folder / dataset)]


def obtain(dataset: str, files: Sequence[RemoteFile], folders: Sequence[Path], progress: bool) -> list[Path]:
    """Each file's path; one that no folder holds, in any form, is downloaded into the last folder.

    A file found is not held to the pinned hash, for a user's copy may be decompressed or compressed
    anew: its reader checks its structure.
    """
    paths = []
    for file in files:
        path = find(dataset, (file.name, *file.also), folders)
        try:
            paths.append(path or fetch([file], folders[-1], progress)[0])
        except InputError as error:
            raise InputError(f"{not_found(dataset, (file.name, *file.also), folders)}; {error}") from error
    return paths


def not_found(dataset: str, names: Sequence[str], folders: Sequence[Path]) -> str:
    """What was looked for and where, in words."""
    return f"{dataset}: found no {' or '.join(names)} in {', '.join(map(str, places(dataset, folders)))}"


@dataclass(frozen=True)
class Part:
    """One official split as read: images x (n, C, H, W), label (n,), and the files they came from."""

    x: np.ndarray
    label: np.ndarray
    paths: tuple[Path, ...]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.label):
            raise InputError(
                f"{named(self.paths)}: {len(self.x)} images but {len(self.label)} labels; "
                "put files there that belong together"
            )


def joined(about: About, train: Part, test: Part) -> Samples:
    """The two official splits as one set of samples: training rows first, then test rows."""
    paths = (*train.paths, *test.paths)
    if train.x.shape[1:] != test.x.shape[1:]:
        raise InputError(
            f"{named(paths)}: training images are {train.x.shape[1:]}, test images {test.x.shape[1:]}; "
            "put files there that belong together"
        )
    split = np.repeat([SPLITS.index("train"), SPLITS.index("test")], [len(train.x), len(test.x)])
    x, label = np.concatenate([train.x, test.x]), np.concatenate([train.label, test.label])
    return sampled(about, paths, x, label, split)


def sampled(
    about: About,
    paths: Sequence[Path],
    x: np.ndarray,
    label: np.ndarray | None = None,
    split: np.ndarray | None = None,
    condition: np.ndarray | None = None,
) -> Samples:
    """Samples that carry the hashes of their files; a contradiction names the files."""
    about = dataclasses.replace(about, inputs={path.name: digest(path) for path in paths})
    try:
        return Samples(np.ascontiguousarray(x), about, label=label, condition=condition, split=split)
    except InputError as error:
        raise InputError(f"{named(paths)}: {str(error).removeprefix('samples: ')}") from None


def named(paths: Sequence[Path]) -> str:
    """The paths, each once, in words."""
    return ", ".join(dict.fromkeys(map(str, paths)))

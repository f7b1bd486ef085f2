"""Measure what the stages before wrote; one topic a script, each number with its floor beside it.

Each writes ``data/evaluation/<topic>.json`` (the numbers, and the figures with their captions) and
``data/evaluation/<topic>/`` (the figures).
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from domain.errors import InputError
from domain.files import whole_directory, whole_file, write_json
from domain.samples import SampleFile, Samples

Record = dict[str, Any]


def write(out: Path, topic: Callable[[Path], Record]) -> None:
    """Let ``topic`` draw its figures into the folder ``out`` and write what it returns to ``out``.json."""
    with whole_directory(out) as partial:
        record = topic(partial)
    write_json(out.with_suffix(".json"), record)


def figure(out: Path, file: str, caption: str, alt: str) -> Record:
    """One entry of a topic's list of figures; the final folder is named, not the partial one."""
    folder = out.name.removeprefix(".").removesuffix(".partial")
    return {"file": f"{folder}/{file}", "caption": caption, "alt": alt}


def history(model: Path) -> list[dict[str, float]]:
    """The training curves in a model directory, one dictionary a row."""
    with open(model / "history.csv", newline="") as stream:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]


def trained(folder: Path) -> dict[str, Path]:
    """Seed → model directory, of every seed that was trained, in order."""
    found = sorted((path.parent for path in folder.glob("*/model.json")), key=lambda path: int(path.name))
    if not found:
        raise InputError(f"{folder}: no model of any seed; dvc repro trains them")
    return {path.name: path for path in found}


def held_out(source: Path, count: int) -> Samples:
    """The first ``count`` samples of the test split, or the last ones of a file without splits."""
    file = SampleFile(source)
    split = "split" in file.columns
    kept = SampleFile(source, "test") if split else file
    if len(kept) < count + (not split):
        raise InputError(f"{source}: has {len(kept)} {'test samples' if split else 'samples'}, evaluation holds out {count}; simulate more")
    return kept.read(0, count) if split else file.read(len(file) - count)


@contextlib.contextmanager
def none_or_all(folder: Path) -> Iterator[Callable[[str], Path]]:
    """Yield what gives the temporary path of a file; all are renamed into the folder if the block succeeds."""
    with contextlib.ExitStack() as files:
        yield lambda name: files.enter_context(whole_file(folder / name))

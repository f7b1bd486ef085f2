"""Measure what the stages before wrote; one topic a script, each number with its floor beside it.

Each writes ``data/evaluation/<topic>.json`` (the numbers, and the figures with their captions) and
``data/evaluation/<topic>/`` (the figures).
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from domain.files import whole_directory, write_json

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

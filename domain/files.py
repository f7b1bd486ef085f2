"""Outputs appear whole or not at all, broken inputs are one clear error, and every file has a digest."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from domain.errors import InputError


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it into place if the block succeeds."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    with _writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_directory(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary directory; rename it into place if the block succeeds."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    with _writable(path):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            yield partial
            if path.exists():
                shutil.rmtree(path)
            os.replace(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors wraps the system's errors in its own
        if isinstance(error, OSError) and error.filename is None and error.errno is None:
            raise
        raise InputError(
            f"{path}: cannot be written ({getattr(error, 'strerror', None) or error}); "
            "check the folder's permissions and the free disk space"
        ) from error


@contextlib.contextmanager
def readable(path: Path, form: str) -> Iterator[None]:
    """Turn whatever a parser raises on a broken file into one error; ``form`` is what it should be."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # on garbage gzip, bz2, HDF5, MATLAB and pickle parsers raise almost anything
        problem = " ".join(f"{type(error).__name__}: {error}".split())
        mend = "replace it by a whole copy, or delete it"
        raise InputError(f"{path}: is not {form} ({problem}); {mend}") from error


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON whole, keys in the order given, floats to at most nine significant digits."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(_rounded(content), indent=1, allow_nan=False) + "\n")


def _rounded(content: Any) -> Any:
    if isinstance(content, float):
        return float(f"{content:.9g}")
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value) for value in content]
    return content


def read_json(path: str | Path) -> Any:
    """Read JSON; a missing or broken file is one clear error."""
    path = Path(path)
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run `dvc repro` to make it") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not readable as JSON ({error}); make it again") from error


def digest(path: str | Path) -> str:
    """The SHA-256 of a file, or of a directory's file names and contents, as hexadecimal."""
    path = Path(path)
    sha = hashlib.sha256()
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            sha.update(f"{file.relative_to(path).as_posix()}\0{digest(file)}\n".encode())
        return sha.hexdigest()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()

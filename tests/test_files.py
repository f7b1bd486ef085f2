"""Outputs appear whole or not at all."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from domain.errors import InputError
from domain.files import digest, read_json, whole_directory, whole_file, write_json

Whole = Callable[[Path], AbstractContextManager[Path]]
BOTH = pytest.mark.parametrize("whole", [whole_file, whole_directory])


def fill(partial: Path, text: str) -> None:
    """Write into a file, or into a file of a directory."""
    (partial / "inside" if partial.is_dir() else partial).write_text(text)


def text(path: Path) -> str:
    return (path / "inside" if path.is_dir() else path).read_text()


@BOTH
def test_appears_at_the_end(tmp_path: Path, whole: Whole) -> None:
    out = tmp_path / "new" / "out"
    with whole(out) as partial:
        fill(partial, "first")
        assert not out.exists() and partial.parent == out.parent
    assert text(out) == "first"


@BOTH
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_leaves_nothing_on_error(tmp_path: Path, whole: Whole, error: type[BaseException]) -> None:
    with pytest.raises(error), whole(tmp_path / "out") as partial:
        fill(partial, "half")
        raise error
    assert list(tmp_path.iterdir()) == []


@BOTH
def test_keeps_the_old_on_error(tmp_path: Path, whole: Whole) -> None:
    with whole(tmp_path / "out") as partial:
        fill(partial, "old")
    with pytest.raises(RuntimeError), whole(tmp_path / "out") as partial:
        fill(partial, "half")
        raise RuntimeError
    assert text(tmp_path / "out") == "old" and len(list(tmp_path.iterdir())) == 1


@BOTH
def test_replaces_the_old(tmp_path: Path, whole: Whole) -> None:
    for content in ("old", "new"):
        with whole(tmp_path / "out") as partial:
            fill(partial, content)
    assert text(tmp_path / "out") == "new" and len(list(tmp_path.iterdir())) == 1


def test_a_killed_run_leaves_no_trace_in_the_next(tmp_path: Path) -> None:
    """What a run that was killed left half done is not part of what the next one writes."""
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "stale").touch()
    with whole_directory(tmp_path / "out") as partial:
        fill(partial, "new")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["inside"]


@BOTH
def test_a_file_where_the_folder_should_be(tmp_path: Path, whole: Whole) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file/out: cannot be written .*check"), whole(tmp_path / "file" / "out"):
        raise AssertionError("the block must not run")
    assert (tmp_path / "file").read_text() == "in the way"


@BOTH
def test_a_full_disk(tmp_path: Path, whole: Whole) -> None:
    with pytest.raises(InputError, match="out: cannot be written .*free disk space"), whole(tmp_path / "out") as partial:
        fill(partial, "half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_json_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": 1 / 3, "a": (1, 2.5, None), "n": 10**12})
    assert path.read_text() == '{\n "b": 0.333333333,\n "a": [\n  1,\n  2.5,\n  null\n ],\n "n": 1000000000000\n}\n'
    assert read_json(path) == {"b": 0.333333333, "a": [1, 2.5, None], "n": 10**12}


def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe\x00"])
def test_broken_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match="a.json: not readable as JSON .*make it again"):
        read_json(tmp_path / "a.json")


def test_missing_json(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a.json: no such file"):
        read_json(tmp_path / "a.json")


def test_digest(tmp_path: Path) -> None:
    """Of a file, its SHA-256; of a folder, a change of any name or content shows."""
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "a").write_bytes(b"abc")
    assert digest(folder / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    seen = [digest(folder)]
    for change in (
        lambda: (folder / "a").write_bytes(b"abd"),
        lambda: (folder / "a").rename(folder / "b"),
        lambda: (folder / "b").rename(folder / "deep" / "b"),
        lambda: (folder / "c").touch(),
    ):
        change()
        seen.append(digest(folder))
    assert len(set(seen)) == len(seen)

"""What numba keeps is as new as the sources it was compiled from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from domain import matter
from domain.matter import compiling, discard_stale


def test_an_edit_of_any_file_discards_what_was_compiled(tmp_path: Path) -> None:
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    compiled = [cache / "transport.shower-1.py311.nbi", cache / "transport.shower-1.py311.1.nbc"]
    bytecode, sources = cache / "transport.cpython-311.pyc", [tmp_path / "transport.py", tmp_path / "electrons.py"]
    for path, at in [(sources[0], 1), (sources[1], 2), *[(path, 3) for path in compiled], (bytecode, 1)]:
        path.touch()
        os.utime(path, (at, at))
    discard_stale(tmp_path)
    assert all(path.exists() for path in compiled)
    os.utime(sources[1], (4, 4))
    discard_stale(tmp_path)
    assert not any(path.exists() for path in compiled) and bytecode.exists()


def test_one_process_compiles_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the last function is there: then nobody waits."""
    monkeypatch.setattr(matter, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(matter.tempfile, "gettempdir", lambda: str(tmp_path))
    with compiling():
        (lock,) = tmp_path.glob("*.lock")
        with pytest.raises(Timeout), FileLock(lock, timeout=0):
            pass
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "transport.follow-1.py311.nbi").touch()
    monkeypatch.setattr(matter, "FileLock", lambda path: pytest.fail(f"waits for {path}"))
    with compiling():
        pass

"""The download against a server that serves well, badly and not at all."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest

from domain.datasets.download import RemoteFile, fetch
from domain.errors import InputError

CONTENT = bytes(range(256)) * 2000


def remote(*urls: str, content: bytes = CONTENT) -> RemoteFile:
    return RemoteFile("digits.bin", urls, hashlib.sha256(content).hexdigest())


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_success_and_the_second_call_asks_nothing(server, tmp_path: Path) -> None:
    server.files["a"] = CONTENT
    for _ in range(2):
        (path,) = fetch([remote(server.url("a"))], tmp_path / "raw")
    assert path == tmp_path / "raw" / "digits.bin" and path.read_bytes() == CONTENT
    assert server.asked == ["a"]
    assert [p.name for p in path.parent.iterdir()] == ["digits.bin"]


def test_an_interrupted_set_goes_on_where_it_stopped(server, tmp_path: Path) -> None:
    server.files["a"] = CONTENT
    files = [
        remote(server.url("a")),
        RemoteFile("second.bin", (server.url("b"),), hashlib.sha256(b"b").hexdigest()),
    ]
    with pytest.raises(InputError, match="second.bin"):
        fetch(files, tmp_path)
    server.files["b"] = b"b"
    assert [p.name for p in fetch(files, tmp_path)] == ["digits.bin", "second.bin"]
    assert server.asked == ["a", "b", "b"]


@pytest.mark.parametrize("fault", ["truncate", "reset", "404", "hash", "refused"])
def test_failure_leaves_no_file_and_says_what_to_do(server, tmp_path: Path, fault: str) -> None:
    url = server.url("a") if fault != "refused" else f"http://127.0.0.1:{closed_port()}/a"
    if fault != "404":
        server.files["a"] = CONTENT[::-1] if fault == "hash" else CONTENT
    server.faults["a"] = fault if fault in ("truncate", "reset") else ""
    with pytest.raises(InputError) as error:
        fetch([remote(url)], tmp_path)
    message = str(error.value)
    assert url in message and str(tmp_path / "digits.bin") in message and "put it there" in message
    assert "\n" not in message
    assert {"404": "404", "hash": "SHA-256", "refused": "refused"}.get(fault, "") in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", ["truncate", "reset", "404", "hash"])
def test_mirror(server, tmp_path: Path, fault: str) -> None:
    server.files["mirror"] = CONTENT
    if fault != "404":
        server.files["official"] = b"other" if fault == "hash" else CONTENT
    server.faults["official"] = fault if fault in ("truncate", "reset") else ""
    (path,) = fetch([remote(server.url("official"), server.url("mirror"))], tmp_path)
    assert path.read_bytes() == CONTENT and server.asked == ["official", "mirror"]


def test_all_mirrors_failing_are_all_named(server, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        fetch([remote(server.url("official"), server.url("mirror"))], tmp_path)
    assert server.url("official") in str(error.value) and server.url("mirror") in str(error.value)


def test_a_folder_that_cannot_be_written(server, tmp_path: Path) -> None:
    server.files["a"] = CONTENT
    (tmp_path / "raw").write_text("a file, not a folder")
    with pytest.raises(InputError, match="cannot be written"):
        fetch([remote(server.url("a"))], tmp_path / "raw")


@pytest.mark.parametrize("progress", [False, True])
def test_progress(server, tmp_path: Path, capsys: pytest.CaptureFixture[str], progress: bool) -> None:
    server.files["a"] = CONTENT
    fetch([remote(server.url("a"))], tmp_path, progress=progress)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("100%" in shown.err) if progress else (shown.err == "")

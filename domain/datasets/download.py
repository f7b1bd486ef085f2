"""Downloads that are whole or not at all, checked against a pinned SHA-256.

Pooch carries the bytes. They land under a temporary name and get their final one only when their
hash is right, so a broken download leaves nothing behind. Each mirror is tried in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests

from domain.errors import InputError
from domain.files import digest, whole_file

CHUNK = 1 << 16  # bytes between two updates of the progress bar


@dataclass(frozen=True)
class RemoteFile:
    """A file that the world offers.

    Attributes:
        name: its name on this machine.
        urls: where it is offered, the most official place first.
        sha256: of the file as offered, hexadecimal.
        also: other names and forms under which a user may hold it, such as decompressed.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str
    also: tuple[str, ...] = ()


class _WrongHash(Exception):
    pass


def fetch(files: Sequence[RemoteFile], folder: str | Path, progress: bool = False) -> list[Path]:
    """Download the files that the folder does not hold yet; one already there is used as it is.

    Raises:
        InputError: no mirror gave a file whole and with the right hash.
    """
    return [_fetched(file, Path(folder) / file.name, progress) for file in files]


def _fetched(file: RemoteFile, path: Path, progress: bool) -> Path:
    if path.exists():
        return path
    problems = []
    for url in file.urls:
        try:
            _download(url, path, file.sha256, progress)
            return path
        except (requests.RequestException, _WrongHash) as error:
            problems.append(f"{url}: {error}")
    raise InputError(
        f"{path}: could not be downloaded ({'; '.join(problems)}); "
        f"fetch {file.urls[0]} by other means and put it there"
    )


def _download(url: str, path: Path, sha256: str, progress: bool) -> None:
    with whole_file(path) as partial:
        pooch.HTTPDownloader(progressbar=progress, chunk_size=CHUNK)(url, str(partial), None)
        if (found := digest(partial)) != sha256:
            raise _WrongHash(f"the SHA-256 of what came is {found}, not {sha256}")

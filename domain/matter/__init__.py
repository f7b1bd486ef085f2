"""Materials, and what photons, electrons and positrons do in them: cross-sections, and single events drawn from them.

Energies are in MeV, cross-sections in cm² an atom, lengths in cm. Functions are compiled by numba and
take scalars; those that draw take a ``numpy.random.Generator``.

What numba compiled is kept in ``__pycache__``. It looks at a function's own file alone and would go on with
what other files said before an edit, so an edit of any file here discards it all. Compiling takes a core
longer than many a simulation, so of several processes one compiles and the others wait.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

MASS = 0.51099895  # MeV, of the electron
RADIUS = 2.8179403262e-13  # cm, classical, of the electron
FINE_STRUCTURE = 7.2973525693e-3
AVOGADRO = 6.02214076e23
BARN = 1e-24  # cm²


def discard_stale(folder: Path) -> None:
    """Delete what numba compiled before the newest source of a folder was written."""
    newest = max(source.stat().st_mtime for source in folder.glob("*.py"))
    for compiled in (folder / "__pycache__").glob("*.nb[ic]"):
        with suppress(FileNotFoundError):  # another process was faster
            if compiled.stat().st_mtime < newest:
                compiled.unlink()


@contextmanager
def compiling() -> Iterator[None]:
    """Around the first calls in a process: one process at a time until all is compiled."""
    if any((Path(__file__).parent / "__pycache__").glob("transport.follow-*.nbi")):  # the last to be compiled
        yield
        return
    user = os.getuid() if hasattr(os, "getuid") else "user"  # containers have numbers without names; Windows neither
    with FileLock(Path(tempfile.gettempdir()) / f"simulacra-compiling-{user}.lock"):
        yield


discard_stale(Path(__file__).parent)

"""Where work runs: processes on this machine, or an engine of the user's choice.

DVC says what must run, this file says where, and the environment says how, so that moving to a
cluster changes no tracked parameter:

=================================  ==========================================================
``SIMULACRA_WORKERS``              processes to use (the number of cores)
``SIMULACRA_THREADS``              torch threads in each (1; more changes the last bits)
``SIMULACRA_DEVICE``               ``cpu`` or ``cuda`` (a GPU where there is one)
``SIMULACRA_EXECUTOR``             ``processes``, ``serial``, or ``module:function`` that returns
                                   a ``concurrent.futures.Executor`` (Dask, submitit, MPI, ...)
``SIMULACRA_RAW``                  folder with raw data files that need no download
``SIMULACRA_CHECKPOINT_SECONDS``   time between two checkpoints of a training (20)
=================================  ==========================================================
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import importlib
import itertools
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

import torch

from domain import device as devices
from domain.errors import InputError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h: bytes

R = TypeVar("R")


def _number(name: str, default: int, kind: type = int) -> Any:
    text = os.environ.get(name, "")
    try:
        value = kind(text) if text else default
    except ValueError:
        value = 0
    if value <= 0:
        raise InputError(f"environment variable {name}: is {text!r}, must be a number above 0")
    return value


def workers() -> int:
    """How many processes to use."""
    return _number("SIMULACRA_WORKERS", len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def threads() -> int:
    """How many threads torch may use in each process."""
    return _number("SIMULACRA_THREADS", 1)


def checkpoint_seconds() -> float:
    """Seconds between two checkpoints."""
    return _number("SIMULACRA_CHECKPOINT_SECONDS", 20, float)


def device() -> torch.device:
    """Where tensors live."""
    try:
        return devices.device(os.environ.get("SIMULACRA_DEVICE") or None)
    except InputError as error:
        raise InputError(f"environment variable SIMULACRA_DEVICE: {error}") from None


def raw_folders(download: Path) -> list[Path]:
    """Where to look for raw files: the user's folder, then the one that downloads go to."""
    named = os.environ.get("SIMULACRA_RAW")
    if named and not Path(named).is_dir():
        raise InputError(f"environment variable SIMULACRA_RAW: {named!r} is not a folder; correct it or unset it")
    return [*([Path(named)] if named else []), download]


@contextlib.contextmanager
def executor() -> Iterator[Executor]:
    """The executor that the environment names; a worker runs its own tasks itself."""
    name = os.environ.get("SIMULACRA_EXECUTOR") or "processes"
    is_worker = multiprocessing.parent_process() is not None
    if name == "serial" or is_worker or (name == "processes" and workers() == 1):
        yield Serial()
        return
    if name == "processes":
        pool: Executor = ProcessPoolExecutor(workers(), _context(), initializer=_start_worker, initargs=(threads(),))
    else:
        pool = _foreign(name)
    try:
        yield pool
    except BrokenProcessPool:
        raise InputError(
            "a worker process died, perhaps for lack of memory; set SIMULACRA_WORKERS to a smaller number "
            "and run the same command, which resumes"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _context() -> multiprocessing.context.BaseContext:
    """How workers start: where the system can, as forks of one process that imports what this one has imported."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([name for name in sys.modules if name.split(".")[0] in ("domain", "pipelines")])
    return context


def _foreign(name: str) -> Executor:
    module, _, function = name.partition(":")
    try:
        made = getattr(importlib.import_module(module), function)()
        if not isinstance(made, Executor):
            raise TypeError(f"it returns a {type(made).__name__}")
        return made
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"environment variable SIMULACRA_EXECUTOR: {name!r} gives no executor ({error}); "
            "use 'processes', 'serial' or 'module:function'"
        ) from None


def prepare_process(count: int) -> None:
    """Give torch ``count`` threads, and keep freed memory for the next step.

    glibc hands large blocks back at once; networks on images then spend a third of their time on page faults.
    """
    torch.set_num_threads(count)
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library has no mallopt
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_MMAP_THRESHOLD, 2**25)  # the most that glibc takes


def _start_worker(count: int) -> None:
    """A prepared worker that does not outlive a killed parent."""
    prepare_process(count)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()


class Serial(Executor):
    """Runs each task in this process, when it is submitted."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # handed to whoever asks for the result, as an executor must
            future.set_exception(error)
        return future


def ordered(pool: Executor, function: Callable[..., R], tasks: Iterable[tuple]) -> Iterator[R]:
    """``function(*task)`` for each task, in order, with a bounded number in flight."""
    tasks = iter(tasks)
    waiting = collections.deque(pool.submit(function, *task) for task in itertools.islice(tasks, 2 * workers()))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(pool.submit(function, *task) for task in itertools.islice(tasks, 1))

"""Work runs anywhere and gives the same result everywhere."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from domain.errors import InputError
from domain.simulators import SIMULATORS
from pipelines import launch


def test_serial() -> None:
    pool = launch.Serial()
    assert pool.submit(divmod, 7, 2).result() == (3, 1)
    assert isinstance(pool.submit(divmod, 7, 0).exception(), ZeroDivisionError)


class Lazy(Executor):
    """Finishes a task when its result is asked for, and counts the tasks under way."""

    def __init__(self) -> None:
        self.waiting = self.most = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        future: Future = Future()

        def result(timeout: float | None = None) -> Any:
            self.waiting -= 1
            return fn(*args)

        future.result = result
        return future


def test_ordered_is_bounded_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as many tasks as workers are under way, and no more tasks are made than that."""
    monkeypatch.setenv("SIMULACRA_WORKERS", "3")
    pool, made = Lazy(), collections.deque()

    def tasks() -> Iterator[tuple[int]]:
        for k in range(50):
            made.append(k)
            yield (k,)

    results = launch.ordered(pool, lambda k: k * k, tasks())
    assert next(results) == 0 and len(made) == 6
    assert list(results) == [k * k for k in range(1, 50)]
    assert pool.most == 6


def test_an_error_in_a_task_arrives() -> None:
    with pytest.raises(ZeroDivisionError):
        list(launch.ordered(launch.Serial(), divmod, [(1, 1), (1, 0)]))


def test_executors(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, workers, kind in (
        ("serial", "2", launch.Serial),
        ("processes", "1", launch.Serial),
        ("", "1", launch.Serial),
        ("concurrent.futures:ThreadPoolExecutor", "2", ThreadPoolExecutor),
    ):
        monkeypatch.setenv("SIMULACRA_EXECUTOR", name)
        monkeypatch.setenv("SIMULACRA_WORKERS", workers)
        with launch.executor() as pool:
            assert isinstance(pool, kind)
            assert list(launch.ordered(pool, divmod, [(7, 2), (9, 2)])) == [(3, 1), (4, 1)]


@pytest.mark.parametrize("name", ["nonsense", "no.such:thing", "os:nothing", "os:sep", "os:getcwd", "os:", ":f"])
def test_no_executor(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("SIMULACRA_EXECUTOR", name)
    with pytest.raises(InputError, match=f"SIMULACRA_EXECUTOR: '{name}' gives no executor .*'module:function'"):
        launch.executor().__enter__()


def test_a_worker_that_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULACRA_EXECUTOR", "concurrent.futures:ThreadPoolExecutor")
    with pytest.raises(InputError, match="set SIMULACRA_WORKERS to a smaller number"), launch.executor():
        raise BrokenProcessPool


@pytest.mark.parametrize("text", ["zero", "0", "-2", "1.5"])
@pytest.mark.parametrize("name, ask", [("WORKERS", launch.workers), ("THREADS", launch.threads)])
def test_counts(monkeypatch: pytest.MonkeyPatch, name: str, ask: Callable[[], int], text: str) -> None:
    monkeypatch.setenv(f"SIMULACRA_{name}", "3")
    assert ask() == 3
    monkeypatch.setenv(f"SIMULACRA_{name}", text)
    with pytest.raises(InputError, match=f"SIMULACRA_{name}: is '{text}', must be a number above 0"):
        ask()


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKERS", "THREADS", "DEVICE", "RAW", "CHECKPOINT_SECONDS"):
        monkeypatch.delenv(f"SIMULACRA_{name}", raising=False)
    assert launch.workers() >= 1 and launch.threads() == 1 and launch.checkpoint_seconds() == 20
    assert launch.raw_folders(Path("here")) == [Path("here")]


def test_raw_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SIMULACRA_RAW", str(tmp_path))
    assert launch.raw_folders(Path("here")) == [tmp_path, Path("here")]


PARAMETERS = """
simulate:
  gflash: {count: 50, options: {energy: [1, 5]}}
  own:
    options: {function: "tests.simulators.detector:simulate", kind: shower, shape: [4], range: [0, 9], shard: 20}
    count: 50
"""


@pytest.mark.parametrize("name, shard", [("gflash", 20), ("own", 20)])
def test_workers_change_no_byte(
    monkeypatch: pytest.MonkeyPatch, pipeline: Callable[[str], None], tmp_path: Path, name: str, shard: int
) -> None:
    (tmp_path / "params.yaml").write_text(PARAMETERS)
    monkeypatch.setattr(SIMULATORS[name], "shard", shard)
    pipeline(f"simulate {name} one.h5")
    monkeypatch.setenv("SIMULACRA_EXECUTOR", "processes")
    monkeypatch.setenv("SIMULACRA_WORKERS", "2")
    pipeline(f"simulate {name} two.h5")
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()

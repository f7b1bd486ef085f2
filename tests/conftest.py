"""What all tests share."""

from __future__ import annotations

import runpy
import shlex
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.launch import prepare_process

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The flow first: no other test takes a quarter as long, so one process is not left alone with it at the end."""
    items.sort(key=lambda item: item.path.name != "test_reproducibility.py")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Each test process computes as a worker does, on one thread: the same sums in the same order, and no contention."""
    prepare_process(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout."""
    if not DATA.is_dir():
        pytest.skip(f"no real data: {DATA} is absent")
    return DATA


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Runs ``python -m pipelines.<line>`` in this process and in ``tmp_path``, workers included."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMULACRA_EXECUTOR", "serial")

    def run(line: str) -> None:
        module, *arguments = shlex.split(line)
        monkeypatch.setattr(sys, "argv", [module, *arguments])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'pipelines.* found in sys.modules", RuntimeWarning)
            runpy.run_module(f"pipelines.{module}", run_name="__main__", alter_sys=True)

    return run

"""A simulation that is killed goes on where it stopped, and ends with the same bytes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.samples import Samples, read
from domain.simulators import SIMULATORS

Pipeline = Callable[[str], None]
SHARDS = 4
PARAMETERS = """
simulate:
  strokes: {options: {size: 8, style: counts}, count: 100, seed: 3}
  gflash: {options: {energy: [1, 5]}, count: 14, seed: 3}
"""


@pytest.fixture(params=["strokes", "gflash"])
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A simulator whose request is cut into four shards, the last one smaller."""
    (tmp_path / "params.yaml").write_text(PARAMETERS)
    monkeypatch.setattr(SIMULATORS[request.param], "shard", {"strokes": 30, "gflash": 4}[request.param])
    return request.param


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
    """How many samples each call of the simulator made."""
    made: list[int] = []
    simulate = SIMULATORS[name].simulate

    def counted(self: object, count: int, seed: int) -> Samples:
        made.append(count)
        return simulate(self, count, seed)

    monkeypatch.setattr(SIMULATORS[name], "simulate", counted)
    return made


def killed_at_rename(pipeline: Pipeline, line: str, k: int) -> int:
    """Run a stage in a process that kills itself when file ``k`` is written and not yet in place; its exit code."""

    def child() -> None:
        renamed, replace = [], os.replace

        def fatal(*paths: Path) -> None:
            renamed.append(paths)
            if len(renamed) > k:
                os.kill(os.getpid(), signal.SIGKILL)
            replace(*paths)

        os.replace = fatal
        pipeline(line)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    return process.exitcode


@pytest.mark.parametrize("k", range(SHARDS + 1))
def test_killed_and_resumed(name: str, counts: list[int], pipeline: Pipeline, tmp_path: Path, k: int) -> None:
    """Killed at each shard in turn, and at the whole file, it makes the shards that are missing and no other."""
    pipeline(f"simulate {name} whole.h5")
    all_counts = list(counts)
    assert len(all_counts) == SHARDS
    assert killed_at_rename(pipeline, f"simulate {name} out.h5", k) == -signal.SIGKILL
    assert not (tmp_path / "out.h5").exists()
    assert len(list((tmp_path / "data/scratch").glob("out.h5-*/*.h5"))) == k
    counts.clear()
    pipeline(f"simulate {name} out.h5")
    assert counts == all_counts[k:]
    assert (tmp_path / "out.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert not list((tmp_path / "data/scratch").iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"params.yaml", "data", "whole.h5", "out.h5"}


def test_other_parameters_start_anew(name: str, counts: list[int], pipeline: Pipeline, tmp_path: Path) -> None:
    """Shards of another request are never mixed in."""
    assert killed_at_rename(pipeline, f"simulate {name} out.h5", 2) == -signal.SIGKILL
    (tmp_path / "params.yaml").write_text(PARAMETERS.replace("seed: 3", "seed: 4"))
    pipeline(f"simulate {name} out.h5")
    assert len(counts) == SHARDS and read(tmp_path / "out.h5").about.seed == 4


def test_what_it_says(name: str, pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    killed_at_rename(pipeline, f"simulate {name} out.h5", 3)
    capsys.readouterr()
    pipeline(f"simulate {name} out.h5")
    total, kept = {"strokes": (100, 90), "gflash": (14, 12)}[name]
    assert capsys.readouterr().err.startswith(f"{name}: {total} samples, {kept} of them kept from before, ")

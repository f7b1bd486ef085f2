"""A tiny ``dvc repro`` in a clone: whole, a no-op the second time, and the same after kills."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import reproducibility

pytest.importorskip("pythia8mc", reason="the flow simulates jets, which need Pythia 8")


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = reproducibility.copy(tmp_path_factory.mktemp("flow"), tiny=True)
    reproducibility.finished(folder, SIMULACRA_WORKERS="1")
    return folder


def test_every_output_is_there(flow: Path) -> None:
    assert (flow / "data/report/index.html").stat().st_size > 50_000
    topics = {path.stem for path in (flow / "data/evaluation").glob("*.json")}
    assert topics == {"classification", "generators", "refinement", "jets", "showers", "speed"}
    for path in (flow / "data/evaluation").glob("*.json"):
        for figure in json.loads(path.read_text()).get("figures", []):
            assert (path.parent / figure["file"]).stat().st_size > 0
    assert not list((flow / "data").rglob("*.partial")), "partial output left behind"
    assert not list((flow / "data/scratch").iterdir()), "scratch left behind"


def test_second_run_does_nothing(flow: Path) -> None:
    result = reproducibility.repro(flow)
    assert result.returncode == 0 and "up to date" in result.stdout
    assert "Running stage" not in result.stdout


def test_what_users_of_dvc_expect(flow: Path) -> None:
    for command, words in {
        ("metrics", "show", "--json"): "auc",
        ("dag",): "evaluate-showers",
        ("status", "dvc.yaml", "--json"): "{}",
        ("plots", "show", "--json", "GAN on digits"): "critic.adversarial",
        ("params", "diff", "--json"): "{",
    }.items():
        result = subprocess.run(
            [sys.executable, "-m", "dvc", *command], cwd=flow, env=reproducibility.environment(), capture_output=True, text=True
        )
        assert result.returncode == 0 and words in result.stdout, (command, result.stdout[-500:], result.stderr[-500:])


def test_killed_and_resumed(flow: Path) -> None:
    """Killed in its training, a stage ends with the same bytes; the script beside does two dozen kills."""
    reference, output = (flow / "dvc.lock").read_text(), "strokes-digits-simgan"
    assert reproducibility.kill_one(flow, {output: 1}, 0.7, "--force", "--single-item", "refine") == output
    assert not reproducibility.differences(reference, reproducibility.finished(flow, SIMULACRA_WORKERS="1"))

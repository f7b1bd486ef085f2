"""The study of refined showers: every stage that its dvc.yaml names, in order and at tiny size."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from domain.refiners import REFINERS
from domain.samples import SampleFile
from domain.space import Space
from pipelines import regress, stage
from pipelines.evaluate import regression
from pipelines.refine import Refine
from tests.pipelines.test_strokes_to_mnist import commands

STUDY = "studies/showers_refined"
PARAMS = str(stage.ROOT / STUDY / "params.yaml")
SEEDS = [3, 5]


def tiny(content: dict[str, Any]) -> dict[str, Any]:
    """The study's parameters with few showers of formulas, photons for the detailed side, small networks and two seeds."""
    for name, particle in (("showers_gflash", "eplus"), ("showers_cascade", "gamma"), ("showers_cascade_test", "gamma")):
        options = {"particle": particle, "scoring": "total", "threshold": 0.0, "energy": [1, 10]}
        content["simulate"][name] |= {"simulator": "gflash", "options": options, "count": 120}
    scores = {"knots": 3, "quantiles": 5}
    small = {"hidden": [8], "critic_hidden": [8], "history": 16, "critic_first": 2, "batch": 8}
    content["refine"]["shower_matching"] |= {"model": {**scores, "correlations": False}, "seeds": SEEDS}  # which take the time
    content["refine"]["shower_simgan"] |= {"model": {**scores, **small}, "seeds": SEEDS}
    content["refine"]["shower_simgan"]["budget"] = {"steps": 4, "log_every": 2, "precision": "float32"}
    task = content["regress"]["showers_refined"]
    task |= {"seeds": SEEDS, "bins": [1, 4, 7, 10]}
    for arm in task["arms"].values():
        arm |= {"only": 100, "options": {"hidden": [8], "epochs": 2, "average": 0.9, "precision": "float32"}}
    looks = content["evaluate"]["regression"]["looks"]
    looks |= {"count": 50, "judge": {"width": 4, "folds": 2, "epochs": 3}, "bins": [1, 4, 7, 10]}
    return content


def test_every_stage_in_order(tmp_path: Path, pipeline: Callable[[str], None]) -> None:
    content = tiny(YAML(typ="safe").load(Path(PARAMS)))
    (tmp_path / STUDY).mkdir(parents=True)
    YAML(typ="safe").dump(content, tmp_path / STUDY / "params.yaml")
    for line in commands(content, STUDY):
        pipeline(line)
    raw = SampleFile("data/simulated/showers_gflash.h5").read()
    refined = SampleFile("data/refined/showers-shower_simgan/3.h5").read()
    np.testing.assert_array_equal(refined.condition, raw.condition)
    np.testing.assert_array_equal(refined.origin, np.arange(120))
    np.testing.assert_allclose(refined.x.sum(1), raw.x.sum(1), rtol=1e-5)
    with open(f"{STUDY}/results.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[:5] == ["study", "arm", "seed", "metric", "value"]
    found = {(row["arm"], row["metric"], row["seed"]): float(row["value"]) for row in rows}
    for seed in "35":
        assert found["real_supervised", "sigma_percent_over_real_supervised", seed] == 1
        ratio = found["refined", "sigma_percent", seed] / found["real_supervised", "sigma_percent", seed]
        assert found["refined", "sigma_percent_over_real_supervised", seed] == pytest.approx(ratio, rel=1e-4)
        for arm in ("raw", "matched", "refined", "real"):
            assert {(arm, metric, seed) for metric in ("auc_low", "auc_high", "energy_drift")} <= set(found)
        drifts = [found[arm, "energy_drift", seed] for arm in ("raw", "matched", "refined")]
        np.testing.assert_allclose(drifts, drifts[0], atol=1e-5)
    summary = Path(STUDY, "summary.md").read_text()
    assert "| refined - matched |" in summary and "| samples | AUC, layers | AUC, low | AUC, high | energy drift [%] |" in summary
    assert "(samples.png)" in summary and Path(STUDY, "samples.png").exists()
    assert Path("data/models/showers-shower_simgan/3/samples.png").exists()


def test_arms_are_equal_and_what_they_name_is_made() -> None:
    """Equal counts and budgets in arms of a kind, no real label but in those that say so, and files of its own stages."""
    config = stage.parameters(regress.Regress, PARAMS, "regress", "showers_refined")
    for name, arm in config.arms.items():
        arm.check(name)
    kinds = {"by_shape": set(), "by_total": set(), "": set()}
    for name, arm in config.arms.items():
        kinds[next(kind for kind in kinds if name.endswith(kind))].add((arm.only, arm.regressor, str(arm.options)))
    assert [len(kind) for kind in kinds.values()] == [1, 1, 1]
    real = [name for name, arm in config.arms.items() if "cascade" in arm.samples]
    assert real == ["real_supervised", "real_by_shape", "real_by_total"]
    made = {f"data/simulated/showers_{part}.h5" for part in ("gflash", "cascade", "cascade_test")}
    made |= {f"data/refined/showers-{name}/{{seed}}.h5" for name in ("shower_matching", "shower_simgan")}
    looks = stage.parameters(regression.Regression, PARAMS, "evaluate", "regression").looks
    assert {config.test, looks.real, *looks.sets.values(), *(arm.samples for arm in config.arms.values())} == made
    for name in ("shower_matching", "shower_simgan"):
        entry = stage.parameters(Refine, PARAMS, "refine", name)
        entry.build(REFINERS, f"refine.{name}", Space("shower", (504,), (0.0, 1e5)))
        assert entry.seeds == config.seeds

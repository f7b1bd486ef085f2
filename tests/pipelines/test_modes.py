"""From a mixture to the table of mode coverage, by configuration alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML

from domain.generators import GENERATORS
from pipelines import stage
from pipelines.evaluate.modes import Modes
from pipelines.learn import Seeded

STUDY = stage.ROOT / "studies/modes/params.yaml"
Pipeline = Callable[[str], None]

PARAMS = """
simulate:
  ring: {simulator: mixture, options: {layout: ring, modes: 4, size: 1.0, deviation: 0.1}, count: 300}
train:
  short_gan: &gan
    family: gan
    model: {hidden: [8], latent: 2, batch: 16}
    budget: {steps: 5, precision: float32}
    seeds: [3, 5]
  short_gmmn: {<<: *gan, family: gmmn}
evaluate:
  modes:
    title: Four points
    models: models
    mixtures: {ring: ring.h5}
    budgets: {short: 5 steps}
    methods: {gan: a critic, gmmn: moments}
    seeds: [3, 5]
    count: 200
    rests_on: [Nothing much.]
"""


def test_from_a_mixture_to_the_table(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study/params.yaml").write_text(PARAMS)
    pipeline("simulate ring ring.h5 --params study/params.yaml")
    for method in ("gan", "gmmn"):
        pipeline(f"train ring.h5 short_{method} models/ring-short-{method} --params study/params.yaml")
        assert sorted(folder.name for folder in (tmp_path / f"models/ring-short-{method}").iterdir()) == ["3", "5"]
    pipeline("evaluate.modes study")
    with open(tmp_path / "study/results.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[:7] == ["study", "method", "seed", "metric", "value", "mixture", "budget"]
    found = {(row["method"], row["seed"], row["metric"]) for row in rows}
    metrics = ("modes", "high_quality", "kl")
    assert found == {(m, s, metric) for m in ("gan", "gmmn", "floor") for s in "35" for metric in metrics}
    floor = {row["metric"]: float(row["value"]) for row in rows if row["method"] == "floor" and row["seed"] == "3"}
    assert floor["modes"] == 4 and floor["high_quality"] > 0.95
    summary = (tmp_path / "study/summary.md").read_text()
    assert "## 4 Gaussians on a ring, 5 steps" in summary and "| gmmn |" in summary and "Nothing much." in summary
    assert (tmp_path / "study/samples.png").stat().st_size > 1000 and (tmp_path / "study/orbit.svg").exists()


def test_the_study_trains_what_it_tells_of() -> None:
    content = YAML(typ="safe", pure=True).load(STUDY)
    told = stage.parameters(Modes, str(STUDY), "evaluate", "modes")
    methods = content["methods"] + content["pairs"] + content["families"]
    assert list(told.methods) == methods and list(told.budgets) == content["budgets"]
    assert list(told.mixtures) == content["mixtures"]
    entries = [f"{budget}_{method}" for budget in content["budgets"] for method in methods]
    assert list(content["train"]) == entries
    for name in entries:
        entry = stage.parameters(Seeded, str(STUDY), "train", name)
        GENERATORS[entry.family].Config.parse(entry.model, name)
        assert entry.seeds == told.seeds
        assert entry.budget == stage.parameters(Seeded, str(STUDY), "train", f"{name.partition('_')[0]}_minimax").budget

"""From digits to the table of stacked modes, by configuration alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from domain.datasets import DATASETS
from domain.generators import GENERATORS
from pipelines import stage
from pipelines.classify import Classify, check
from pipelines.evaluate.stacked import Stacked
from pipelines.learn import Seeded
from pipelines.prepare import Prepare

STUDY = stage.ROOT / "studies/stacked_mnist/params.yaml"
Pipeline = Callable[[str], None]

PARAMS = """
prepare:
  digits: {test: 500}
  stacked: {options: {source: digits.h5, count: 300}}
classify:
  reader:
    test: digits.h5
    seeds: [0]
    keep: reader
    arms: {reader: {classifier: supervised, samples: digits.h5, options: {hidden: [64], epochs: 15, average: 0.9}}}
train:
  plain:
    family: gan
    model: {latent: 2, width: 2, batch: 8}
    budget: {steps: 2, precision: float32}
    seeds: [3, 5]
evaluate:
  stacked:
    title: Three digits
    samples: stacked.h5
    classifier: reader/model
    models: models
    methods: {plain: no packing}
    seeds: [3, 5]
    count: 50
    published: {plain: 30.6}
    published_from: Published elsewhere.
    rests_on: [Nothing much.]
"""


def test_from_digits_to_the_table(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study/params.yaml").write_text(PARAMS)
    prepared = "prepare digits digits.h5", "prepare stacked stacked.h5"
    for line in (*prepared, "classify reader reader", "train stacked.h5 plain models/plain"):
        pipeline(f"{line} --params study/params.yaml")
    pipeline("evaluate.stacked study")
    with open("study/results.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[:5] == ["study", "method", "seed", "metric", "value"]
    found = {(row["method"], row["seed"], row["metric"]): float(row["value"]) for row in rows}
    cells = [("plain", "3"), ("plain", "5"), ("floor", "3")]
    assert set(found) == {(*cell, metric) for cell in cells for metric in ("modes", "kl")}
    assert found["floor", "3", "modes"] > 40, "50 random triples of 1000, read by a classifier"
    summary = Path("study/summary.md").read_text()
    assert "| plain |" in summary and "30.6" in summary and "one of 1,000" in summary and "Nothing much." in summary
    right = float(summary.partition("The classifier reads ")[2].partition(" %")[0])
    assert right > 80
    assert Path("study/samples.png").stat().st_size > 1000

    content = Path("study/params.yaml").read_text()
    Path("study/params.yaml").write_text(content.replace("reader/model", "models/plain/3"))
    with pytest.raises(SystemExit, match="models/plain/3: does not classify the channels of stacked.h5"):
        pipeline("evaluate.stacked study")


def test_the_study_trains_what_it_tells_of() -> None:
    content = YAML(typ="safe", pure=True).load(STUDY)
    told = stage.parameters(Stacked, str(STUDY), "evaluate", "stacked")
    assert list(told.methods) == content["methods"] == list(content["train"])
    for name in content["prepare"]:
        entry = stage.parameters(Prepare, str(STUDY), "prepare", name)
        DATASETS[entry.dataset].parse(entry.options, name)
    check(stage.parameters(Classify, str(STUDY), "classify", "stacked_digits"), "test")
    for name in content["train"]:
        entry = stage.parameters(Seeded, str(STUDY), "train", name)
        GENERATORS[entry.family].Config.parse(entry.model, name)
        assert entry.seeds == told.seeds
        assert entry.budget == stage.parameters(Seeded, str(STUDY), "train", "plain").budget, "equal budgets"

"""From two domains to the table: refiners by seed, classifiers on what they made, and their own classifiers."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from domain.datasets import DATASETS
from domain.errors import InputError
from domain.refiners import REFINERS
from domain.samples import About, SampleFile, Samples, write
from domain.space import Space
from pipelines import stage
from pipelines.classify import Classify, check
from pipelines.evaluate.domains import Domains, answer
from pipelines.prepare import Prepare, prepare
from pipelines.refine import Refine

Pipeline = Callable[[str], None]
PARAMS = """
refine:
  cogan:
    model: {latent: 8, width: 4, critic_widths: [4, 8], hidden: 16, batch: 8}
    budget: {steps: 3, log_every: 1}
    seeds: [3, 5]
  cyclegan:
    model: {width: 4, blocks: 1, critic_width: 8, batch: 8}
    budget: {steps: 2, log_every: 1}
    seeds: [3, 5]
  pix2pix: {model: {width: 4, critic_width: 8, batch: 8}, budget: {steps: 2}}
classify:
  a_to_b:
    test: b.h5
    seeds: [3, 5]
    arms:
      source_only: {classifier: nearest_neighbour, samples: a.h5}
      cyclegan: {classifier: nearest_neighbour, samples: "a-b/{seed}.h5"}
evaluate:
  domains:
    title: Two domains
    floor: source_only
    tasks: {a_to_b: {test: b.h5, models: {cogan: cogans}, published: {cogan: 91.2, unit: 95.9}}}
    rests_on: [Nothing much.]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Stripes at three heights in two domains, of which one is fainter; the last rows of each are for tests."""
    label = np.arange(60) % 3
    x = np.zeros((60, 1, 8, 8), np.uint8)
    for k in range(3):
        x[label == k, :, 2 * k + 1 : 2 * k + 3] = 255
    split = np.where(np.arange(60) < 40, 0, 2)
    about = About("image", (0, 255), classes=3)
    write(tmp_path / "a.h5", Samples(x, about, label=label, split=split))
    write(tmp_path / "b.h5", Samples(x // 2, about, label=label, split=split))
    (tmp_path / "study").mkdir()
    (tmp_path / "study/params.yaml").write_text(PARAMS)
    return tmp_path / "study"


def test_from_two_domains_to_the_table(study: Path, pipeline: Pipeline) -> None:
    pipeline("refine a.h5 b.h5 cyclegan a-b cyclegans --params study/params.yaml")
    pipeline("refine a.h5 b.h5 cogan - cogans --params study/params.yaml")
    assert sorted(path.name for path in Path("a-b").iterdir()) == ["3.h5", "5.h5"]
    refined, raw = SampleFile("a-b/3.h5").read(), SampleFile("a.h5").read()
    assert np.array_equal(refined.label, raw.label) and np.array_equal(refined.split, raw.split)
    assert not np.array_equal(refined.x, SampleFile("a-b/5.h5").read().x), "each seed has its own translator"
    pipeline("classify a_to_b data/classified/a_to_b --params study/params.yaml")
    pipeline("evaluate.domains study")
    rows = list(csv.DictReader((study / "results.csv").open()))
    text = (study / "summary.md").read_text()
    assert "| 91.2 |" in text and "| unit |  |  |  |  | 95.9 |" in text, "published figures, of an arm and of none here"
    assert list(rows[0])[:6] == ["study", "task", "arm", "seed", "metric", "value"]
    accuracy = {(row["arm"], row["seed"]): float(row["value"]) for row in rows if row["metric"] == "accuracy"}
    assert {*accuracy} == {(arm, seed) for arm in ("source_only", "cyclegan", "cogan") for seed in ("3", "5")}
    assert accuracy["source_only", "3"] == 1.0, "the nearest stripe is the same stripe"
    summary = (study / "summary.md").read_text()
    assert "| source only | 100 ± 0 |" in summary and "91.2" in summary and "Nothing much." in summary
    shutil.rmtree("cogans/5")
    pipeline("evaluate.domains study")
    rows = list(csv.DictReader((study / "results.csv").open()))
    assert {row["seed"] for row in rows if row["arm"] == "cogan"} == {"3"}, "an arm has the seeds that were trained"
    assert f"| cogan | {100 * accuracy['cogan', '3']:.4g} |" in (study / "summary.md").read_text()
    shutil.rmtree("cogans/3")
    with pytest.raises(SystemExit, match="cogans: no model of any seed"):
        pipeline("evaluate.domains study")


def test_pairs_must_be_pairs(study: Path, pipeline: Pipeline) -> None:
    pipeline("refine a.h5 b.h5 pix2pix refined.h5 model --params study/params.yaml")
    source = SampleFile("b.h5").read()
    write("fewer.h5", source.select(np.arange(1, 60)))
    with pytest.raises(SystemExit, match="a.h5, fewer.h5: pix2pix learns pairs, but there are 40 simulated and 39 real"):
        pipeline("refine a.h5 fewer.h5 pix2pix refined.h5 model2 --params study/params.yaml")


def test_a_model_that_does_not_classify(study: Path, pipeline: Pipeline) -> None:
    pipeline("refine a.h5 b.h5 cyclegan - cogans --params study/params.yaml")
    with pytest.raises(InputError, match="cogans/3: does not classify"):
        answer(Path("cogans/3"), "b.h5")


def test_the_study_says_what_the_stages_read() -> None:
    """Every entry of its parameters is known, and every task has its table."""
    file = str(stage.ROOT / "studies/digits_domains/params.yaml")
    for name in ("cyclegan", "unit", "cogan"):
        config = stage.parameters(Refine, file, "refine", name)
        config.build(REFINERS, f"refine.{name}", Space("image", (1, 28, 28), (0, 255), True, 10))
    tasks = stage.parameters(Domains, file, "evaluate", "domains").tasks
    joint = YAML(typ="safe").load(Path(file))["joint"]
    for name, task in tasks.items():
        config = stage.parameters(Classify, file, "classify", name)
        check(config, name)
        assert all(Path(folder).name in joint for folder in task.models.values()), "each model has its stage"
        assert config.test == task.test and {"source_only", "cyclegan", "target_supervised"} <= set(config.arms)
    for name in ("mnist", "usps", "mnist_small", "usps_small"):
        config = stage.parameters(Prepare, file, "prepare", f"domains_{name}")
        DATASETS[config.dataset].parse(config.options, name)


def test_some_training_samples_are_kept() -> None:
    x, split = np.arange(50.0).reshape(50, 1), np.where(np.arange(50) < 40, 0, 2)
    samples = Samples(x, About("table", (0, 50), classes=2), label=np.arange(50) % 2, split=split)
    kept = prepare(samples, Prepare(train=7, validation=10, seed=1), "test")
    assert [(kept.split == k).sum() for k in range(3)] == [7, 10, 10]
    assert set(kept.select("test").x[:, 0]) == set(range(40, 50))
    with pytest.raises(InputError, match="test.train: is 31, but only 30 samples are left"):
        prepare(samples, Prepare(train=31, validation=10), "test")

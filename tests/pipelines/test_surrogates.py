"""From pictures of any detector to a table of surrogates, by configuration alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from domain.samples import About, Samples, write
from pipelines import surrogate

Pipeline = Callable[[str], None]

PARAMS = """
surrogate:
  flow:
    model: {shapes: [[3, 4]], mirror: false, knots: 4, splines: 1, splines_width: 8, couplings: 2, width: 8, batch: 32}
    budget: {steps: 20, average: 0.9, precision: float32}
    seeds: [3, 5]
evaluate:
  surrogates:
    title: A small detector
    samples: pictures.h5
    shape: [3, 4]
    surrogates: {flow: models}
    seeds: [3, 5]
    count: 60
    judge: {width: 8, folds: 2, epochs: 5}
    rests_on: [Nothing much.]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study's folder beside a file of 300 pictures, the last 120 of them held out."""
    rng = np.random.default_rng(0)
    condition = rng.uniform(1, 2, (300, 2)).astype(np.float32)
    x = rng.gamma(2, condition[:, :1], (300, 12)) * (rng.random((300, 12)) < 0.7)
    about = About("shower", (0, 1e3), condition=("angle", "length"), units=("degree", "mm"))
    split = np.where(np.arange(300) < 180, 0, 2)
    write(tmp_path / "pictures.h5", Samples(x.astype(np.float32), about, condition=condition, split=split))
    (tmp_path / "study").mkdir()
    (tmp_path / "study/params.yaml").write_text(PARAMS)
    return tmp_path / "study"


def test_from_pictures_to_the_table(study: Path, pipeline: Pipeline) -> None:
    pipeline("surrogate pictures.h5 flow models --params study/params.yaml")
    assert sorted(path.name for path in Path("models").iterdir()) == ["3", "5"]
    pipeline("evaluate.surrogates study")
    rows = list(csv.DictReader((study / "results.csv").open()))
    assert {(row["surrogate"], row["seed"]) for row in rows} == {(n, s) for n in ("flow", "floor") for s in ("3", "5")}
    figures = {(row["surrogate"], row["seed"], row["metric"]): float(row["value"]) for row in rows}
    assert all(np.isfinite(value) for value in figures.values())
    assert figures["flow", "3", "fpd"] != figures["flow", "5", "fpd"], "each seed is another model"
    assert figures["floor", "3", "fpd"] == figures["floor", "5", "fpd"], "and the floor is one set of samples"
    assert {"auc_high", "auc_low", "kpd", "coverage", "separation_total", "copies"} <= {metric for *_, metric in figures}
    summary = (study / "summary.md").read_text()
    assert "| flow |" in summary and "| floor |" in summary and "Nothing much." in summary
    for picture in ("observables.svg", "averages.png"):
        assert picture in summary and (study / picture).stat().st_size > 500


def test_a_seed_that_is_done_is_kept(study: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []
    train = surrogate.train

    def once(config: surrogate.Surrogate, *others: object) -> None:
        if trained:
            raise KeyboardInterrupt
        trained.append(config.seed)
        train(config, *others)

    arguments = surrogate.stage.parser("pipelines.surrogate", samples="", name="", out="").parse_args(
        ["pictures.h5", "flow", "models", "--params", "study/params.yaml"]
    )
    monkeypatch.setattr(surrogate, "train", once)
    with pytest.raises(KeyboardInterrupt):
        surrogate.main(arguments)
    assert trained == [3] and not Path("models").exists()
    monkeypatch.setattr(surrogate, "train", lambda config, *others: (trained.append(config.seed), train(config, *others)))
    surrogate.main(arguments)
    assert trained == [3, 5] and sorted(path.name for path in Path("models").iterdir()) == ["3", "5"]

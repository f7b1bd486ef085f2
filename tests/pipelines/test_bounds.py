"""From binarised images to the table of likelihoods, by configuration alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from domain.generators import GENERATORS
from domain.samples import About, Samples, write
from pipelines import stage
from pipelines.evaluate.bounds import Bounds, line

Pipeline = Callable[[str], None]

PARAMS = """
train:
  vae:
    model: {likelihood: bernoulli, network: mlp, hidden: [8], latent: 2, batch: 16}
    budget: {steps: 20, average: 0.9, precision: float32}
    seeds: [3, 5]
  sphere:
    family: vae
    model: {likelihood: bernoulli, network: mlp, hidden: [8], latent: 2, batch: 16, code: sphere}
    budget: {steps: 5}
    seeds: [3, 5]
evaluate:
  bounds:
    title: A few pixels
    samples: images.h5
    models: {vae: vae, sphere: sphere}
    count: 30
    draws: 40
    fitted: 10
    published: {vae: 12.0}
    dimensions: {"2": [sphere]}
    columns: [sphere]
    codes: [vae]
    rests_on: [Nothing much.]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study's folder beside a file of 120 black and white images, the last 40 of them held out."""
    x = (np.random.default_rng(0).random((120, 1, 4, 4)) < 0.3).astype(np.uint8)
    write(tmp_path / "images.h5", Samples(x, About("image", (0, 1), 3), split=np.where(np.arange(120) < 80, 0, 2), label=np.arange(120) % 3))
    (tmp_path / "study").mkdir()
    (tmp_path / "study/params.yaml").write_text(PARAMS)
    return tmp_path / "study"


def test_from_images_to_the_table(study: Path, pipeline: Pipeline) -> None:
    for name in ("vae", "sphere"):
        pipeline(f"train images.h5 {name} {name} --params study/params.yaml")
    assert sorted(path.name for path in Path("vae").iterdir()) == ["3", "5"]
    pipeline("evaluate.bounds study")
    rows = list(csv.DictReader((study / "results.csv").open()))
    assert {(row["method"], row["seed"]) for row in rows} == {(n, s) for n in ("vae", "sphere") for s in ("3", "5")}
    figures = {(row["method"], row["seed"], row["metric"]): float(row["value"]) for row in rows}
    assert figures["vae", "3", "nll"] != figures["vae", "5", "nll"], "each seed is another model"
    assert all(figures[n, s, "nll"] <= figures[n, s, "elbo"] for n in ("vae", "sphere") for s in ("3", "5"))
    assert figures["vae", "3", "nll"] < 16 * np.log(2), "better than a coin for each pixel"
    for case in [(name, seed) for name in ("vae", "sphere") for seed in ("3", "5")]:
        assert 0 < abs(figures[*case, "fitted_nll"] - figures[*case, "nll"]) < 0.5, "other draws, the same likelihood"
        assert figures[*case, "fitted_effective_least"] >= 1
    assert (study / "codes.png").stat().st_size > 0
    text = (study / "summary.md").read_text()
    assert "| vae |" in text and "12.00" in text and "| 2 |" in text and "30 of them" in text and "10 steps up the bound" in text


def test_what_was_not_fitted_is_left_blank() -> None:
    record = {"nll": 3.0, "effective_median": 2.0, "elbo": 4.0}
    plain = line("ladder", Bounds("", "", {}), [record])
    assert line("ladder", Bounds("", "", {}, fitted=5), [record]) == [*plain[:5], "", "", "", *plain[5:]]
    record |= {"fitted_nll": 2.5, "fitted_effective_median": 7.0}
    assert line("vae", Bounds("", "", {}, fitted=5), [record])[5:8] == ["2.50", "2.50", "7"]


def test_only_codes_of_two_numbers_are_pictured(study: Path, pipeline: Pipeline) -> None:
    params = study / "params.yaml"
    params.write_text(params.read_text().replace("codes: [vae]", "codes: [sphere]"))
    for name in ("vae", "sphere"):
        pipeline(f"train images.h5 {name} {name} --params study/params.yaml")
    with pytest.raises(SystemExit, match="evaluate.bounds.codes: sphere has no codes of two numbers"):
        pipeline("evaluate.bounds study")
    assert [path.name for path in study.iterdir()] == ["params.yaml"], "all outputs or none"


def test_a_model_of_no_seed(study: Path, pipeline: Pipeline) -> None:
    with pytest.raises(SystemExit, match="vae: no model of any seed; dvc repro trains them"):
        pipeline("evaluate.bounds study")


@pytest.mark.parametrize("name", ["bounds", "spherical_codes", "four_pictures"])
def test_the_studies_own_parameters_are_valid(name: str) -> None:
    file = stage.ROOT / f"studies/{name}/params.yaml"
    content = YAML(typ="safe", pure=True).load(file)
    evaluated = stage.parameters(Bounds, str(file), "evaluate", "bounds")
    lists = ("vaes", "weighted", "hierarchies", "families")
    assert set(evaluated.models) == {model for each in lists for model in content.get(each, ())} == set(content["train"])
    for method, entry in content["train"].items():
        GENERATORS[entry.get("family", method)].Config.parse(entry["model"], method)
        assert entry.get("pretrained", evaluated.models[method]) in evaluated.models.values()

"""From a simulator's samples to a table of surrogates, by configuration alone: pictures, showers, jets."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from domain.errors import InputError
from domain.samples import About, Samples, write
from pipelines import surrogate
from pipelines.evaluate import surrogates

Pipeline = Callable[[str], None]

PARAMS = """
surrogate:
  flow:
    model: {shapes: [[3, 4]], mirror: false, knots: 4, splines: 2, splines_width: 8, couplings: 2, width: 8, batch: 32}
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

SHOWERS = """
simulate:
  eplus: {simulator: gflash, options: {scoring: total, particle: eplus, energy: [20, 60]}, count: 500}
  gamma: {simulator: gflash, options: {scoring: total, particle: gamma, energy: [20, 60]}, count: 500}
surrogate:
  flow:
    model: &small {knots: 4, splines: 2, splines_width: 8, couplings: 2, width: 8, batch: 32}
    budget: &budget {steps: 5, average: 0.9, precision: float32}
    held_out: 300
    seeds: [0]
  flow_without_40_50: {family: flow, model: *small, budget: *budget, held_out: 300, seeds: [0], without: {energy: [40, 50]}}
evaluate:
  surrogates:
    title: Small showers
    kind: shower
    groups: [eplus, gamma]
    samples: "{group}.h5"
    surrogates: {flow: "{group}-flow", flow_without_40_50: "{group}-flow_without_40_50"}
    simulators: {gflash: {scoring: total, particle: "{group}", energy: [20, 60]}}
    seeds: [0]
    count: 150
    bins: [20, 30, 40, 50, 60]
    within: {condition: energy, range: [40, 50], surrogates: [flow, flow_without_40_50]}
    transfer: 100
    drawn: [flow]
    judge: {width: 4, folds: 2, epochs: 2}
"""
JETS = """
surrogate:
  flow:
    model: {conditional: false, mirror: false, knots: 2, splines: 2, splines_width: 8, couplings: 2, width: 8, batch: 32}
    budget: {steps: 5, average: 0.9, precision: float32}
    held_out: 440
    seeds: [0]
evaluate:
  surrogates:
    title: Small jets
    kind: jet
    groups: [QCD, W]
    samples: jets.h5
    surrogates: {flow: jets-flow}
    seeds: [0]
    count: 220
    transfer: 100
    judge: {width: 4, folds: 2, epochs: 2}
"""
COLUMNS = ("surrogate", "particle", "seed", "metric", "value", "range", "hardware", "threads", "revision")
Figures = dict[tuple[str, str, str], dict[str, float]]  # surrogate, particle, range → metric → value


def figures_of(folder: Path) -> Figures:
    """The table of a study with one seed."""
    figures: Figures = {}
    for row in csv.DictReader((folder / "results.csv").open()):
        assert tuple(row) == COLUMNS
        figures.setdefault((row["surrogate"], row["particle"], row["range"]), {})[row["metric"]] = float(row["value"])
    return figures


def folder_of(text: str) -> Path:
    """A study's folder here."""
    folder = Path("study")
    folder.mkdir()
    (folder / "params.yaml").write_text(text)
    return folder


def test_showers_of_two_particles(pipeline: Pipeline, tmp_path: Path) -> None:
    study = folder_of(SHOWERS)
    for particle in ("eplus", "gamma"):
        pipeline(f"simulate {particle} {particle}.h5 --params study/params.yaml")
        for name in ("flow", "flow_without_40_50"):
            pipeline(f"surrogate {particle}.h5 {name} {particle}-{name} --params study/params.yaml")
    pipeline("evaluate.surrogates study")
    figures, window = figures_of(study), "energy 40 to 50"
    everyone = {"flow", "flow_without_40_50", "gflash", "floor"}
    parts = {(name, particle, part) for name in everyone for particle in ("eplus", "gamma") for part in ("all", window)}
    assert set(figures) == parts | {(name, "eplus and gamma", "all") for name in everyone}
    wanted = {
        "auc_layers", "auc_high", "auc_low", "fpd", "kpd", "separation_ratio_1", "separation_worst", "etot_bias",
        "etot_sigma_ratio", "etot_linearity", "coverage", "density", "precision", "recall", "wasserstein_total", "copies",
    }
    assert all(wanted <= set(figures[part]) for part in parts)
    one = figures["floor", "eplus and gamma", "all"]
    assert one["transfer_count"] == 200 and 0 <= one["transfer_generated_to_real"] <= 1
    assert abs(figures["gflash", "gamma", "all"]["etot_bias"]) < 0.01, "the same simulator at the same energies"
    assert figures["flow", "gamma", window] != figures["flow", "gamma", "all"]
    summary = (study / "summary.md").read_text()
    for word in ("## eplus\n", "### energy 40 to 50\n", "## Telling eplus and gamma apart", "| floor |"):
        assert word in summary
    for particle in ("eplus", "gamma"):
        for picture in (f"observables-{particle}.svg", f"averages-{particle}.png", f"response-{particle}.svg"):
            assert f"({picture})" in summary and (study / picture).stat().st_size > 500


def test_what_is_left_out_is_not_learned_from(pipeline: Pipeline, tmp_path: Path) -> None:
    folder_of(SHOWERS)
    pipeline("simulate eplus eplus.h5 --params study/params.yaml")
    samples = surrogate.training_part(Path("eplus.h5"), 300)
    kept = surrogate.left_out(samples, {"energy": (40.0, 50.0)})
    energy = samples.condition[:, 0]
    np.testing.assert_array_equal(kept.x, samples.x[(energy < 40) | (energy > 50)])
    with pytest.raises(InputError, match="no condition 'energie'; did you mean 'energy'"):
        surrogate.left_out(samples, {"energie": (40.0, 50.0)})


def test_jets_of_two_classes(pipeline: Pipeline, tmp_path: Path) -> None:
    study = folder_of(JETS)
    rng = np.random.default_rng(0)
    label = np.arange(700) % 2
    x = rng.gamma(1 + label[:, None, None, None], 5, (700, 1, 7, 7)) * (rng.random((700, 1, 7, 7)) < 0.3)
    about = About("jet", (0, 1e3), classes=2, condition=("mass",), units=("GeV",))
    condition = rng.uniform(60, 100, (700, 1))
    write("jets.h5", Samples(x.astype(np.float32), about, label=label, condition=condition))
    pipeline("surrogate jets.h5 flow jets-flow --params study/params.yaml")
    pipeline("evaluate.surrogates study")
    figures = figures_of(study)
    particles = {"QCD", "W", "QCD and W"}
    assert set(figures) == {(name, particle, "all") for name in ("flow", "floor") for particle in particles}
    assert {"auc_jet", "auc_high", "separation_mass", "separation_pt", "separation_tau21"} <= set(figures["flow", "W", "all"])
    assert figures["floor", "QCD and W", "all"]["transfer_real_to_real"] > 0.6, "one class has twice the pixels' pT"
    assert (study / "averages-W.png").stat().st_size > 200 and not (study / "response-W.svg").exists()


def test_groups_are_the_classes_of_the_labels(study: Path, pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    path = study / "params.yaml"
    path.write_text(path.read_text().replace("shape: [3, 4]", "shape: [3, 4]\n    groups: [QCD, W]"))
    with pytest.raises(SystemExit, match="pictures.h5: has no samples of class 0; name in 'groups'"):
        pipeline("evaluate.surrogates study --only floor")


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
    assert tuple(rows[0]) == COLUMNS and {(row["particle"], row["range"]) for row in rows} == {("all", "all")}
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


def test_what_is_measured_is_kept_until_the_table_is_whole(
    study: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, judged, measured = study / "params.yaml", surrogates.judged, []
    path.write_text(path.read_text().replace("    count: 60", "    count: 60\n    fewer: {floor: 1}"))
    pipeline("surrogate pictures.h5 flow models --params study/params.yaml")
    pipeline("evaluate.surrogates study --only flow")
    assert not (study / "results.csv").exists()
    monkeypatch.setattr(surrogates, "judged", lambda *task: (measured.append(task[1:]), judged(*task))[1])
    surrogates.main(argparse.Namespace(study="study", only=[]))
    assert measured == [("floor", 3)], "the flow was measured before, and of the floor one seed is asked for"
    rows = list(csv.DictReader((study / "results.csv").open()))
    assert {(row["surrogate"], row["seed"]) for row in rows} == {("flow", "3"), ("flow", "5"), ("floor", "3")}
    with pytest.raises(SystemExit, match="--only 'flwo': not known; did you mean 'flow'"):
        pipeline("evaluate.surrogates study --only flwo")


def test_seeds_share_what_is_measured_and_nothing_else(study: Path, pipeline: Pipeline) -> None:
    pipeline("surrogate pictures.h5 flow models --params study/params.yaml")
    path = study / "params.yaml"
    path.write_text(path.read_text().replace("seeds: [3, 5]", "seed: 5", 1))
    pipeline("surrogate pictures.h5 flow alone --params study/params.yaml")
    first, second, alone = (load_file(Path(name) / "model.safetensors") for name in ("models/3", "models/5", "alone"))
    assert all(torch.equal(second[name], alone[name]) for name in alone), "a seed's model is the same in any company"
    assert torch.equal(first["cell_ranks.0.table"], second["cell_ranks.0.table"])
    assert not torch.equal(first["layers.transform.transforms.0.hyper.0.weight"], second["layers.transform.transforms.0.hyper.0.weight"])


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

"""From simulated eyes to a table of arms, by configuration alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from domain import models
from domain.metrics import gaze
from domain.samples import About, Samples, write
from pipelines import regress, stage
from pipelines.evaluate import regression
from tests.pipelines.test_strokes_to_mnist import commands

Pipeline = Callable[[str], None]

PARAMS = """
simulate:
  plain: {simulator: eyes, options: {height: 16, width: 24}, count: 150, seed: 1}
  rich: {simulator: eyes, options: {grade: rich, height: 16, width: 24}, count: 150, seed: 2}
  held_out: {simulator: eyes, options: {grade: rich, height: 16, width: 24}, count: 60, seed: 3}
regress:
  eyes:
    test: held_out.h5
    targets: [yaw, pitch]
    measure: gaze
    seeds: [0, 3]
    arms:
      raw: &raw {samples: plain.h5, only: 100, options: {network: conv, width: 4, epochs: 3, average: 0.9, precision: float32}}
      real: {<<: *raw, samples: rich.h5}
"""


@pytest.fixture
def simulated(tmp_path: Path, pipeline: Pipeline) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS)
    for name in ("plain", "rich", "held_out"):
        pipeline(f"simulate {name} {name}.h5")
    return tmp_path


def rows(folder: str) -> dict[tuple[str, str, str], float]:
    with open(Path(folder) / "results.csv", newline="") as stream:
        return {(row["arm"], row["seed"], row["metric"]): float(row["value"]) for row in csv.DictReader(stream)}


def test_arms_and_seeds(simulated: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline("regress eyes out")
    found = rows("out")
    assert {key[:2] for key in found} == {(arm, seed) for arm in ("raw", "real") for seed in ("0", "3")}
    stored = stage.tensors(Path("out/predictions.safetensors"))
    for (arm, seed, metric), value in found.items():
        if metric == "degrees":
            assert value == pytest.approx(gaze.scores(stored["truth"], stored[f"{arm}/{seed}"])["degrees"], rel=1e-5)
            assert 8 < found[arm, seed, "floor_degrees"] < 25
    assert not np.array_equal(stored["real/0"], stored["real/3"])
    folders = sorted(Path("data/runs/out").iterdir())
    assert [folder.name[:-17] for folder in folders] == ["raw-0", "raw-3", "real-0", "real-3"]
    assert type(models.load(folders[0] / "model")).__name__ == "SupervisedRegression"
    assert Path("out.runs.csv").read_text().startswith("arm,seed,seconds,")
    before = Path("out/results.csv").read_bytes()
    monkeypatch.setattr(regress, "train", None)  # nothing is trained twice
    pipeline("regress eyes out")
    assert Path("out/results.csv").read_bytes() == before


def test_several_files_are_learned_from_together(simulated: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, kind = [], regress.REGRESSORS["supervised"]
    fit = kind.fit
    monkeypatch.setattr(kind, "fit", lambda self, x, y: seen.append((x, y)) or fit(self, x, y))
    parameters = PARAMS.replace("seeds: [0, 3]", "seeds: [0]").replace("only: 100, ", "also: [rich.h5], ")
    (simulated / "params.yaml").write_text(parameters)
    pipeline("regress eyes out")
    plain, rich = (regress.training_samples(Path(name)) for name in ("plain.h5", "rich.h5"))
    x, y = seen[0]
    np.testing.assert_array_equal(x, np.concatenate([plain.x, rich.x]))
    np.testing.assert_array_equal(y, np.concatenate([plain.condition[:, :2], rich.condition[:, :2]]))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("targets: [yaw, pitch]", "targets: [yaw]", "targets' must be"),
        ("measure: gaze", "measure: energy", "is 'energy', so 'targets' must be one name, and 'bins'"),
        ("measure: gaze", "measure: gaz", "regress.eyes.measure.*did you mean 'gaze'"),
        ("width: 4, epochs", "widht: 4, epochs", "arms.raw.options.widht: unknown key; did you mean 'width'"),
        ("only: 100", "only: 1000", "has 150 samples, an arm asks for 1000"),
        ("samples: rich.h5", 'samples: "rich-{seed}.h5"', "rich-0.h5: no such file"),
        ("samples: rich.h5", 'also: ["poor-{seed}.h5"]', "poor-0.h5: no such file"),
        ("pitch]\n    measure: gaze", "pich]", "no condition 'pich'; did you mean 'pitch'"),
        ("seeds: [0, 3]", "seeds: []", "regress.eyes.seeds: is empty"),
        ("measure: gaze", "measure: gaze\n    keep: reel", "regress.eyes.keep: no arm 'reel'; did you mean 'real'"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence(
    simulated: Path, pipeline: Pipeline, old: str, new: str, message: str
) -> None:
    assert old in PARAMS
    (simulated / "params.yaml").write_text(PARAMS.replace(old, new))
    with pytest.raises(SystemExit, match=message):
        pipeline("regress eyes out")
    assert not Path("out").exists()


TABLE = """
evaluate:
  regression:
    title: Eyes
    task: eyes
    metrics: [degrees]
    differences: [refined - raw]
    looks: {real: real.h5, sets: {raw: "raw-{seed}.h5", same: real.h5}, count: 40, judge: {width: 8, folds: 2, epochs: 20}}
    rests_on: [Nothing much.]
"""
RESULTS = """arm,seed,metric,value
raw,0,degrees,10
raw,0,floor_degrees,16
raw,1,degrees,12
raw,1,floor_degrees,16
refined,0,degrees,7
refined,0,floor_degrees,16
refined,1,degrees,9
refined,1,floor_degrees,16
"""


def images(path: Path, level: int) -> None:
    x = np.random.default_rng(level).integers(level, level + 50, (40, 1, 4, 4), np.uint8)
    write(path, Samples(x, About("image", (0, 255))))


def test_the_table_of_a_study(tmp_path: Path, pipeline: Pipeline) -> None:
    (tmp_path / "studies/eyes").mkdir(parents=True)
    (tmp_path / "studies/eyes/params.yaml").write_text(TABLE)
    with pytest.raises(SystemExit, match="data/regressed/eyes/results.csv: no such file; run `dvc repro studies/eyes"):
        pipeline("evaluate.regression studies/eyes")
    (tmp_path / "data/regressed/eyes").mkdir(parents=True)
    (tmp_path / "data/regressed/eyes/results.csv").write_text(RESULTS)
    for name, level in (("real", 0), ("raw-0", 200), ("raw-1", 200)):
        images(tmp_path / f"{name}.h5", level)
    pipeline("evaluate.regression studies/eyes")
    with open("studies/eyes/results.csv", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert list(found[0])[:5] == ["study", "arm", "seed", "metric", "value"] and len(found) == 8 + 4
    auc = {(row["arm"], row["seed"]): float(row["value"]) for row in found if row["metric"] == "auc"}
    assert auc["raw", "0"] == auc["raw", "1"] == 1 and auc["same", "0"] < 0.8
    (tmp_path / "studies/eyes/params.yaml").write_text(TABLE.replace("count: 40", "count: 40, seeds: [1]"))
    pipeline("evaluate.regression studies/eyes")
    with open("studies/eyes/results.csv", newline="") as stream:
        assert {row["seed"] for row in csv.DictReader(stream) if row["metric"] == "auc"} == {"1"}
    page = Path("studies/eyes/summary.md").read_text()
    assert "| raw | 11.000 ± 1.414 | 16.000 ± 0.000 |" in page
    assert "| refined - raw | -3.000 | -3.000 to -3.000 |" in page and "- Nothing much." in page


def test_a_reference_is_one_of_the_arms(tmp_path: Path, pipeline: Pipeline) -> None:
    (tmp_path / "studies/eyes").mkdir(parents=True)
    (tmp_path / "data/regressed/eyes").mkdir(parents=True)
    (tmp_path / "data/regressed/eyes/results.csv").write_text(RESULTS)
    (tmp_path / "studies/eyes/params.yaml").write_text(TABLE.replace("title: Eyes", "title: Eyes\n    reference: row"))
    with pytest.raises(SystemExit, match="regression.reference: no arm 'row'; did you mean 'raw'"):
        pipeline("evaluate.regression studies/eyes")


STUDY = "studies/eyes"
EYES = str(stage.ROOT / STUDY / "params.yaml")


def test_every_stage_of_the_study_of_eyes(tmp_path: Path, pipeline: Pipeline) -> None:
    """In the order of its dvc.yaml, at tiny size and with two seeds."""
    content = YAML(typ="safe").load(Path(EYES))
    for simulated in content["simulate"].values():
        simulated |= {"count": 60, "options": {**simulated["options"], "height": 16, "width": 24}}
    for refine in content["refine"].values():
        refine["model"] |= {"width": 4, "blocks": 1, "critic_width": 4, "batch": 8, "critic_first": 1}
        refine |= {"budget": {"steps": 2, "log_every": 1}, "seeds": refine["seeds"][:1] if len(refine["seeds"]) == 1 else [0, 3]}
    for task in content["regress"].values():
        task["seeds"] = task["seeds"][:1] if len(task["seeds"]) == 1 else [0, 3]
        for arm in task["arms"].values():
            arm["options"] |= {"width": 4, "epochs": 1}
            arm |= {"seeds": [0, 3]} if len(arm.get("seeds", [])) > 1 else {}
    content["evaluate"]["regression"]["looks"] |= {"count": 40, "seeds": [0, 3], "judge": {"width": 4, "folds": 2, "epochs": 2}}
    (tmp_path / STUDY).mkdir(parents=True)
    YAML(typ="safe").dump(content, tmp_path / STUDY / "params.yaml")
    for line in commands(content, STUDY):
        pipeline(line)
    with open(f"{STUDY}/results.csv", newline="") as stream:
        found = {(row["arm"], row["seed"], row["metric"]) for row in csv.DictReader(stream)}
    assert {("refined", "3", "degrees"), ("no_grain", "0", "degrees"), ("unet", "3", "gaze_drift")} <= found
    assert not {("no_grain", "3", "degrees"), ("raw", "3", "gaze_drift")} & found
    summary = Path(STUDY, "summary.md").read_text()
    assert "| samples | AUC | gaze drift [°] |" in summary
    assert "](samples.png)" in summary and Path(STUDY, "samples.png").exists()


def test_the_arms_of_the_study_of_eyes_are_equal() -> None:
    """Equal budgets, and every file an arm or a look names is made by one of its stages."""
    config = stage.parameters(regress.Regress, EYES, "regress", "eyes")
    for name, arm in config.arms.items():
        arm.check(name)
    assert len({(arm.only, arm.options["epochs"], arm.options["width"]) for arm in config.arms.values()}) == 1
    looks = stage.parameters(regression.Regression, EYES, "evaluate", "regression").looks
    named = {config.test, looks.real, *looks.sets.values(), *(arm.samples for arm in config.arms.values())}
    refined = {f"data/refined/eyes-{name}/{{seed}}.h5" for name in YAML(typ="safe").load(Path(EYES))["refiners"]}
    named = {file.replace("/0.h5", "/{seed}.h5") for file in named}  # of refiners that there is one of
    assert named == {*(f"data/simulated/eyes_{part}.h5" for part in ("plain", "mixed", "real", "test", "unseen")), *refined}

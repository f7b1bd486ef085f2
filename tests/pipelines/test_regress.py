"""From simulated eyes to a table of arms, by configuration alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from domain import models
from domain.metrics import gaze
from pipelines import regress, stage

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


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("targets: [yaw, pitch]", "targets: [yaw]", "targets' must be"),
        ("measure: gaze", "measure: gaz", "regress.eyes.measure.*did you mean 'gaze'"),
        ("width: 4, epochs", "widht: 4, epochs", "arms.raw.options.widht: unknown key; did you mean 'width'"),
        ("only: 100", "only: 1000", "has 150 samples, an arm asks for 1000"),
        ("samples: rich.h5", 'samples: "rich-{seed}.h5"', "rich-0.h5: no such file"),
        ("pitch]\n    measure: gaze", "pich]", "no condition 'pich'; did you mean 'pitch'"),
        ("seeds: [0, 3]", "seeds: []", "regress.eyes.seeds: is empty"),
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

"""An arm may learn from simulated samples with labels and from real ones without."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from domain.classifiers import CLASSIFIERS, LabelSpreadingClassifier
from domain.files import read_json
from domain.samples import About, Samples, write

Pipeline = Callable[[str], None]

PARAMETERS = """
classify:
  task:
    test: real.h5
    seeds: [0]
    arms:
      labels: {classifier: nearest_neighbour, samples: simulated.h5}
      both: {classifier: label_spreading, samples: simulated.h5, unlabelled: real.h5}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Digits as "simulated" ones, and darker ones as the real ones."""
    x, label = load_digits(return_X_y=True)
    x = x.reshape(-1, 1, 8, 8).astype(np.uint8)
    about = About("image", (0, 16), 10)
    write(tmp_path / "simulated.h5", Samples(x[:300], about, label=label[:300]))
    split = np.where(np.arange(300) < 200, 0, 2)
    write(tmp_path / "real.h5", Samples(x[300:600] // 2, about, label=label[300:600], split=split))
    (tmp_path / "params.yaml").write_text(PARAMETERS)
    return tmp_path


def test_unlabelled_samples_join(folder: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    class Watched(LabelSpreadingClassifier):
        def fit(self, X: np.ndarray, y: np.ndarray) -> LabelSpreadingClassifier:
            seen["X"], seen["y"] = X, y
            return super().fit(X, y)

    monkeypatch.setitem(CLASSIFIERS, "label_spreading", Watched)
    pipeline("classify task out")
    assert seen["X"].shape == (500, 1, 8, 8) and (seen["y"][:300] >= 0).all() and (seen["y"][300:] == -1).all()
    assert seen["X"][300:].max() <= 8, "the training samples of the real file, and no test sample"
    with open("out/results.csv", newline="") as stream:
        arms = {row["arm"] for row in csv.DictReader(stream)}
    assert arms == {"labels", "both"}
    assert all(read_json(path) == [] for path in Path("data/runs").rglob("labelled.json"))


def test_a_missing_file_is_named(folder: Path, pipeline: Pipeline) -> None:
    (folder / "params.yaml").write_text(PARAMETERS.replace("unlabelled: real.h5", "unlabelled: rael.h5"))
    with pytest.raises(SystemExit, match="error: rael.h5: no such file"):
        pipeline("classify task out")

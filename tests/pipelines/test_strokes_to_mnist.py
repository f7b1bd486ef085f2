"""The study of refined strokes: every stage that its dvc.yaml names, in order and at tiny size."""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from domain.datasets import mnist
from domain.refiners import REFINERS
from domain.simulators.strokes import Strokes
from domain.space import Space
from pipelines import stage
from pipelines.classify import Classify, check
from pipelines.evaluate.domains import Domains
from pipelines.refine import Refine
from tests.datasets.formats import idx

STUDY = "studies/strokes_to_mnist"
PARAMS = str(stage.ROOT / STUDY / "params.yaml")
SEEDS = [3, 5]
PLAIN = {"network": "conv", "width": 2, "epochs": 1, "average": 0.9}
SMALL = {
    "matching": {},
    "simgan": {"width": 4, "blocks": 1, "critic_width": 4, "batch": 8, "critics": ["local", "global"], "warp": 0.1, "latent": 2},
    "cyclegan": {"width": 4, "blocks": 1, "critic_width": 4, "batch": 8},
}


def tiny(content: dict[str, Any]) -> dict[str, Any]:
    """The study's parameters with few images, small networks and two seeds."""
    content["prepare"]["strokes_real"]["options"]["images"] = [0, 80]
    content["prepare"]["strokes_other"] = {"dataset": "mnist", "options": {"images": [80, 200]}, "validation": 40}
    content["simulate"]["strokes_mnist"]["count"] = 90
    for name, model in SMALL.items():
        content["refine"][name] = {"model": model, "budget": {"steps": 2, "log_every": 1, "precision": "float32"}, "seeds": SEEDS}
    for task in content["classify"].values():
        task["seeds"] = SEEDS[: len(task["seeds"])]
        for arm in task["arms"].values():
            kept = {key: arm["options"][key] for key in ("augment",) if key in arm["options"]}
            arm["options"] = {**PLAIN, **kept}
            if arm["classifier"] == "self_training":
                arm["options"]["shares"] = [0.5]
            if arm["classifier"] == "feature_matching":
                arm["options"] = {"hidden": [8], "generator_hidden": [8], "latent": 4, "epochs": 1}
            if "only" in arm:
                arm["only"] = 70
    strength = content["classify"]["strokes_to_mnist_strength"]["arms"]
    content["classify"]["strokes_to_mnist_strength"]["arms"] = {"raw": strength["raw"]}
    looks = content["evaluate"]["domains"]["tasks"]["strokes_to_mnist"]["looks"]
    looks |= {"count": 20, "judge": {"width": 4, "folds": 2, "epochs": 3}}
    return content


def commands(content: dict[str, Any], study: str = STUDY) -> Iterator[str]:
    """The command lines of a study's stages, those of a matrix one by one, without ``python -m pipelines.``."""
    stages = YAML(typ="safe").load(stage.ROOT / study / "dvc.yaml")["stages"]
    for each in stages.values():
        lists = {name: content[value[2:-1]] for name, value in each.get("matrix", {}).items()}
        for values in itertools.product(*lists.values()):
            line = each["cmd"].removeprefix("python -m pipelines.")
            for name, value in zip(lists, values):
                line = line.replace(f"${{item.{name}}}", value)
            yield line


def write_mnist(folder: Path) -> None:
    """200 training and 30 test images in the official files, drawn by the simulator."""
    drawn = Strokes().simulate(230, 1)
    parts = ((drawn.x[:200, 0], drawn.label[:200]), (drawn.x[200:, 0], drawn.label[200:]))
    for name, values in zip(mnist.HASHES, itertools.chain(*parts)):
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx(values)))


def test_every_stage_in_order(tmp_path: Path, pipeline: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    content = tiny(YAML(typ="safe").load(Path(PARAMS)))
    (tmp_path / STUDY).mkdir(parents=True)
    YAML(typ="safe").dump(content, tmp_path / STUDY / "params.yaml")
    write_mnist(tmp_path)
    monkeypatch.setenv("SIMULACRA_RAW", str(tmp_path))
    for line in commands(content):
        pipeline(line)
    with open(f"{STUDY}/results.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = {(row["task"], row["arm"], row["metric"], row["seed"]): float(row["value"]) for row in rows}
    for arm in content["classify"]["strokes_to_mnist"]["arms"]:
        for seed in "35":
            accuracy, errors = (found["strokes_to_mnist", arm, metric, seed] for metric in ("accuracy", "errors"))
            assert errors == pytest.approx(30 * (1 - accuracy), abs=1e-3), "the 30 images of the test file"
    measured = {(arm, metric, seed) for task, arm, metric, seed in found if task == "strokes_to_mnist"}
    for arm in ("matching", "refined", "cyclegan"):
        assert {(arm, metric, seed) for metric in ("auc", "label_agreement", "centre_line_iou") for seed in "35"} <= measured
    assert {("real", "auc", "3"), ("raw", "auc", "5"), ("raw", "label_agreement", "3")} <= measured
    assert ("raw", "label_agreement", "5") not in measured, "one file serves all seeds, so it is read once"
    assert found["strokes_to_mnist", "raw", "centre_line_iou", "3"] > 0.9
    summary = Path(STUDY, "summary.md").read_text()
    assert "| refined augmented - raw augmented |" in summary
    assert "| samples | AUC | label agreement [%] | centre-line IoU |" in summary
    assert "(samples-strokes_to_mnist.png)" in summary and Path(STUDY, "samples-strokes_to_mnist.png").exists()


def test_arms_are_equal_and_what_they_name_is_made() -> None:
    """Equal counts, equal steps, one strength of augmentation from inside its grid, and files of its own stages."""
    arms = {}
    for task in ("strokes_to_mnist", "strokes_to_mnist_strength", "strokes_to_mnist_reader"):
        config = stage.parameters(Classify, PARAMS, "classify", task)
        check(config, task)
        arms[task] = config.arms
    main, strength = arms["strokes_to_mnist"], arms["strokes_to_mnist_strength"]
    networks = {name: arm for name, arm in main.items() if arm.classifier != "feature_matching"}
    steps = {name: arm.options["epochs"] * (600 if arm.unlabelled else 100) for name, arm in networks.items()}
    more = {"self_ensembling": 3000, "self_ensembling_refined": 3000, "self_ensembling_longer": 6000}
    assert steps == {**dict.fromkeys(networks, 1200), **more}
    assert len({arm.options["width"] for arm in networks.values()}) == 1
    grid = sorted(arm.options.get("augment", 0.0) for arm in strength.values())
    chosen = {arm.options["augment"] for arm in main.values() if "augment" in arm.options}
    assert len(chosen) == 1 and chosen < set(grid[1:-1])
    made = {f"data/refined/strokes_mnist-{refiner}/{{seed}}.h5" for refiner in SMALL}
    made |= {"data/simulated/strokes_mnist.h5", "data/prepared/strokes_real.h5"}
    assert {arm.samples for arm in main.values()} == made
    assert not any("real.h5" in arm.samples for name, arm in main.items() if not name.startswith("real_")), "no real label"
    for name in SMALL:
        config = stage.parameters(Refine, PARAMS, "refine", name)
        config.build(REFINERS, f"refine.{name}", Space("image", (1, 28, 28), (0, 255), True, 10))
    looks = stage.parameters(Domains, PARAMS, "evaluate", "domains").tasks["strokes_to_mnist"].looks
    assert set(looks.sets.values()) == made - {"data/prepared/strokes_real.h5"}


def test_no_real_image_is_in_two_files(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    first, last, whole = (
        mnist.Mnist(images=rows).load([tmp_path]) for rows in ((0, 80), (80, 60_000), (0, 60_000))
    )
    train = [part.select("train") for part in (first, last, whole)]
    np.testing.assert_array_equal(np.concatenate([part.x for part in train[:2]]), train[2].x)
    np.testing.assert_array_equal(np.concatenate([part.label for part in train[:2]]), train[2].label)
    np.testing.assert_array_equal(first.select("test").x, last.select("test").x)

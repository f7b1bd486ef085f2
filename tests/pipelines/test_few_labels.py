"""A study's tables: whole, from stored probabilities alone, and honest about what is missing."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from safetensors.numpy import save_file
from scipy.ndimage import gaussian_filter

from domain.metrics.classification import scores
from domain.samples import About, Samples, write
from pipelines import classify, stage
from pipelines.evaluate.few_labels import FewLabels
from pipelines.prepare import Prepare

ROOT = Path(__file__).resolve().parents[2]
STUDIES = sorted(path.parent for path in ROOT.glob("studies/*_few_labels/params.yaml"))
OUTPUTS = {
    "results.csv",
    "labelled.csv",
    "summary.md",
    "summary.json",
    "errors.svg",
    "cost.svg",
    "reliability.svg",
    "risk_coverage.svg",
}
ENTRY: dict[str, Any] = {
    "title": "Letters with few labels",
    "method": "matching",
    "labels": 10,
    "tasks": {"letters_10": 10, "letters_20": 20, "letters_ablation": 10},
    "budgets": "letters_ablation",
    "apart": {"letters_ablation": "Read it with care."},
    "published": {"matching": {10: [12.5, 3.0]}, "elsewhere": {20: [9, None]}},
    "published_ensembles": {"matching": {10: [11, None]}},
    "rests_on": ["Nothing but chance."],
}
LABEL = np.random.default_rng(0).integers(0, 5, 200)


def guesses(seed: int) -> np.ndarray:
    """Probabilities (200, 5), mostly right."""
    rng = np.random.default_rng(seed)
    values = rng.exponential(size=(200, 5)) + 4 * np.eye(5)[LABEL]
    return (values / values.sum(1, keepdims=True)).astype(np.float32)


def write_task(task: str, arms: dict[str, int], labels: int) -> None:
    """What classify writes: ``arms`` → how many seeds."""
    folder = Path("data/classified") / task
    folder.mkdir(parents=True)
    runs = [(arm, seed) for arm, count in arms.items() for seed in range(count)]
    save_file(
        {"label": LABEL, **{f"{arm}/{seed}": guesses(len(arm) + seed) for arm, seed in runs}},
        folder / "predictions.safetensors",
    )
    rows = [(arm, seed, " ".join(str(seed + k) for k in range(labels))) for arm, seed in runs]
    classify.table(folder / "labelled.csv", ("arm", "seed", "rows"), rows)
    costs = [(arm, seed, "1800.0", "a processor", 2, "abc") for arm, seed in runs]
    classify.table(
        folder.with_name(f"{task}.runs.csv"),
        ("arm", "seed", "seconds", "hardware", "threads", "revision"),
        costs,
    )


@pytest.fixture
def evaluate(pipeline: Callable[[str], None], tmp_path: Path) -> Callable[..., Path]:
    """Runs the stage on a study of random numbers; keywords change its entry, ``options`` its command line."""
    write_task("letters_10", {"matching": 11, "neighbour": 1}, 10)
    write_task("letters_20", {"matching": 2}, 20)
    write_task("letters_ablation", {"no_noise": 1}, 10)

    def run(options: str = "", **changes: Any) -> Path:
        folder = tmp_path / "studies/letters"
        folder.mkdir(parents=True, exist_ok=True)
        YAML(typ="safe").dump({"evaluate": {"few_labels": {**ENTRY, **changes}}}, folder / "params.yaml")
        pipeline(f"evaluate.few_labels studies/letters {options}")
        return folder

    return run


def read(file: Path) -> list[dict[str, str]]:
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))


def test_tables_are_whole(evaluate: Callable[..., Path]) -> None:
    folder = evaluate()
    assert {path.name for path in folder.iterdir()} == OUTPUTS | {"params.yaml"}
    rows = read(folder / "results.csv")
    assert list(rows[0]) == [
        "method",
        "labels",
        "seed",
        "metric",
        "value",
        "seconds",
        "hardware",
        "threads",
        "revision",
    ]
    keys = [(row["method"], row["labels"], row["seed"], row["metric"]) for row in rows]
    assert len(set(keys)) == len(keys) == 6 * (11 + 1 + 1 + 2 + 1 + 1)
    assert [row["seed"] for row in rows if row["method"] == "matching" and row["labels"] == "10"][::6] == [
        *map(str, range(11)),
        "ensemble",
    ]
    sets = read(folder / "labelled.csv")
    assert [row["methods"] for row in sets if row["seed"] == "0"] == [
        "matching neighbour no_noise",
        "matching",
    ]
    assert len(sets) == 11 + 2


def test_figures_are_those_of_the_probabilities(evaluate: Callable[..., Path]) -> None:
    rows = {(r["method"], r["labels"], r["seed"], r["metric"]): r for r in read(evaluate() / "results.csv")}
    members = [guesses(len("matching") + seed) for seed in range(11)]
    one, all_of_them = scores(LABEL, members[10]), scores(LABEL, np.mean(members, 0, dtype=np.float64))
    assert float(rows["matching", "10", "10", "test_errors"]["value"]) == one["errors"]
    ensemble = {
        metric: rows["matching", "10", "ensemble", metric] for metric in ("test_errors", "nll", "ece")
    }
    assert [float(row["value"]) for row in ensemble.values()] == pytest.approx(
        [all_of_them[metric] for metric in ("errors", "nll", "ece")], rel=1e-5
    )
    assert ensemble["nll"]["seconds"] == "19800.0" and ensemble["nll"]["hardware"] == "a processor"


def test_summary(evaluate: Callable[..., Path]) -> None:
    folder = evaluate()
    summary, page = json.loads((folder / "summary.json").read_text()), (folder / "summary.md").read_text()
    row = next(row for row in summary["rows"] if (row["method"], row["labels"]) == ("matching", 10))
    errors = list(row["seeds"].values())
    assert row["single"]["test_errors"]["mean"] == pytest.approx(np.mean(errors)) and len(errors) == 11
    assert row["single"]["test_errors"]["worst"] == max(errors) and row["core_hours"] == 1.0
    assert [row["method"] for row in summary["apart"]["letters_ablation"]["rows"]] == ["no_noise"]
    assert "no_noise" not in {row["method"] for row in summary["rows"]}, "what stands apart is not ranked"
    assert {"elsewhere", "matching", "neighbour"} == {row["method"] for row in summary["rows"]}
    for words in (
        "12.5 ± 3",
        "| 20 | elsewhere |",
        "Read it with care.",
        "- Nothing but chance.",
        "among 200 test samples",
    ):
        assert words in page
    percent = json.loads((evaluate(unit="percent") / "summary.json").read_text())["rows"]
    assert [next(iter(r["seeds"].values()), None) for r in percent if r["method"] == "neighbour"] == [
        r["seeds"]["0"] / 2 for r in summary["rows"] if r["method"] == "neighbour"
    ]


def test_same_bytes_again(evaluate: Callable[..., Path]) -> None:
    first = {path.name: path.read_bytes() for path in evaluate().iterdir()}
    assert first == {path.name: path.read_bytes() for path in evaluate().iterdir()}


def test_without_a_record_of_costs(evaluate: Callable[..., Path]) -> None:
    Path("data/classified/letters_10.runs.csv").unlink()
    folder = evaluate()
    assert {row["seconds"] for row in read(folder / "results.csv") if row["labels"] == "10"} == {"", "1800.0"}
    row = next(
        row
        for row in json.loads((folder / "summary.json").read_text())["rows"]
        if row["method"] == "matching"
    )
    assert row["core_hours"] is None


def test_missing_task(evaluate: Callable[..., Path]) -> None:
    tasks = {**ENTRY["tasks"], "letters_50": 50}
    with pytest.raises(
        SystemExit,
        match=r"letters_50 has not been run; run `dvc repro studies/letters/dvc.yaml:classify@letters_50`",
    ):
        evaluate(tasks=tasks)
    folder = Path("studies/letters")
    assert {path.name for path in folder.iterdir()} == {"params.yaml"}
    evaluate("--partial", tasks=tasks)
    assert "letters_50 has not been run" in (folder / "summary.md").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "machting"}, r"few_labels.method: no task has an arm 'machting' with 10 labels"),
        ({"tasks": {**ENTRY["tasks"], "letters_20": 10}}, r"letters_10 and letters_20 both have an arm 'matching'"),
        ({"tasks": {"letters_10": 10, "letters_20": 50}, "budgets": "", "apart": {}}, r"tasks.letters_20: is 50, but its arm 'matching' saw 20"),
        ({"budgets": "", "apart": {"letter_10": "x"}}, r"few_labels.apart: 'letter_10' is none of the tasks; did you mean 'letters_10'"),
        ({"budgets": "letters_20"}, r"few_labels.budgets: 'letters_20' does not stand apart; did you mean 'letters_ablation'"),
        ({"published": {"matching": {10: [12.5]}}}, r"published.matching.10: has 1 entries, must have 2"),
    ],
)  # fmt: skip
def test_mistakes_are_named_and_nothing_is_written(
    evaluate: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SystemExit, match=message):
        evaluate(**changes)
    assert {path.name for path in Path("studies/letters").iterdir()} == {"params.yaml"}


def prepared() -> list[str]:
    """Sample files that any study prepares."""
    flows = [YAML(typ="safe", pure=True).load(path)["stages"] for path in STUDIES[0].parent.glob("*/dvc.yaml")]
    return [path for flow in flows for path in flow.get("prepare", {}).get("outs", ())]


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_parameters_of_the_studies(study: Path) -> None:
    """Every entry is one that its stage takes, and dvc.yaml and the entries name the same tasks."""
    params = study / "params.yaml"
    content = YAML(typ="safe", pure=True).load(params)
    flow = YAML(typ="safe", pure=True).load(study / "dvc.yaml")["stages"]
    for name in content.get("prepare", ()):
        stage.parameters(Prepare, str(params), "prepare", name)
    config = stage.parameters(FewLabels, str(params), "evaluate", "few_labels")
    assert set(config.tasks) == set(content["tasks"]) == set(content["classify"])
    assert {f"data/classified/{task}" for task in config.tasks} <= set(flow["evaluate"]["deps"])
    drawn = OUTPUTS | ({"warps.png"} if config.warps else set())
    assert {Path(path).name for out in flow["evaluate"]["outs"] for path in out} == drawn
    assert not config.warps or config.warps in flow["evaluate"]["deps"]
    for task, labels in config.tasks.items():
        entry = stage.parameters(classify.Classify, str(params), "classify", task)
        classify.check(entry, f"{params}: classify.{task}")
        assert {arm.labels for arm in entry.arms.values()} == {labels}
        read = {entry.test, *(arm.samples for arm in entry.arms.values())}
        assert read == set(flow["prepare"]["outs"]) if "prepare" in flow else read <= set(prepared())


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8)])
def test_warps_are_drawn_of_grey_images(evaluate: Callable[..., Path], shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).normal(size=(500, *shape))
    smooth = gaussian_filter(noise, (0, 0, 1, 1))
    x = np.clip(128 + 200 * smooth, 0, 255).astype(np.uint8)
    write("data/letters.h5", Samples(x, About("image", (0, 255), 3), np.arange(500) % 3, split=np.zeros(500)))
    if shape[0] == 3:
        with pytest.raises(SystemExit, match="draws grey images"):
            evaluate(warps="data/letters.h5")
    else:
        folder = evaluate(warps="data/letters.h5")
        assert (folder / "warps.png").stat().st_size > 10_000
        assert "](warps.png)" in (folder / "summary.md").read_text()

"""Does a study survive being killed? Run a tiny copy of one, undisturbed and killed, and compare.

    python -m tests.reproducibility study --kills 20

The copy is studies/mnist_few_labels with scikit-learn's digits, small networks, few epochs, two tasks and
two seeds. Each start is killed, with all its workers, at a random moment of an undisturbed run's time, and
started again. A run that comes to its end before is compared, and all is begun anew.
"""

from __future__ import annotations

import csv
import random
import runpy
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

from ruamel.yaml import YAML

from tests import reproducibility

STUDY = Path("studies/mnist_few_labels")
PREPARED = "data/prepared/mnist_official.h5"
TASKS = {"mnist_20": 20, "mnist_100": 100}
NETWORKS = {"hidden": [100, 50], "generator_hidden": [50], "latent": 20}
EPOCHS, TAUGHT = 20, 5  # the student's, and its teacher's
REPRODUCED = ("method", "labels", "seed", "metric", "value")  # the other columns say what it cost


def copy(folder: Path) -> Path:
    """The tiny study's parameters in an empty folder, and the code, which nobody then changes under it."""
    for name in ("domain", "pipelines", "tests"):
        shutil.copytree(
            reproducibility.ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    yaml = YAML(typ="safe")
    content = yaml.load(reproducibility.ROOT / STUDY / "params.yaml")
    content["prepare"] = {"mnist_official": {"dataset": "digits", "test": 500}}
    content["classify"] = {task: content["classify"][task] for task in TASKS}
    for task in content["classify"].values():
        task["seeds"] = [0, 1]
        options = task["arms"]["feature_matching"]["options"]
        options.update(NETWORKS, epochs=EPOCHS, width=8, side=12)
        options["teacher"]["options"].update(NETWORKS, epochs=TAUGHT)
    content["classify"]["mnist_100"]["arms"]["nearest_neighbour"] = {
        "classifier": "nearest_neighbour", "samples": PREPARED, "labels": 100
    }  # fmt: skip
    content["evaluate"]["few_labels"].update({"tasks": TASKS, "apart": {}, "budgets": ""})
    (folder / STUDY).mkdir(parents=True)
    yaml.dump(content, folder / STUDY / "params.yaml")
    return folder


def run_stages() -> None:
    """The study's stages one after the other, in this process and folder, as DVC would run them."""
    params = f"--params {STUDY}/params.yaml"
    lines = [f"prepare mnist_official {PREPARED} {params}"]
    lines += [f"classify {task} data/classified/{task} {params}" for task in TASKS]
    for line in [*lines, f"evaluate.few_labels {STUDY}"]:
        module, *arguments = line.split()
        sys.argv = [module, *arguments]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'pipelines.* found in sys.modules", RuntimeWarning)
            runpy.run_module(f"pipelines.{module}", run_name="__main__", alter_sys=True)


def start(folder: Path, workers: int) -> subprocess.Popen[str]:
    """The stages in a process of their own."""
    settings = {"SIMULACRA_WORKERS": str(workers), "SIMULACRA_CHECKPOINT_SECONDS": "0.1"}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.studies"],
        cwd=folder,
        env=reproducibility.environment(**settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(folder: Path, process: subprocess.Popen[str]) -> dict[str, object]:
    """What an ended run must reproduce: its measurements, its labelled sets, its probabilities."""
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"the study failed in {folder}:\n{errors[-3000:]}")
    with open(folder / STUDY / "results.csv", newline="") as stream:
        results = [tuple(row[column] for column in REPRODUCED) for row in csv.DictReader(stream)]
    files = [
        folder / STUDY / "labelled.csv",
        *sorted(folder.glob("data/classified/*/predictions.safetensors")),
    ]
    return {"results.csv": results, **{str(file.relative_to(folder)): file.read_bytes() for file in files}}


def differences(reference: dict[str, object], other: dict[str, object]) -> set[str]:
    """The outputs that are not the same."""
    return {name for name in reference.keys() | other.keys() if reference.get(name) != other.get(name)}


def erase(folder: Path) -> None:
    """Leave nothing but the parameters and the code."""
    shutil.rmtree(folder / "data")
    for path in (folder / STUDY).iterdir():
        if path.name != "params.yaml":
            path.unlink()


def undisturbed(folder: Path, workers: int) -> tuple[dict[str, object], float]:
    """The outcome of a run that nobody kills, and its seconds."""
    began = time.monotonic()
    process = start(folder, workers)
    reference = outcome(folder, process)
    return reference, time.monotonic() - began


def kills(
    folder: Path, reference: dict[str, object], seconds: float, count: int, seed: int, workers: int
) -> tuple[int, int, set[str]]:
    """Kill ``count`` starts; how many of them in a training, how many runs ended, and what differs.

    Args:
        folder: a tiny study of which nothing has been run.
        reference: the outcome to compare with.
        seconds: what an undisturbed run takes; moments are uniform in it.
        count: how many kills.
        seed: of the moments.
        workers: processes of the study.
    """
    rng = random.Random(seed)
    killed, training, ended, differing = 0, 0, 0, set()
    while True:
        process = start(folder, workers)
        try:
            process.wait(rng.uniform(0, seconds) if killed < count else None)
        except subprocess.TimeoutExpired:
            reproducibility.kill_tree(process)
            killed += 1
            training += any(
                not (run / "probabilities.safetensors").exists() for run in folder.glob("data/runs/*/*")
            )
            continue
        differing |= differences(reference, outcome(folder, process))
        ended += 1
        if killed == count:
            return training, ended, differing
        erase(folder)


if __name__ == "__main__":
    run_stages()

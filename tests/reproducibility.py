"""Is the flow reproducible? Run it in a copy of the project and compare ``dvc.lock``.

    python -m tests.reproducibility twice            from nothing with two workers, and with one
    python -m tests.reproducibility kills --kills 24   killed at random moments, then finished
    python -m tests.reproducibility twice --tiny     the same in a minute, with few samples and steps
    python -m tests.reproducibility study --kills 20   a tiny study instead, killed at any moment

Each prints what it did and exits with 1 if a byte of any tracked output differs. The kills are
``SIGKILL`` to DVC, the stage and its workers at once, spread over all training stages.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
TRAINING = ("digits-gan", "digits-vae", "strokes-digits-simgan", "few_labels", "strokes_to_digits", "gflash-flow")
TINY: dict[str, Any] = {
    "simulate": {"strokes": {"count": 300}, "jets": {"count": 24}, "gflash": {"count": 1200}, "cascade": {"count": 4}},
    "train": {name: {"budget": {"steps": 60}} for name in ("gan", "vae")},
    "refine": {"simgan": {"budget": {"steps": 60}}},
    "surrogate": {"flow": {"budget": {"steps": 30}, "held_out": 600}},
    "evaluate": {
        "images": {"count": 200, "judge": {"folds": 2, "epochs": 10}},
        "showers": {"count": 300, "judge": {"epochs": 5}, "batches": [1, 10]},
    },
}


def copy(folder: Path, tiny: bool) -> Path:
    """A fresh clone as a stranger has it, with the uncommitted changes of this one."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    if tiny:
        shrink(folder / "params.yaml")
        share_compiled(folder)
    return folder


def share_compiled(folder: Path) -> None:
    """What numba has compiled of the same sources serves the copy: compiling takes longer than a tiny flow's showers."""
    cache = ROOT / "domain" / "matter" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (folder / "domain" / "matter" / "__pycache__").symlink_to(cache)


def shrink(path: Path) -> None:
    """Few samples, steps, seeds and epochs, in every entry of a parameter file."""
    yaml = YAML()
    content = yaml.load(path)
    update(content, TINY)
    for task in content["classify"].values():
        task["seeds"] = [0, 1]
        for arm in task["arms"].values():
            arm.update({"only": 300} if "only" in arm else {})
            arm.setdefault("options", {}).update({"epochs": 4} if "epochs" in arm.get("options", {}) else {})
    yaml.dump(content, path)


def update(content: Any, changes: Mapping[str, Any]) -> None:
    """Change leaves of nested mappings in place."""
    for key, value in changes.items():
        if isinstance(value, Mapping):
            update(content.setdefault(key, {}), value)
        else:
            content[key] = value


def environment(**extra: str) -> dict[str, str]:
    """This interpreter first on the path, as in an activated environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **extra}


def repro(folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run ``dvc repro`` to its end."""
    command = [sys.executable, "-m", "dvc", "repro"]
    return subprocess.run(command, cwd=folder, env=environment(**extra), capture_output=True, text=True, check=False)


def finished(folder: Path, **extra: str) -> str:
    """The lock file after a successful run."""
    result = repro(folder, **extra)
    if result.returncode:
        raise SystemExit(f"dvc repro failed in {folder}:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}")
    return (folder / "dvc.lock").read_text()


def kill_one(folder: Path, quota: Mapping[str, int], delay: float, *arguments: str) -> str | None:
    """Start ``dvc repro`` and kill it, with all it started, ``delay`` seconds into a training.

    Args:
        folder: the copy of the project.
        quota: how often each training may still be killed.
        delay: seconds after the training's first trace.
        arguments: for ``dvc repro``.

    Returns:
        The output that was in training, or None where the run ended before.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "--quiet", *arguments],
        cwd=folder,
        env=environment(SIMULACRA_CHECKPOINT_SECONDS="0.3"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        running = [name for name in quota if quota[name] and in_training(folder / "data", name)]
        if running:
            time.sleep(delay)
            kill_tree(process)
            return running[0]
        time.sleep(0.02)
    return None


def kill_tree(process: subprocess.Popen) -> None:
    """``SIGKILL`` to a process and all that it started, itself first.

    DVC that sees its stage end rewrites its own lock files, and one killed in the middle of that leaves
    an empty file which the next DVC refuses.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(process.pid)
        for victim in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
    process.wait()


def in_training(data: Path, name: str) -> bool:
    """Whether an output has left a trace of a training that has not ended."""
    return any((data / "scratch").glob(f"{name}-*")) or any((data / "runs" / name).glob("*/checkpoint*"))


def differences(reference: str, other: str) -> list[str]:
    """The outputs whose bytes differ between two lock files."""
    digests = [
        {out["path"]: out["md5"] for stage in YAML(typ="safe").load(text)["stages"].values() for out in stage["outs"]}
        for text in (reference, other)
    ]
    return sorted(path for path in digests[0].keys() | digests[1].keys() if digests[0].get(path) != digests[1].get(path))


def kills(folder: Path, reference: str, count: int, seed: int) -> tuple[dict[str, int], list[str]]:
    """Kill ``count`` runs, spread over the trainings; kills by training, and the outputs that differ."""
    rng = random.Random(seed)
    quota = {name: (count + k) // len(TRAINING) for k, name in enumerate(TRAINING)}
    done = dict.fromkeys(TRAINING, 0)
    while any(quota.values()) and (name := kill_one(folder, quota, rng.uniform(0, 3))):
        quota[name] -= 1
        done[name] += 1
    return done, differences(reference, finished(folder))


def study(count: int, seed: int) -> bool:
    """Kill a tiny study ``count`` times; whether anything came out different."""
    from tests import studies  # which uses this module

    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        one, other = (studies.copy(Path(folder)) for folder in (first, second))
        reference, seconds = studies.undisturbed(one, workers=2)
        print(f"from nothing: {seconds:.0f} s", flush=True)
        training, ended, differing = studies.kills(other, reference, seconds, count, seed, workers=2)
    print(f"{count} kills, {training} of them with a training under way; {ended} runs came to their end")
    print(f"DIFFERS: {', '.join(sorted(differing))}" if differing else "results, labelled sets and probabilities are identical")
    return bool(differing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", choices=("twice", "kills", "study"))
    parser.add_argument("--kills", type=int, default=24, help="how many (24)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--tiny", action="store_true", help="few samples and steps")
    arguments = parser.parse_args()
    if arguments.check == "study":
        sys.exit(study(arguments.kills, arguments.seed))
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        one, other = (copy(Path(folder), arguments.tiny) for folder in (first, second))
        began = time.monotonic()
        reference = finished(one)
        print(f"from nothing: {time.monotonic() - began:.0f} s", flush=True)
        if arguments.check == "twice":
            differing = differences(reference, finished(other, SIMULACRA_WORKERS="1"))
        else:
            done, differing = kills(other, reference, arguments.kills, arguments.seed)
            print(f"{sum(done.values())} kills: {', '.join(f'{n} {name}' for name, n in done.items())}")
    print("dvc.lock is identical" if not differing else f"dvc.lock DIFFERS: {', '.join(differing)}")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()

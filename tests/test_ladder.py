"""Imports point down one ladder, and siblings do not import each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Each rung may import the rungs below it. Modules of the ground floor may also import each other.
LADDER = (
    ("errors", "config", "randomness", "files", "device", "graph", "topology", "geometry", "gaze", "jet", "matter", "samples", "space", "table"),
    ("nets", "objectives", "formats"),
    ("system", "training", "together", "ensemble", "search", "network_estimator", "latent"),
    ("datasets", "simulators", "generators", "refiners", "classifiers", "regressors", "surrogates", "metrics"),
    ("models", "estimators", "view"),
)
RUNG = {name: k for k, names in enumerate(LADDER) for name in names}
FAMILIES = LADDER[3]


def modules() -> list[Path]:
    return sorted(path for path in (ROOT / "domain").rglob("*.py") if path.name != "__init__.py")


def imported(path: Path) -> set[str]:
    """The modules of this project that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in ("domain", "pipelines", "tests", "benchmarks")}


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_down(path: Path) -> None:
    place = path.relative_to(ROOT / "domain").with_suffix("").parts
    for name in imported(path):
        parts = name.split(".")
        assert parts[0] == "domain", f"{path} imports {name}: domain knows nothing above it"
        assert parts[1] in RUNG, f"domain.{parts[1]} stands on no rung; place it in LADDER"
        assert RUNG[parts[1]] <= RUNG[place[0]], f"{path} imports {name}, which stands above it"
        if place[0] in FAMILIES and RUNG[parts[1]] == RUNG[place[0]]:
            assert parts[1] == place[0], f"{path} imports {name}, a neighbouring kind"
            assert is_base_or_shared(path, parts), f"{path} imports its sibling {name}; move what both need down"


def is_base_or_shared(path: Path, parts: list[str]) -> bool:
    """A family may extend its folder's base and use what the folder shares among its files."""
    return len(parts) > 2 and parts[2] in ("base", "classification", "download", "frechet", "mmd", "raw")


def test_domain_knows_no_surroundings() -> None:
    """No arguments, no environment, no parameter file, no DVC, no global seed in domain/."""
    for path in modules():
        text = path.read_text()
        for word in ("sys.argv", "os.environ", "params.yaml\")", "import dvc", "argparse", "np.random.seed", "import pickle"):
            if word == "import pickle" and path.name == "cifar10.py":
                continue  # the official files are pickles; the reader admits arrays only
            assert word not in text, f"{path}: {word}"


def test_pipelines_define_no_network() -> None:
    for path in (ROOT / "pipelines").rglob("*.py"):
        assert "nn." not in path.read_text(), f"{path} defines a network; it belongs in domain/"

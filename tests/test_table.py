"""A table imports the family that is asked for, and nothing beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from domain.generators import GENERATORS
from domain.generators.gan import GAN
from domain.generators.vae import VAE
from domain.table import Table

ROOT = Path(__file__).resolve().parents[1]


def test_a_name_and_its_class() -> None:
    assert GENERATORS["gan"] is GAN and GENERATORS.name(GAN) == "gan"
    assert GENERATORS.name(VAE) == "vae" and GENERATORS.name(Table) is None
    assert "gan" in GENERATORS and "gun" not in GENERATORS
    with pytest.raises(KeyError):
        GENERATORS["gun"]


def test_what_is_not_asked_for_is_not_imported(tmp_path: Path) -> None:
    """Stages that need no scikit-learn, Kornia or numba start, train, save and load without them."""
    code = """
import pathlib, sys
import pipelines.simulate, pipelines.surrogate, pipelines.train
from domain import models
from domain.simulators import SIMULATORS
from tests.families import build
SIMULATORS["gflash"]().simulate(1, seed=0)
for role, name in ("generator", "gan"), ("surrogate", "flow"):
    folder = pathlib.Path(sys.argv[1], name)
    folder.mkdir()
    models.save(folder, build(role, name), [], {})
    models.load(folder)
print(*{"sklearn", "kornia", "numba"} & sys.modules.keys())
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []

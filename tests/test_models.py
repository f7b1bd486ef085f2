"""Model directories: every registered family is saved without pickle and comes back the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from domain import models
from domain.errors import InputError
from domain.models import FAMILIES
from domain.randomness import torch_generator
from domain.system import System, capabilities
from tests import families

PICKLED = {b"PK", *(bytes((0x80, protocol)) for protocol in range(2, 6))}  # how torch.save and pickle begin

FAMILY = [(role, family) for role, table in FAMILIES.items() for family in table]
HISTORY = [{"step": 50, "a.b": 1 / 3}, {"step": 60, "a.b": 1e-9}]


def build(role: str, family: str) -> System:
    return families.build(role, family, seed=1).eval()


def outputs(model: System) -> dict[str, torch.Tensor]:
    """What the model gives for each of its capabilities."""
    x = 2 * torch.rand(4, *model.space.shape, generator=torch_generator(0, "x")) - 1
    given = {"condition": model.conditions(4, torch_generator(0, "given"))} if "condition" in model.given else {}
    calls = {
        "samples": lambda: model.sample(4, torch_generator(0, "z"), **given),
        "encodes": lambda: model.encode(x),
        "reconstructs": lambda: model.reconstruct(x),
        "translates": lambda: model.translate(x, torch_generator(0, "z")),
        "classifies": lambda: model.classify(x),
    }
    known = {name: call() for name, call in calls.items() if name in capabilities(model)}
    return {**known, "predicts": model.predict(x)} if hasattr(model, "predict") else known


@pytest.mark.parametrize("role, family", FAMILY)
def test_round_trip(tmp_path: Path, role: str, family: str) -> None:
    model = build(role, family)
    models.save(tmp_path, model, HISTORY, {"seed": 1, "inputs": {}})
    back = models.load(tmp_path)
    assert type(back) is type(model) and (back.config, back.space) == (model.config, model.space)
    assert not back.training and not any(p.requires_grad for p in back.parameters())
    expected, given = outputs(model), outputs(back)
    assert expected and all(torch.equal(value, given[name]) for name, value in expected.items())


@pytest.mark.parametrize("role, family", FAMILY)
def test_files(tmp_path: Path, role: str, family: str) -> None:
    """JSON, CSV and plain arrays; the same model gives the same bytes."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        models.save(tmp_path / name, build(role, family), HISTORY, {"seed": 1, "inputs": {}})
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["history.csv", "model.json", "model.safetensors"]
    for name in files:
        content = (tmp_path / "a" / name).read_bytes()
        assert content == (tmp_path / "b" / name).read_bytes()
        assert content[:2] not in PICKLED
    content = json.loads((tmp_path / "a" / "model.json").read_text())
    assert (content["role"], content["family"]) == (role, family)
    assert all(isinstance(value, np.ndarray) for value in load_file(tmp_path / "a" / "model.safetensors").values())
    assert (tmp_path / "a" / "history.csv").read_text() == "step,a.b\n50,0.333333\n60,1e-09\n"


def test_a_family_in_no_table(tmp_path: Path) -> None:
    class Stranger(System):
        pass

    with pytest.raises(InputError, match="Stranger: in no table of families; add it"):
        models.save(tmp_path, Stranger(), [], {})

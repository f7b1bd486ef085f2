"""A surrogate in ONNX Runtime gives the samples that it gives in torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from domain import models
from domain.generators import GENERATORS
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.surrogates import SURROGATES

Pipeline = Callable[[str], None]

SHOWERS = Space("shower", (504,), (0.0, 2e5), condition=("energy",), units=("GeV",))


SMALL = {
    "flow": {"couplings": 2, "width": 16},
    "flow_matching": {"blocks": 1, "width": 16, "steps": 2},
    "vae_flow": {"latent": 4, "width": 16, "couplings": 1, "couplings_width": 8},
}


def saved(folder: Path, role: str = "surrogate", name: str = "flow") -> Path:
    space = SHOWERS if role == "surrogate" else Space("image", (1, 8, 8), (0.0, 16.0))
    kind = (SURROGATES if role == "surrogate" else GENERATORS)[name]
    with scoped_seed(0, "export"):
        model = kind(kind.Config(**SMALL.get(name, {}) | ({"splines": 1} if role == "surrogate" else {})), space)
    if role == "surrogate":
        generator = torch_generator(0, "showers")
        energy = 1 + 99 * torch.rand(300, 1, generator=generator)
        cells = torch.rand(300, 504, generator=generator)
        model.streams(energy * cells * (cells > 0.7), energy)
    folder.mkdir()
    models.save(folder, model.eval(), [], {"seed": 0, "inputs": {}})
    return folder


@pytest.mark.parametrize("name", SMALL)
def test_the_same_samples(name: str, pipeline: Pipeline, tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", name=name)
    pipeline("export model model.onnx")
    model, session = models.load(folder), onnxruntime.InferenceSession(tmp_path / "model.onnx")
    generator = torch_generator(1, "others")
    condition, z = model.conditions(7, generator), model.latent(7, generator)
    (x,) = session.run(None, {"condition": condition.numpy(), "z": z.numpy()})
    expected = model.render(condition, z).numpy()
    assert x.shape == (7, 504) and (x == 0).any()
    assert np.abs(x - expected).max() < 1e-3 * expected.max()
    assert json.loads(session.get_modelmeta().custom_metadata_map["units"]) == ["GeV"]


def test_only_surrogates(pipeline: Pipeline, tmp_path: Path) -> None:
    saved(tmp_path / "model", "generator", "gan")
    with pytest.raises(SystemExit, match="only surrogates"):
        pipeline("export model model.onnx")
    assert not (tmp_path / "model.onnx").exists()

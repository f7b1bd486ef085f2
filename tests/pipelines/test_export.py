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
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.surrogates import SURROGATES
from domain.surrogates.base import TwoStep
from tests.families import SMALL, build

Pipeline = Callable[[str], None]


ONE, TWO = [[2, 3]], [[1, 2], [2, 2]]  # rows and columns of each layer: the graph, and the time to write it, grow with them
DETECTOR = Space("shower", (6,), (0.0, 2e5), condition=("energy",), units=("GeV",))


def saved(folder: Path, role: str, name: str, **changes: object) -> Path:
    """A model directory; a surrogate has seen a few samples."""
    model = build(role, name)
    if isinstance(model, TwoStep):
        with scoped_seed(0, "start values"):
            model = type(model)(model.Config.parse({**SMALL[name], "shapes": ONE, **changes}, name), DETECTOR)
    if role == "surrogate":
        generator, shape = torch_generator(0, "samples"), model.space.shape
        condition = 1 + 99 * torch.rand(300, len(model.space.condition), generator=generator)
        cells = torch.rand(300, *shape, generator=generator)
        x = condition[:, 0].reshape(-1, *[1] * len(shape)) * cells * (cells > 0.7)
        given = {"label": torch.arange(300) % 2, "condition": condition}
        model.streams(x, **{key: given[key] for key in model.given})
    folder.mkdir()
    models.save(folder, model.eval(), [], {"seed": 0, "inputs": {}})
    return folder


@pytest.mark.parametrize("name, changes", [
    *((name, {}) for name in SURROGATES), ("copula", {"turns": 2, "mirror": False}), ("flow_matching", {"shapes": TWO}),
])
def test_the_same_samples(name: str, changes: dict[str, object], pipeline: Pipeline, tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "surrogate", name, **changes)
    pipeline("export model model.onnx")
    model, session = models.load(folder), onnxruntime.InferenceSession(tmp_path / "model.onnx")
    generator = torch_generator(1, "others")
    given = {"label": torch.arange(7) % 2, "condition": model.range.draw(7, generator)}
    given, z = {key: given[key] for key in model.given}, model.latent(7, generator)
    (x,) = session.run(None, {"z": z.numpy(), **{key: value.numpy() for key, value in given.items()}})
    expected = model.render(z, **given).numpy()
    assert x.shape == (7, *model.space.shape) and (x == 0).any() and (x > 0).any()
    assert np.abs(x - expected).max() < 1e-3 * expected.max()
    assert json.loads(session.get_modelmeta().custom_metadata_map["units"]) == list(model.space.units)


def test_only_surrogates(pipeline: Pipeline, tmp_path: Path) -> None:
    saved(tmp_path / "model", "generator", "gan")
    with pytest.raises(SystemExit, match="only surrogates"):
        pipeline("export model model.onnx")
    assert not (tmp_path / "model.onnx").exists()

"""A training that begins with another model's weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from domain import models
from domain.files import read_json
from domain.samples import About, Samples, write

Pipeline = Callable[[str], None]

PARAMS = """
train:
  vae: &vae
    family: vae
    model: &model {likelihood: bernoulli, network: mlp, hidden: [8], latent: 2, batch: 16}
    budget: {steps: 20}
    seeds: [3, 5]
  gone_on: # so slowly that nothing changes
    family: iwae
    model: {<<: *model, draws: 2, optimiser: {rate: 1.0e-12, beta1: 0.9}}
    budget: {steps: 3, average: 0.0}
    seeds: [3, 5]
    pretrained: vae
  wider: {<<: *vae, model: {<<: *model, hidden: [9]}, pretrained: vae}
  stranger: {family: gan, model: {latent: 2, width: 8}, budget: {steps: 1}, pretrained: vae/3}
  missing: {<<: *vae, pretrained: nowhere}
"""


@pytest.fixture(autouse=True)
def trained(tmp_path: Path, pipeline: Pipeline) -> None:
    """Two models, in the folder of the test."""
    x = (np.random.default_rng(0).random((80, 1, 8, 8)) < 0.3).astype(np.uint8)
    write(tmp_path / "images.h5", Samples(x, About("image", (0, 1))))
    (tmp_path / "params.yaml").write_text(PARAMS)
    pipeline("train images.h5 vae vae")


def test_each_seed_goes_on_from_its_own(pipeline: Pipeline) -> None:
    pipeline("train images.h5 gone_on gone_on")
    for seed in ("3", "5"):
        before, after = (dict(models.load(Path(name, seed)).named_parameters()) for name in ("vae", "gone_on"))
        for name, value in after.items():
            torch.testing.assert_close(value, before[name], atol=1e-6, rtol=0)
        assert f"vae/{seed}/model.safetensors" in read_json(Path("gone_on", seed, "model.json"))["provenance"]["inputs"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("wider", r"vae/3: its weights 'encoder.*' are \(8, 64\), and \(9, 64\) are needed; name a model of the same networks"),
        ("stranger", "vae/3: has no weights 'generator.*' to begin with; name a model of the same networks"),
        ("missing", "nowhere/3/model.safetensors: no such file; run `dvc repro` to make it"),
    ],
)
def test_another_model_will_not_do(name: str, problem: str, pipeline: Pipeline) -> None:
    with pytest.raises(SystemExit, match=problem):
        pipeline(f"train images.h5 {name} out")
    assert not Path("out").exists()

"""Ways through codes, and what looks strange."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from domain import latent
from domain.errors import InputError
from domain.files import read_json
from domain.generators.gan import GAN, GANConfig
from domain.generators.pca import PCA, PCAConfig
from domain.randomness import torch_generator
from domain.samples import About, Samples, write
from domain.space import Space

Pipeline = Callable[[str], None]


def test_straight_lines_and_arcs() -> None:
    a, b = torch.tensor([[1.0, 0.0], [2.0, 0.0]]), torch.tensor([[0.0, 1.0], [4.0, 0.0]])
    half = 0.5**0.5
    torch.testing.assert_close(latent.linear(a, b, 3)[0], torch.tensor([[1.0, 0], [0.5, 0.5], [0, 1]]))
    torch.testing.assert_close(latent.spherical(a, b, 3)[0], torch.tensor([[1.0, 0], [half, half], [0, 1]]))
    torch.testing.assert_close(latent.spherical(a, b, 3)[1], torch.tensor([[2.0, 0], [3.0, 0], [4.0, 0]]), msg="parallel")
    opposite = latent.spherical(a, -a, 3)
    torch.testing.assert_close(opposite[:, 1], torch.zeros(2, 2), msg="opposite: through the middle")


def test_the_manifold_s_grid_holds_equal_shares_of_a_normal() -> None:
    grid = latent.manifold(5, margin=0.1).reshape(5, 5, 2)
    quantiles = stats.norm.ppf(np.linspace(0.1, 0.9, 5))
    np.testing.assert_allclose(grid[0, :, 0], quantiles, atol=1e-6)
    np.testing.assert_allclose(grid[:, 0, 1], quantiles[::-1], atol=1e-6)
    torch.testing.assert_close(latent.circle(8).norm(dim=1), torch.ones(8))
    with pytest.raises(InputError, match="margin"):
        latent.manifold(5, margin=0.5)


def test_strangers_score_higher() -> None:
    space = Space("image", (1, 3, 3), (0.0, 1.0))
    generator = torch_generator(0, "x")
    row = 0.3 * torch.randn(300, 1, 1, 3, generator=generator)
    known = row + 0.02 * torch.randn(300, 1, 3, 3, generator=generator)
    model = PCA(PCAConfig(latent=3), space)
    model.finish(model.streams(known, torch.zeros(300)), generator)
    strange = 0.3 * torch.randn(50, 1, 3, 3, generator=generator)
    assert latent.strangeness(model, strange, generator).min() > latent.strangeness(model, known, generator).median()
    with pytest.raises(InputError, match="GAN"):
        latent.strangeness(GAN(GANConfig(width=4), space), known, generator)


def test_every_picture_of_a_model_with_two_codes(tmp_path: Path, pipeline: Pipeline) -> None:
    x = (np.random.default_rng(0).random((120, 1, 4, 4)) < 0.3).astype(np.uint8)
    write(tmp_path / "images.h5", Samples(x, About("image", (0, 1)), split=np.where(np.arange(120) < 80, 0, 2)))
    (tmp_path / "params.yaml").write_text("train: {vae: {model: {network: mlp, hidden: [8], latent: 2}, budget: {steps: 5}}}")
    pipeline("train images.h5 vae model")
    pipeline("latent model images.h5 seen")
    names = {"linear", "spherical", "manifold", "neighbours", "reconstructions", "strangest"}
    assert {path.stem for path in Path("seen").glob("*.png")} == names
    assert Image.open("seen/manifold.png").size == Image.open("seen/manifold.png").size[::-1], "a square grid"
    record = read_json(Path("seen/summary.json"))
    assert record["strangeness"] == "−log p(x)"
    assert record["reconstruction_error"] > 0 and record["nearest_training_distance"] > 0


@pytest.mark.parametrize("name", ["ali", "veegan", "introvae"])
def test_encoders_of_games_serve_too(name: str, tmp_path: Path, pipeline: Pipeline) -> None:
    x = (np.random.default_rng(0).random((60, 1, 4, 4)) < 0.3).astype(np.uint8)
    write(tmp_path / "images.h5", Samples(x, About("image", (0, 1)), split=np.where(np.arange(60) < 40, 0, 2)))
    (tmp_path / "params.yaml").write_text(f"train: {{{name}: {{model: {{latent: 2, width: 2, batch: 8}}, budget: {{steps: 2}}}}}}")
    pipeline(f"train images.h5 {name} model")
    pipeline("latent model images.h5 seen")
    names = {"linear", "spherical", "manifold", "neighbours", "reconstructions", "strangest"}
    assert {path.stem for path in Path("seen").glob("*.png")} == names
    assert read_json(Path("seen/summary.json"))["strangeness"] == "squared error"

"""The floor without a network: each figure of the simulated images becomes the real one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from domain.datasets.mnist import Mnist
from domain.nets.warp import warped_mask
from domain.randomness import torch_generator
from domain.refiners.matching import Matching, MatchingConfig, Shape, matched, quantiles, thickness
from domain.simulators.strokes import Strokes
from domain.space import Space
from domain.training import Budget, fit

SPACE = Space("image", (1, 28, 28), (0.0, 255.0), integer=True)
NOTHING = {"geometry": False, "width": False, "blur": False, "grey": False}


def drawn(seed: int = 0, **options: object) -> torch.Tensor:
    """Encoded strokes, clear of the border."""
    return SPACE.encode(Strokes(**{"scale": (0.75, 0.75), "translation": 0.0, **options}).simulate(150, seed).x)


def fitted(simulated: torch.Tensor, real: torch.Tensor, **options: bool) -> Matching:
    model = Matching(MatchingConfig(**options), SPACE)
    fit(model, model.streams(simulated, real), Budget(steps=1), 0)
    return model


def refined(simulated: torch.Tensor, real: torch.Tensor, **options: bool) -> torch.Tensor:
    return fitted(simulated, real, **options).translate(simulated, torch_generator(0, "t"))


def bars(width: int) -> torch.Tensor:
    """Upright bars, (1, 1, 28, 28)."""
    x = torch.full((1, 1, 28, 28), -1.0)
    x[..., 14 : 14 + width] = 1
    return x


def test_quantiles_are_mapped_and_a_shared_value_to_the_middle() -> None:
    ours = torch.linspace(0, 1, 1001)
    tables = torch.stack([quantiles(ours), quantiles(ours**2)])
    torch.testing.assert_close(matched(ours, tables), ours**2, atol=1e-4, rtol=0)
    background = torch.cat([torch.full((830,), -1.0), torch.linspace(0, 1, 170)])
    other = torch.cat([torch.full((800,), -1.0), torch.linspace(0, 0.5, 200)])
    moved = matched(background, torch.stack([quantiles(background), quantiles(other)]))
    assert (moved[:830] == -1).all() and moved[-1] == 0.5 and (moved.diff() >= 0).all()


def test_width_of_a_bar_and_slant_of_a_sheared_one() -> None:
    assert [thickness(bars(width)).item() for width in (1, 2, 5)] == pytest.approx([1, 2, 5])
    rows = torch.arange(28)[:, None]
    leaning = torch.where((torch.arange(28) - rows // 2 - 5).abs() < 2, 1.0, -1.0)[None, None]
    assert Shape.of(leaning).slant.item() == pytest.approx(0.5, abs=0.01)
    box = torch.full((1, 1, 28, 28), -1.0)
    box[..., 4:24, 9:19] = 1
    shape = Shape.of(box)
    assert shape.aspect.exp().item() == pytest.approx(0.5, abs=0.01) and shape.slant.abs() < 1e-6
    assert (shape.x.item(), shape.y.item(), shape.size.exp().item()) == pytest.approx((14, 14, 20 / 12**0.5), rel=0.01)


def test_nothing_is_matched_when_nothing_is_asked() -> None:
    x = drawn()
    assert torch.equal(refined(x, -x, **NOTHING), x)


def test_images_that_match_stay() -> None:
    x = drawn()
    assert (refined(x, x) - x).abs().mean() < 0.01


def test_slant_and_aspect_become_the_real_ones_and_the_mask_follows() -> None:
    options = {"slant": (-0.1, 0.1), "aspect": (1.2, 1.3)}
    simulator = Strokes(scale=(0.75, 0.75), translation=0.0, slant=(0.3, 0.5), aspect=(0.9, 1.0), width=(0.09, 0.1))
    samples = simulator.simulate(150, 1)
    x, real = SPACE.encode(samples.x), drawn(2, **options, width=(0.09, 0.1))
    moved, grid = fitted(x, real, **(NOTHING | {"geometry": True})).translate_with_grid(x, torch_generator(0, "t"))
    before, after, wanted = (Shape.of(images) for images in (x, moved, real))
    for figure in ("slant", "aspect"):
        gap, left = (
            (getattr(shape, figure).mean() - getattr(wanted, figure).mean()).abs() for shape in (before, after)
        )
        assert left < 0.03 < 0.1 < gap, figure
    mask = warped_mask(torch.from_numpy(samples.mask), grid)
    assert moved[:, 0][mask.bool()].mean() > 0.8, "the centre line lies in the ink"


def test_place_and_size_become_the_real_ones() -> None:
    x, real = (drawn(seed, scale=(scale, scale), translation=shift) for seed, scale, shift in ((1, 0.95, 0.0), (2, 0.6, 0.1)))
    moved = refined(x, real, **(NOTHING | {"geometry": True}))
    before, after, wanted = (Shape.of(images) for images in (x, moved, real))
    for figure in ("x", "y", "size"):
        spreads = [getattr(shape, figure).std() for shape in (after, wanted)]
        assert abs(spreads[0] - spreads[1]) < 0.15 * spreads[1], figure
        assert abs(getattr(after, figure).mean() - getattr(wanted, figure).mean()) < 0.05, figure
    assert (before.size.mean() - wanted.size.mean()) > 0.3


def test_nothing_is_smeared_from_the_border() -> None:
    """Bars from border to border become half as high, with background above and below."""
    long = bars(4).expand(20, -1, -1, -1)
    short = long.clone()
    short[..., :7, :] = short[..., 21:, :] = -1
    moved = refined(long, short, **(NOTHING | {"geometry": True}))
    assert moved[..., :6, :].max() < -0.9 and moved[..., 22:, :].max() < -0.9 and moved[..., 13, 15].min() > 0.9


def test_width_becomes_the_real_one() -> None:
    thin, thick = drawn(1, width=(0.09, 0.1)), drawn(1, width=(0.13, 0.15))
    for simulated, real in ((thin, thick), (thick, thin)):
        result = thickness(refined(simulated, real, **(NOTHING | {"width": True}))).mean()
        assert abs(result - thickness(real).mean()) < 0.2 * abs(thickness(simulated).mean() - thickness(real).mean())


def test_blur_is_found() -> None:
    x = drawn()
    real = fitted(x, x, **NOTHING)
    real.config = MatchingConfig(**(NOTHING | {"blur": True}))
    real.deviation.fill_(0.8)
    soft = real.translate(x, torch_generator(0, "t"))
    model = fitted(x, soft, **(NOTHING | {"blur": True}))
    assert model.deviation.item() == pytest.approx(0.8)
    assert fitted(soft, x, **(NOTHING | {"blur": True})).deviation == 0, "what is too soft stays"


def test_grey_levels_become_the_real_ones() -> None:
    x = drawn()
    dim = 0.6 * (x + 1) - 1
    torch.testing.assert_close(refined(x, dim, **(NOTHING | {"grey": True})), dim, atol=0.03, rtol=0)


def test_strokes_come_closer_to_mnist(shared_data: Path) -> None:
    real = SPACE.encode(Mnist().load([shared_data / "mnist"]).x[:1000])
    x = SPACE.encode(Strokes(slant=(-0.4, 0.0), width=(0.06, 0.09)).simulate(500, 0).x)
    result = refined(x, real)
    for figure in (lambda images: Shape.of(images).slant.mean(), lambda images: thickness(images).mean()):
        assert (figure(result) - figure(real)).abs() < 0.35 * (figure(x) - figure(real)).abs()

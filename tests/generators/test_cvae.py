"""What a conditional VAE is given, exactly, and what it makes of it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from domain.errors import InputError
from domain.generators.cvae import CVAE, CVAEConfig
from domain.nets.context import quadrants
from domain.randomness import scoped_seed, torch_generator
from domain.simulators.strokes import Strokes
from domain.space import Space
from domain.training import Budget, fit

IMAGES = Space("image", (1, 4, 6), (0.0, 1.0), classes=2)


def built(space: Space = IMAGES, **options: object) -> CVAE:
    with scoped_seed(0, "test"):
        return CVAE(CVAEConfig(latent=2, hidden=(8,), batch=16, **options), space)


def test_quadrants_are_exact() -> None:
    left, bottom = torch.zeros(1, 4, 6), torch.zeros(1, 4, 6)
    left[..., :3], bottom[:, 2:] = 1, 1
    assert torch.equal(quadrants((1, 4, 6), 1), left * bottom)
    assert torch.equal(quadrants((1, 4, 6), 2), left)
    assert torch.equal(quadrants((1, 4, 6), 3), torch.maximum(left, bottom))
    assert quadrants((3, 5, 5), 1).sum() == 3 * 3 * 2, "of odd sides the larger half is the lower one"


def trained(model: CVAE, x: Tensor, label: Tensor, condition: Tensor | None = None, steps: int = 3) -> CVAE:
    given = {} if condition is None else {"condition": condition}
    fit(model, model.streams(x, label, **given), Budget(steps=steps, precision="float32"), seed=0)
    return model


def test_a_completion_keeps_what_is_seen_and_hides_what_is_not() -> None:
    x = torch.rand(40, 1, 4, 6, generator=torch_generator(0, "x")) * 2 - 1
    model = trained(built(given="quadrants", observed=2), x, torch.zeros(40))
    whole = model.complete(x, torch_generator(0, "z"))
    assert torch.equal(whole[..., :3], x[..., :3]) and not torch.equal(whole[..., 3:], x[..., 3:])
    other = x.clone()
    other[..., 3:] = 0.5
    assert torch.equal(model.complete(other, torch_generator(0, "z")), whole), "the completion saw hidden pixels"
    assert model.given == ()


def test_only_hidden_pixels_are_rated() -> None:
    """Of 24 pixels three quadrants are seen: six count, each as likely black as white under a decoder of zeros."""
    x = torch.ones(5, 1, 4, 6)
    model = built(given="quadrants", observed=3, likelihood="bernoulli")
    model.decoder[-1].weight.data.zero_()
    context = model.context(x, None, None)
    rated = model.log_likelihood(x, torch.zeros(5, 2), context)
    torch.testing.assert_close(rated.detach(), -6 * torch.full((5,), 2.0).log())


def test_a_label_makes_its_image() -> None:
    label = torch.arange(200) % 2
    x = torch.where(label[:, None, None, None] == 0, -0.8, 0.8).expand(-1, 1, 4, 6).contiguous()
    model = trained(built(), x, label, steps=500)
    asked = torch.tensor([0, 1, 1, 0])
    means = model.sample(4, torch_generator(0, "z"), label=asked).mean((1, 2, 3))
    assert torch.equal(means > 0, asked > 0)
    rated = [model.estimate(x[:20], torch_generator(0, "e"), 50, label=y).value.mean() for y in (label[:20], 1 - label[:20])]
    assert rated[0] > rated[1]
    with pytest.raises(InputError, match="label"):
        model.estimate(x[:5], torch_generator(0, "e"), 5)


def test_attributes_of_simulated_strokes() -> None:
    samples = Strokes(size=8, style="counts").simulate(60, 0)
    space = Space.of(samples)
    model = built(space, given="attributes")
    condition = torch.from_numpy(samples.condition)
    trained(model, space.encode(samples.x), torch.from_numpy(samples.label), condition)
    assert model.given == ("label", "condition")
    context = model.context(space.encode(samples.x), torch.from_numpy(samples.label), condition)
    assert context.shape == (60, 12) and context[:, 10:].amin(0).tolist() == [-1, -1] and context[:, :10].sum() == 60
    drawn = model.sample(6, torch_generator(0, "z"), label=torch.arange(6), condition=condition[:6])
    assert drawn.shape == (6, 1, 8, 8)
    assert (model.conditions(100, torch_generator(0, "c")) <= model.context.range.high).all()
    with pytest.raises(InputError, match="slant"):
        model.sample(6, torch_generator(0, "z"), condition=condition[:6] + 1e3)


@pytest.mark.parametrize("given", ["label", "attributes"])
def test_what_samples_lack_is_refused(given: str) -> None:
    with pytest.raises(InputError, match="cvae.given"):
        built(Space("image", (1, 4, 6), (0.0, 1.0)), given=given)

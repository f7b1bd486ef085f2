"""The ladder VAE: its product of normals, and its bound against an exact chain of normals."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal

from domain.errors import InputError
from domain.generators.ladder_vae import LadderVAE, LadderVAEConfig
from domain.nets.code_chain import product
from domain.nets.codes import Gaussian
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space

DEVIATION = 0.5
SPACE = Space("image", (1, 2, 2), (0.0, 1.0))


def built(**options: object) -> LadderVAE:
    with scoped_seed(0, "test"):
        return LadderVAE(LadderVAEConfig(latents=(3, 2), widths=(8, 6), batch=16, **options), SPACE).eval()


def test_a_product_of_normals_is_their_density_s_product_normalised() -> None:
    a, b = (Gaussian(*torch.randn(2, 5, 1, generator=torch_generator(seed, "n"))) for seed in (0, 1))
    both = product(a, b)
    z = torch.linspace(-2, 2, 9)[:, None, None].expand(-1, 5, 1)
    difference = a.log_prob(z) + b.log_prob(z) - both.log_prob(z)
    torch.testing.assert_close(difference, difference[:1].expand(9, -1), atol=1e-4, rtol=1e-4)


class Chain(nn.Module):
    """z_1 | z_2 ~ N(z_2 A, ½)."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, z: Tensor) -> Gaussian:
        return Gaussian(z @ self.weight, torch.full((len(z), self.weight.shape[1]), 0.5).log())


def test_bounds_and_exact_are_in_order() -> None:
    model = built()
    a, w = 0.5 * torch.randn(2, 3, generator=torch_generator(0, "a")), 0.08 * torch.randn(3, 4, generator=torch_generator(0, "w"))
    model.chain.down[1], model.chain.above[1] = nn.Identity(), Chain(a)
    model.chain.shown = lambda z: torch.atanh((z @ w).clamp(-0.999, 0.999))
    model.pixels.log_deviation.data.fill_(torch.tensor(DEVIATION).log())
    for head in model.chain.read:  # what the way up reads is vague, so that the posterior is near the prior, and wide enough
        head.linear.weight.data.mul_(0.1)
        head.linear.bias.data[head.linear.out_features // 2 :] = 20
    x = 0.5 * torch.randn(40, 1, 2, 2, generator=torch_generator(0, "x"))
    codes = a.T @ a + 0.5 * torch.eye(3)
    exact = MultivariateNormal(torch.zeros(4), w.T @ codes @ w + DEVIATION**2 * torch.eye(4)).log_prob(x.flatten(1))
    few, many = (model.estimate(x, torch_generator(0, "z"), draws) for draws in (5, 4000))
    assert many.single.mean() < few.value.mean() < many.value.mean() + 0.01
    torch.testing.assert_close(many.value.mean().float(), exact.mean(), atol=0.03, rtol=0)


def test_levels_run_down_one_chain() -> None:
    model = built()
    noise, chain = model.code_noise(7, torch_generator(0, "z"))["z"], model.chain
    low, high = chain.descend(None, noise)
    torch.testing.assert_close(high.z, noise[:, 3:], msg="the top is standard normal")
    expected = chain.above[1](chain.down[1](high.z))
    torch.testing.assert_close(low.z, expected.mean + (0.5 * expected.log_variance).exp() * noise[:, :3])
    top = model.levels(torch.zeros(7, 1, 2, 2), {"z": noise})[1].posterior
    assert (top.log_variance < 0).all(), "a product is narrower than its standard normal factor"
    torch.testing.assert_close(Normal(0.0, 1.0).log_prob(high.z).sum(1), high.prior.log_prob(high.z))


def test_warm_up_weighs_every_level() -> None:
    model = built(warm_up=2)
    batch, noise = {"real": (torch.zeros(16, 1, 2, 2),)}, model.noise(model.players[0], torch_generator(0, "n"))
    weights = []
    for _ in range(4):
        weights.append(model.bound_terms(batch, noise)["kl_1"].detach())
        model.after(model.players[0], batch, noise)
    torch.testing.assert_close(torch.stack(weights) / weights[-1], torch.tensor([0, 0.5, 1, 1]))


def test_levels_without_width_are_refused() -> None:
    with pytest.raises(InputError, match="train.ladder_vae.model.latents"):
        LadderVAEConfig.parse({"latents": [4, 2]}, "train.ladder_vae.model")

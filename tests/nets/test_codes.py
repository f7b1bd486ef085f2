"""Distributions of codes: their draws, densities and gradients against what is known of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.nn.functional import normalize

from domain.nets.codes import Gaussian, PowerSpherical, gamma, reflect
from domain.objectives.divergences import (
    kl_between_normals,
    kl_to_standard_normal,
    kl_to_uniform_on_sphere,
    log_area,
)
from domain.randomness import torch_generator

DRAWS = 200_000


def cosines(concentration: Tensor, latent: int, count: int = DRAWS) -> tuple[Tensor, Tensor]:
    """Draws about a random mean, and their cosines to it."""
    mean = normalize(torch.randn(latent + 1, generator=torch_generator(1, "mean")), dim=0)
    code = PowerSpherical(mean.expand(count, -1), concentration.expand(count))
    z = code.draw(PowerSpherical.noise((count,), latent, torch_generator(0, "noise")))
    return z, (z * mean).sum(1)


@pytest.mark.parametrize("latent", [1, 2, 4, 40])
@pytest.mark.parametrize("concentration", [1.0, 2.0, 300.0])
def test_power_spherical_draws_follow_their_density(latent: int, concentration: float) -> None:
    z, cosine = cosines(torch.tensor(concentration), latent, 20_000)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(20_000))
    marginal = stats.beta(latent / 2 + concentration, latent / 2)
    assert stats.kstest(((1 + cosine) / 2).double().clamp(0, 1), marginal.cdf).pvalue > 1e-3


@pytest.mark.parametrize(("latent", "concentration"), [(4, 2.0), (2, 1.0), (9, 30.0)])
def test_pathwise_gradient_of_the_mean_cosine(latent: int, concentration: float) -> None:
    """E[cos] = κ / (κ + d), so its derivative is d / (κ + d)²: 0.1111 in five dimensions (d = 4) at κ = 2."""
    kappa = torch.tensor(concentration, requires_grad=True)
    _, cosine = cosines(kappa, latent)
    each = torch.autograd.grad(cosine.mean(), kappa)[0]
    assert float(cosine.detach().mean()) == pytest.approx(concentration / (concentration + latent), abs=3e-3)
    assert float(each) == pytest.approx(latent / (concentration + latent) ** 2, rel=0.02)


def test_gradient_of_a_second_moment_against_its_derivative() -> None:
    """Of E[cos²], which is 4 var + mean² of the beta distribution's cosine, by central differences."""
    def second(k: float) -> float:
        share = stats.beta(2 + k, 2)
        return 4 * share.var() + (2 * share.mean() - 1) ** 2

    kappa = torch.tensor(2.0, requires_grad=True)
    gradient = torch.autograd.grad(cosines(kappa, 4)[1].square().mean(), kappa)[0]
    assert float(gradient) == pytest.approx((second(2.001) - second(1.999)) / 0.002, rel=0.03)


def test_gamma_numbers_and_their_gradient() -> None:
    """E[log G] = ψ(a), so its derivative is the trigamma function."""
    generator = torch_generator(0, "gamma")
    shape = torch.tensor(1.5, requires_grad=True)
    normal = torch.randn(DRAWS, 6, generator=generator)
    number = gamma(shape.expand(DRAWS), normal, torch.rand(DRAWS, 6, generator=generator).log())
    assert stats.kstest(number[:20_000].detach(), stats.gamma(1.5).cdf).pvalue > 1e-3
    gradient = torch.autograd.grad(number.log().mean(), shape)[0]
    assert float(gradient) == pytest.approx(float(torch.polygamma(1, torch.tensor(1.5))), rel=0.02)


@pytest.mark.parametrize(("latent", "concentration"), [(1, 1.0), (2, 5.0), (4, 2.0), (20, 60.0)])
def test_kl_to_uniform_against_numeric_integration(latent: int, concentration: float) -> None:
    """Over the angle a to the mean, where the area of a ring is sin(a)^{d − 1} times a sphere of one dimension less."""
    angle = (np.arange(200_000) + 0.5) * np.pi / 200_000
    area = np.exp(log_area(latent - 1)) * np.sin(angle) ** (latent - 1)
    mean = torch.zeros(latent + 1)
    mean[0] = 1
    code = PowerSpherical(mean, torch.tensor(concentration).double())
    log_p = concentration * np.log1p(np.cos(angle)) - float(code.log_normaliser)
    mass = np.exp(log_p) * area * np.pi / 200_000
    assert mass.sum() == pytest.approx(1, rel=1e-5)
    direct = (mass * (log_p + log_area(latent))).sum()
    closed = kl_to_uniform_on_sphere(code.concentration, code.log_normaliser, latent)
    assert float(closed) == pytest.approx(direct, rel=1e-5)


def test_the_density_is_the_one_integrated_above() -> None:
    z = normalize(torch.tensor([[1.0, 2.0, -1.0], [0.0, 0.0, 1.0]]), dim=1)
    code = PowerSpherical(normalize(torch.tensor([1.0, 1.0, 0.0]), dim=0).expand(2, -1), torch.tensor([3.0, 3.0]))
    cosine = z @ code.mean[0]
    torch.testing.assert_close(code.log_prob(z), 3 * torch.log1p(cosine) - code.log_normaliser)
    assert math.exp(log_area(2)) == pytest.approx(4 * math.pi)


def test_any_output_of_an_encoder_is_a_distribution() -> None:
    out = torch.tensor([[3.0, 4.0, 0.0, 0.0], [0.1, 0.0, 0.0, 7.0], [0.0, 2.0, 0.0, 1e4], [0.0, 0.0, 5.0, -1e4]])
    code = PowerSpherical.of(out)
    torch.testing.assert_close(code.mean[0], torch.tensor([0.6, 0.8, 0.0]))
    torch.testing.assert_close(code.concentration[:2], torch.tensor([2.5, 0.5 + 2 * math.exp(7)]))
    z = code.draw(PowerSpherical.noise((4,), 2, torch_generator(0, "noise")))
    kl = kl_to_uniform_on_sphere(code.concentration, code.log_normaliser, 2)
    assert z.isfinite().all() and code.log_prob(z).isfinite().all() and (kl >= 0).all()


def test_reflection_takes_the_first_axis_to_the_mean() -> None:
    mean = normalize(torch.randn(3, 5, generator=torch_generator(0, "x")), dim=1)
    first = torch.eye(5)[0].expand(3, -1)
    torch.testing.assert_close(reflect(first, mean), mean)
    torch.testing.assert_close(reflect(first, first), first)


def test_normal_divergences_against_torch() -> None:
    mean, log_variance, other, other_log_variance = torch.randn(4, 7, 3, generator=torch_generator(0, "x"))
    p, q = (torch.distributions.Normal(m, (0.5 * v).exp()) for m, v in ((mean, log_variance), (other, other_log_variance)))
    known = torch.distributions.kl_divergence
    torch.testing.assert_close(kl_between_normals(mean, log_variance, other, other_log_variance), known(p, q).sum(1))
    standard = torch.distributions.Normal(0.0, 1.0)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), known(p, standard).sum(1))
    torch.testing.assert_close(Gaussian(mean, log_variance).log_prob(other), p.log_prob(other).sum(1))

"""Every prior's density integrates to one, and its draws follow it."""

from __future__ import annotations

import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from domain.errors import InputError
from domain.nets.codes import Gaussian, PowerSpherical
from domain.nets.priors import Aggregate, Flow, Mixture, Prior, Sphere, StandardNormal, Vamp
from domain.randomness import scoped_seed, torch_generator

SIDE, REACH = 401, 10.0


def posterior(images: Tensor) -> Gaussian:
    """Two pixels are the mean of a code; its deviation is a half."""
    return Gaussian(2 * images.flatten(1), torch.full((len(images), 2), -1.4))


def planar(name: str) -> Prior:
    """A prior of codes in the plane, away from its start values."""
    with scoped_seed(0, name):
        if name == "vamp":
            prior = Vamp(3, (1, 1, 2), posterior)
            prior.begin(torch.rand(10, 1, 1, 2) * 2 - 1, torch_generator(0, "begin"))
        elif name == "aggregate":
            prior = Aggregate(2, 3)
            prior.fit(torch.randn(300, 2) * torch.tensor([1.0, 0.4]) + torch.randint(0, 3, (300, 1)), torch_generator(0, "fit"))
        else:
            made = {"standard": lambda: StandardNormal(2), "mixture": lambda: Mixture(2, 3), "flow": lambda: Flow(2, 2, (8,))}
            prior = made[name]()
            for parameter in prior.parameters():
                parameter.data.add_(0.3 * torch.randn_like(parameter))
    return prior.requires_grad_(False)


@pytest.mark.parametrize("name", ["standard", "mixture", "vamp", "flow", "aggregate"])
def test_density_integrates_to_one_and_draws_follow_it(name: str) -> None:
    prior = planar(name)
    axis = torch.linspace(-REACH, REACH, SIDE)
    z = torch.cartesian_prod(axis, axis)
    mass = prior.log_prob(z).double().exp() * (2 * REACH / (SIDE - 1)) ** 2
    assert float(mass.sum()) == pytest.approx(1, abs=5e-3)  # a spline has kinks between grid points
    drawn = prior.draw(20_000, torch_generator(0, "draw")).double()
    mean = (mass[:, None] * z).sum(0)
    torch.testing.assert_close(drawn.mean(0), mean, atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.var(0), (mass[:, None] * (z - mean) ** 2).sum(0), atol=0.05, rtol=0.05)


def test_leading_axes_are_free() -> None:
    z = torch.randn(4, 5, 2, generator=torch_generator(0, "z"))
    for name in ("standard", "mixture", "vamp", "flow", "aggregate"):
        prior = planar(name)
        torch.testing.assert_close(prior.log_prob(z), torch.stack([prior.log_prob(row) for row in z]))


def test_mixture_against_torch() -> None:
    prior = planar("mixture")
    weights = torch.distributions.Categorical(logits=prior.logits)
    parts = torch.distributions.Independent(torch.distributions.Normal(prior.mean, (0.5 * prior.log_variance).exp()), 1)
    z = torch.randn(30, 2, generator=torch_generator(0, "z"))
    expected = torch.distributions.MixtureSameFamily(weights, parts).log_prob(z)
    torch.testing.assert_close(prior.log_prob(z), expected, atol=1e-4, rtol=1e-4)


def test_aggregate_is_scikit_learns_mixture() -> None:
    codes = torch.randn(400, 3, generator=torch_generator(0, "codes")) ** 3
    prior = Aggregate(3, 4)
    torch.testing.assert_close(prior.log_prob(codes), StandardNormal(3).log_prob(codes), msg="standard normal at first")
    generator = torch_generator(0, "fit")
    prior.fit(codes, generator)
    seed = int(torch.randint(2**31, (), generator=torch_generator(0, "fit")))
    theirs = GaussianMixture(4, reg_covar=1e-4, random_state=seed).fit(codes.double().numpy())
    expected = torch.from_numpy(theirs.score_samples(codes.double().numpy())).float()
    torch.testing.assert_close(prior.log_prob(codes), expected, atol=1e-3, rtol=1e-3)
    with pytest.raises(InputError, match="fewer components"):
        prior.fit(codes[:7], generator)


def test_closed_forms_are_the_mean_of_the_monte_carlo_ones() -> None:
    out = torch.randn(1, 4, generator=torch_generator(0, "out")).expand(100_000, -1)
    pairs = ((StandardNormal(2), Gaussian), (Sphere(3), PowerSpherical))
    for prior, kind in pairs:
        code = kind.of(out)
        z = code.draw(kind.noise((len(out),), 2, torch_generator(0, "noise")))
        assert float(prior.kl(code, z)[0]) == pytest.approx(float(Prior.kl(prior, code, z).mean()), abs=0.01)


def test_a_flow_of_one_number_is_refused() -> None:
    with pytest.raises(InputError, match="latent"):
        Flow(1, 2, (8,))

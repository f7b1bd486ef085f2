"""The VAE's bounds against exact answers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from domain.errors import InputError
from domain.generators.iwae import IWAEConfig
from domain.generators.vae import VAE, VAEConfig
from domain.metrics.likelihood import importance_sampled
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.training import Budget, fit

DEVIATION = 0.5
SMALL = Space("image", (1, 2, 2), (0.0, 1.0))


class Linear(nn.Module):
    """A decoder x = Wz; with Gaussian noise, log p(x) is known: N(0, WWᵀ + σ²)."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, z: Tensor) -> Tensor:
        return torch.atanh((z @ self.weight.T).clamp(-0.999, 0.999)).reshape(-1, 1, 2, 2)


@pytest.fixture
def linear() -> tuple[VAE, Tensor, Tensor]:
    """A VAE with that decoder, images, and their exact log-likelihood."""
    with scoped_seed(0, "test"):
        model = VAE(VAEConfig(latent=2, width=4), SMALL).eval()
        weight = 0.05 * torch.randn(4, 2)
        x = 0.5 * torch.randn(50, 1, 2, 2)
    model.decoder = Linear(weight)
    model.pixels.log_deviation.data.fill_(torch.tensor(DEVIATION).log())
    exact = MultivariateNormal(torch.zeros(4), weight @ weight.T + DEVIATION**2 * torch.eye(4)).log_prob(x.flatten(1))
    return model, x, exact


def test_bound_and_importance_weighted_bound_and_exact_are_in_order(linear: tuple[VAE, Tensor, Tensor]) -> None:
    model, x, exact = linear
    few, many = (model.estimate(x, torch_generator(0, "z"), draws) for draws in (5, 2000))
    assert model.density(x, torch_generator(0, "z")).kind == "bound"
    assert many.single.mean() <= few.value.mean() <= many.value.mean() + 0.01
    torch.testing.assert_close(many.value.mean().float(), exact.mean(), atol=0.03, rtol=0)


def test_codes_fitted_to_each_image_mend_a_wrong_encoder(linear: tuple[VAE, Tensor, Tensor]) -> None:
    model, x, exact = linear
    model.encoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 4))
    model.encoder[1].bias.data.copy_(torch.tensor([2.0, -2.0, -2.0, 0.0]))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    drawn = model.estimate(x, torch_generator(0, "z"), 200)
    fitted = model.estimate_fitted(x, torch_generator(0, "z"), 200, 200)
    assert (fitted.value - exact).abs().mean() < 0.1 * (drawn.value - exact).abs().mean()
    assert fitted.effective.median() > 100 > drawn.effective.median()
    torch.testing.assert_close(fitted.value.mean().float(), exact.mean(), atol=0.03, rtol=0)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items()), "the model is left as it was"


@pytest.mark.parametrize("options", [{"code": "sphere"}, {"prior": "vamp"}, {"binarise": True}])
def test_few_fitted_codes_say_what_many_codes_say(options: dict[str, object]) -> None:
    with scoped_seed(0, "test"):
        model = VAE(VAEConfig(latent=3, network="mlp", hidden=(8,), likelihood="bernoulli", **options), SMALL).eval()
        x = torch.randint(0, 2, (30, 1, 2, 2)) * 2.0 - 1
    many = model.estimate(x, torch_generator(0, "z"), 5000)
    few = model.estimate_fitted(x, torch_generator(0, "z"), 50, 100)
    torch.testing.assert_close(few.value.mean(), many.value.mean(), atol=0.1, rtol=0)


def test_exact_posterior_makes_every_bound_exact(linear: tuple[VAE, Tensor, Tensor]) -> None:
    """All weights are then equal: one draw tells p(x), and every draw counts."""
    model, x, exact = linear
    weight = model.decoder.weight
    precision = torch.eye(2) + weight.T @ weight / DEVIATION**2
    basis = torch.linalg.eigh(precision)
    model.decoder.weight = weight @ basis.eigenvectors  # turned so that the posterior's axes are the code's
    mean = x.flatten(1) @ model.decoder.weight / DEVIATION**2 / basis.eigenvalues
    out = torch.cat([mean, (-basis.eigenvalues.log()).expand(50, 2)], 1)
    rows = iter(out.split(20))
    model.encoder.forward = lambda _: next(rows)
    found = model.estimate(x, torch_generator(0, "z"), 7)
    torch.testing.assert_close(found.value.float(), exact, atol=2e-3, rtol=0)
    torch.testing.assert_close(found.single.float(), exact, atol=2e-3, rtol=0)
    torch.testing.assert_close(found.effective, torch.full((50,), 7.0).double(), atol=1e-2, rtol=0)


def test_importance_sampled_log_likelihood_with_its_error(linear: tuple[VAE, Tensor, Tensor]) -> None:
    model, x, exact = linear
    record = importance_sampled(model, x, draws=500, seed=0)
    assert record["nll"] == pytest.approx(-float(exact.mean()), abs=0.03)
    assert record["elbo"] >= record["nll"] and record["draws"] == 500
    assert record["nll_error"] == pytest.approx(float(exact.std() / 50**0.5), rel=0.05)
    assert 1 <= record["effective_least"] <= record["effective_median"] <= 500


def test_warm_up_weighs_the_kl_by_the_steps_done() -> None:
    with scoped_seed(0, "test"):
        model = VAE(VAEConfig(latent=2, width=4, batch=5, warm_up=4, beta=2.0), SMALL)
    batch = {"real": (torch.zeros(5, 1, 2, 2),)}
    (player,) = model.players
    noise = model.noise(player, torch_generator(0, "noise"))
    weights = []
    for _ in range(6):
        weights.append(float(model.bound_terms(batch, noise)["kl"].detach()))
        model.after(player, batch, noise)
    assert [weight / weights[-1] for weight in weights] == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1])


def test_a_drawn_binarisation_is_as_likely_as_the_pixel_is_white() -> None:
    with scoped_seed(0, "test"):
        model = VAE(VAEConfig(latent=2, width=4, batch=4000, likelihood="bernoulli", binarise=True), SMALL)
    seen: list[Tensor] = []
    model.posterior = lambda x: seen.append(x) or VAE.posterior(model, x)
    noise = model.noise(model.players[0], torch_generator(0, "noise"))
    model.bound_terms({"real": (torch.full((4000, 1, 2, 2), -0.5),)}, noise)
    assert set(seen[0].unique().tolist()) == {-1.0, 1.0}
    assert float((seen[0] > 0).float().mean()) == pytest.approx(0.25, abs=0.02)


def test_aggregate_prior_samples_where_the_codes_lie() -> None:
    with scoped_seed(0, "test"):
        space = Space("image", (1, 8, 8), (0.0, 1.0))
        model = VAE(VAEConfig(latent=2, network="mlp", hidden=(8,), prior="aggregate", components=2, beta=0.0), space)
        x = torch.where(torch.arange(200)[:, None, None, None] % 2 == 0, 0.8, -0.8).expand(-1, 1, 8, 8).contiguous()
        fit(model, model.streams(x, torch.zeros(200)), Budget(steps=60, precision="float32"), seed=0)
    drawn = model.prior.draw(2000, torch_generator(0, "draw"))
    codes = model.encode(x)
    assert not torch.allclose(model.prior.mean[0], model.prior.mean[1])
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.15, rtol=0.15)


def test_decoders_see_codes_on_a_sphere_as_wide_as_normal_ones() -> None:
    model = VAE(VAEConfig(latent=7, width=4, code="sphere"), SMALL)
    z = model.drawn(1000, torch_generator(0, "z"))
    torch.testing.assert_close(z.norm(dim=1), torch.ones(1000))
    torch.testing.assert_close(model.decoder[0](z).std(0), torch.ones(8), atol=0.1, rtol=0)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"code": "sphere", "prior": "flow"}, "prior"),
        ({"prior": "vamp"}, "prior"),
        ({"binarise": True}, "binarise"),
    ],
)
def test_contradictions_are_refused(options: dict, key: str) -> None:
    with pytest.raises(InputError, match=f"train.vae.model.{key}"):
        VAEConfig.parse(options, "train.vae.model")


def test_the_encoder_in_a_prior_cannot_be_held_constant() -> None:
    with pytest.raises(InputError, match="train.iwae.model.doubly"):
        IWAEConfig.parse({"prior": "vamp", "network": "mlp", "doubly": True}, "train.iwae.model")

"""Autoencoders with adversaries: what their critics estimate, against exact answers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from domain.generators.adversarial_autoencoder import AdversarialAutoencoder
from domain.generators.adversarial_variational_bayes import AdversarialVariationalBayes
from domain.generators.alpha_gan import AlphaGAN
from domain.generators.vae import VAE
from domain.generators.vae_gan import VAEGAN
from domain.nets.basis_noise import BasisNoise, Mixed, mix
from domain.objectives.adversarial import cross_entropy
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.system import System
from domain.training import Budget, fit

DIGITS = Space("image", (1, 8, 8), (0.0, 16.0), integer=True, classes=10)
PAIR = Space("image", (1, 1, 2), (-1.0, 1.0))
LINE = Space("table", (1,), (-1.0, 1.0))
PRIOR, OTHER = Normal(0.0, 1.0), Normal(1.0, 0.5)
MLP: dict[str, Any] = {"network": "mlp", "hidden": [32, 32], "batch": 128}


def build(kind: type[System], options: dict[str, Any], space: Space) -> Any:
    with scoped_seed(0, "start values"):
        return kind(kind.Config.parse(options, "test"), space)


class Zero(nn.Module):
    """A critic that cannot tell."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros(len(x), 1)


class Ratio(nn.Module):
    """The best critic of two normal numbers: log p(x) − log q(x)."""

    def __init__(self, p: Normal, q: Normal, columns: bool) -> None:
        super().__init__()
        self.p, self.q, self.columns = p, q, columns

    def forward(self, x: Tensor) -> Tensor:
        score = self.p.log_prob(x) - self.q.log_prob(x)
        return score if self.columns else score.squeeze(1)


class Quadratic(nn.Module):
    """A critic that can be the log ratio of any two normal densities: linear in z and z², blind for x."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)
        nn.init.zeros_(self.linear.weight)

    def forward(self, both: Tensor) -> Tensor:
        z = both[:, -1:]
        return self.linear(torch.cat([z, z**2], 1))


@pytest.mark.parametrize("smooth", [False, True])
def test_codes_mixed_from_noise_of_any_shape_have_the_mean_and_deviation_they_say(smooth: bool) -> None:
    with scoped_seed(0, "start values"):
        noise = BasisNoise(3, 2, (8,), 2, smooth)
    v = noise(noise.draw(20_000, torch_generator(0, "noise")))
    torch.testing.assert_close(v.mean(0), torch.zeros(3, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(v.var(0, unbiased=False), torch.ones(3, 2), atol=1e-2, rtol=0)
    mean, weight = torch.tensor([0.5, -2.0]), torch.tensor([[1.0, 0.1], [-2.0, 0.2], [2.0, 0.2]])
    code = mix(torch.cat([mean, weight.flatten()]).expand(20_000, -1), v)
    torch.testing.assert_close(code.z.mean(0), mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(code.log_deviation[0].exp(), torch.tensor([3.0, 0.3]))
    torch.testing.assert_close(code.z.std(0), torch.tensor([3.0, 0.3]), rtol=0.03, atol=0)
    torch.testing.assert_close(code.standard.std(0), torch.ones(2), rtol=0.03, atol=0)


@pytest.mark.parametrize("adaptive", [False, True])
def test_the_best_critic_of_a_normal_posterior_gives_its_divergence(adaptive: bool) -> None:
    model = build(AdversarialVariationalBayes, {**MLP, "latent": 1, "adaptive": adaptive}, PAIR)
    model.critic = Quadratic()
    standard, prior = torch.randn(2, 20_000, 1, generator=torch_generator(0, "codes"))
    code = Mixed(OTHER.mean + OTHER.stddev * standard, standard, OTHER.stddev.log().expand(20_000, 1))
    x = torch.zeros(20_000, *PAIR.shape)
    optimiser = torch.optim.LBFGS(model.critic.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = cross_entropy(model.score(x, code.standard if adaptive else code.z), model.score(x, prior)).mean()
        value.backward()
        return value

    optimiser.step(loss)
    exact = float(kl_divergence(OTHER, PRIOR))
    assert float(model.divergence(x, code).mean().detach()) == pytest.approx(exact, abs=0.03)


class Square(nn.Module):
    """Codes ±z give the same picture, so that its posterior has two peaks."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.atanh((0.4 * z**2 - 0.6).clamp(-0.99, 0.99)).reshape(-1, 1, 1, 1).expand(-1, 1, 1, 2)


def two_peaks(kind: type[System], options: dict[str, Any], x: Tensor) -> Any:
    """A model whose decoder is given, so that only the posterior is learned."""
    model = build(kind, {**MLP, "latent": 1, **options}, PAIR)
    model.decoder = Square()
    model.pixels.log_deviation.data.fill_(math.log(0.2))
    (*rest, player) = model.players
    roles = tuple(role for role in player.roles if role not in ("decoder", "pixels"))
    model.players = (*rest, type(player)(player.name, roles, player.terms, player.optimiser))
    model.start = lambda *_: None
    fit(model, model.streams(x, torch.zeros(len(x))), Budget(steps=400, average=0.98, hold=0.5, precision="float32"), seed=0)
    return model


def test_a_posterior_of_any_shape_bounds_more_tightly_than_a_normal_one() -> None:
    """The evidence bound of both, in nats, with q's entropy told by its draws and not by the critic."""
    z = torch.randn(2000, 1, generator=torch_generator(0, "z"))
    clean = torch.tanh(Square()(z))
    x = clean + 0.2 * torch.randn(clean.shape, generator=torch_generator(0, "x"))
    vae = two_peaks(VAE, {}, x)
    avb = two_peaks(
        AdversarialVariationalBayes, {"critic_hidden": [64, 64], "basis_hidden": [32], "bases": 2, "inputs": 1}, x
    )
    rated = {
        name: model.estimate(x[:40], torch_generator(0, "draws"), 2000) for name, model in {"vae": vae, "avb": avb}.items()
    }
    exact = float(rated["vae"].value.mean())
    gap = {name: exact - float(found.single.mean()) for name, found in rated.items()}
    assert 0 < gap["avb"] < 0.5 * gap["vae"], gap
    assert float(rated["avb"].value.mean()) == pytest.approx(exact, abs=0.05)
    seen = x[:40].repeat_interleave(500, 0)
    with torch.no_grad():
        free = avb.posterior(seen, avb.code_noise(len(seen), torch_generator(0, "draws")))
        own = (avb.log_likelihood(seen, free.z) - avb.divergence(seen, free)).mean()
    assert float(own) == pytest.approx(float(rated["avb"].single.mean()), abs=0.5), "the critic tells the divergence"


class Shift(nn.Module):
    """A network that adds a number."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return x + self.by


def test_synthetic_likelihood_and_prior_are_divergences_where_both_critics_are_best() -> None:
    """With networks that change nothing, codes are samples: KL(p ‖ p*), −KL(p* ‖ p) and KL(q ‖ p) in turn."""
    model = build(AlphaGAN, {"latent": 1, "hidden": [4], "code_hidden": [4], "reconstruction": 3.0}, LINE)
    model.encoder = model.decoder = nn.Identity()
    model.critic, model.code_critic = Ratio(OTHER, PRIOR, columns=False), Ratio(OTHER, PRIOR, columns=True)
    real, drawn = torch.randn(2, 100_000, 1, generator=torch_generator(0, "x"))
    batch, noise = {"real": (OTHER.mean + OTHER.stddev * real,)}, {"z": drawn}
    terms = model.decoder_terms(batch, noise)
    forward, backward = float(kl_divergence(PRIOR, OTHER)), float(kl_divergence(OTHER, PRIOR))
    assert float(terms["drawn"]) == pytest.approx(forward, abs=0.1)
    assert float(terms["rebuilt"]) == pytest.approx(-backward, abs=0.02)
    assert float(model.encoder_terms(batch, noise)["kl"]) == pytest.approx(backward, abs=0.02)
    assert float(terms["reconstruction"]) == 0
    model.decoder = Shift(0.5)
    assert float(model.encoder_terms(batch, noise)["reconstruction"]) == pytest.approx(3 * 0.5, abs=1e-4)


def test_likeness_is_half_the_squared_distance_of_what_the_critic_sees() -> None:
    model = build(VAEGAN, {"latent": 1, "hidden": [4], "likeness": 0.1}, LINE)
    model.encoder = nn.Linear(1, 2)
    nn.init.zeros_(model.encoder.weight)
    model.encoder.bias.data = torch.tensor([2.0, -50.0])  # clamped to a deviation of exp(−6)
    model.decoder, model.critic.trunk = nn.Identity(), Shift(7.0)
    model.critic.head = Zero()
    x = torch.tensor([[5.0], [-1.0]])
    batch, noise = {"real": (x,)}, {"z": torch.zeros(2, 1), "code": torch.zeros(2, 1)}
    terms = model.encoder_terms(batch, noise)
    assert float(terms["likeness"].detach()) == pytest.approx((3**2 + 3**2) / 4)
    assert float(terms["kl"].detach()) == pytest.approx(0.5 * (math.exp(-12) + 4 - 1 + 12), rel=1e-5)
    terms = model.decoder_terms(batch, noise)
    assert float(terms["likeness"].detach()) == pytest.approx(0.1 * (3**2 + 3**2) / 4)
    assert float(terms["adversarial"]) == pytest.approx(math.log(2))
    assert float(model.critic_terms(batch, noise)["adversarial"]) == pytest.approx(2 * math.log(2))


def test_critics_of_codes_that_cannot_tell() -> None:
    model = build(AdversarialAutoencoder, {**MLP, "latent": 2, "categories": 3, "match": 5.0, "batch": 8}, DIGITS)
    model.critics = nn.ModuleList([Zero(), Zero()])
    batch, noise = {"real": (torch.zeros(8, 1, 8, 8),)}, {"z": model.drawn(8, torch_generator(0, "z"))}
    assert float(model.critic_terms(batch, noise)["match"]) == pytest.approx(2 * 2 * math.log(2))
    assert float(model.model_terms(batch, noise)["match"].detach()) == pytest.approx(5 * 2 * math.log(2))
    category, normal = noise["z"].split([3, 2], 1)
    assert category.sum(1).eq(1).all() and category.max(1).values.eq(1).all() and normal.std() > 0.5
    torch.testing.assert_close(model.encode(batch["real"][0])[:, :3].sum(1), torch.ones(8))


def test_codes_come_to_lie_as_the_prior() -> None:
    """Without the critic's word they lie anywhere: the spread of digits' codes is then not 1."""
    x = torch.from_numpy(load_digits().images).float()[:, None] / 8 - 1
    spread = {}
    for match in (0.0, 10.0):
        options = {**MLP, "latent": 2, "hidden": [64], "critic_hidden": [32], "batch": 64, "match": match}
        model = build(AdversarialAutoencoder, options, DIGITS)
        fit(model, model.streams(x, torch.zeros(len(x))), Budget(steps=300, precision="float32"), seed=0)
        codes = model.encode(x)
        spread[match] = float((codes.std(0).log().abs() + codes.mean(0).abs()).mean())
        error = (model.reconstruct(x) - x).square().mean() / (x - x.mean(0)).square().mean()
        assert error < 0.9
    assert spread[10.0] < 0.5 * spread[0.0]

"""Refiners of showers: what passes through, what is matched, and what no correction can break."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from domain.errors import InputError
from domain.nets.deposits import DepositScores, layer_energies, layer_moments
from domain.nets.ranks import drawn_scores
from domain.randomness import scoped_seed, torch_generator
from domain.refiners.base import DepositRefiner, transport
from domain.refiners.shower_matching import ShowerMatching, ShowerMatchingConfig
from domain.refiners.shower_simgan import ShowerSimGAN, ShowerSimGANConfig
from domain.space import Space
from domain.training import Budget, fit

SHAPES = ((2, 4), (3, 3))
SPACE = Space("shower", (17,), (0.0, 1e6), condition=("energy",), units=("GeV",))
SCORES = {"shapes": SHAPES, "knots": 3, "quantiles": 9}
SMALL = {**SCORES, "hidden": (16,), "critic_hidden": (16,), "history": 32, "critic_first": 5, "batch": 16}


def showers(count: int, seed: int, filled: float = 0.7, tilt: float = 0.0, together: float = 0.0) -> Tensor:
    """Deposits whose cells are log-normal and sometimes empty, with 1,000 to 100,000 in all.

    ``tilt`` gives later cells more, ``together`` is the correlation of all cells' logarithms by turns of sign.
    """
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(count, 1)) * np.where(np.arange(17) % 2, 1, -1)
    logs = np.sqrt(together) * common + np.sqrt(1 - together) * rng.normal(size=(count, 17))
    x = np.exp(logs + tilt * np.arange(17)) * (rng.random((count, 17)) < filled)
    x[:, [0, 8]] += 0.1  # no layer is dark
    return torch.from_numpy((x / x.sum(1, keepdims=True) * rng.uniform(1e3, 1e5, (count, 1))).astype(np.float32))


def matching(simulated: Tensor, real: Tensor, **options: object) -> ShowerMatching:
    model = ShowerMatching(ShowerMatchingConfig(**{**SCORES, "mirror": False, **options}), SPACE)
    fit(model, model.streams(simulated, real), Budget(steps=1), 0)
    return model


def simgan(simulated: Tensor, real: Tensor, steps: int, **options: object) -> ShowerSimGAN:
    with scoped_seed(0, "test"):
        model = ShowerSimGAN(ShowerSimGANConfig(**{**SMALL, **options}), SPACE)
    fit(model, model.streams(simulated, real), Budget(steps=steps, log_every=5, precision="float32"), 0)
    return model


def refined(model: DepositRefiner, x: Tensor, seed: int = 0) -> Tensor:
    return model.translate(x, torch_generator(seed, "t"))


def test_scores_come_back_as_the_same_deposits() -> None:
    x = showers(2000, 0)
    scores = DepositScores(SHAPES, 8, 33)
    scores.fit(x, torch.tensor([1, 0]), mirror=False)
    low, high = scores.encode(x)
    assert torch.equal(low[:, 1:][x > 0], high[:, 1:][x > 0]) and low.shape == (2000, 1 + 17)
    for share in (0.0, 0.5, 0.99):  # a cell without deposit has none wherever in its interval it falls
        back = scores.decode(drawn_scores(low, high, torch.full_like(low, share)), x.sum(1))
        assert ((back > 0) == (x > 0)).float().mean() > 0.999  # the least deposit of all may round to none
        assert ((back - x).abs() / x.clamp(min=1)).amax(1).quantile(0.8) < 1e-3  # others lie beyond the last quantiles


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_moments_of_a_layer(precision: torch.dtype) -> None:
    """One hot cell in a corner of the first layer, two equal ones side by side in the second."""
    x = torch.zeros(1, 17, dtype=precision)
    x[0, 0], x[0, [8 + 3, 8 + 5]] = 30.0, 35.0
    found = layer_moments(x, SHAPES).reshape(2, 6)
    assert found.dtype == precision
    expected = [[np.log(0.3), -0.5, 0, -0.75, 0, 1], [np.log(0.7), 0, 0, 0, 2 / 3, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("correlations", [False, True])
def test_the_total_passes_and_shares_are_matched(correlations: bool) -> None:
    simulated, real = showers(3000, 0, filled=0.3), showers(3000, 1, filled=0.8, tilt=0.1)
    out = refined(matching(simulated, real, correlations=correlations), simulated)
    torch.testing.assert_close(out.sum(1), simulated.sum(1), rtol=1e-5, atol=0)
    assert (out >= 0).all()
    np.testing.assert_allclose((out > 0).float().mean(0), (real > 0).float().mean(0), atol=0.03)
    shares = [(layer_energies(x, (8, 9))[:, 0] / x.sum(1)).sort().values for x in (out, real)]
    torch.testing.assert_close(*shares, atol=0.06, rtol=0)


def test_correlations_are_matched_where_asked() -> None:
    simulated, real = showers(3000, 0, filled=1.0), showers(3000, 1, filled=1.0, together=0.6)

    def correlation(x: Tensor) -> float:
        return float(np.corrcoef(x[:, 1:3].log().numpy().T)[0, 1])

    apart, whole = (correlation(refined(matching(simulated, real, correlations=c), simulated)) for c in (False, True))
    assert abs(whole - correlation(real)) < 0.06 < abs(apart - correlation(real))


def test_transport_is_the_optimal_map_between_normal_laws() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 4, 4))
    s, wanted = a @ a.T + np.eye(4), b @ b.T + np.eye(4)
    move = transport(s, wanted)
    np.testing.assert_allclose(move @ s @ move, wanted, atol=1e-8)
    np.testing.assert_allclose(move, move.T, atol=1e-8)
    assert (np.linalg.eigvalsh(move) > 0).all()
    np.testing.assert_allclose(transport(s, s), np.eye(4), atol=1e-8)


def test_equal_simulators_gain_nothing() -> None:
    """Refined towards itself a set stays what it is, empty cells where they were."""
    x = showers(2000, 0)
    out = refined(matching(x, x, correlations=False, knots=8, quantiles=33), x)
    assert ((out > 0) == (x > 0)).float().mean() > 0.999
    assert ((out - x).abs() / x.clamp(min=1)).amax(1).quantile(0.8) < 1e-3


def test_refining_is_a_function_of_the_seed() -> None:
    simulated, real = showers(200, 0, filled=0.3), showers(200, 1)
    model = simgan(simulated, real, 3)
    first, again, other = (refined(model, simulated, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    generator = torch_generator(0, "t")
    parts = [model.translate(part, generator) for part in simulated.split(70)]
    torch.testing.assert_close(torch.cat(parts), first, rtol=1e-3, atol=1)


def test_an_untrained_network_only_matches() -> None:
    simulated, real = showers(200, 0, filled=0.3), showers(200, 1)
    options = {"mirror": True, "correlations": False}
    with scoped_seed(0, "test"):
        model = ShowerSimGAN(ShowerSimGANConfig(**{**SMALL, **options}), SPACE)
    model.streams(simulated, real)
    assert torch.equal(refined(model, simulated), refined(matching(simulated, real, **options), simulated))


def test_whatever_is_learned_keeps_totals_and_signs() -> None:
    simulated, real = showers(200, 0, filled=0.3), showers(200, 1)
    model = simgan(simulated, real, 1)
    torch.nn.init.normal_(model.refiner[-1].weight, std=5.0, generator=torch_generator(0, "w"))
    out = refined(model, simulated)
    assert torch.isfinite(out).all() and (out >= 0).all()
    torch.testing.assert_close(out.sum(1), simulated.sum(1), rtol=1e-5, atol=0)


def test_very_strong_similarity_only_matches() -> None:
    simulated, real = showers(300, 0, filled=1.0), showers(300, 1, filled=1.0, together=0.8)
    changes = {}
    for similarity in (0.0, 1e4):
        model = simgan(simulated, real, 60, similarity=similarity, correlations=False, mirror=False)
        scores = torch.randn(100, model.width, generator=torch_generator(0, "scores"))
        with torch.no_grad():
            changes[similarity] = float((model.refined(scores, simulated[:100].sum(1)) - scores).abs().mean())
    assert changes[1e4] < 0.02 < changes[0.0]


def test_the_history_holds_showers_of_their_own_total() -> None:
    simulated, real = showers(100, 0), showers(100, 1)
    model = simgan(simulated, real, 3)
    assert model.history.kept == 24
    assert torch.isin(model.history.past[:24, -1], simulated.sum(1)).all()


def test_dark_showers_are_not_learned_from() -> None:
    """They have no shares; where a tenth of both sides is dark, the rest is refined as if it were all."""
    simulated, real, dark = showers(300, 0), showers(300, 1, tilt=0.1), torch.zeros(30, 17)
    with_them = matching(torch.cat([dark, simulated]), torch.cat([real, dark]))
    assert torch.equal(refined(with_them, simulated), refined(matching(simulated, real), simulated))
    assert torch.equal(refined(with_them, dark), dark)


def test_a_dark_shower_stays_dark() -> None:
    model = simgan(showers(100, 0), showers(100, 1), 1)
    assert torch.equal(refined(model, torch.zeros(2, 17)), torch.zeros(2, 17))


@pytest.mark.parametrize(
    ("space", "options", "count", "message"),
    [
        (Space("image", (1, 4, 4), (0.0, 1.0)), {"shapes": ()}, 9, "this refiner is for deposits"),
        (SPACE, {"shapes": ((2, 4), (3, 2))}, 9, "have 14 cells, but samples of shape .* have 17"),
        (SPACE, {}, 2, "simulated: 2 samples with deposits for 3 knots"),
    ],
)
def test_what_a_user_can_mend(space: Space, options: dict[str, Sequence], count: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        model = ShowerMatching(ShowerMatchingConfig(**{**SCORES, **options}), space)
        model.streams(showers(count, 0), showers(9, 1))

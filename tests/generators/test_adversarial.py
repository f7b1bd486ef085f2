"""The adversarial game: every cost with every penalty, what is refused, and exact small cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from domain.errors import InputError
from domain.generators.base.game import Adversarial
from domain.generators.began import BEGAN, BEGANConfig
from domain.generators.gan import GAN, GANConfig
from domain.generators.gmmn import GMMN, GMMNConfig
from domain.generators.infogan import InfoGAN, InfoGANConfig
from domain.nets.spectral_norm import SpectralNorm
from domain.objectives.adversarial import COSTS, Cost
from domain.objectives.penalties import Penalty
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.system import Adam, System
from domain.together import fit_together
from domain.training import Budget, fit

PLANE = Space("table", (2,), (-1.0, 1.0), classes=3)
IMAGES = Space("image", (3, 8, 8), (0.0, 255.0), integer=True, classes=3)
SMALL: dict[str, Any] = {"latent": 2, "hidden": [6], "width": 3, "batch": 12}
TWO = Budget(steps=2, precision="float32")

BOUNDS: dict[str, dict[str, Any]] = {
    "none": {},
    "interpolates": {"penalty": {"at": "interpolates", "target": 1, "weight": 10}},
    "perturbed": {"penalty": {"at": "perturbed", "target": 1, "weight": 10}},
    "real": {"penalty": {"at": "real", "target": 0, "weight": 0.1}},
    "fake": {"penalty": {"at": "fake", "target": 0, "weight": 0.1}},
    "clip": {"clip": 0.1},
    "spectral": {"spectral": True},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "kernels": {"kernels": 4},
    "pack": {"pack": 3},
    "packed_penalty": {"pack": 3, **BOUNDS["interpolates"]},
    "unroll": {"unroll": 2},
    "unrolled_penalty": {"unroll": 2, **BOUNDS["real"]},
    "steps": {"critic_steps": 3},
    "conditional": {"conditional": True},
    "packed_conditional": {"pack": 2, "conditional": True},
    "all": {"cost": "relativistic", "spectral": True, "kernels": 2, "pack": 2, "unroll": 1, **BOUNDS["real"]},
}


def build(space: Space, options: dict[str, Any], kind: type[System] = GAN) -> Any:
    with scoped_seed(0, "start values"):
        return kind(kind.Config.parse({**SMALL, **options}, "gan"), space)


def data(system: Any, count: int = 48) -> dict:
    with scoped_seed(1, "data"):
        return system.streams(torch.rand(count, *system.space.shape) * 2 - 1, torch.arange(count) % 4 - 1)


def trained(system: Any, budget: Budget = TWO) -> Any:
    before = {name: value.clone() for name, value in system.named_parameters()}
    fit(system, data(system), budget, seed=0)
    for name, value in system.named_parameters():
        assert torch.isfinite(value).all(), name
        if name != "critic.head.bias":  # which differences of scores do not show
            assert not torch.equal(value, before[name]), f"{name} did not learn"
    return system


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("cost", COSTS)
def test_every_cost_with_every_bound(cost: str, bound: str) -> None:
    options = {"cost": cost, **BOUNDS[bound]}
    if cost == "wasserstein" and bound == "none":
        with pytest.raises(InputError, match="gan.cost: 'wasserstein' .* set penalty, clip or spectral"):
            build(PLANE, options)
        return
    trained(build(PLANE, options))


@pytest.mark.parametrize("space", [PLANE, IMAGES], ids=["vectors", "images"])
@pytest.mark.parametrize("name", OPTIONS)
def test_every_option(name: str, space: Space) -> None:
    sample = trained(build(space, OPTIONS[name])).sample(5, torch_generator(0, "test"))
    assert sample.shape == (5, *space.shape)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cost": "wassersteen"}, "gan.cost: is 'wassersteen'; did you mean 'wasserstein'"),
        ({"pack": 5}, "gan.pack: 12 samples do not divide into packs of 5"),
        ({"penalty": {"at": "here", "target": 1, "weight": 1}}, "gan.penalty.at: is 'here'"),
        ({"penalty": {"at": "real"}}, "gan.penalty.target: missing"),
    ],
)
def test_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        build(PLANE, options)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match=r"samples of shape \(2, 4\)"):
        build(Space("table", (2, 4), (0.0, 1.0)), {})


def test_a_cost_from_outside_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COSTS, "mine", Cost(lambda r, f: (r - 2) ** 2 + (f + 2) ** 2, lambda f: (f - 2) ** 2, "score"))
    trained(build(PLANE, {"cost": "mine"}))


@pytest.mark.parametrize("name", ["kernels", "pack", "unroll", "all"])
def test_a_generator_step_leaves_the_critic_alone(name: str) -> None:
    system = build(PLANE, OPTIONS[name])
    system.players = system.players[1:]
    before = {key: value.clone() for key, value in system.critic.state_dict().items()}
    fit(system, data(system), TWO, seed=0)
    assert all(torch.equal(value, before[key]) for key, value in system.critic.state_dict().items())


@pytest.mark.parametrize("options", [*BOUNDS.values(), *OPTIONS.values()], ids=[*BOUNDS, *OPTIONS])
def test_terms_are_pure(options: dict[str, Any]) -> None:
    system = build(IMAGES, options)
    before = {key: value.clone() for key, value in system.state_dict().items()}
    for player in system.players:
        batch = {name: tuple(t[: s.batch] for t in s.tensors) for name, s in data(system).items()}
        noise = system.noise(player, torch_generator(0, "noise"))
        first, second = system(player, batch, noise), system(player, batch, noise)
        assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.equal(value, before[key]) for key, value in system.state_dict().items())


def test_packs_are_judged_together() -> None:
    system = build(IMAGES, {"pack": 3, "conditional": True})
    assert system.critic.trunk[0].in_channels == 3 * (3 + IMAGES.classes)
    x, label = torch.randn(12, 3, 8, 8), torch.arange(12) % 3
    score = system.score(x, label)
    assert score.shape == (4,)
    x[4] += 1  # of the second pack
    assert (system.score(x, label) != score).tolist() == [False, True, False, False]


def test_a_penalty_sees_a_whole_pack() -> None:
    """A linear critic of packs of two pays (‖(w, w)‖ − 1)²."""
    system = build(PLANE, {"pack": 2, "penalty": {"at": "interpolates", "target": 1, "weight": 10}})
    weight = torch.tensor([[3.0, 4.0, 3.0, 4.0]])
    system.critic = nn.Sequential(nn.Linear(4, 1, bias=False), nn.Flatten(0))
    system.critic[0].weight.data.copy_(weight)
    noise = system.noise(system.players[0], torch_generator(0, "noise"))
    batch = {"real": (torch.randn(12, 2), torch.zeros(12, dtype=torch.long))}
    assert noise["share"].shape == (6,)
    expected = 10 * (weight.norm() - 1) ** 2
    torch.testing.assert_close(system.critic_terms(batch, noise)["penalty"], expected)


class Point(nn.Module):
    """A generator of normal points of a deviation around θ."""

    def __init__(self, *theta: float, deviation: float = 0.0) -> None:
        super().__init__()
        self.theta, self.deviation = nn.Parameter(torch.tensor([theta])), deviation

    def forward(self, z: Tensor) -> Tensor:
        return self.theta + self.deviation * z[:, : self.theta.shape[1]]


def test_unrolled_gradient_by_hand() -> None:
    """Critic w x, least squares, real points at x, a generated one at θ.

    One step gives w' = w − 2η [(wx − 1) x + w θ²]; the generator pays (w' θ − 1)², so its slope is
    2 (w' θ − 1) (w' + θ dw'/dθ) with dw'/dθ = −4 η w θ.
    """
    x, theta, w, rate = 2.0, 0.5, 0.7, 0.1
    system = build(Space("table", (1,), (-1.0, 1.0)), {"cost": "least_squares", "unroll": 1, "unroll_rate": rate})
    system.generator, system.critic = Point(theta), nn.Sequential(nn.Linear(1, 1, bias=False), nn.Flatten(0))
    system.critic[0].weight.data.fill_(w)
    batch = {"real": (torch.full((12, 1), x), torch.zeros(12, dtype=torch.long))}
    term = system.generator_terms(batch, system.noise(system.players[1], torch_generator(0, "noise")))["adversarial"]
    term.backward()
    ahead = w - 2 * rate * ((w * x - 1) * x + w * theta**2)
    assert term.item() == pytest.approx((ahead * theta - 1) ** 2, rel=1e-5)
    slope = 2 * (ahead * theta - 1) * (ahead + theta * -4 * rate * w * theta)
    assert system.generator.theta.grad.item() == pytest.approx(slope, rel=1e-5)


def test_looking_no_step_ahead_is_the_plain_game() -> None:
    plain, ahead = build(PLANE, {}), build(PLANE, {"unroll": 1, "unroll_rate": 1e-12})
    noise = plain.noise(plain.players[1], torch_generator(0, "noise"))
    batch = {name: tuple(t[:12] for t in s.tensors) for name, s in data(plain).items()}
    torch.testing.assert_close(plain.generator_terms(batch, noise), ahead.generator_terms(batch, noise))


@pytest.mark.parametrize("shape", [(7, 5), (6, 3, 2, 2)])
def test_spectral_norm_finds_the_largest_singular_value(shape: tuple[int, ...]) -> None:
    with scoped_seed(0, "test"):
        weight = torch.randn(shape)
        norm = SpectralNorm(weight)
    for _ in range(100):
        norm.advance(weight)
    assert torch.linalg.matrix_norm(norm(weight).flatten(1), 2).item() == pytest.approx(1, rel=1e-4)


def test_clipped_weights_stay_within_bounds() -> None:
    system = trained(build(PLANE, {"cost": "wasserstein", "clip": 0.02}))
    assert max(parameter.abs().max() for parameter in system.critic.parameters()) <= 0.02


def test_a_wasserstein_critic_measures_the_transport() -> None:
    """E r − E f of a trained critic against W, the exact cost of moving equally many points.

    The penalty λ is soft: a slope s all along the way earns s W − λ (s − 1)², most at s = 1 + W / 2λ.
    """
    system = build(PLANE, {
        "cost": "wasserstein", "penalty": {"at": "interpolates", "target": 1, "weight": 10}, "hidden": [32, 32],
        "batch": 50, "critic": {"rate": 5e-3, "beta1": 0.0},
    })  # fmt: skip
    system.generator = Point(-1.0, 0.5, deviation=0.1)
    system.players = system.players[:1]
    real = torch.from_numpy(np.random.default_rng(0).normal((1.0, -0.5), 0.1, (1000, 2)).astype(np.float32))
    label = torch.full((1000,), -1)
    fit(system, system.streams(real, label), Budget(steps=200, precision="float32", hold=0.5), seed=0)
    fake = system.sample(1000, torch_generator(0, "test"))
    with torch.no_grad():
        found = (system.score(real, label).mean() - system.score(fake, label).mean()).item()
    cost = cdist(real, fake)
    exact = cost[linear_sum_assignment(cost)].mean()
    assert found == pytest.approx(exact * (1 + exact / 20), rel=0.02)


@pytest.mark.parametrize("options", [{"penalty": {"at": "interpolates", "target": 1, "weight": 10}}, {"unroll": 2}, {"pack": 2}])
def test_seeds_train_together_as_alone(options: dict[str, Any]) -> None:
    alone = [build(PLANE, options) for _ in range(2)]
    together = [build(PLANE, options) for _ in range(2)]
    for seed, system in enumerate(alone):
        fit(system, data(system), TWO, seed)
    fit_together(together, [data(system) for system in together], TWO, [0, 1])
    for one, other in zip(alone, together):
        for (name, value), (_, same) in zip(one.named_parameters(), other.named_parameters()):
            torch.testing.assert_close(value, same, atol=1e-5, rtol=1e-4, msg=name)


def test_infogan_reads_a_code_that_is_there() -> None:
    """The bound for a head that knows the category is its entropy; for one that knows nothing, 0."""
    system = build(PLANE, {"categories": 4, "continuous": 0}, InfoGAN)
    category = torch.arange(12) % 4
    for strength, expected in ((0.0, 0.0), (100.0, np.log(4))):
        system.codes = lambda x, s=strength: (s * torch.eye(4)[category], torch.zeros(12, 0), torch.ones(12, 0))
        bound = system.information(torch.zeros(12, 2), category, torch.zeros(12, 0))
        assert bound.mean().item() == pytest.approx(expected, abs=1e-5)


def test_infogan_codes() -> None:
    system = trained(build(IMAGES, {"categories": 3, "continuous": 2}, InfoGAN)).eval()
    codes = system.encode(torch.zeros(5, *IMAGES.shape))
    assert codes.shape == (5, 5)
    torch.testing.assert_close(codes[:, :3].sum(1), torch.ones(5))
    a, b = (system.sample(5, torch_generator(0, "test"), torch.full((5,), k)) for k in (0, 1))
    assert a.shape == (5, *IMAGES.shape) and not torch.equal(a, b)
    with pytest.raises(InputError, match="InfoGANConfig.pack"):
        InfoGANConfig(pack=2)


def test_began_controls_the_balance() -> None:
    """k moves by λ (γ L(x) − L(G(z))) and stays within [0, 1]."""
    system = build(PLANE, {"gain": 0.1}, BEGAN)
    critic, generator = system.players
    batch = {"real": (torch.ones(12, 2),)}
    noise = system.noise(critic, torch_generator(0, "noise"))
    with torch.no_grad():
        real, fake = system.errors(batch, noise)
        system.k.fill_(0.5)
        system.after(critic, batch, noise)
        torch.testing.assert_close(system.k, 0.5 + 0.1 * (0.5 * real - fake))
        kept = system.k.clone()
        system.after(generator, batch, noise)
        assert torch.equal(system.k, kept)
        system.generator = Point(1e3, 1e3)
        system.after(critic, batch, noise)
        assert system.k == 0


@pytest.mark.parametrize("space", [PLANE, IMAGES], ids=["vectors", "images"])
@pytest.mark.parametrize(
    ("kind", "options"), [(BEGAN, {}), (GMMN, {}), (GMMN, {"codes": 4}), (InfoGAN, {}), (InfoGAN, {"unroll": 1})]
)
def test_the_others_train_on_vectors_and_images(kind: type, options: dict[str, Any], space: Space) -> None:
    system = trained(build(space, options, kind))
    assert system.sample(5, torch_generator(0, "test")).shape == (5, *space.shape)


def test_gmmn_has_nothing_to_learn_from_equal_samples() -> None:
    """√MMD² is 0 where the generator gives the batch itself, and the gradient is finite there."""
    system = build(PLANE, {}, GMMN)
    x = torch.randn(12, 2)
    system.generator = nn.Identity()
    z = x.clone().requires_grad_()
    term = system.generator_terms({"real": (x,)}, {"z": z})["mmd"]
    term.backward()
    assert term.item() < 2e-3 and torch.isfinite(z.grad).all()


def test_defaults_are_whole() -> None:
    for config in (GANConfig(), InfoGANConfig(), BEGANConfig(), GMMNConfig()):
        assert type(config).parse(config.as_dict(), "test") == config
    assert GANConfig(penalty=Penalty("real", 0.0, 1.0), critic=Adam(rate=1.0)).penalty.target == 0
    assert issubclass(GAN, Adversarial)

"""Generators with an encoder and a game: what is exact, who learns from what, and that every option trains."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from domain.errors import InputError
from domain.generators.ali import ALI
from domain.generators.introvae import IntroVAE
from domain.generators.veegan import VEEGAN
from domain.objectives.adversarial import COSTS
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.system import System
from domain.together import fit_together
from domain.training import Budget, fit

PLANE = Space("table", (2,), (-1.0, 1.0))
IMAGES = Space("image", (1, 4, 4), (0.0, 255.0), integer=True)
SMALL: dict[str, Any] = {"latent": 2, "width": 3, "batch": 8}
TWO = Budget(steps=2, precision="float32")
PENALTY = {"penalty": {"at": "interpolates", "target": 1, "weight": 10}}


def build(kind: type[System], space: Space, options: dict[str, Any]) -> Any:
    hidden = {} if kind is IntroVAE else {"hidden": [6]}
    with scoped_seed(0, "start values"):
        return kind(kind.Config.parse({**SMALL, **hidden, **options}, "test"), space)


def data(system: Any) -> dict:
    with scoped_seed(1, "data"):
        return system.streams(torch.rand(32, *system.space.shape) * 2 - 1, torch.full((32,), -1))


class Fixed(nn.Module):
    """A network that says the same of every sample."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.values = torch.tensor(values)

    def forward(self, x: Tensor) -> Tensor:
        return self.values.expand(len(x), -1)


@pytest.mark.parametrize("name", [name for name, cost in COSTS.items() if not cost.relative])
def test_mirrored_scores_change_the_sides_parts(name: str) -> None:
    """c(r, f) = c(2m − f, 2m − r): a critic with the sides exchanged plays the same game."""
    cost, real, fake = COSTS[name], torch.tensor([-1.3, 0.2, 2.0]), torch.tensor([0.7, -0.4, 1.1])
    exchanged = cost.critic(2 * cost.middle - fake, 2 * cost.middle - real)
    torch.testing.assert_close(cost.critic(real, fake), exchanged)


def test_log_density_ratios_give_the_reverse_kl() -> None:
    p, q = torch.tensor([0.25, 0.75]), torch.tensor([0.5, 0.5])
    found = (q * COSTS["reverse_kl"].generator((p / q).log())).sum()
    assert found.item() == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))


def test_a_code_is_shown_beside_its_sample() -> None:
    z = torch.tensor([[5.0, 6.0]])
    plane, images = build(ALI, PLANE, {}), build(ALI, IMAGES, {})
    shown = plane.shown(plane.joined(torch.tensor([[1.0, 2.0]]), z), torch.zeros(1))
    assert shown.tolist() == [[1, 2, 5, 6]]
    x = torch.randn(1, 1, 4, 4)
    shown = images.shown(images.joined(x, z), torch.zeros(1))
    assert shown.shape == (1, 3, 4, 4) and torch.equal(shown[:, :1], x)
    assert (shown[:, 1] == 5).all() and (shown[:, 2] == 6).all()


def test_a_penalty_takes_a_code_as_one_number() -> None:
    """The sum of all that is shown has slope 1 in each of 16 pixels and 16 in each of 2 numbers of the code."""
    system = build(ALI, IMAGES, PENALTY)
    system.critic.forward = lambda shown: shown.flatten(1).sum(1)
    critic = system.players[0]
    batch = {name: tuple(t[:8] for t in stream.tensors) for name, stream in data(system).items()}
    terms = system(critic, batch, system.noise(critic, torch_generator(0, "noise")))
    assert terms["penalty"].item() == pytest.approx(10 * (math.sqrt(16 + 2 * 16**2) - 1) ** 2, rel=1e-5)


def test_the_generator_and_the_encoder_win_on_their_own_sides() -> None:
    """Non-saturating at scores s of all pairs: softplus(−s) for the generator, softplus(s) for the encoder."""
    system = build(ALI, PLANE, {})
    system.critic.forward = lambda shown: torch.full((len(shown),), 1.5)
    batch, player = {"real": (torch.zeros(8, 2), torch.zeros(8))}, system.players[1]
    terms = system(player, batch, system.noise(player, torch_generator(0, "noise")))
    assert terms["adversarial"].item() == pytest.approx(math.log1p(math.exp(-1.5)))
    assert terms["encoder"].item() == pytest.approx(math.log1p(math.exp(1.5)))


def test_bigan_s_encoder_draws_nothing() -> None:
    drawn, fixed = build(ALI, PLANE, {}), build(ALI, PLANE, {"stochastic": False})
    assert drawn.encoder[-1].out_features == 4 and fixed.encoder[-1].out_features == 2
    x, noise = torch.ones(8, 2), [{"z": torch.zeros(8, 2), "code": torch.full((8, 2), c)} for c in (0.0, 1.0)]
    batch = {"real": (x, torch.zeros(8))}
    assert torch.equal(fixed.real(batch, noise[0]), fixed.real(batch, noise[1]))
    codes = [drawn.real(batch, n)[:, 2:] for n in noise]
    mean, log_variance = drawn.encoder(x).chunk(2, 1)
    torch.testing.assert_close(codes[0], mean)
    torch.testing.assert_close(codes[1], mean + (log_variance / 2).exp())
    assert torch.equal(drawn.encode(x), mean)


@pytest.mark.parametrize("space", [PLANE, IMAGES])
@pytest.mark.parametrize("pack", [1, 2])
def test_a_second_score_is_of_samples_alone(space: Space, pack: int) -> None:
    """It changes with the samples and not with their codes; the first one with both."""
    system = build(ALI, space, {"unary": True, "pack": pack})
    x, z = torch.rand(8, *space.shape), torch.rand(8, 2)

    def scores(x: Tensor, z: Tensor) -> list[Tensor]:
        return list(system.score(system.joined(x, z), torch.zeros(8)).chunk(2))

    (pairs, samples), (pairs_z, samples_z), (pairs_x, samples_x) = scores(x, z), scores(x, 1 - z), scores(1 - x, z)
    assert len(pairs) == len(samples) == 8 // pack
    assert torch.equal(samples, samples_z) and not torch.equal(samples, samples_x)
    assert not torch.equal(pairs, pairs_z) and not torch.equal(pairs, pairs_x)


def test_a_second_score_teaches_the_generator_and_keeps_to_the_rules() -> None:
    system = build(ALI, PLANE, {"unary": True, "cost": "wasserstein", "clip": 0.01})
    samples = system.critic.samples
    fit(system, data(system), TWO, seed=0)
    assert max(p.abs().max() for p in samples.parameters()) <= 0.01, "clipping holds for both"
    noise = system.noise(system.players[1], torch_generator(0, "noise"))
    system.zero_grad()
    system.score(system.made({"real": (torch.ones(8, 2), torch.zeros(8))}, noise), torch.zeros(8))[8:].sum().backward()
    assert all(p.grad.any() for p in system.generator.parameters())
    assert not any(p.grad.any() for p in system.critic.pairs.parameters())


@pytest.mark.parametrize("cost", ["reverse_kl", "non_saturating", "relativistic"])
def test_veegan_s_encoder_learns_from_latent_vectors_alone(cost: str) -> None:
    for weight, learns in ((0.0, False), (1.0, True)):
        system = build(VEEGAN, PLANE, {"cost": cost, "reconstruction": weight})
        player, batch = system.players[1], {"real": (torch.ones(8, 2), torch.zeros(8))}
        sum(system(player, batch, system.noise(player, torch_generator(0, "noise"))).values()).backward()
        assert any(p.grad is not None and p.grad.any() for p in system.encoder.parameters()) == learns
        assert all(p.grad.any() for p in system.generator.parameters())


def test_veegan_s_error_is_summed_over_the_latent_vector() -> None:
    system = build(VEEGAN, PLANE, {"reconstruction": 0.5})
    system.encoder = Fixed(1.0, -2.0)
    noise = {"z": torch.tensor([[0.0, 0.0], [1.0, -2.0]])}
    terms = system.answer_terms({"real": (torch.ones(2, 2), torch.zeros(2))}, noise)
    assert terms["reconstruction"].item() == pytest.approx(0.5 * (5 + 0) / 2)


def test_introvae_holds_made_images_at_the_margin() -> None:
    """An encoder that says N((1, 2), 1) of every image has KL 2.5 nats."""
    options = {"margin": 4.0, "adversarial": 0.25, "reconstruction": 3.0, "warm_up": 1}
    system = build(IntroVAE, IMAGES, options)
    system.encoder = Fixed(1.0, 2.0, 0.0, 0.0)
    x, noise = torch.zeros(8, 1, 4, 4), {"code": torch.zeros(8, 2), "z": torch.ones(8, 2)}
    encoder, generator = system.players
    for rounds, counts in ((0, 0.0), (1, 1.0)):
        assert system.steps == rounds
        first, second = (system(player, {"real": (x,)}, noise) for player in system.players)
        error = 1.5 * system.generator(torch.tensor([[1.0, 2.0]]).expand(8, 2)).square().flatten(1).sum(1).mean()
        assert first["kl"].item() == pytest.approx(2.5)
        assert first["margin"].item() == pytest.approx(counts * 0.25 * 2 * 1.5)
        assert second["kl"].item() == pytest.approx(counts * 0.25 * 2 * 2.5)
        for terms in (first, second):
            torch.testing.assert_close(terms["reconstruction"], error)
        for player in (encoder, generator):
            system.after(player, {}, {})


def test_introvae_s_encoder_does_not_follow_what_is_made() -> None:
    """The margin's gradient reaches the encoder alone; the generator's step would otherwise undo it."""
    system = build(IntroVAE, IMAGES, {"warm_up": 0})
    noise = system.noise(system.players[0], torch_generator(0, "noise"))
    terms = system.encoder_terms({"real": (torch.zeros(8, 1, 4, 4),)}, noise)
    terms["margin"].backward()
    assert all(p.grad is None for p in system.generator.parameters())
    assert any(p.grad.any() for p in system.encoder.parameters())


def test_introvae_takes_images() -> None:
    with pytest.raises(InputError, match="introvae: 'x' has samples of shape"):
        build(IntroVAE, PLANE, {})


OPTIONS: list[dict[str, Any]] = [
    {"cost": "relativistic", "kernels": 2}, {"cost": "least_squares", "pack": 2}, {"unroll": 1}, {"spectral": True},
    {"cost": "wasserstein", **PENALTY, "pack": 2},
]  # fmt: skip


@pytest.mark.parametrize("space", [PLANE, IMAGES], ids=["vectors", "images"])
@pytest.mark.parametrize("kind", [ALI, VEEGAN])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
def test_every_option_of_the_game(kind: type[System], space: Space, options: dict[str, Any]) -> None:
    system = build(kind, space, options)
    before = {name: value.clone() for name, value in system.named_parameters()}
    fit(system, data(system), TWO, seed=0)
    for name, value in system.named_parameters():
        assert torch.isfinite(value).all(), name
        if name != "critic.head.bias":  # which differences of scores do not show
            assert not torch.equal(value, before[name]), f"{name} did not learn"
    assert system.reconstruct(torch.zeros(5, *space.shape)).shape == (5, *space.shape)


@pytest.mark.parametrize(("kind", "options"), [(ALI, {"pack": 2}), (VEEGAN, {}), (IntroVAE, {"warm_up": 1})])
def test_seeds_train_together_as_alone(kind: type[System], options: dict[str, Any]) -> None:
    alone, together = ([build(kind, IMAGES, options) for _ in range(2)] for _ in range(2))
    for seed, system in enumerate(alone):
        fit(system, data(system), TWO, seed)
    fit_together(together, [data(system) for system in together], TWO, [0, 1])
    for one, other in zip(alone, together):
        for (name, value), same in zip(one.state_dict().items(), other.state_dict().values()):
            torch.testing.assert_close(value, same, atol=1e-4, rtol=1e-3, msg=name)

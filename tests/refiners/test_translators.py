"""CycleGAN, UNIT, CoGAN and pix2pix: what each of them is defined by."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from domain.errors import InputError
from domain.objectives.likelihood import labelled_cross_entropy
from domain.randomness import scoped_seed, torch_generator
from domain.refiners import REFINERS
from domain.refiners.unit import divergence
from domain.space import Space
from domain.system import Noise, System
from domain.training import Budget, fit
from tests.families import SMALL

SPACE = Space("image", (1, 8, 8), (0.0, 16.0), integer=True, classes=3)


def build(name: str, space: Space = SPACE, **options: Any) -> Any:
    family = REFINERS[name]
    with scoped_seed(0, "test"):
        return family(family.Config.parse({**SMALL[name], **options}, name), space)


def images(count: int = 8, side: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 1, side, side, generator=torch_generator(seed, "images")) * 2 - 1


def noise_of(model: System, player: str) -> Noise:
    return model.noise(next(p for p in model.players if p.name == player), torch_generator(0, "noise"))


@pytest.mark.parametrize("name", ["cyclegan", "unit", "cogan", "pix2pix"])
def test_any_side(name: str) -> None:
    """Also one that halves twice only after rounding."""
    side = 18
    space = dataclasses.replace(SPACE, shape=(1, side, side))
    model, x = build(name, space), images(side=side)
    fit(model, model.streams(x, x, torch.arange(8) % 3), Budget(steps=1, precision="float32"), 0)
    translated = model.translate(x[:3], torch_generator(0, "t"))
    assert translated.shape == (3, 1, side, side) and translated.abs().max() <= 1


# CycleGAN


def test_identity_translators_cost_nothing() -> None:
    model, x = build("cyclegan"), images()
    model.to_real = model.to_simulated = torch.nn.Identity()
    terms = model.translator_terms({"simulated": (x,), "real": (x.flip(0),)}, noise_of(model, "translator"))
    assert terms["cycle"] == 0 and terms["identity"] == 0 and terms["adversarial"] > 0


def test_the_cycle_is_a_mean_per_pixel_both_ways() -> None:
    """One translator adds 0.25, the other is the identity: both cycles miss by 0.25, one identity term does."""

    class Shift(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 0.25

    model, x = build("cyclegan", cycle=10.0, identity=5.0), images() / 2
    model.to_real, model.to_simulated = Shift(), torch.nn.Identity()
    terms = model.translator_terms({"simulated": (x,), "real": (x,)}, noise_of(model, "translator"))
    assert terms["cycle"].item() == pytest.approx(10 * 0.5, rel=1e-5)
    assert terms["identity"].item() == pytest.approx(5 * 0.25, rel=1e-5)


def test_least_squares_by_hand() -> None:
    """Critics that score everything 0.5 pay (0.25 + 0.25) / 2 each, translators 0.25 each."""
    model, x = build("cyclegan"), images()
    for critic in (model.critic_real, model.critic_simulated):
        torch.nn.init.zeros_(critic.net[-1].weight)
        torch.nn.init.constant_(critic.net[-1].bias, 0.5)
    batch = {"simulated": (x,), "real": (x,)}
    assert model.critic_terms(batch, noise_of(model, "critic"))["adversarial"].item() == pytest.approx(0.5)
    assert model.translator_terms(batch, noise_of(model, "translator"))["adversarial"].item() == pytest.approx(0.5)


def test_each_critic_has_its_own_past() -> None:
    """After three steps of a batch of eight each pool holds twelve images, of its own domain's translator."""
    model = build("cyclegan", translator={"rate": 1e-9})
    x, y = images(30), images(30, seed=1)
    fit(model, model.streams(x, y), Budget(steps=3, precision="float32"), 0)
    assert model.past_real.kept == 12 and model.past_simulated.kept == 12
    with torch.no_grad():
        made = {"real": model.to_real(x), "simulated": model.to_simulated(y)}
    for pool, ours, other in ((model.past_real, "real", "simulated"), (model.past_simulated, "simulated", "real")):
        apart = {k: (pool.past[:12, None] - made[k]).flatten(2).abs().amax(2).amin(1) for k in made}
        assert apart[ours].max() < 1e-4 and apart[other].min() > 0.01


# CoGAN and UNIT share layers


@pytest.mark.parametrize(("name", "shared", "own"), [
    ("cogan", ["generator.shared", "critic.shared", "critic.head"], ["generator.own", "critic.own"]),
    ("unit", ["encoder.shared", "decoder.shared", "critic.shared", "critic.head"],
     ["encoder.own", "decoder.own", "critic.own"]),
])  # fmt: skip
def test_shared_layers_are_the_same_tensors(name: str, shared: list[str], own: list[str]) -> None:
    """What one domain alone learns moves both domains' shared layers, and only its own others."""
    model, x = build(name), images()
    assert {k.rpartition(".")[0] if k.count(".") == 1 else ".".join(k.split(".")[:2]) for k, _ in
            model.named_parameters()} == {*shared, *own}
    model.critic(x, 0)[0].sum().backward()
    assert all(p.grad is not None for p in model.critic.shared.parameters())
    assert all(p.grad is None for p in model.critic.own[1].parameters())
    before = model.critic(x, 1)[0].detach()
    with torch.no_grad():
        next(model.critic.shared.parameters()).mul_(2)
    assert not torch.equal(before, model.critic(x, 1)[0])


def test_a_drawn_pair_differs_by_its_last_layer_only() -> None:
    model = build("cogan")
    model.generator.own[1].load_state_dict(model.generator.own[0].state_dict())
    first, second = model.generator(torch.randn(8, 8, generator=torch_generator(0, "z")))
    assert torch.equal(first, second)


def test_cogan_finds_what_it_can_draw() -> None:
    """The partner of a drawn image, not of the nearest other one."""
    model = build("cogan", search=300).eval()
    z = torch.randn(4, 8, generator=torch_generator(3, "z"))
    with torch.no_grad():
        simulated, real = model.generator(8 * z)
        blind = model.generator(torch.randn(4, 8, generator=torch_generator(0, "t")))[1]
    found = model.translate(simulated, torch_generator(0, "t"))
    assert (found - real).abs().mean() < 0.5 * (blind - real).abs().mean()


def test_divergence_is_that_of_unit_variance() -> None:
    """KL(N(m, 1) ‖ N(0, 1)) = m² / 2 per entry: 2 for entries ±2; zero for a code of zeros."""
    mean = torch.tensor([2.0, -2.0]).repeat(3, 4).reshape(3, 2, 2, 2)
    assert divergence(mean).item() == pytest.approx(2.0)
    assert divergence(torch.zeros(3, 2, 2, 2)) == 0


def test_a_shared_code_is_both_translation_and_reconstruction() -> None:
    """With one decoder for both domains, translating is reconstructing."""
    model, x = build("unit"), images()
    model.decoder.own[1].load_state_dict(model.decoder.own[0].state_dict())
    code = model.encoder(x, 0)
    assert torch.equal(model.translate(x, torch_generator(0, "t")), model.decoder(code, 0))


# Labels of the simulated samples


@pytest.mark.parametrize("name", ["cogan", "unit"])
def test_labels_of_one_domain_classify_the_other(name: str) -> None:
    """Stripes at three heights, fainter and noisy where they are real; no real label is shown."""
    label = torch.arange(48) % 3
    x = torch.full((48, 1, 8, 8), -1.0)
    for k in range(3):
        x[label == k, :, 2 * k + 1 : 2 * k + 3] = 1.0
    real = (0.6 * x + 0.05 * images(48)).flip(0)
    model = build(name, critic={"rate": 2e-3})
    fit(model, model.streams(x, real, label), Budget(steps=40, precision="float32"), 0)
    assert (model.classify(real).argmax(1) == label.flip(0)).float().mean() > 0.95
    torch.testing.assert_close(model.classify(real).sum(1), torch.ones(48))


@pytest.mark.parametrize("name", ["cogan", "unit"])
def test_without_labels(name: str) -> None:
    x = images()
    with pytest.raises(InputError, match="classification.*no simulated sample has a label"):
        build(name).streams(x, x)
    model = build(name, classification=0.0)
    fit(model, model.streams(x, x), Budget(steps=1, precision="float32"), 0)
    with pytest.raises(InputError, match="learned without labels"):
        model.classify(x)


def test_unlabelled_rows_do_not_count() -> None:
    logits, label = torch.randn(5, 3, generator=torch_generator(0, "l")), torch.tensor([0, 2, -1, -1, 1])
    known = label >= 0
    expected = torch.nn.functional.cross_entropy(logits[known], label[known])
    torch.testing.assert_close(labelled_cross_entropy(logits, label), expected)
    assert labelled_cross_entropy(logits, torch.full((5,), -1)) == 0


# pix2pix


def test_pix2pix_needs_pairs() -> None:
    with pytest.raises(InputError, match="8 simulated and 7 real .*rows correspond"):
        build("pix2pix").streams(images(8), images(7))


def test_pix2pix_learns_to_invert() -> None:
    """Held-out images inverted from 200 pairs, far nearer to their partners than the images themselves are."""
    x = images(200).sign() * 0.8
    x[..., :4, :] = torch.where(images(200, seed=1)[:, :, :1, :1] > 0, 0.8, -0.8)
    model = build("pix2pix", width=16, dropout=0.0, translator={"rate": 2e-3})
    fit(model, model.streams(x[:150], -x[:150]), Budget(steps=150, precision="float32"), 0)
    found = model.translate(x[150:], torch_generator(0, "t"))
    assert (found + x[150:]).abs().mean() < 0.25 * (2 * x[150:]).abs().mean()


def test_dropout_is_the_only_noise() -> None:
    x = images()
    for dropout, same in ((0.0, True), (0.5, False)):
        model = build("pix2pix", dropout=dropout)
        a, b = (model.translate(x, torch_generator(seed, "t")) for seed in (0, 1))
        assert torch.equal(a, b) == same

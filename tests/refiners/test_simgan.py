"""SimGAN: its history, its limits, and the labels it must not touch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from domain.errors import InputError
from domain.nets.warp import identity_grid
from domain.randomness import scoped_seed, torch_generator
from domain.refiners.simgan import FEATURES, SimGAN, SimGANConfig
from domain.space import Space
from domain.training import Budget, fit

SPACE = Space("image", (1, 8, 8), (0.0, 16.0), integer=True, classes=4)
CONFIG = SimGANConfig(width=8, blocks=1, critic_width=8, history=20, batch=8, critic_first=5, refiner_steps=1)
WHOLE = {
    "warp": 0.2, "latent": 3, "grain": 1, "task": 1.0, "critics": ("local", "global", "flat"), "pack": 2,
    "features": ("identity", "gradients", "blur"),
}


def build(**options: object) -> SimGAN:
    with scoped_seed(0, "test"):
        return SimGAN(dataclasses.replace(CONFIG, **options), SPACE)


def images(value: float, count: int = 8) -> torch.Tensor:
    return torch.full((count, *SPACE.shape), value)


def test_history_fills_then_evicts() -> None:
    model = build()
    for push in range(1, 6):
        model.history.add(images(push / 10), torch.zeros(4))
        assert model.history.kept == min(4 * push, 20)
    np.testing.assert_allclose(model.history.past[:, 0, 0, 0], np.repeat([0.1, 0.2, 0.3, 0.4, 0.5], 4), rtol=1e-6)
    model.history.add(images(0.9), torch.tensor([0.0, 0.26, 0.5, 0.99]))
    assert model.history.kept == 20
    replaced = np.flatnonzero(np.isclose(model.history.past[:, 0, 0, 0], 0.9))
    assert list(replaced) == [0, 5, 10, 19]


def test_half_of_what_the_critic_sees_is_past() -> None:
    model = build()
    shown = torch.tensor([0.0, 0.3, 0.6, 0.99])
    assert torch.equal(model.history.mixed(images(0.5), shown), images(0.5)), "an empty history shows nothing"
    model.history.add(images(-1.0), torch.zeros(4))
    mixed = model.history.mixed(images(0.5), shown)
    assert torch.equal(mixed[:4], images(-1.0, 4)) and torch.equal(mixed[4:], images(0.5, 4))


def test_history_is_switched_off() -> None:
    model = build(history=0)
    fit(model, model.streams(images(0.0), images(0.5)), Budget(steps=2, precision="float32"), 0)
    assert torch.equal(model.history.mixed(images(0.5), torch.rand(4)), images(0.5))


def test_the_history_holds_refined_images_only_after_steps() -> None:
    model = build()
    fit(model, model.streams(images(-0.5, 30), images(0.5, 30)), Budget(steps=3, precision="float32"), 0)
    assert model.history.kept == 12
    assert (model.history.past[:12].abs().sum((1, 2, 3)) > 0).all() and (model.history.past[12:] == 0).all()


@pytest.mark.parametrize("options", [{}, {"network": "unet", "latent": 2, "grain": 1}])
def test_an_untrained_refiner_is_the_identity(options: dict[str, object]) -> None:
    x = torch.rand(5, *SPACE.shape, generator=torch_generator(0, "x")) * 2 - 1
    assert torch.equal(build(**options).translate(x, torch_generator(0, "t")), x)


def test_very_strong_similarity_leaves_images_alone() -> None:
    x = torch.rand(40, *SPACE.shape, generator=torch_generator(0, "x")) - 0.9
    changes = {}
    for similarity in (0.0, 1e4):
        model = build(similarity=similarity)
        fit(model, model.streams(x, x + 0.8), Budget(steps=60, precision="float32"), 0)
        changes[similarity] = float((model.translate(x, torch_generator(0, "t")) - x).abs().mean())
    assert changes[1e4] < 0.01 < changes[0.0]


def test_similarity_is_a_mean_per_pixel() -> None:
    """So that its weight means the same at any image size."""
    for side in (8, 16):
        with scoped_seed(0, "test"):
            model = SimGAN(dataclasses.replace(CONFIG, similarity=1.0), Space("image", (1, side, side), (0.0, 1.0)))
        torch.nn.init.constant_(model.refiner.head.bias, 0.25)
        torch.nn.init.zeros_(model.refiner.head.weight)
        terms = model.refiner_terms({"simulated": (torch.zeros(8, 1, side, side),)}, {})
        assert terms["similarity"].item() == pytest.approx(0.25)


def test_images_stay_in_range() -> None:
    model = build()
    torch.nn.init.constant_(model.refiner.head.bias, 5.0)
    assert model.translate(images(0.0), torch_generator(0, "t")).max() <= 1


def test_the_global_critic_judges_packs_of_neighbours() -> None:
    model = build(critics=("local", "global"), pack=4).eval()
    x = torch.rand(8, *SPACE.shape, generator=torch_generator(0, "x"))
    patches, packs = model.scores(x)
    assert len(patches) == 8 and len(packs) == 2
    changed = x.clone()
    changed[5] = -1  # in the second pack
    assert (model.scores(changed)[1] != packs).flatten().tolist() == [False, True]


@pytest.mark.parametrize(("kind", "least", "most"), [("flat", 0.99, 1.0), ("local", 0.0, 0.8)])
def test_the_flat_critic_knows_every_pixel_by_its_place(kind: str, least: float, most: float) -> None:
    """A dot, alike but for its place, on new pictures of noise: all patches of both kinds are alike."""
    model = build(critics=(kind,), critic_first=200, flat_width=32)
    x = torch.rand(200, *SPACE.shape, generator=torch_generator(0, "noise")) * 0.2
    x[:100, :, 2, 3] = x[100:, :, 4, 5] = 1.0
    model.start(model.streams(x[:90], x[100:190]), torch_generator(0, "start"))
    batch = {"simulated": (x[92:100],), "real": (x[192:],)}
    assert least <= model.critic_terms(batch, {"shown": torch.zeros(4)})["accuracy"] <= most


@pytest.mark.parametrize("options, words", [({"pack": 3}, "pack: 3"), ({"critic_kernels": (4, 3)}, "critic_kernels: names 2")])
def test_what_does_not_fit_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        build(**options)


def test_an_untrained_warp_is_the_identity() -> None:
    x = torch.rand(5, *SPACE.shape, generator=torch_generator(0, "x")) * 2 - 1
    refined, grid = build(**WHOLE).translate_with_grid(x, torch_generator(0, "t"))
    torch.testing.assert_close(refined, x, atol=1e-5, rtol=0)
    torch.testing.assert_close(grid, identity_grid(8, 8).expand(5, -1, -1, -1))


def test_self_regularisation_alone_leaves_the_identity() -> None:
    """Why no phase of it comes first: at the start its gradient is zero."""
    model = build(features=("identity", "gradients", "blur"))
    model.refiner_terms({"simulated": (images(0.3),)}, {})["similarity"].backward()
    assert all(p.grad is None or (p.grad == 0).all() for p in model.refiner.parameters())


def test_features_see_what_they_should() -> None:
    """A constant shift changes no gradient; a chessboard is blurred away."""
    chess = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 2.0 - 1
    assert FEATURES["gradients"](images(0.5)).abs().max() < 1e-6
    torch.testing.assert_close(FEATURES["blur"](images(0.5)), images(0.5))
    assert FEATURES["blur"](chess[None, None])[..., 2:-2, 2:-2].abs().max() < 0.05


def test_the_critic_starts_before_the_refiner() -> None:
    model = build(critic_first=100)
    data = model.streams(images(-0.5, 30), images(0.5, 30))
    model.start(data, torch_generator(0, "start"))
    assert model.history.kept == 0 and (model.refiner.head.weight == 0).all()
    batch = {"simulated": (images(-0.5),), "real": (images(0.5),)}
    assert model.critic_terms(batch, {"shown": torch.zeros(4)})["accuracy"] > 0.9
    assert all(p.requires_grad for p in model.parameters())


@pytest.fixture(params=["residual", "unet"])
def network(request: pytest.FixtureRequest) -> str:
    return request.param


def whole(**options: object) -> SimGAN:
    """Everything on, after a few steps."""
    model = build(**{**WHOLE, **options})
    x = 2 * torch.rand(40, *SPACE.shape, generator=torch_generator(0, "x")) - 1
    streams = model.streams(x, -x, torch.arange(40) % 4)
    fit(model, streams, Budget(steps=4, log_every=2, precision="float32"), 0)
    return model


def test_gradients_reach_every_option(network: str) -> None:
    model = whole(network=network)
    model.train()
    x = 2 * torch.rand(8, *SPACE.shape, generator=torch_generator(0, "x")) - 1
    batch, seen = {"simulated": (x, torch.arange(8) % 4), "real": (-x,)}, set()
    for player in model.players:
        model.zero_grad()
        noise = model.noise(player, torch_generator(1, "noise"))
        first, second = (model(player, batch, noise) for _ in range(2))
        assert all(torch.equal(first[name], second[name]) for name in first)
        sum(first.values()).backward()
        names = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        seen |= {name for name in names if name.split(".")[0] in player.roles}
    assert seen == {name for name, _ in model.named_parameters()}


def test_many_refinements_of_one_image(network: str) -> None:
    model, x = whole(network=network), images(0.2, 3)
    first, again, other = (model.translate(x, torch_generator(seed, "t")) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not torch.equal(first[0], first[1]), "each image has numbers of its own"


def test_the_numbers_do_not_depend_on_the_batch(network: str) -> None:
    model, x = whole(network=network), 2 * torch.rand(10, *SPACE.shape, generator=torch_generator(3, "x")) - 1
    one, generator = model.translate(x, torch_generator(0, "t")), torch_generator(0, "t")
    parts = torch.cat([model.translate(part, generator) for part in x.split(3)])
    torch.testing.assert_close(parts, one, atol=1e-5, rtol=0)


def test_a_task_needs_labels_or_conditions() -> None:
    with pytest.raises(InputError, match="task needs a label of every simulated sample"):
        build(task=1.0).streams(images(0.0), images(0.0), torch.full((8,), -1))
    measured = dataclasses.replace(SPACE, classes=0, condition=("yaw",), units=("degree",))
    with pytest.raises(InputError, match="task needs the conditions of every simulated sample"):
        SimGAN(dataclasses.replace(CONFIG, task=1.0), measured).streams(images(0.0), images(0.0))
    with pytest.raises(InputError, match="task needs simulated samples with labels or conditions"):
        SimGAN(dataclasses.replace(CONFIG, task=1.0), dataclasses.replace(SPACE, classes=0))
    with pytest.raises(InputError, match="critics: is empty"):
        SimGANConfig(critics=())


def test_the_task_keeps_a_classifiers_answer() -> None:
    """A refiner free to turn one class into the other, as the critic would have it, is held back."""
    label = torch.arange(40) % 2
    x = (label * 2.0 - 1)[:, None, None, None] * torch.full((40, *SPACE.shape), 0.5)
    apart = {}
    for task in (0.0, 20.0):
        model = build(similarity=0.0, task=task, history=0)
        fit(model, model.streams(x, images(-0.5, 40), label), Budget(steps=150, precision="float32"), 0)
        refined = model.translate(x, torch_generator(0, "t"))
        apart[task] = float(refined[1].mean() - refined[0].mean())
    assert apart[20.0] > 0.3 and apart[20.0] > 2 * apart[0.0]


@pytest.mark.parametrize("sees", ["both", "simulated"])
def test_the_task_keeps_a_condition(sees: str) -> None:
    """A critic that knows one brightness alone would have them all alike; the reader has them as they were."""
    space = dataclasses.replace(SPACE, classes=0, condition=("brightness",), units=("",))
    condition = torch.linspace(0, 1, 40)[:, None]
    x = (condition - 0.5)[..., None, None].expand(-1, *SPACE.shape).contiguous()
    slopes = {}
    for task in (0.0, 20.0):
        config = dataclasses.replace(CONFIG, similarity=0.0, task=task, task_sees=sees, task_appearance=0.1, history=0)
        with scoped_seed(0, "test"):
            model = SimGAN(config, space)
        given = {"condition": condition} if task else {}
        assert model.given == tuple(given)
        fit(model, model.streams(x, images(-0.5, 40), **given), Budget(steps=150, precision="float32"), 0)
        read = model.translate(x, torch_generator(0, "t")).mean((1, 2, 3))
        slopes[task] = float(torch.linalg.lstsq(condition - 0.5, (read - read.mean())[:, None]).solution)
    assert slopes[20.0] > 0.6 and slopes[20.0] > 1.5 * slopes[0.0], slopes


@pytest.mark.parametrize(
    ("accuracy", "change", "words"),
    [(0.999, 0.1, ["the critic won"]), (0.3, 0.1, ["the critic lost"]), (0.6, 0.001, ["refined images are their input"]),
     (0.999, 0.0, ["the critic won", "refined images are their input"]), (0.6, 0.1, [])],
)
def test_alarms(accuracy: float, change: float, words: list[str]) -> None:
    """Only what lasts counts: the first rows are as bad as can be."""
    rows = [{"step": step, "critic.accuracy": 1.0, "refiner.change": 0.0} for step in (1, 2, 3)]
    rows += [{"step": 4, "critic.accuracy": accuracy, "refiner.change": change}]
    found = build().alarms(rows)
    assert [text.partition(":")[0] for text in found] == words
    rows[-1]["critic.accuracy"], rows[-1]["refiner.change"] = 0.6, 0.1
    assert build().alarms(rows) == []


def test_what_is_watched_is_not_minimised() -> None:
    model = build()
    terms = model.refiner_terms({"simulated": (images(0.3),)}, {})
    assert not terms["change"].requires_grad and terms["change"] == 0

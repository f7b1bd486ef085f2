"""Seeds trained together are seeds trained one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from domain.classifiers.feature_matching import (
    FeatureMatchingConfig,
    FeatureMatchingGAN,
    FeatureMatchingGANClassifier,
)
from domain.classifiers.supervised import Supervised, SupervisedConfig
from domain.errors import InputError
from domain.generators.gan import GAN, GANConfig
from domain.generators.vae import VAE, VAEConfig
from domain.randomness import scoped_seed, torch_generator
from domain.refiners.simgan import SimGAN, SimGANConfig
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms
from domain.together import fit_estimators, fit_together
from domain.training import Budget, History, NotFinite, fit

SEEDS = (3, 5, 9)
STEPS = {"feature matching": 10}  # a bias before batch normalisation has a gradient of rounding alone, which Adam enlarges
BUDGET = Budget(steps=20, average=0.9, hold=0.5, log_every=8, precision="float32")
TABLE = Space("table", (6,), (-1.0, 1.0), classes=3)
IMAGE = Space("image", (1, 8, 8), (-1.0, 1.0), classes=3)
# Adam moves a weight by its rate however small the gradient, so rounding errors grow with the rate.
MATCHING = FeatureMatchingConfig(
    hidden=(16, 12, 8), generator_hidden=(10,), latent=5, batch=10, optimiser=Adam(rate=1e-3, epsilon=1e-4)
)

FAMILIES: dict[str, Callable[[], System]] = {
    "feature matching": lambda: FeatureMatchingGAN(MATCHING, TABLE),
    "consistency": lambda: FeatureMatchingGAN(replace(MATCHING, consistency=1.0), TABLE),
    "historical": lambda: FeatureMatchingGAN(replace(MATCHING, historical=0.1), TABLE),
    "supervised": lambda: Supervised(SupervisedConfig("mlp", (16,), dropout=0.3, batch=10), TABLE),
    "convolutional": lambda: Supervised(SupervisedConfig("conv", width=4, batch=10), IMAGE),
    "gan": lambda: GAN(GANConfig(latent=5, width=4, batch=10), IMAGE),
    "conditional gan": lambda: GAN(GANConfig(latent=5, width=4, batch=10, conditional=True), IMAGE),
    "simgan": lambda: SimGAN(SimGANConfig(width=4, blocks=1, history=12, batch=8, critic_first=3), IMAGE),
    "warping simgan": lambda: SimGAN(
        SimGANConfig(
            width=4, blocks=1, critics=("local", "global"), critic_width=4, features=("gradients", "blur"), history=12,
            batch=8, critic_first=3, warp=0.2, latent=2, task=1.0, task_width=4,
        ),
        IMAGE,
    ),
    "vae": lambda: VAE(VAEConfig(latent=5, width=4, batch=10), IMAGE),
}


def systems(make: Callable[[], System]) -> list[System]:
    """One system for each seed, with its own start values."""
    made = []
    for seed in SEEDS:
        with scoped_seed(seed, "start values"):
            made.append(make())
    return made


def streams(system: System, seed: int) -> Mapping[str, Stream]:
    """The same 40 samples for every seed, nine of them labelled by the seed's choice."""
    x = 2 * torch.rand(40, *system.space.shape, generator=torch_generator(0, "x")) - 1
    label = torch.full((40,), -1)
    label[torch.randperm(40, generator=torch_generator(seed, "labelled"))[:9]] = torch.arange(9) % 3
    return system.streams(x, -x, torch.arange(40) % 3) if isinstance(system, SimGAN) else system.streams(x, label)


def assert_same_bits(one: System, other: System) -> None:
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@pytest.mark.parametrize("family", FAMILIES)
def test_together_is_one_at_a_time(family: str) -> None:
    """Every weight and every row of the history, to rounding."""
    alone, together = systems(FAMILIES[family]), systems(FAMILIES[family])
    data = [streams(system, seed) for system, seed in zip(together, SEEDS)]
    budget = replace(BUDGET, steps=STEPS.get(family, BUDGET.steps))
    histories = [fit(system, streams(system, seed), budget, seed) for system, seed in zip(alone, SEEDS)]
    assert_alike(histories, fit_together(together, data, budget, SEEDS))
    for one, other in zip(alone, together):
        torch.testing.assert_close(other.state_dict(), one.state_dict(), rtol=1e-5, atol=1e-5)
        assert not other.training
        assert all(p.requires_grad for p in other.parameters())
        own = [value.untyped_storage().nbytes() == value.nbytes for value in other.state_dict().values()]
        assert all(own), "no view of all seeds' tensors"


def assert_alike(histories: list[History], others: list[History]) -> None:
    for history, other in zip(histories, others, strict=True):
        for row, again in zip(history, other, strict=True):
            assert list(row) == list(again)
            assert list(row.values()) == pytest.approx(list(again.values()), rel=1e-5, abs=1e-5)


def test_bfloat16_stacks() -> None:
    run = systems(FAMILIES["feature matching"])
    data = [streams(system, seed) for system, seed in zip(run, SEEDS)]
    histories = fit_together(run, data, replace(BUDGET, precision="bfloat16"), SEEDS)
    alone = systems(FAMILIES["feature matching"])[0]
    history = fit(alone, streams(alone, SEEDS[0]), replace(BUDGET, precision="bfloat16"), SEEDS[0])
    assert list(histories[0][0].values()) == pytest.approx(list(history[0].values()), rel=0.05)


def killed(system: System, turns: int) -> System:
    """The same system, whose noise ends the run after so many draws."""
    draw, drawn = system.noise, []

    def noise(player: Player, generator: torch.Generator) -> Noise:
        drawn.append(player.name)
        if len(drawn) > turns:
            raise KeyboardInterrupt
        return draw(player, generator)

    system.noise = noise
    return system


@pytest.mark.parametrize("family", ["feature matching", "historical"])
@pytest.mark.parametrize("turns", [7, 36, 119])
def test_a_killed_run_ends_with_the_same_bits(tmp_path: Path, family: str, turns: int) -> None:
    """A round draws six times, three seeds by two players; a checkpoint is saved after every round."""
    whole, first, again = (systems(FAMILIES[family]) for _ in range(3))
    data = [streams(system, seed) for system, seed in zip(whole, SEEDS)]
    histories = fit_together(whole, data, BUDGET, SEEDS)
    killed(first[0], turns)
    with pytest.raises(KeyboardInterrupt):
        fit_together(first, data, BUDGET, SEEDS, checkpoint=tmp_path / "checkpoint", save_seconds=0)
    resumed = fit_together(again, data, BUDGET, SEEDS, checkpoint=tmp_path / "checkpoint")
    assert resumed == histories
    for one, other in zip(whole, again):
        assert_same_bits(one, other)
    with pytest.raises(InputError, match="its seeds are"):
        fit_together(again[:2], data[:2], BUDGET, SEEDS[:2], checkpoint=tmp_path / "checkpoint")


class Line(System):
    """Steps down a slope that the data gives."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Linear(1, 1)
        self.players = (Player("walker", ("place",), self.slope, Adam()),)

    def slope(self, batch: Batch, noise: Noise) -> Terms:
        return {"height": self.place(batch["x"][0]).mean()}


def slopes(*values: float) -> list[dict[str, Stream]]:
    return [{"x": Stream((torch.full((4, 1), float(value)),), 2)} for value in values]


def test_a_seed_that_is_not_finite_is_named() -> None:
    with pytest.raises(NotFinite, match=r"seed 5: the term 'walker\.height' was not finite in round 0 of 20"):
        fit_together([Line(), Line(), Line()], slopes(1, torch.nan, 1), BUDGET, SEEDS)


def test_what_cannot_be_stacked() -> None:
    with pytest.raises(InputError, match="2 systems, 1 sets of data and 2 seeds"):
        fit_together([Line(), Line()], slopes(1), BUDGET, [0, 1])
    with pytest.raises(InputError, match="the system of seed 1 differs"):
        fit_together([Line(), FAMILIES["supervised"]()], slopes(1, 2), BUDGET, [0, 1])
    with pytest.raises(InputError, match=r"of seed 1 has batches and sizes \{'x': \(2, \(3, 1\)\)\}"):
        fit_together([Line(), Line()], [*slopes(1), {"x": Stream((torch.ones(3, 1),), 2)}], BUDGET, [0, 1])


def test_terms_that_vmap_cannot_batch() -> None:
    class Branching(Line):
        def slope(self, batch: Batch, noise: Noise) -> Terms:
            height = super().slope(batch, noise)["height"]
            return {"height": height if height > 0 else -height}

    with pytest.raises(InputError, match="Branching so configured .* does not stack .* one at a time"):
        fit_together([Branching(), Branching()], slopes(1, 2), BUDGET, [0, 1])


def test_a_buffer_that_is_replaced() -> None:
    class Counting(Line):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("turns", torch.zeros(()))

        def after(self, player: Player, batch: Batch, noise: Noise) -> None:
            self.turns = self.turns + 1

    with pytest.raises(InputError, match=r"Counting\.after replaces the buffer 'turns'; change it in place"):
        fit_together([Counting()], slopes(1), BUDGET, [0])


def test_shared_data_is_kept_once() -> None:
    """Equal tensors need not be the same object: each estimator encodes its own."""
    seen = {}

    class Watching(Line):
        def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
            seen[id(self)] = data["x"].tensors[0].data_ptr()

    fit_together([Watching(), Watching()], slopes(1, 1), Budget(steps=1), [0, 1])
    assert len(set(seen.values())) == 1
    seen.clear()
    fit_together([Watching(), Watching()], slopes(1, 2), Budget(steps=1), [0, 1])
    assert len(set(seen.values())) == 2


@dataclass(eq=False, repr=False)
class Walk:
    """The smallest estimator: y is the slope."""

    random_state: int
    steps: int = 3
    device: str = "cpu"
    checkpoint: Path | None = None
    save_seconds: float = 20.0
    verbose: bool = False

    def prepare(self, X: Any, y: Any) -> tuple[System, Mapping[str, Stream], Budget, int]:
        with scoped_seed(self.random_state):
            line = Line()
        data = {"x": Stream((torch.as_tensor(X * y, dtype=torch.float32),), 2)}
        return line, data, Budget(steps=self.steps, precision="float32"), self.random_state

    def fit(self, X: Any, y: Any) -> Walk:
        system, data, budget, seed = self.prepare(X, y)
        return self.adopt(system, fit(system, data, budget, seed))

    def adopt(self, system: System, history: History) -> Walk:
        self.system, self.history = system, history
        return self


def test_estimators_stacked(tmp_path: Path) -> None:
    X, ys = np.ones((4, 1)), [1.0, 2.0]
    alone = fit_estimators([Walk(0), Walk(1)], X, ys)
    stacked = fit_estimators([Walk(0, checkpoint=tmp_path / "c"), Walk(1)], X, ys, stack=True)
    assert_alike([walk.history for walk in alone], [walk.history for walk in stacked])
    assert (tmp_path / "c").exists()
    with pytest.raises(InputError, match="1 estimators and 2 sets of labels do not pair"):
        fit_estimators([Walk(0)], X, ys)
    with pytest.raises(InputError, match="unlike budgets do not stack"):
        fit_estimators([Walk(0), Walk(1, steps=4)], X, ys, stack=True)


def test_estimators_on_a_cpu_have_the_bytes_of_one_at_a_time() -> None:
    X = np.random.default_rng(0).random((30, 4))
    ys = [np.where(np.arange(30) % 5 == k, np.arange(30) % 2, -1) for k in range(2)]

    def made() -> list[FeatureMatchingGANClassifier]:
        small = {"epochs": 2, "batch": 10, "hidden": (8,), "generator_hidden": (8,)}
        return [FeatureMatchingGANClassifier(**small, random_state=k) for k in range(2)]

    alone = [estimator.fit(X, y) for estimator, y in zip(made(), ys)]
    with ThreadPoolExecutor(1) as executor:
        for fitted in (fit_estimators(made(), X, ys), fit_estimators(made(), X, ys, executor)):
            for one, other in zip(alone, fitted):
                assert_same_bits(one.system_, other.system_)
                assert one.history_ == other.history_

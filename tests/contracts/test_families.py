"""What every registered family promises, whatever it is. A new family is tested by its line in the table."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone

from domain import models
from domain.classifiers import CLASSIFIERS, NETWORKS
from domain.config import Config
from domain.datasets import DATASETS
from domain.errors import InputError
from domain.generators import GENERATORS
from domain.randomness import torch_generator
from domain.refiners import REFINERS
from domain.regressors import NETWORKS as REGRESSIONS
from domain.regressors import REGRESSORS
from domain.samples import About, Samples, check
from domain.simulators import SIMULATORS
from domain.surrogates import SURROGATES
from domain.system import (
    CAPABILITIES,
    CanDecode,
    CanEncode,
    CanSample,
    CanTranslate,
    Player,
    System,
    capabilities,
)
from domain.training import Budget, fit
from tests.families import IMAGES, NAMESAKES, SMALL, build


def has(role: str, family: str) -> bool:
    """Whether a role's family may have variants in the table of small ones."""
    return family in models.FAMILIES[role] and (role, family) not in NAMESAKES


NETWORK_FAMILIES = [
    pytest.param(role, name, id=f"{role}-{name}")
    for role, table in models.FAMILIES.items()
    for name in (*table, *(variant for variant in SMALL if "/" in variant and has(role, variant.partition("/")[0])))
]


def data(role: str, system: System) -> dict:
    """A small training set for a family, from random numbers."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.uniform(-1, 1, (40, *IMAGES.shape)).astype(np.float32))
    label = torch.arange(40) % 4 - 1
    if system.space.physical:
        energy, shape = rng.uniform(1, 100, (200, 1)).astype(np.float32), system.space.shape
        cells = rng.exponential(1.0, (200, *shape)) * (rng.random((200, *shape)) < 0.3)
        cells *= energy.reshape(-1, *[1] * len(shape))
        deposits = torch.from_numpy(cells.astype(np.float32))
        if role == "refiner":
            return system.streams(deposits[:100], deposits[100:])
        if role == "regressor":
            return system.streams(deposits, torch.from_numpy(energy))
        condition = torch.from_numpy(energy).repeat(1, len(system.space.condition))
        given = {"label": torch.arange(200) % max(1, system.space.classes), "condition": condition}
        return system.streams(deposits, **{name: given[name] for name in system.given})
    if role == "regressor":
        return system.streams(x, x.flatten(1)[:, :2])
    return system.streams(x, x.flip(0), label) if role == "refiner" else system.streams(x, label)


@functools.cache
def trained(role: str, name: str) -> System:
    """A system after two rounds, for tests that only ask it."""
    system = build(role, name)
    fit(system, data(role, system), Budget(steps=2, average=0.9, precision="float32"), seed=0)
    return system


def outputs(system: System) -> list[torch.Tensor]:
    """Everything a system can do, with fixed seeds and inputs."""
    generator = torch_generator(0, "test")
    x = torch.linspace(-1, 1, 5 * math.prod(system.space.shape)).reshape(5, *system.space.shape)
    x = x.abs() if system.space.physical else x
    results = []
    if isinstance(system, CanSample):
        results.append(system.sample(5, generator))
    if isinstance(system, CanDecode) and isinstance(system, CanEncode):
        results.append(system.decode(system.encode(x)))
    for name in set(capabilities(system)) - {"samples", "decodes"}:
        method = {"encodes": "encode", "reconstructs": "reconstruct", "density": "density",
                  "translates": "translate", "classifies": "classify", "predicts": "predict"}[name]
        takes_generator = "generator" in inspect.signature(getattr(system, method)).parameters
        result = getattr(system, method)(x, *([generator] if takes_generator else []))
        results.append(result.value if name == "density" else result)
    return results


@pytest.mark.parametrize(("role", "name"), NETWORK_FAMILIES)
def test_config_round_trip(role: str, name: str) -> None:
    config = build(role, name).config
    assert isinstance(config, Config)
    assert type(config).parse(config.as_dict(), "test") == config
    with pytest.raises(InputError, match="unknown key"):
        type(config).parse({"no_such_key": 1}, "test")


@pytest.mark.parametrize(("role", "name"), NETWORK_FAMILIES)
def test_a_player_moves_its_own_roles_only(role: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system = build(role, name)
    streams = data(role, system)
    fit(system, streams, Budget(steps=1, precision="float32"), seed=0)
    monkeypatch.setattr(type(system), "start", lambda *_: None)  # it has started
    for player in system.players:
        others = {k: v.clone() for k, v in system.named_parameters() if k.split(".")[0] not in player.roles}
        system.players = (dataclasses.replace(player),)
        fit(system, streams, Budget(steps=1, precision="float32"), seed=1)
        for key, value in others.items():
            assert torch.equal(value, system.get_parameter(key)), f"{player.name} moved {key}"


@pytest.mark.parametrize(("role", "name"), NETWORK_FAMILIES)
def test_gradients_reach_every_parameter(role: str, name: str) -> None:
    system = build(role, name)
    streams = data(role, system)
    fit(system, streams, Budget(steps=3, precision="float32"), seed=0)
    system.train()
    reached = {key: torch.zeros(()) for key, _ in system.named_parameters()}
    for player in system.players:
        for seed in range(3):
            system.zero_grad()
            batch = {key: tuple(t[: s.batch].repeat(s.batch // len(t[: s.batch]) + 1, *[1] * (t.ndim - 1))[: s.batch]
                                for t in s.tensors) for key, s in streams.items()}
            terms = system(player, batch, system.noise(player, torch_generator(seed, "noise")))
            sum(terms.values()).backward()
            for key, parameter in system.named_parameters():
                if key.split(".")[0] in player.roles and parameter.grad is not None:
                    reached[key] = reached[key] + parameter.grad.abs().sum()
    dead = [key for key, total in reached.items() if not total > 0]
    assert not dead, f"no gradient reaches {dead}"


@pytest.mark.parametrize(("role", "name"), NETWORK_FAMILIES)
def test_a_forward_pass_changes_no_buffer(role: str, name: str) -> None:
    """Terms are pure: the same batch and noise give the same terms, and no state moves."""
    system = build(role, name)
    streams = data(role, system)
    fit(system, streams, Budget(steps=1, precision="float32"), seed=0)
    system.train()
    before = {key: value.clone() for key, value in system.state_dict().items()}
    for player in system.players:
        batch = {k: tuple(torch.cat([t] * 10)[: s.batch] for t in s.tensors) for k, s in streams.items()}
        noise = system.noise(player, torch_generator(0, "noise"))
        first, second = (system(player, batch, noise) for _ in range(2))
        assert all(torch.equal(first[key], second[key]) for key in first)
        assert all(torch.isfinite(term) and term.shape == () for term in first.values())
    assert all(torch.equal(value, system.state_dict()[key]) for key, value in before.items())


@pytest.mark.parametrize(("role", "name"), NETWORK_FAMILIES)
def test_saved_and_loaded(role: str, name: str, tmp_path: Path) -> None:
    system = trained(role, name)
    models.save(tmp_path, system, [{"step": 2, "loss": 1.0}], {"seed": 0, "inputs": {}})
    loaded = models.load(tmp_path)
    assert type(loaded) is type(system) and loaded.config == system.config and loaded.space == system.space
    for a, b in zip(outputs(system), outputs(loaded), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(("role", "name"), NETWORK_FAMILIES)
def test_promises(role: str, name: str) -> None:
    """Seeded, finite, of the right shape; each role has the capability it exists for."""
    system = trained(role, name)
    wanted = {"generator": "samples", "refiner": "translates", "classifier": "classifies", "surrogate": "samples",
              "regressor": "predicts"}
    assert wanted[role] in capabilities(system)
    assert set(capabilities(system)) <= set(CAPABILITIES)
    for a, b in zip(outputs(system), outputs(system), strict=True):
        assert torch.equal(a, b) and torch.isfinite(a).all() and len(a) == 5
    if isinstance(system, CanSample):
        a, b = (system.sample(6, torch_generator(seed, "test")) for seed in (0, 1))
        assert a.shape == (6, *system.space.shape) and not torch.equal(a, b)
    if isinstance(system, CanTranslate):
        x = torch.zeros(4, *system.space.shape)
        assert system.translate(x, torch_generator(0, "test")).shape == x.shape


@pytest.mark.parametrize("name", NETWORKS)
def test_probabilities(name: str) -> None:
    p = trained("classifier", name).classify(torch.zeros(7, *IMAGES.shape))
    assert p.shape == (7, IMAGES.classes)
    torch.testing.assert_close(p.sum(1), torch.ones(7))


@pytest.mark.parametrize("name", REGRESSIONS)
def test_predictions(name: str) -> None:
    system = trained("regressor", name)
    values = system.predict(torch.zeros(7, *system.space.shape))
    assert values.shape == (7, len(system.space.condition)) and torch.isfinite(values).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_estimators_store_their_parameters(name: str) -> None:
    estimator = CLASSIFIERS[name]()
    assert isinstance(estimator, BaseEstimator)
    assert clone(estimator).get_params() == estimator.get_params()


@pytest.mark.parametrize("name", SIMULATORS)
def test_simulators(name: str) -> None:
    if name == "jets":
        pytest.importorskip("pythia8mc", reason="jets need Pythia 8")
    required = {"kind": "shower", "shape": (4,), "range": (0, 9), "function": "tests.simulators.detector:simulate"}
    simulator = SIMULATORS[name](**(required if name == "own" else {}))
    about = simulator.about()
    assert isinstance(about, About) and simulator.shard >= 1
    first, again, other = (simulator.simulate(6, seed) for seed in (1, 1, 2))
    assert isinstance(first, Samples) and len(first) == 6
    assert first.about.kind == about.kind and first.about.range == about.range
    check(first, name)
    assert len(about.condition) == len(about.units)
    for column, values in first.columns.items():
        assert np.array_equal(values, again.columns[column]), f"{column} is not a function of the seed"
    assert not np.array_equal(first.x, other.x)


@pytest.mark.parametrize("name", DATASETS)
def test_datasets_describe_themselves(name: str, tmp_path: Path) -> None:
    dataset = DATASETS[name](path=str(tmp_path)) if name == "own" else DATASETS[name]()
    if name != "own":  # a user's own data describes itself once it is read
        about = dataset.about()
        assert about.kind in ("image", "shower") and about.range[0] < about.range[1] and about.classes >= 0


def test_one_line_a_family() -> None:
    """Every family's file stands in its folder's table."""
    root = Path(inspect.getfile(models)).parent
    tables = {"generators": GENERATORS, "refiners": REFINERS, "surrogates": SURROGATES, "simulators": SIMULATORS,
              "datasets": DATASETS, "classifiers": CLASSIFIERS, "regressors": REGRESSORS}
    shared = {"__init__", "base", "download", "raw"}
    for folder, table in tables.items():
        files = {path.stem for path in (root / folder).glob("*.py")} - shared
        homes = {inspect.getmodule(kind).__name__.rpartition(".")[2] for kind in table.values()}
        assert files == homes, f"domain/{folder}: {files ^ homes} is in no table, or has no file"


def test_a_player_is_named_once() -> None:
    for role, table in models.FAMILIES.items():
        for name in table:
            players: tuple[Player, ...] = build(role, name).players
            assert len({player.name for player in players}) == len(players)

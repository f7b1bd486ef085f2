"""scikit-learn's own contract, targets in their own units, and looks that change no direction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from domain.errors import InputError
from domain.nets.appearance import appearance
from domain.randomness import torch_generator
from domain.regressors import SupervisedRegressor


def small(**options: object) -> SupervisedRegressor:
    defaults = {"hidden": (32,), "epochs": 40, "batch": 100, "rate": 1e-2, "average": 0.9, "precision": "float32", "random_state": 0}
    return SupervisedRegressor(**{**defaults, **options})


@parametrize_with_checks([small()])
def test_scikit_learn(estimator: SupervisedRegressor, check: Callable[[SupervisedRegressor], None]) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def spots() -> tuple[np.ndarray, np.ndarray]:
    """Bright spots on grey images of 12×16, and where they are: y in 1000 pixels, x in pixels."""
    rng = np.random.default_rng(0)
    place = rng.uniform((3, 3), (9, 13), (400, 2))
    rows, columns = np.mgrid[:12, :16]
    square = (rows - place[:, 0, None, None]) ** 2 + (columns - place[:, 1, None, None]) ** 2
    return (50 + 150 * np.exp(-square / 4)).astype(np.float32), place * [1e-3, 1]


def test_targets_of_any_scale(spots: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = spots
    model = small(network="conv", width=8, rate=3e-3).fit(X[:300], y[:300])
    error = np.abs(model.predict(X[300:]) - y[300:]).mean(0) / y.std(0)
    assert model.predict(X[300:]).shape == (100, 2) and error.max() < 0.2
    assert model.score(X[300:], y[300:]) > 0.9


def test_changed_looks_teach_to_ignore_them(spots: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = spots
    darker = 0.6 * X[300:] + 40
    plain, changed = (
        small(network="conv", width=8, rate=3e-3, appearance=strength).fit(X[:300], y[:300]) for strength in (0.0, 1.0)
    )
    assert changed.score(darker, y[300:]) > max(plain.score(darker, y[300:]), 0.7)


def test_same_seed_same_answer_and_resume(spots: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    X, y = spots
    once = small(epochs=3, appearance=0.5).fit(X, y).predict(X)
    for _ in range(2):
        model = small(epochs=3, appearance=0.5, checkpoint=tmp_path / "checkpoint.safetensors")
        np.testing.assert_array_equal(once, model.fit(X, y).predict(X))
    assert not np.array_equal(once, small(epochs=3, appearance=0.5, random_state=1).fit(X, y).predict(X))


def test_a_target_that_never_changes() -> None:
    X = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_allclose(small(epochs=200).fit(X, np.full(50, 7.0)).predict(X), 7, atol=0.05)


@pytest.mark.parametrize("options", [{"network": "conv"}, {"appearance": 1.0}])
def test_vectors_have_no_look(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match="need images"):
        small(**options).fit(np.eye(5), np.arange(5.0))


def test_looks_change_but_nothing_moves() -> None:
    """Without noise, each image is a blurred version of itself up to a factor and an offset."""
    x = torch.zeros(50, 1, 9, 11)
    x[:, :, 4, 5] = 0.4
    draw = 2 * torch.rand(50, 4, generator=torch_generator(0, "draw")) - 1
    draw[:, 3] = 0
    changed = appearance(x, draw, torch.ones_like(x), 1.0)
    assert changed.min() >= -1 and changed.max() <= 1
    assert (changed.flatten(1).argmax(1) == 4 * 11 + 5).all()
    torch.testing.assert_close(changed, changed.flip(2).flip(3))
    assert changed.flatten(1).mean(1).std() > 0.1
    noisy = appearance(x, draw + torch.tensor([0, 0, 0, 1.0]), torch.ones_like(x), 1.0)
    torch.testing.assert_close(noisy, (changed + 0.15).clamp(max=1))

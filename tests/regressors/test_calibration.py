"""scikit-learn's own contract, energies by hand, and what a calibration refuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from domain.errors import InputError
from domain.regressors import CalibrationRegressor
from domain.regressors.calibration import Calibration, CalibrationConfig
from domain.space import Space

LAYERS = ((1, 3), (2, 2))


def small(**options: object) -> CalibrationRegressor:
    defaults = {"hidden": (16,), "epochs": 30, "rate": 1e-2, "average": 0.9, "precision": "float32", "random_state": 0}
    return CalibrationRegressor(**{**defaults, **options})


@parametrize_with_checks([small()])
def test_scikit_learn(estimator: CalibrationRegressor, check: Callable[[CalibrationRegressor], None]) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def showers() -> tuple[np.ndarray, np.ndarray]:
    """Deposits in two layers, of which the second tells but half of its energy; 1 to 100 GeV."""
    rng = np.random.default_rng(0)
    energy = rng.uniform(1, 100, 600)
    first = rng.uniform(0.2, 0.8, 600)
    cells = np.concatenate([first[:, None] * rng.dirichlet([2] * 3, 600), 0.5 * (1 - first)[:, None] * rng.dirichlet([2] * 4, 600)], 1)
    return (energy[:, None] * cells).astype(np.float32), energy


def spread(model: CalibrationRegressor, showers: tuple[np.ndarray, np.ndarray]) -> float:
    x, energy = showers
    return float((model.fit(x[:500], energy[:500]).predict(x[500:]) / energy[500:] - 1).std())


def test_layers_tell_what_the_total_does_not(showers: tuple[np.ndarray, np.ndarray]) -> None:
    total, layers, shape = (spread(small(sees=sees, shapes=LAYERS), showers) for sees in ("total", "layers", "shape"))
    assert total > 0.08
    assert layers < 0.01 and shape < 0.03


def test_an_empty_shower_has_no_energy_and_teaches_nothing(showers: tuple[np.ndarray, np.ndarray]) -> None:
    x, energy = showers
    more = np.concatenate([x, np.zeros((1, 7), np.float32)]), np.append(energy, 50.0)
    one, other = (small(shapes=LAYERS, batch=601).fit(*each) for each in (showers, more))
    np.testing.assert_array_equal(one.predict(x), other.predict(x))
    assert other.predict(more[0])[-1] == 0


def test_cells_below_zero_deposit_nothing(showers: tuple[np.ndarray, np.ndarray]) -> None:
    """Of the network, which sees what a file holds; the estimator refuses them."""
    x, energy = showers
    model = small(sees="shape", shapes=LAYERS).fit(x, energy)
    noisy = torch.from_numpy(x - 0.3 * x.max(1, keepdims=True))
    torch.testing.assert_close(model.system_.predict(noisy), model.system_.predict(noisy.clamp(min=0)), atol=0, rtol=0)
    assert (model.system_.predict(-torch.from_numpy(x)) == 0).all()
    with pytest.raises(ValueError, match="Negative"):
        model.predict(noisy.numpy())


def test_what_is_no_calorimeter_is_refused(showers: tuple[np.ndarray, np.ndarray]) -> None:
    x, energy = showers
    with pytest.raises(ValueError, match="above 0"):
        small(shapes=LAYERS).fit(x, -energy)
    with pytest.raises(ValueError, match="1d array"):
        small(shapes=LAYERS).fit(x, np.stack([energy, energy], 1))
    with pytest.raises(ValueError, match="Negative"):
        small(shapes=LAYERS).fit(-x, energy)
    with pytest.raises(InputError, match="have 2 cells"):
        small(shapes=((1, 2),)).fit(x, energy)
    with pytest.raises(InputError, match="showers and their energy"):
        Calibration(CalibrationConfig(), Space("image", (1, 4, 4), (0.0, 1.0), condition=("energy",), units=("GeV",)))

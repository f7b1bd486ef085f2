"""Errors target by target, and the floor."""

from __future__ import annotations

import numpy as np
import pytest

from domain.errors import InputError
from domain.metrics.regression import guess, scores


def test_errors_of_each_target() -> None:
    truth = np.array([[0.0, 10], [0, 20]])
    found = scores(truth, truth + [[1, 3], [1, -5]], ("a", "b"))
    assert found == pytest.approx({"rmse_a": 1, "rmse_b": np.sqrt(17), "mae_a": 1, "mae_b": 4, "bias_a": 1, "bias_b": -1})


def test_the_guess_is_the_mean_and_errs_by_the_spread() -> None:
    truth = np.random.default_rng(0).normal(5, 2, (1000, 1))
    found = scores(truth, guess(truth, 1000), ("a",))
    assert found["rmse_a"] == pytest.approx(truth.std()) and found["bias_a"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c")])
def test_names_must_fit(names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="with .* names"):
        scores(np.zeros((3, 2)), np.zeros((3, 2)), names)

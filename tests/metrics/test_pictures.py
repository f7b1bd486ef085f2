"""Observables of pictures, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from domain.errors import InputError
from domain.metrics.pictures import OBSERVABLES, observables


def test_by_hand() -> None:
    x = np.zeros((2, 3, 5))
    x[0, 0, 0], x[0, 2, 4] = 3, 1  # corners: rows −1 and 1, columns −2 and 2
    found = observables(x, (3, 5))
    expected = {
        "total": 4, "hits": 2, "row": -0.5, "column": -1, "row_width": np.sqrt(0.75), "column_width": np.sqrt(3),
        "tilt": 1.5, "hottest": 0.75, "contrast": 0.5, "faintest": 1,
    }
    assert list(found) == list(OBSERVABLES)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], [value, 0], atol=1e-12)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="15 deposits for 4 × 4"):
        observables(np.zeros((2, 15)), (4, 4))
    with pytest.raises(InputError, match="none below 0"):
        observables(-np.ones((2, 16)), (4, 4))

"""Halves share no row."""

from __future__ import annotations

import numpy as np
import pytest

from domain.errors import InputError
from domain.metrics.base import halves


def test_halves_are_disjoint_and_follow_the_seed() -> None:
    a, b = halves(np.arange(11), 3)
    assert len(a) == len(b) == 5 and len(set(a) | set(b)) == 10
    assert np.array_equal(a, halves(np.arange(11), 3)[0]) and not np.array_equal(
        a, halves(np.arange(11), 4)[0]
    )
    assert [len(side) for side in halves(np.ones((9, 2)), 0, count=2)] == [2, 2]


@pytest.mark.parametrize("count", [0, 6])
def test_refuses(count: int) -> None:
    with pytest.raises(InputError, match=f"count is {count}"):
        halves(np.arange(11), 0, count)

"""Random search: ranges, how they narrow, and what the trials say."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from domain.errors import InputError
from domain.search import Span, applied, best_so_far, drawn, narrowed, own_setting, rank_correlation, spreads

SPANS = {
    "rate": Span(sets=("generator.rate", "critic.rate"), low=1e-5, high=1e-2, log=True),
    "beta": Span(sets=("generator.beta1",), low=0.0, high=0.9),
    "steps": Span(sets=("critic_steps",), choices=(1, 5)),
}
MODEL = {"critic_steps": 1, "generator": {"rate": 2e-4, "beta1": 0.5}, "critic": {"rate": 2e-4}}


def test_values_are_even_in_their_range() -> None:
    rng = np.random.default_rng(0)
    settings = [drawn(SPANS, rng) for _ in range(500)]
    logs = [(math.log10(s["rate"]) + 5) / 3 for s in settings]
    assert stats.kstest(logs, "uniform").pvalue > 0.01
    assert stats.kstest([s["beta"] / 0.9 for s in settings], "uniform").pvalue > 0.01
    assert {s["steps"] for s in settings} == {1, 5}


def test_a_setting_goes_to_every_parameter_it_names_and_changes_no_other() -> None:
    changed = applied(SPANS, {"rate": 1e-3, "steps": 5}, MODEL)
    assert changed == {"critic_steps": 5, "generator": {"rate": 1e-3, "beta1": 0.5}, "critic": {"rate": 1e-3}}
    assert MODEL["generator"]["rate"] == 2e-4
    assert own_setting(SPANS, MODEL) == {"rate": 2e-4, "beta": 0.5, "steps": 1}


def test_narrow_ranges_have_their_width_and_stay_inside() -> None:
    narrow = narrowed(SPANS, {"rate": 1e-4, "beta": 0.01, "steps": 5}, 1 / 3)
    assert (narrow["rate"].low, narrow["rate"].high) == pytest.approx((10**-4.5, 10**-3.5))
    assert (narrow["beta"].low, narrow["beta"].high) == pytest.approx((0.0, 0.3))
    assert narrow["steps"].choices == (5,)
    outside = SPANS["rate"].around(1.0, 0.5)
    assert (outside.low, outside.high) == pytest.approx((10**-3.5, 1e-2))


def test_best_so_far_agrees_with_all_resamples() -> None:
    """Of three others two are drawn with replacement: nine equally likely pairs."""
    wide, narrow = [5.0, 1.0, 6.0, math.inf], [0.5, 2.0]
    rng = np.random.default_rng(0)
    assert (best_so_far(wide, narrow, 1, 10, rng) == 5).all()
    found = best_so_far(wide, narrow, 3, 20_000, rng)
    pairs = [min(5.0, *pair) for pair in itertools.product(wide[1:], repeat=2)]
    assert found.mean() == pytest.approx(np.mean(pairs), abs=0.05) and set(found) == set(pairs)
    whole = best_so_far(wide, narrow, 6, 20_000, rng)
    assert (whole == 0.5).mean() == pytest.approx(3 / 4, abs=0.02)


def test_spreads() -> None:
    groups = [[1.0, 2.0, 3.0], [4.0, 6.0, 8.0], [1.0, 1.5, 2.0]]
    found = spreads(groups)
    assert found["between"] == pytest.approx(np.std([2, 6, 1.5], ddof=1))
    assert found["within"] == pytest.approx(math.sqrt((1 + 4 + 0.25) / 3))
    assert found["p"] == stats.kruskal(*groups).pvalue


def test_rank_correlation() -> None:
    a = np.array([3.0, 1.0, 2.0, 9.0])
    assert rank_correlation(a, np.exp(a)) == pytest.approx(1) and rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a, np.ones(4)) is None


def test_refuses() -> None:
    with pytest.raises(InputError, match="critic.rat"):
        applied({"rate": Span(sets=("critic.rat",), low=1, high=2)}, {"rate": 1.0}, MODEL)
    with pytest.raises(InputError, match="no parameter 'penalty.weight'"):
        own_setting({"weight": Span(sets=("penalty.weight",), low=1, high=2)}, MODEL)
    for bad in ({"low": 2.0, "high": 1.0}, {"low": 0.0, "high": 1.0, "log": True}, {}):
        with pytest.raises(InputError, match=r"Span\.low"):
            Span(sets=("a",), **bad)
    with pytest.raises(InputError, match=r"Span\.sets"):
        Span(sets=(), low=0, high=1)
    with pytest.raises(InputError, match="budget: is 7"):
        best_so_far([1.0] * 4, [1.0] * 2, 7, 1, np.random.default_rng(0))
    with pytest.raises(InputError, match="spreads"):
        spreads([[1.0, 2.0], [1.0]])

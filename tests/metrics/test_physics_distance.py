"""FPD and KPD against jetnet's own figures, and on sets of one distribution."""

from __future__ import annotations

import numpy as np
import pytest

from domain.errors import InputError
from domain.metrics.base import halves
from domain.metrics.physics_distance import fpd, kpd

SIZES = {"min_samples": 500, "max_samples": 2000, "num_batches": 5, "num_points": 6}
BATCHES = {"num_batches": 4, "batch_size": 300}


def vectors() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2211)
    mixing = np.array([[1, 0.5, 0, 0], [0, 1, 0.3, 0], [0, 0, 2, 0], [0, 0, 0, 0.1]])
    return rng.normal(size=(3000, 4)) @ mixing, rng.gamma(2, size=(2500, 4)) - 1.8


# The numbers are what jetnet.evaluation.fpd and kpd (jetnet 0.2.5, scipy 1.17.1) return for these arguments.
# The fit's derivatives are finite differences, so its error has four digits where the distance is far above it.
def test_fpd_agrees_with_jetnet() -> None:
    real, generated = vectors()
    result = fpd(real, generated, **SIZES)
    assert result["fpd"] == pytest.approx(10.138303473347694, rel=1e-8)
    assert result["fpd_error"] == pytest.approx(0.3856058504200392, rel=1e-3)
    assert result["count"] == 2500
    result = fpd(real, generated, **SIZES, normalise=False, seed=7)
    assert result["fpd"] == pytest.approx(2.763875220644003, rel=1e-8)
    assert result["fpd_error"] == pytest.approx(0.05242245896620271, rel=1e-3)


def test_fpd_of_equals_agrees_with_jetnet() -> None:
    real, _ = vectors()
    result = fpd(real[:1500], real[1500:], **SIZES)
    assert result["fpd"] == pytest.approx(0.0013328956953950863, rel=1e-6)
    assert result["fpd_error"] == pytest.approx(0.0008289845654218411, rel=1e-5)


def test_kpd_agrees_with_jetnet() -> None:
    real, generated = vectors()
    result = kpd(real, generated, **BATCHES)
    assert result["kpd"] == pytest.approx(5200.775649215995, rel=1e-10)
    assert result["kpd_error"] == pytest.approx(3016.394858529518, rel=1e-10)
    result = kpd(real, generated, **BATCHES, normalise=False, seed=7)
    assert result["kpd"] == pytest.approx(18.852451828191853, rel=1e-10)
    assert result["kpd_error"] == pytest.approx(2.2402710556203296, rel=1e-10)
    result = kpd(real[:1500], real[1500:], **BATCHES)
    assert result["kpd"] == pytest.approx(0.00034510784681551776, rel=1e-8)
    assert result["kpd_error"] == pytest.approx(0.0012326027362205508, rel=1e-8)


def test_fpd_finds_a_shift_above_its_floor() -> None:
    # Normal, unit covariance, shifted by 0.5 in one of three columns: the distance is 0.25.
    real, generated = np.random.default_rng(3).normal(size=(2, 6000, 3))
    generated[:, 0] += 0.5
    result = fpd(real, generated, 1000, 3000, 5, 6, normalise=False)
    floor = fpd(*halves(real, 0), 1000, 3000, 5, 6, normalise=False)
    assert result["fpd"] == pytest.approx(0.25, abs=0.04)
    assert 0 <= floor["fpd"] < 0.01 and floor["count"] == 3000


def test_constant_and_dependent_columns_stay_real() -> None:
    real, generated = (np.column_stack([x, x[:, 0] + x[:, 1], np.zeros(len(x))]) for x in vectors())
    result = fpd(real, generated, **SIZES)
    assert np.isfinite(list(result.values())).all() and result["fpd"] > 0


@pytest.mark.parametrize(
    "bad", [np.empty((0, 4)), np.ones((1, 4)), np.full((9, 4), np.nan), np.ones((9, 2)), np.ones(9)]
)
def test_refuses(bad: np.ndarray) -> None:
    with pytest.raises(InputError, match="FPD"):
        fpd(np.ones((9, 4)), bad)
    with pytest.raises(InputError, match="KPD"):
        kpd(np.ones((9, 4)), bad)


@pytest.mark.parametrize(
    "options", [{"min_samples": 1}, {"max_samples": 20_000}, {"num_points": 2}, {"num_batches": 0}]
)
def test_refuses_what_no_line_fits(options: dict) -> None:
    with pytest.raises(InputError, match="FPD"):
        fpd(*vectors(), **options)
    with pytest.raises(InputError, match="KPD"):
        kpd(*vectors(), num_batches=0)

"""Observables against loops over cells, features' shapes, and the energy response."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import curve_fit

from domain.errors import InputError
from domain.metrics.showers import (
    OBSERVABLES,
    energy_response,
    estimate_scores,
    features_high,
    features_layers,
    features_low,
    linearity,
    observables,
    response_ratios,
)

SHAPES = ((3, 96), (12, 12), (12, 6))


def showers(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    x = rng.gamma(0.5, 40, size=(count, 504)) * (rng.random((count, 504)) < 0.4)
    return x, rng.uniform(1, 100, count)


def moments(weighted: list[tuple[float, float]]) -> tuple[float, float]:
    total = sum(weight for weight, _ in weighted)
    if not total:
        return 0.0, 0.0
    mean = sum(weight * place for weight, place in weighted) / total
    return mean, math.sqrt(sum(weight * place**2 for weight, place in weighted) / total - mean**2)


def by_loops(cells: np.ndarray, energy: float) -> dict[str, float]:
    """One shower's observables, cell by cell, by the textbook formulas."""
    result, layer_energy, start = {}, [], 0
    for i, (rows, columns) in enumerate(SHAPES):
        flat = [float(value) for value in cells[start : start + rows * columns]]
        start += rows * columns
        along_x = [(e, -240 + (n // columns + 0.5) * 480 / rows) for n, e in enumerate(flat)]
        along_y = [(e, -240 + (n % columns + 0.5) * 480 / columns) for n, e in enumerate(flat)]
        first, second = sorted(flat, reverse=True)[:2]
        layer_energy.append(sum(flat))
        result[f"width_x_{i}"] = moments(along_x)[1]
        result[f"width_y_{i}"] = moments(along_y)[1]
        result[f"ratio_{i}"] = (first - second) / (first + second) if first else 0.0
        result[f"sparsity_{i}"] = sum(e > 0 for e in flat) / len(flat)
    total = sum(layer_energy)
    for i, deposit in enumerate(layer_energy):
        result[f"energy_{i}"] = deposit / 1000
        result[f"fraction_{i}"] = deposit / total if total else 0.0
    result["total"] = total / 1000
    result["response"] = total / 1000 / energy
    result["depth"] = max((i for i, deposit in enumerate(layer_energy) if deposit), default=0)
    result["depth_weighted"] = (layer_energy[1] + 2 * layer_energy[2]) / 1000
    result["shower_depth"], result["shower_depth_width"] = moments(list(zip(layer_energy, range(3))))
    return result


def test_every_observable_agrees_with_loops_to_nine_digits() -> None:
    x, energy = showers()
    x[1, 288:] = 0  # stops in layer 0
    x[2, :288] = 0  # starts in layer 1
    x[3] = 0
    measured = observables(x, energy)
    assert list(measured) == list(OBSERVABLES)
    for n in range(len(x)):
        for name, expected in by_loops(x[n], energy[n]).items():
            assert measured[name][n] == pytest.approx(expected, rel=1e-9, abs=1e-6), (name, n)


def test_depth_and_empty_showers() -> None:
    x = np.zeros((4, 504))
    x[0, 0], x[1, 300], x[2, 500] = 1, 1, 1
    measured = observables(x, np.ones(4))
    assert measured["depth"].tolist() == [0, 1, 2, 0]
    assert all(np.isfinite(column).all() and not column[3] for column in measured.values())
    assert measured["ratio_1"][1] == 1  # one cell hit: nothing beside it


def test_constant_layers() -> None:
    measured = observables(np.ones((1, 504)), np.array([0.504]))
    assert measured["response"][0] == pytest.approx(1, rel=1e-12)
    assert measured["ratio_1"][0] == 0 and measured["sparsity_1"][0] == 1
    # 12 equal cells of 40 mm: standard deviation 40 sqrt((144 - 1) / 12).
    assert measured["width_x_1"][0] == pytest.approx(40 * math.sqrt(143 / 12), rel=1e-12)


def test_axes_name_their_units() -> None:
    assert str(OBSERVABLES["energy_0"]) == "energy in layer 0 [GeV]"
    assert str(OBSERVABLES["fraction_0"]) == "share of the energy in layer 0"


def test_low_features() -> None:
    x, energy = showers()
    features = features_low(x, energy)
    assert features.shape == (6, 505)
    assert features[2, 0] == pytest.approx(math.log10(energy[2]), rel=1e-12)
    assert features[:, 1:].sum(axis=1) == pytest.approx(observables(x, energy)["response"], rel=1e-12)


def test_high_features_agree_with_observables() -> None:
    x, energy = showers()
    features, measured = features_high(x, energy), observables(x, energy)
    assert features.shape == (6, 23)
    assert features[:, 0] == pytest.approx(np.log10(energy), rel=1e-12)
    assert features[:, 2] == pytest.approx(np.log10(1000 * measured["energy_1"]), rel=1e-12)
    assert features[:, 4] == pytest.approx(np.log10(1000 * measured["total"]), rel=1e-12)
    assert features[:, 7] * 100 == pytest.approx(measured["width_x_0"], rel=1e-12)
    assert features[:, 16] * 100 == pytest.approx(measured["width_y_2"], rel=1e-12)
    assert features[:, 18] == pytest.approx(measured["ratio_1"], rel=1e-12)
    assert features[:, 22] == pytest.approx(measured["sparsity_2"], rel=1e-12)
    assert np.isfinite(features_high(np.zeros((1, 504)), np.ones(1))).all()


def test_centre_of_one_cell() -> None:
    x = np.zeros((1, 504))
    x[0, 288 + 12 * 2 + 7] = 5.0  # layer 1, row 2, column 7: x = -240 + 2.5 * 40, y = -240 + 7.5 * 40
    assert features_high(x, np.ones(1))[0, 9:13].tolist() == pytest.approx([-1.4, 0.6, 0, 0], abs=1e-12)


def test_energy_response_finds_the_bias_and_resolution_put_in() -> None:
    rng = np.random.default_rng(6)
    energy = rng.uniform(10, 90, 20_000)
    x = np.zeros((20_000, 504))
    mean, sd = np.where(energy < 50, ((0.98,), (0.05,)), ((1.01,), (0.02,)))
    x[:, 300] = 1000 * energy * rng.normal(mean, sd)
    low, high = energy_response(x, energy, (10, 50, 90))
    assert (low.low, low.high, high.low, high.high) == (10, 50, 50, 90)
    assert low.count + high.count == 20_000
    for bin_, bias, resolution in ((low, -0.02, 0.05 / 0.98), (high, 0.01, 0.02 / 1.01)):
        assert bin_.bias == pytest.approx(bias, abs=3 * bin_.bias_error)
        assert bin_.resolution == pytest.approx(resolution, abs=3 * bin_.resolution_error)


def test_a_response_beside_the_reference_s() -> None:
    """Shifted by 2 % and stretched by 3 about its mean in every bin, by hand."""
    rng = np.random.default_rng(0)
    energy = rng.uniform(1, 100, 2000)
    ratio = 1 + 0.05 * rng.standard_normal(2000)
    cells = np.zeros((2, 2000, 504))
    bins = (1.0, 50.0, 100.0)
    cells[0, :, 0] = 1000 * energy * ratio
    for low, high in zip(bins, bins[1:]):
        inside = (energy >= low) & (energy <= high)
        mean = ratio[inside].mean()
        cells[1, inside, 0] = 1000 * energy[inside] * 1.02 * (mean + 3 * (ratio[inside] - mean))
    theirs, ours = (energy_response(x, energy, bins) for x in cells)
    told = response_ratios(ours, theirs)
    assert told["bias"] == pytest.approx(0.02, abs=1e-12) and told["sigma_ratio"] == pytest.approx(3, abs=1e-9)
    assert response_ratios(theirs, theirs) == {"bias": 0.0, "sigma_ratio": 1.0}


def test_estimates_of_the_energy() -> None:
    """Bins count alike, however many showers they hold; an edge belongs to the bin above."""
    truth = np.array([2.0, 2, 10, 10, 10, 10])
    found = estimate_scores(truth, truth * [1.1, 1.3, 0.9, 1.0, 1.0, 1.1], (1, 10, 20))
    spread = np.std([110, 130], ddof=1), np.std([90, 100, 100, 110], ddof=1)
    assert found == pytest.approx(
        {
            "sigma_percent": np.sqrt(np.mean(np.square(spread))), "bias_percent": 20,
            "sigma_percent_1_10": spread[0], "bias_percent_1_10": 20, "sigma_percent_10_20": spread[1], "bias_percent_10_20": 0,
        }
    )
    with pytest.raises(InputError, match="the bin 20 to 30 GeV has 0 showers"):
        estimate_scores(truth, truth, (1, 20, 30))
    with pytest.raises(InputError, match="'truth' above 0"):
        estimate_scores(truth - 2, truth, (1, 20))


def test_layer_features_are_the_first_of_the_high_ones() -> None:
    x, energy = showers()
    deposits = np.stack([x[:, :288].sum(1), x[:, 288:432].sum(1), x[:, 432:].sum(1)], axis=1)
    np.testing.assert_allclose(features_layers(x, energy), np.log10(np.column_stack([energy, deposits])), rtol=1e-12)


def test_the_last_bin_holds_its_upper_edge() -> None:
    x = np.ones((4, 504))
    first, last = energy_response(x, np.array([1.0, 1.5, 2.0, 3.0]), (1, 2, 3))
    assert (first.count, last.count) == (2, 2)


def test_linearity_finds_the_line_put_in() -> None:
    rng = np.random.default_rng(7)
    energy = rng.uniform(10, 90, 20_000)
    x = np.zeros((20_000, 504))
    x[:, 300] = 1000 * (0.5 + 0.9 * energy + 0.3 * np.sqrt(energy) * rng.normal(size=20_000))
    line = linearity(x, energy, (10, 20, 40, 60, 75, 90))
    assert line.slope == pytest.approx(0.9, abs=3 * line.slope_error)
    assert line.offset == pytest.approx(0.5, abs=3 * line.offset_error)
    assert 0.0001 < line.slope_error < 0.002 and line.deviation < 0.005
    assert line.bins == 5 and line.chi2 < 15  # beyond the 99.8th percentile of 3 degrees of freedom


def test_linearity_agrees_with_a_line_fitted_by_scipy() -> None:
    energy = np.repeat([10.0, 30.0, 60.0, 100.0], 2)
    x = np.zeros((8, 504))
    x[:, 0] = 1000 * (energy - 0.001 * energy**2 + np.tile([-1.0, 1.0], 4))
    line = linearity(x, energy, (0, 20, 40, 80, 100))
    centres, means = energy[::2], energy[::2] - 0.001 * energy[::2] ** 2
    # Two showers at ± 1 GeV: a standard deviation of √2, so an error of the mean of 1.
    options = {"sigma": np.ones(4), "absolute_sigma": True}
    (slope, offset), covariance = curve_fit(lambda e, s, o: s * e + o, centres, means, **options)
    assert (line.slope, line.offset) == pytest.approx((slope, offset), rel=1e-6)
    assert (line.slope_error, line.offset_error) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)
    fitted = slope * centres + offset
    assert line.deviation == pytest.approx(np.abs(means / fitted - 1).max(), rel=1e-6)
    assert line.chi2 == pytest.approx(((means - fitted) ** 2).sum(), rel=1e-5)


def test_linearity_refuses() -> None:
    x, energy = np.ones((40, 504)), np.linspace(1, 40, 40)
    with pytest.raises(InputError, match="three or more"):
        linearity(x, energy, (1, 20, 40))
    with pytest.raises(InputError, match="all alike"):
        linearity(x * energy[:, None], energy, (1, 10, 20, 40))


@pytest.mark.parametrize("bins", [(1,), (2, 1), (1, 1), (50, 60), (0, np.nan)])
def test_energy_response_refuses(bins: tuple) -> None:
    with pytest.raises(InputError, match="energy response"):
        energy_response(np.ones((3, 504)), np.ones(3), bins)


@pytest.mark.parametrize(
    ("x", "energy"),
    [
        (np.empty((0, 504)), np.empty(0)),
        (np.ones((2, 503)), np.ones(2)),
        (np.ones((2, 504)), np.ones((2, 1))),
        (np.full((2, 504), np.nan), np.ones(2)),
        (-np.ones((2, 504)), np.ones(2)),
        (np.ones((2, 504)), np.zeros(2)),
        (np.ones((2, 504)), np.array([1.0, np.nan])),
    ],
)
def test_refuses(x: np.ndarray, energy: np.ndarray) -> None:
    for call in (observables, features_low, features_high):
        with pytest.raises(InputError, match="showers"):
            call(x, energy)

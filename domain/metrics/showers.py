"""What physicists look at in a calorimeter shower.

Observables are those of CaloGAN (Paganini, de Oliveira and Nachman 2017, arXiv 1705.02355, section
4), in its three-layer geometry. E_i is the energy in layer i = 0, 1, 2. Where an observable has no
value, such as the width of a layer without energy, it is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from domain.errors import InputError
from domain.geometry import CALOGAN

MEV_PER_GEV = 1000.0
DARK = 1e-3  # MeV; stands for an energy of 0 under the logarithm, far below any read-out threshold
LAYERS = range(len(CALOGAN.shapes))


@dataclass(frozen=True)
class Axis:
    """How an observable is written on a plot: what it is, and its unit, empty for a pure number."""

    label: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.label} [{self.unit}]" if self.unit else self.label


OBSERVABLES: Mapping[str, Axis] = {
    **{f"energy_{i}": Axis(f"energy in layer {i}", "GeV") for i in LAYERS},
    **{f"fraction_{i}": Axis(f"share of the energy in layer {i}") for i in LAYERS},
    "total": Axis("total energy", "GeV"),
    "response": Axis("total over incident energy"),
    "depth": Axis("deepest layer hit"),
    "depth_weighted": Axis("depth-weighted energy", "GeV"),
    "shower_depth": Axis("mean layer of the energy"),
    "shower_depth_width": Axis("spread of the energy over layers"),
    **{f"width_x_{i}": Axis(f"width along x in layer {i}", "mm") for i in LAYERS},
    **{f"width_y_{i}": Axis(f"width along y in layer {i}", "mm") for i in LAYERS},
    **{f"ratio_{i}": Axis(f"hottest cells' contrast in layer {i}") for i in LAYERS},
    **{f"sparsity_{i}": Axis(f"share of cells hit in layer {i}") for i in LAYERS},
}


def observables(x: np.ndarray, energy: np.ndarray) -> dict[str, np.ndarray]:
    """Every observable of every shower, (N,) each, named and ordered as in ``OBSERVABLES``.

    Args:
        x: cells in MeV, (N, 504), at least 0.
        energy: incident energy in GeV, (N,), above 0.

    Returns:
        ``energy_i`` E_i and ``total`` E = Σ E_i in GeV; ``fraction_i`` E_i/E; ``response`` E over
        the incident energy; ``depth`` the deepest layer with energy; ``depth_weighted`` Σ i E_i;
        ``shower_depth`` Σ i E_i/E and ``shower_depth_width`` the standard deviation of i under
        E_i/E; ``width_x_i``, ``width_y_i`` the standard deviation of cell centres under cell
        energies in mm (CaloGAN shows x alone); ``ratio_i`` (E₁ − E₂)/(E₁ + E₂) of the layer's two
        hottest cells; ``sparsity_i`` the share of its cells with energy, CaloGAN's name for it.
    """
    x, energy = _checked(x, energy)
    layers = CALOGAN.split(x)
    deposits = layer_energies(x)
    total = deposits.sum(axis=1)
    depth, depth_width = _moments(deposits, np.arange(float(len(layers))))
    shapes = [lateral_moments(x, i) for i in LAYERS]
    return {
        **{f"energy_{i}": deposits[:, i] / MEV_PER_GEV for i in LAYERS},
        **{f"fraction_{i}": _over(deposits[:, i], total) for i in LAYERS},
        "total": total / MEV_PER_GEV,
        "response": total / (MEV_PER_GEV * energy),
        "depth": ((deposits > 0) * np.arange(len(layers))).max(axis=1).astype(float),
        "depth_weighted": deposits @ np.arange(len(layers)) / MEV_PER_GEV,
        "shower_depth": depth,
        "shower_depth_width": depth_width,
        **{f"width_x_{i}": shapes[i][:, 2] for i in LAYERS},
        **{f"width_y_{i}": shapes[i][:, 3] for i in LAYERS},
        **{f"ratio_{i}": hottest_ratio(layers[i]) for i in LAYERS},
        **{f"sparsity_{i}": (layers[i] > 0).mean(axis=(1, 2)) for i in LAYERS},
    }


def layer_energies(x: np.ndarray) -> np.ndarray:
    """(N, 3) energy in each layer, in the unit of the cells ``x``, (N, 504)."""
    return np.stack([layer.sum(axis=(1, 2)) for layer in CALOGAN.split(x)], axis=1)


def lateral_moments(x: np.ndarray, layer: int) -> np.ndarray:
    """(N, 4) mean along x and y, then standard deviation along x and y, in mm, in one layer.

    Args:
        x: cells, (N, 504), in any unit.
        layer: which layer.
    """
    cells = CALOGAN.split(x)[layer]
    along_x, along_y = CALOGAN.centres(layer)
    mean_x, width_x = _moments(cells.sum(axis=2), along_x)
    mean_y, width_y = _moments(cells.sum(axis=1), along_y)
    return np.stack([mean_x, mean_y, width_x, width_y], axis=1)


def hottest_ratio(layer: np.ndarray) -> np.ndarray:
    """(N,) (E₁ − E₂)/(E₁ + E₂) of the two hottest cells of one layer, (N, rows, columns)."""
    second, first = np.partition(layer.reshape(len(layer), -1), -2, axis=1)[:, -2:].T
    return _over(first - second, first + second)


def features_low(x: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """(N, 505) for a two-sample test on cells: log₁₀ of the incident energy in GeV, cells over it.

    The CaloChallenge's low-level features (Krause et al. 2024, arXiv 2410.21611).

    Args:
        x: cells in MeV, (N, 504).
        energy: incident energy in GeV, (N,).
    """
    x, energy = _checked(x, energy)
    return np.concatenate([np.log10(energy)[:, None], x / (MEV_PER_GEV * energy)[:, None]], axis=1)


def features_layers(x: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """(N, 4) for a two-sample test on layer energies alone: log₁₀ incident energy (GeV), of each layer (MeV).

    Arguments as :func:`features_high` takes them.
    """
    return features_high(x, energy)[:, : 1 + len(LAYERS)]


def features_high(x: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """(N, 23) for a two-sample test on observables, after the CaloChallenge's high-level features.

    Columns: log₁₀ incident energy (GeV); log₁₀ energy of each layer and in all (MeV); for each layer
    the centres and widths along x and y (100 mm), the hottest cells' ratio and the sparsity. The
    ratio is an addition: surrogates fail there first.

    Args:
        x: cells in MeV, (N, 504).
        energy: incident energy in GeV, (N,).
    """
    x, energy = _checked(x, energy)
    deposits = layer_energies(x)
    layers = CALOGAN.split(x)
    columns = [
        np.log10(energy)[:, None],
        np.log10(np.maximum(deposits, DARK)),
        np.log10(np.maximum(deposits.sum(axis=1, keepdims=True), DARK)),
        *[lateral_moments(x, i) / 100 for i in LAYERS],
        *[hottest_ratio(layer)[:, None] for layer in layers],
        *[(layer > 0).mean(axis=(1, 2))[:, None] for layer in layers],
    ]
    return np.concatenate(columns, axis=1)


@dataclass(frozen=True)
class Response:
    """Energy response in one bin of incident energy; ``_error`` is a standard error.

    Attributes:
        low, high: the bin, in GeV.
        count: showers in it.
        bias: mean of E / E_incident, less 1.
        resolution: standard deviation of E / E_incident over its mean; its error supposes normal showers.
    """

    low: float
    high: float
    count: int
    bias: float
    bias_error: float
    resolution: float
    resolution_error: float


def energy_response(x: np.ndarray, energy: np.ndarray, bins: Sequence[float]) -> tuple[Response, ...]:
    """Bias and resolution of the total energy, bin by bin.

    Args:
        x: cells in MeV, (N, 504).
        energy: incident energy in GeV, (N,).
        bins: increasing edges in GeV; a bin holds low ≤ energy < high, the last one high too.
    """
    x, energy = _checked(x, energy)
    ratio = x.sum(axis=1) / (MEV_PER_GEV * energy)
    return tuple(_response(ratio[inside], low, high) for inside, low, high in _binned(energy, bins))


def estimate_scores(truth: np.ndarray, estimate: np.ndarray, bins: Sequence[float]) -> dict[str, float]:
    """What estimates of the incident energy are worth: bias and resolution of estimate / truth, bin by bin.

    Args:
        truth: incident energy in GeV, (N,), above 0.
        estimate: (N,) in GeV.
        bins: increasing edges in GeV, as :func:`energy_response` takes them.

    Returns:
        In percent, ``sigma_percent``, the standard deviation of (estimate − truth) / truth in quadrature over bins, each
        counting alike; ``bias_percent``, the largest |mean| of it in a bin; and of each bin
        ``sigma_percent_<low>_<high>`` and ``bias_percent_<low>_<high>``.
    """
    truth, estimate = np.asarray(truth, np.float64), np.asarray(estimate, np.float64)
    if truth.ndim != 1 or truth.shape != estimate.shape or not (truth > 0).all():
        raise InputError(f"energy estimates: 'truth' {truth.shape} and 'estimate' {estimate.shape} must be (N,), 'truth' above 0")
    found: dict[str, float] = {}
    for inside, low, high in _binned(truth, bins):
        error = 100 * (estimate[inside] / truth[inside] - 1)
        if len(error) < 2:
            raise InputError(f"energy estimates: the bin {low:g} to {high:g} GeV has {len(error)} showers; widen it")
        found |= {f"sigma_percent_{low:g}_{high:g}": float(error.std(ddof=1)), f"bias_percent_{low:g}_{high:g}": float(error.mean())}
    sigma, bias = ([value for key, value in found.items() if key.startswith(name)] for name in ("sigma", "bias"))
    return {"sigma_percent": float(np.sqrt(np.mean(np.square(sigma)))), "bias_percent": float(np.abs(bias).max()), **found}


def response_ratios(ours: Sequence[Response], theirs: Sequence[Response]) -> dict[str, float]:
    """A response beside the reference's, over equal bins of energy, each bin counting alike.

    Returns:
        ``bias``: mean of E / E_incident over the reference's, less 1; ``sigma_ratio``: the resolution, in
        quadrature over bins, over the reference's. Floor: other showers of the reference.
    """
    mean, reference = (1 + np.mean([each.bias for each in side]) for side in (ours, theirs))
    spread, expected = (np.sqrt(np.mean([each.resolution**2 for each in side])) for side in (ours, theirs))
    return {"bias": float(mean / reference - 1), "sigma_ratio": float(spread / expected)}


@dataclass(frozen=True)
class Linearity:
    """The straight line through mean total against mean incident energy; ``_error`` is a standard error.

    Attributes:
        slope: GeV a GeV.
        offset: in GeV, 0 where the response does not depend on energy.
        deviation: the largest |mean total energy / line − 1| of a bin.
        chi2: of the bins about the line; its null has ``bins`` − 2 degrees of freedom.
        bins: how many.
    """

    slope: float
    slope_error: float
    offset: float
    offset_error: float
    deviation: float
    chi2: float
    bins: int


def linearity(x: np.ndarray, energy: np.ndarray, bins: Sequence[float]) -> Linearity:
    """Weighted least squares of a line, one point a bin; a point's weight is from its showers' spread.

    Floor: ``deviation`` and ``chi2`` of other showers of the reference.

    Args:
        x: cells in MeV, (N, 504).
        energy: incident energy in GeV, (N,).
        bins: increasing edges in GeV, at least three bins, as :func:`energy_response` takes them.
    """
    x, energy = _checked(x, energy)
    total = x.sum(axis=1) / MEV_PER_GEV
    points = []
    for inside, low, high in _binned(energy, bins):
        response = _response(total[inside] / energy[inside], low, high)
        mean_in, mean_out = energy[inside].mean(), total[inside].mean()
        spread = (total[inside] - mean_out / mean_in * energy[inside]).std(ddof=1)  # the bin's width left out
        if not spread > 0:
            raise InputError(
                f"linearity: showers of {low:g} to {high:g} GeV respond all alike; give fluctuating ones"
            )
        points.append((mean_in, mean_out, spread / np.sqrt(response.count)))
    if len(points) < 3:
        raise InputError(
            f"linearity: {len(points)} bins; a line through them has nothing to deviate, give three or more"
        )
    mean_in, mean_out, error = np.array(points).T
    line, covariance = np.polyfit(mean_in, mean_out, 1, w=1 / error, cov="unscaled")
    fitted = np.polyval(line, mean_in)
    return Linearity(
        slope=float(line[0]),
        slope_error=float(np.sqrt(covariance[0, 0])),
        offset=float(line[1]),
        offset_error=float(np.sqrt(covariance[1, 1])),
        deviation=float(np.abs(mean_out / fitted - 1).max()),
        chi2=float((((mean_out - fitted) / error) ** 2).sum()),
        bins=len(points),
    )


def _binned(energy: np.ndarray, bins: Sequence[float]) -> Iterator[tuple[np.ndarray, float, float]]:
    """(N,) bool of the showers in each bin, and its edges."""
    edges = np.asarray(bins, np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise InputError(f"energy response: bins are {edges.tolist()}; give increasing edges in GeV")
    upper = np.append(edges[1:-1], np.nextafter(edges[-1], np.inf))
    for low, high, beyond in zip(edges, edges[1:], upper):
        yield (energy >= low) & (energy < beyond), float(low), float(high)


def _response(ratio: np.ndarray, low: float, high: float) -> Response:
    count = len(ratio)
    if count < 2 or not ratio.any():
        raise InputError(
            f"energy response: the bin {low:g} to {high:g} GeV has {count} showers with energy in "
            f"{np.count_nonzero(ratio)}; widen it until two or more have some"
        )
    mean, sd = ratio.mean(), ratio.std(ddof=1)
    resolution = sd / mean
    return Response(
        low=low,
        high=high,
        count=count,
        bias=float(mean - 1),
        bias_error=float(sd / np.sqrt(count)),
        resolution=float(resolution),
        resolution_error=float(resolution / np.sqrt(2 * (count - 1))),
    )


def _moments(weights: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) mean and standard deviation of ``positions`` (K,) under ``weights`` (N, K)."""
    total = weights.sum(axis=1)
    mean = _over(weights @ positions, total)
    variance = _over((weights * (positions - mean[:, None]) ** 2).sum(axis=1), total)
    return mean, np.sqrt(variance)


def _over(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _checked(x: np.ndarray, energy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, energy = np.asarray(x, np.float64), np.asarray(energy, np.float64)
    if x.ndim != 2 or x.shape[1] != CALOGAN.cells or not len(x) or energy.shape != x.shape[:1]:
        raise InputError(
            f"showers: 'x' {x.shape} and 'energy' {energy.shape} must have shapes "
            f"(N, {CALOGAN.cells}) and (N,) with N at least 1"
        )
    if not np.isfinite(x).all() or x.min() < 0:
        raise InputError("showers: a cell of 'x' is negative or not finite; set such cells to 0 and say so")
    if not np.isfinite(energy).all() or energy.min() <= 0:
        raise InputError("showers: an incident 'energy' is not above 0; remove those showers")
    return x, energy

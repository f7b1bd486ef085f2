"""Plots of what one model does: distributions, curves, response, trust, ways through the plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from domain.metrics.calibration import Reliability
from domain.metrics.showers import Response
from domain.view.ink import COLOURS, INK, drawn

Panel = tuple[str, np.ndarray, Mapping[str, np.ndarray]]


def histograms(panels: Sequence[Panel], path: Path) -> None:
    """Small multiples with a ratio below each, as physicists expect.

    Args:
        panels: (axis label, bin edges, {series: counts}); the first series is the reference.
        path: SVG file to write.
    """
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    with drawn(path, (3.5 * columns, 3.0 * lines)) as figure:
        grid = figure.subplots(2 * lines, columns, squeeze=False, height_ratios=(3, 1) * lines)
        for k in range(lines * columns):
            upper, lower = grid[2 * (k // columns) : 2 * (k // columns) + 2, k % columns]
            if k < len(panels):
                _histogram(upper, lower, panels[k])
            else:
                upper.remove()
                lower.remove()
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))


def _histogram(upper: Axes, lower: Axes, panel: Panel) -> None:
    label, edges, series = panel
    reference = np.asarray(next(iter(series.values())), float)
    for k, (name, counts) in enumerate(series.items()):
        counts = np.asarray(counts, float)
        density = counts / max(counts.sum(), 1)
        if k == 0:
            upper.stairs(density, edges, fill=True, color=INK, alpha=0.18, label=name)
            spread = np.where(reference > 0, 1 / np.sqrt(np.maximum(reference, 1)), np.nan)
            lower.stairs(1 + spread, edges, baseline=1 - spread, fill=True, color=INK, alpha=0.18)
            continue
        upper.stairs(density, edges, color=COLOURS[k - 1], label=name)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = density / (reference / max(reference.sum(), 1))
        lower.stairs(np.where(np.isfinite(ratio), ratio, np.nan), edges, baseline=None, color=COLOURS[k - 1])
    lower.axhline(1, color=INK, linewidth=0.7)
    lower.set(ylim=(0.5, 1.5), xlim=upper.get_xlim(), xlabel=label, ylabel="ratio")
    for axes in (upper, lower):
        axes.locator_params(axis="x", nbins=5)
    upper.set(yticks=[], xticklabels=[])


def curves(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Training curves: every term of a history against its step, one axis a player.

    Args:
        history: rows as :func:`domain.training.fit` returns them.
        path: SVG file to write.
    """
    steps = [row["step"] for row in history]
    players: dict[str, list[str]] = {}
    for key in history[0]:
        if key != "step":
            players.setdefault(key.partition(".")[0], []).append(key)
    with drawn(path, (3.5 * len(players), 2.4)) as figure:
        for axes, (player, keys) in zip(figure.subplots(1, len(players), squeeze=False).flat, players.items()):
            for colour, key in zip(COLOURS, keys):
                axes.plot(steps, [row[key] for row in history], color=colour, label=key.partition(".")[2])
            axes.set(title=player, xlabel="step")
            axes.legend()


def response(sides: Mapping[str, Sequence[Response]], path: Path) -> None:
    """Energy response: bias and resolution against incident energy.

    Args:
        sides: name → bins, as :func:`domain.metrics.showers.energy_response` gives them; the first is the reference.
        path: SVG file to write.
    """
    with drawn(path, (7, 2.8)) as figure:
        for axes, what in zip(figure.subplots(1, 2), ("bias", "resolution")):
            for (side, bins), colour, mark in zip(sides.items(), (INK, *COLOURS), "s" + "o" * len(COLOURS)):
                centres = [(each.low + each.high) / 2 for each in bins]
                axes.plot(centres, [100 * getattr(each, what) for each in bins], mark + "-", color=colour, label=side)
            axes.set(xlabel="incident energy [GeV]", ylabel=f"{what} [%]")
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))


def reliability(series: Mapping[str, Reliability], path: Path) -> None:
    """Accuracy against confidence, honest on the diagonal, above where the confidences lie.

    Args:
        series: name → binned answers, as :func:`domain.metrics.calibration.reliability` gives them;
            all of one number of answers, such as before and after tempering.
        path: SVG file to write.
    """
    with drawn(path, (3.5, 4.4)) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], color=INK, alpha=0.35, linewidth=1)
        for colour, (name, bins) in zip(COLOURS, series.items()):
            filled = bins.count > 0
            line = {"color": colour, "label": f"{name}, ECE {100 * bins.error:.2g} %"}
            upper.plot(bins.confidence[filled], bins.accuracy[filled], "o-", markersize=4, **line)
            share = bins.count / bins.count.sum()
            lower.stairs(share, bins.edges, fill=True, color=colour, alpha=0.3)
            lower.stairs(share, bins.edges, color=colour)
        upper.set(ylabel="accuracy", ylim=(0, 1.02))
        lower.set(xlabel="confidence", ylabel="share", xlim=(0, 1.02), ylim=(0, None))
        figure.legend(loc="outside upper left")


def risk_coverage(series: Mapping[str, tuple[np.ndarray, np.ndarray]], path: Path) -> None:
    """The error rate of the answers kept when the least confident are rejected; lower is better.

    Grey are the oracle, which rejects errors first, and a random choice.

    Args:
        series: name of a signal of confidence → coverage (N,) and risk (N,), as
            :func:`domain.metrics.calibration.risk_coverage` gives them for the same answers.
        path: SVG file to write.
    """
    coverage, risk = next(iter(series.values()))
    with drawn(path, (6, 2.8)) as figure:
        axes = figure.subplots()
        grey = {"color": INK, "alpha": 0.35, "linewidth": 1}
        oracle = np.maximum(coverage - (1 - risk[-1]), 0) / coverage
        axes.plot(100 * coverage, 100 * oracle, label="oracle", **grey)
        axes.plot([0, 100], [100 * risk[-1]] * 2, "--", label="random", **grey)
        for colour, (name, (coverage, risk)) in zip(COLOURS, series.items()):
            axes.plot(100 * coverage, 100 * risk, color=colour, label=name)
        top = 150 * risk[-1] or 1  # the first few answers of a poor signal may all be wrong
        axes.set(xlabel="answers kept [%]", ylabel="errors among them [%]", xlim=(0, 100), ylim=(0, top))
        figure.legend(loc="outside right upper")


def topology(places: np.ndarray, edges: np.ndarray, pictures: np.ndarray, path: Path) -> None:
    """Where features were found to stand, and class means under warps.

    Args:
        places: learned positions, (A, 2).
        edges: pairs of features that are truly next to each other, (E, 2), drawn as lines.
        pictures: (classes, 1 + warps, H, W) in [0, 1]; the first of each row is the class mean itself.
        path: PNG file to write; pictures would make an SVG large.
    """
    rows, columns = pictures.shape[:2]
    with drawn(path, (4.2 + 0.62 * columns, 0.62 * rows + 1.1), dpi=100) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(4.2, 0.62 * columns))
        left.add_collection(LineCollection(places[edges], colors=COLOURS[1], linewidths=0.7))
        left.plot(*places.T, ".", color=INK, markersize=1.5)
        left.set(aspect="equal", title="where pixels were found to stand;\nlines join true neighbours")
        right.imshow(1 - pictures.transpose(0, 2, 1, 3).reshape(rows * pictures.shape[2], -1), cmap="gray")
        right.set_title("class means, then warped along these places")
        for axes in (left, right):
            axes.set_axis_off()


def densities(
    panels: Mapping[str, Mapping[str, np.ndarray]], reach: Mapping[str, float], path: Path, bins: int = 120
) -> None:
    """Where points of the plane lie: a row for each set of panels, dark where many are.

    Args:
        panels: row → column → points, (N, 2); every row has the same columns.
        reach: row → largest coordinate that is shown.
        path: PNG file to write; pictures would make an SVG large.
        bins: pixels of a panel's side.
    """
    columns = next(iter(panels.values()))
    size = 1.25 * len(columns) + 0.4, 1.25 * len(panels) + 0.3
    with drawn(path, size, dpi=130) as figure:
        grid = figure.subplots(len(panels), len(columns), squeeze=False)
        for line, (row, sets) in zip(grid, panels.items()):
            edges = np.linspace(-reach[row], reach[row], bins + 1)
            for axes, (column, points) in zip(line, sets.items()):
                counts = np.histogram2d(points[:, 1], points[:, 0], (edges, edges))[0]
                axes.imshow(np.log1p(counts), origin="lower", cmap="Greys")
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(True)
                if axes.get_subplotspec().is_first_row():
                    axes.set_title(column, fontsize=7.5)
            line[0].set_ylabel(row, fontsize=7.5)


def scatter(panels: Mapping[str, np.ndarray], label: np.ndarray, path: Path) -> None:
    """Points of the plane side by side, all at one scale.

    Args:
        panels: title → points, (N, 2).
        label: (N,) of the points of each panel, their colour.
        path: PNG file to write; points would make an SVG large.
    """
    with drawn(path, (3.2 * len(panels), 3.4), dpi=130) as figure:
        grid = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)
        for axes, (title, points) in zip(grid.flat, panels.items()):
            axes.scatter(*points.T, s=2, c=[COLOURS[k % len(COLOURS)] for k in label], linewidths=0)
            axes.set(title=title, aspect="equal")


def orbits(paths: Mapping[str, np.ndarray], path: Path) -> None:
    """Ways through the plane around its origin, side by side.

    Args:
        paths: title → points in order, (N, 2).
        path: SVG file to write.
    """
    with drawn(path, (3.0 * len(paths), 3.2)) as figure:
        for axes, (title, points) in zip(figure.subplots(1, len(paths), squeeze=False).flat, paths.items()):
            axes.plot(*points.T, color=COLOURS[1], linewidth=0.9)
            axes.plot(*points[0], "o", color=COLOURS[0], markersize=4)
            axes.plot(0, 0, "+", color=INK)
            axes.set(title=title, aspect="equal", xlabel="a", ylabel="b")

"""Plots as SVG that take on the page's colours: ink is ``currentColor``, the ground is clear."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from domain.metrics.calibration import Reliability
from domain.metrics.showers import Response

INK = "#010203"  # no other colour is this one, so it can be replaced in the file
COLOURS = ("#d55e00", "#0088cc", "#2a9d6f", "#b07aa1", "#c9a227", "#8c6d5a")  # after Okabe and Ito
STYLE = {
    "svg.hashsalt": "simulacra",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
}

Panel = tuple[str, np.ndarray, Mapping[str, np.ndarray]]


def histograms(panels: Sequence[Panel], path: Path) -> None:
    """Small multiples with a ratio below each, as physicists expect.

    Args:
        panels: (axis label, bin edges, {series: counts}); the first series is the reference.
        path: SVG file to write.
    """
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.5 * columns, 3.0 * lines), layout="constrained")
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
        _save(figure, path)


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
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.5 * len(players), 2.4), layout="constrained")
        for axes, (player, keys) in zip(figure.subplots(1, len(players), squeeze=False).flat, players.items()):
            for colour, key in zip(COLOURS, keys):
                axes.plot(steps, [row[key] for row in history], color=colour, label=key.partition(".")[2])
            axes.set(title=player, xlabel="step")
            axes.legend()
        _save(figure, path)


def seeds(table: Mapping[str, Sequence[float]], path: Path, label: str) -> None:
    """One line an arm, best above: a dot for each seed, a bar at their mean.

    Args:
        table: arm → value of each seed.
        path: SVG file to write.
        label: what the values are.
    """
    arms = sorted(table, key=lambda arm: float(np.mean(table[arm])))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 0.42 * len(arms) + 0.8), layout="constrained")
        axes = figure.subplots()
        for line, arm in enumerate(arms):
            axes.plot(table[arm], [line] * len(table[arm]), "o", color=COLOURS[1], alpha=0.55, markersize=5)
            axes.plot([np.mean(table[arm])] * 2, [line - 0.3, line + 0.3], color=INK, linewidth=2)
        axes.set(yticks=range(len(arms)), xlabel=label, ylim=(-0.6, len(arms) - 0.4))
        axes.set_yticklabels(arms)
        axes.grid(axis="x", alpha=0.25)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        _save(figure, path)


def response(sides: Mapping[str, Sequence[Response]], path: Path) -> None:
    """Energy response: bias and resolution against incident energy.

    Args:
        sides: name → bins, as :func:`domain.metrics.showers.energy_response` gives them; the first is the reference.
        path: SVG file to write.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 2.8), layout="constrained")
        for axes, what in zip(figure.subplots(1, 2), ("bias", "resolution")):
            for (side, bins), colour, mark in zip(sides.items(), (INK, *COLOURS), "s" + "o" * len(COLOURS)):
                centres = [(each.low + each.high) / 2 for each in bins]
                axes.plot(centres, [100 * getattr(each, what) for each in bins], mark + "-", color=colour, label=side)
            axes.set(xlabel="incident energy [GeV]", ylabel=f"{what} [%]")
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
        _save(figure, path)


def reliability(series: Mapping[str, Reliability], path: Path) -> None:
    """Accuracy against confidence, honest on the diagonal, above where the confidences lie.

    Args:
        series: name → binned answers, as :func:`domain.metrics.calibration.reliability` gives them;
            all of one number of answers, such as before and after tempering.
        path: SVG file to write.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.5, 4.4), layout="constrained")
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
        _save(figure, path)


def risk_coverage(series: Mapping[str, tuple[np.ndarray, np.ndarray]], path: Path) -> None:
    """The error rate of the answers kept when the least confident are rejected; lower is better.

    Grey are the oracle, which rejects errors first, and a random choice.

    Args:
        series: name of a signal of confidence → coverage (N,) and risk (N,), as
            :func:`domain.metrics.calibration.risk_coverage` gives them for the same answers.
        path: SVG file to write.
    """
    coverage, risk = next(iter(series.values()))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6, 2.8), layout="constrained")
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
        _save(figure, path)


class Compared(NamedTuple):
    """One method beside what was published of it.

    Attributes:
        seeds: its figure for each seed; empty if it was not run.
        ensemble: that of the seeds' ensemble, if there is one.
        published: mean and standard deviation (None where it was not published), if there are any.
    """

    seeds: Sequence[float]
    ensemble: float | None
    published: tuple[float, float | None] | None


def against_published(panels: Mapping[str, Mapping[str, Compared]], path: Path, label: str) -> None:
    """A dot for each seed, a diamond for their ensemble, grey for the published mean ± deviation.

    Args:
        panels: title → method → figures above 0, drawn from above in this order, on one logarithmic axis.
        path: SVG file to write.
        label: what the figures are.
    """
    lines = [len(panel) + 1 for panel in panels.values()]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 0.3 * sum(lines) + 0.8), layout="constrained")
        grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=lines)
        for axes, (title, panel) in zip(grid.flat, panels.items()):
            axes.set_title(title, loc="left", fontsize="medium")
            for line, compared in enumerate(panel.values()):
                _compared(axes, line, compared)
            axes.set(xscale="log", yticks=range(len(panel)), ylim=(len(panel) - 0.4, -0.6))
            axes.set_yticklabels(panel)
            axes.grid(axis="x", alpha=0.25)
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(label)
        _save(figure, path)


def _compared(axes: Axes, line: int, compared: Compared) -> None:
    if compared.published:
        mean, deviation = compared.published
        low, high = max(mean - (deviation or 0), 0.5 * mean), mean + (deviation or 0)
        axes.fill_betweenx([line - 0.38, line + 0.38], low, high, color=INK, alpha=0.18, linewidth=0)
        axes.plot([mean] * 2, [line - 0.38, line + 0.38], color=INK, alpha=0.45, linewidth=1.2)
    axes.plot(compared.seeds, [line] * len(compared.seeds), "o", color=COLOURS[1], alpha=0.55, markersize=5)
    if compared.ensemble is not None:
        axes.plot(compared.ensemble, line, "D", color=COLOURS[0], markersize=5)


def against_cost(
    series: Mapping[str, Sequence[tuple[float, Sequence[float]]]],
    published: tuple[float, float | None] | None,
    path: Path,
    label: str,
) -> None:
    """Figures against what they cost, both logarithmic: a dot for each seed, a line through the means.

    Args:
        series: method → (core-hours a seed, figure of each seed) at each of its budgets.
        published: mean and standard deviation to beat, drawn in grey.
        path: SVG file to write.
        label: what the figures are.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.subplots()
        if published:
            mean, deviation = published
            axes.axhspan(mean - (deviation or 0), mean + (deviation or 0), color=INK, alpha=0.15, linewidth=0)
            axes.axhline(mean, color=INK, alpha=0.45, linewidth=1.2)
        for k, (name, budgets) in enumerate(series.items()):
            colour, budgets = COLOURS[k % len(COLOURS)], sorted(budgets)
            means = [(hours, float(np.mean(figures))) for hours, figures in budgets]
            for hours, figures in budgets:
                axes.plot([hours] * len(figures), figures, "o", color=colour, alpha=0.4, markersize=4)
            axes.plot(*zip(*means), "-D", color=colour, markersize=4)
            axes.annotate(name, means[-1], (6, 4), textcoords="offset points", color=colour)
        axes.set(xscale="log", yscale="log", xlabel="core-hours a seed", ylabel=label)
        axes.margins(x=0.15)
        axes.grid(alpha=0.25, which="both")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
        _save(figure, path)


def topology(places: np.ndarray, edges: np.ndarray, pictures: np.ndarray, path: Path) -> None:
    """Where features were found to stand, and class means under warps.

    Args:
        places: learned positions, (A, 2).
        edges: pairs of features that are truly next to each other, (E, 2), drawn as lines.
        pictures: (classes, 1 + warps, H, W) in [0, 1]; the first of each row is the class mean itself.
        path: PNG file to write; pictures would make an SVG large.
    """
    rows, columns = pictures.shape[:2]
    with matplotlib.rc_context(STYLE):
        figure = Figure(facecolor="white", figsize=(4.2 + 0.62 * columns, 0.62 * rows + 1.1), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(4.2, 0.62 * columns))
        left.add_collection(LineCollection(places[edges], colors=COLOURS[1], linewidths=0.7))
        left.plot(*places.T, ".", color=INK, markersize=1.5)
        left.set(aspect="equal", title="where pixels were found to stand;\nlines join true neighbours")
        right.imshow(1 - pictures.transpose(0, 2, 1, 3).reshape(rows * pictures.shape[2], -1), cmap="gray")
        right.set_title("class means, then warped along these places")
        for axes in (left, right):
            axes.set_axis_off()
        FigureCanvasAgg(figure).print_png(path)


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
    with matplotlib.rc_context(STYLE):
        size = 1.25 * len(columns) + 0.4, 1.25 * len(panels) + 0.3
        figure = Figure(facecolor="white", figsize=size, dpi=130, layout="constrained")
        grid = figure.subplots(len(panels), len(columns), squeeze=False)
        for line, (row, sets) in zip(grid, panels.items()):
            edges = np.linspace(-reach[row], reach[row], bins + 1)
            for axes, (column, points) in zip(line, sets.items()):
                counts = np.histogram2d(points[:, 1], points[:, 0], (edges, edges))[0]
                axes.imshow(np.log1p(counts), origin="lower", cmap="Greys")
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(True)
                if line is grid[0]:
                    axes.set_title(column, fontsize=7.5)
            line[0].set_ylabel(row, fontsize=7.5)
        FigureCanvasAgg(figure).print_png(path)


def orbits(paths: Mapping[str, np.ndarray], path: Path) -> None:
    """Ways through the plane around its origin, side by side.

    Args:
        paths: title → points in order, (N, 2).
        path: SVG file to write.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.0 * len(paths), 3.2), layout="constrained")
        for axes, (title, points) in zip(figure.subplots(1, len(paths), squeeze=False).flat, paths.items()):
            axes.plot(*points.T, color=COLOURS[1], linewidth=0.9)
            axes.plot(*points[0], "o", color=COLOURS[0], markersize=4)
            axes.plot(0, 0, "+", color=INK)
            axes.set(title=title, aspect="equal", xlabel="a", ylabel="b")
        _save(figure, path)


def best_so_far(
    curves: Mapping[str, Mapping[int, tuple[float, float, float]]], path: Path, label: str
) -> None:
    """What a search finds against its number of trials, both logarithmic; a line and its band for each method.

    Args:
        curves: method → number of trials → middle, low and high of the best figure; infinite ones are left out.
        path: SVG file to write.
        label: what the figure is.
    """
    columns = min(4, len(curves))
    lines = -(-len(curves) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.3 * columns, 2.0 * lines + 0.3), layout="constrained")
        grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        for axes in list(grid.flat)[len(curves) :]:
            axes.set_axis_off()
        for axes, (name, curve) in zip(grid.flat, curves.items()):
            for other in curves.values():
                axes.plot(list(other), [point[0] for point in other.values()], color=INK, alpha=0.2, linewidth=0.8)
            middle, low, high = np.array(list(curve.values())).T
            axes.fill_between(list(curve), low, high, color=COLOURS[1], alpha=0.3, linewidth=0)
            axes.plot(list(curve), middle, "-o", color=COLOURS[1], markersize=3.5)
            axes.set(title=name.replace("_", " "), xscale="log", yscale="log")
            axes.set_xticks(list(curve), [str(budget) for budget in curve])
            axes.xaxis.set_minor_locator(NullLocator())
        figure.supxlabel("trials", fontsize=STYLE["font.size"])
        figure.supylabel(label, fontsize=STYLE["font.size"])
        _save(figure, path)


def trade(points: Mapping[str, Mapping[str, np.ndarray]], path: Path) -> None:
    """Every trial's Fréchet distance against its precision and its recall.

    Args:
        points: method → ``feature_fid``, ``precision`` and ``recall`` of its trials, (N,) each.
        path: SVG file to write.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.2, 3.4), layout="constrained")
        for axes, metric in zip(figure.subplots(1, 2, sharey=True), ("precision", "recall")):
            for k, (name, of) in enumerate(points.items()):
                marker = "os^Dvp*X"[k % 8]
                colour, word = COLOURS[k % len(COLOURS)], name.replace("_", " ")
                axes.plot(of[metric], of["feature_fid"], marker, color=colour, alpha=0.7, markersize=4, label=word)
            axes.set(xlabel=metric, yscale="log", xlim=(-0.03, 1.03))
            axes.grid(alpha=0.25)
        figure.axes[0].set_ylabel("feature FID")
        figure.axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
        _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    """Write an SVG without a date, its ink replaced by the page's.

    The layout is a numerical solution whose last digits differ from run to run, so it is rounded.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position(np.round(axes.get_position().bounds, 3))
    stream = io.StringIO()
    FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Creator": None})
    path.write_text(re.sub(INK, "currentColor", stream.getvalue(), flags=re.IGNORECASE))

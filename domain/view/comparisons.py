"""Plots that set methods side by side: seeds, published figures, costs, searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from domain.view.ink import COLOURS, INK, STYLE, drawn


def seeds(table: Mapping[str, Sequence[float]], path: Path, label: str) -> None:
    """One line an arm, best above: a dot for each seed, a bar at their mean.

    Args:
        table: arm → value of each seed.
        path: SVG file to write.
        label: what the values are.
    """
    arms = sorted(table, key=lambda arm: float(np.mean(table[arm])))
    with drawn(path, (7, 0.42 * len(arms) + 0.8)) as figure:
        axes = figure.subplots()
        for line, arm in enumerate(arms):
            axes.plot(table[arm], [line] * len(table[arm]), "o", color=COLOURS[1], alpha=0.55, markersize=5)
            axes.plot([np.mean(table[arm])] * 2, [line - 0.3, line + 0.3], color=INK, linewidth=2)
        axes.set(yticks=range(len(arms)), xlabel=label, ylim=(-0.6, len(arms) - 0.4))
        axes.set_yticklabels(arms)
        axes.grid(axis="x", alpha=0.25)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)


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
    with drawn(path, (7, 0.3 * sum(lines) + 0.8)) as figure:
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
    with drawn(path, (6.4, 4.2)) as figure:
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
    with drawn(path, (2.3 * columns, 2.0 * lines + 0.3)) as figure:
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


def trade(points: Mapping[str, Mapping[str, np.ndarray]], path: Path) -> None:
    """Every trial's Fréchet distance against its precision and its recall.

    Args:
        points: method → ``feature_fid``, ``precision`` and ``recall`` of its trials, (N,) each.
        path: SVG file to write.
    """
    with drawn(path, (8.2, 3.4)) as figure:
        for axes, metric in zip(figure.subplots(1, 2, sharey=True), ("precision", "recall")):
            for k, (name, of) in enumerate(points.items()):
                marker = "os^Dvp*X"[k % 8]
                colour, word = COLOURS[k % len(COLOURS)], name.replace("_", " ")
                axes.plot(of[metric], of["feature_fid"], marker, color=colour, alpha=0.7, markersize=4, label=word)
            axes.set(xlabel=metric, yscale="log", xlim=(-0.03, 1.03))
            axes.grid(alpha=0.25)
        figure.axes[0].set_ylabel("feature FID")
        figure.axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))

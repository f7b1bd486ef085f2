"""The style of all plots: as SVG they take on the page's colours, ink is ``currentColor``, the ground is clear."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

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


@contextlib.contextmanager
def drawn(path: Path, size: tuple[float, float], dpi: int | None = None) -> Iterator[Figure]:
    """An empty figure in this style, which is written when its block ends.

    Args:
        path: file to write.
        size: width and height in inches.
        dpi: pixels an inch of a PNG on white; left out, an SVG.
    """
    ground = "none" if dpi is None else "white"
    with matplotlib.rc_context(STYLE):
        figure = Figure(facecolor=ground, figsize=size, dpi=dpi, layout="constrained")
        yield figure
        if dpi is None:
            _write(figure, path)
        else:
            FigureCanvasAgg(figure).print_png(path)


def _write(figure: Figure, path: Path) -> None:
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

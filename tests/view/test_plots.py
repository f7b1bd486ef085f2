"""Plots: in the page's ink, on clear ground, the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from domain.metrics import calibration
from domain.metrics.showers import Response
from domain.view import comparisons, plots
from domain.view.ink import INK

EDGES = np.linspace(0, 1, 11)
COUNTS = np.arange(10)
RNG = np.random.default_rng(0)
LABELS, PROBABILITIES = RNG.integers(3, size=300), RNG.dirichlet([1, 1, 1], size=300)
RIGHT, CONFIDENCE = PROBABILITIES.argmax(1) == LABELS, PROBABILITIES.max(1)
PLOTS: dict[str, Callable[[Path], None]] = {
    "histograms": lambda path: plots.histograms(
        [(f"observable {k}", EDGES, {"simulator": COUNTS, "surrogate": COUNTS[::-1], "again": COUNTS}) for k in range(4)], path
    ),
    "curves": lambda path: plots.curves(
        [{"step": k, "critic.adversarial": k**0.5, "generator.adversarial": -k, "generator.other": 1} for k in range(5)], path
    ),
    "orbits": lambda path: plots.orbits({"one": EDGES.reshape(-1, 1).repeat(2, 1), "two": np.zeros((3, 2))}, path),
    "seeds": lambda path: comparisons.seeds({"one arm": [0.5, 0.6], "<other>": [0.7]}, path, "accuracy"),
    "response": lambda path: plots.response(
        {side: [Response(k, k + 1, 9, 0.01, 0.1, 0.1, 0.02) for k in range(3)] for side in ("simulator", "surrogate", "again")}, path
    ),
    "reliability": lambda path: plots.reliability(
        {
            "as given": calibration.reliability(LABELS, PROBABILITIES),
            "<tempered>": calibration.reliability(LABELS, calibration.tempered(PROBABILITIES, 3.0)),
            "equal mass": calibration.reliability(LABELS, PROBABILITIES, equal_mass=True),
        },
        path,
    ),
    "best_so_far": lambda path: comparisons.best_so_far(
        {
            "one": {1: (9.0, 9.0, 9.0), 5: (4.0, 3.0, 6.0)},
            "<other>": {1: (np.inf, np.inf, np.inf), 5: (7.0, 6.0, np.inf)},
            **{f"method {k}": {1: (5.0, 5.0, 5.0), 5: (2.0, 1.0, 3.0)} for k in range(3)},
        },
        path,
        "distance",
    ),
    "trade": lambda path: comparisons.trade(
        {name: {key: EDGES[1:] for key in ("feature_fid", "precision", "recall")} for name in ("one", "<two>")}, path
    ),
    "risk_coverage": lambda path: plots.risk_coverage(
        {
            "confidence": calibration.risk_coverage(RIGHT, CONFIDENCE),
            "<no signal>": calibration.risk_coverage(RIGHT, LABELS),
        },
        path,
    ),
}


@pytest.mark.parametrize("name", PLOTS)
def test_plots(name: str, tmp_path: Path) -> None:
    for file in ("a.svg", "b.svg"):
        PLOTS[name](tmp_path / file)
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert "currentColor" in text and INK not in text
    assert "#ffffff" not in text, "the ground must be clear, for dark pages"
    assert "<dc:date>" not in text


def test_scatter_colours_points_by_label(tmp_path: Path) -> None:
    points = {"one": np.zeros((4, 2)), "two": np.eye(4, 2)}
    plots.scatter(points, np.arange(4), tmp_path / "a.png")
    plots.scatter(points, np.zeros(4, int), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_densities_name_every_row_and_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(FigureCanvasAgg, "print_png", lambda canvas, path: figures.append(canvas.figure))
    points = RNG.normal(size=(50, 2))
    panels = {row: {column: points for column in ("left", "right")} for row in ("above", "below")}
    plots.densities(panels, {"above": 3.0, "below": 4.0}, tmp_path / "a.png")
    axes = figures[0].axes
    assert [each.get_title() for each in axes] == ["left", "right", "", ""]
    assert [each.get_ylabel() for each in axes] == ["above", "", "below", ""]

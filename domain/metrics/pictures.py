"""What can be said of any picture of deposits, whatever the detector.

Rows and columns are counted from the middle, in pixels. Where an observable has no value, such as the width of
an empty picture, it is 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from domain.errors import InputError

OBSERVABLES: Mapping[str, str] = {
    "total": "sum",
    "hits": "pixels hit",
    "row": "mean row",
    "column": "mean column",
    "row_width": "spread over rows",
    "column_width": "spread over columns",
    "tilt": "covariance of rows and columns",
    "hottest": "hottest pixel's share",
    "contrast": "hottest pixels' contrast",
    "faintest": "faintest hit",
}


def observables(x: np.ndarray, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Every observable of every picture, (N,) each, named and ordered as in ``OBSERVABLES``.

    Args:
        x: deposits, (N, …), at least 0.
        shape: rows and columns of a picture.

    Returns:
        ``total`` Σ; ``hits`` the number of pixels above 0; the mean, standard deviation and covariance of row and
        column under the deposits; ``hottest`` the largest over the sum; ``contrast`` (a − b)/(a + b) of the two
        largest; ``faintest`` the smallest above 0, where a simulator's threshold shows.
    """
    x = np.asarray(x, np.float64).reshape(len(x), -1)
    rows, columns = shape
    if x.shape[1] != rows * columns or not (x >= 0).all():
        raise InputError(f"pictures: {x.shape[1]} deposits for {rows} × {columns} pixels; give as many, none below 0")
    total = x.sum(1)
    share = _over(x, total[:, None])
    row, column = (axis.ravel() for axis in np.mgrid[:rows, :columns] - (np.array(shape).reshape(2, 1, 1) - 1) / 2)
    mean_row, mean_column = share @ row, share @ column
    around_row, around_column = row - mean_row[:, None], column - mean_column[:, None]
    second, first = np.partition(x, -2, axis=1)[:, -2:].T
    faintest = np.where(x > 0, x, np.inf).min(1)
    return {
        "total": total,
        "hits": (x > 0).sum(1).astype(float),
        "row": mean_row,
        "column": mean_column,
        "row_width": np.sqrt((share * around_row**2).sum(1)),
        "column_width": np.sqrt((share * around_column**2).sum(1)),
        "tilt": (share * around_row * around_column).sum(1),
        "hottest": _over(first, total),
        "contrast": _over(first - second, first + second),
        "faintest": np.where(np.isfinite(faintest), faintest, 0.0),
    }


def _over(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape), where=b > 0)

"""What measurements share: checked rows, and two sets of one kind to take a floor from."""

from __future__ import annotations

import numpy as np

from domain.errors import InputError


def halves(values: np.ndarray, seed: int, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Two random sets of rows without a common row: any distance between them is that metric's floor.

    Of several columns that belong together, halve the row numbers: ``halves(np.arange(N), seed)``.

    Args:
        values: (N, ...).
        seed: draws the sets.
        count: rows in each, by default N // 2. Most floors depend on it, so take the count that the
            models are measured with.
    """
    values = np.asarray(values)
    count = len(values) // 2 if count is None else count
    if not 1 <= count <= len(values) // 2:
        raise InputError(
            f"halves: count is {count}; {len(values)} samples allow 1 to {len(values) // 2} a side"
        )
    order = np.random.default_rng(seed).permutation(len(values))
    return values[order[:count]], values[order[count : 2 * count]]


def pair(
    a: np.ndarray, b: np.ndarray, where: str, names: tuple[str, str] = ("a", "b"), least: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of samples, (N, ...) and (M, ...), as float64 rows (N, D) and (M, D), or an error.

    Args:
        where: what the error begins with.
        names: of the two sets, for the error.
        least: how many rows each must have.
    """
    a, b = rows(a, names[0], where, least), rows(b, names[1], where, least)
    if a.shape[1] != b.shape[1]:
        raise InputError(
            f"{where}: {names[0]!r} has {a.shape[1]} columns, {names[1]!r} has {b.shape[1]}; make them equal"
        )
    return a, b


def rows(values: np.ndarray, name: str, where: str, least: int = 1) -> np.ndarray:
    """Samples (N, ...) as float64 rows (N, D), or an error; arguments as :func:`pair` takes them."""
    values = np.asarray(values, np.float64)
    if values.ndim < 2 or len(values) < least or not values.size:
        raise InputError(f"{where}: {name!r} has shape {values.shape}; give (N, ...) with N at least {least}")
    if not np.isfinite(values).all():
        raise InputError(f"{where}: {name!r} holds NaN or infinite values; remove those samples")
    return values.reshape(len(values), -1)

"""Where a calorimeter's cells are, and where each sits in a flat sample.

A shower of N cells is stored flat, layer after layer in the beam's direction, each layer row by
row. The beam runs along z and enters at x = y = 0.

    >>> [layer.shape for layer in CALOGAN.split(np.zeros((7, CALOGAN.cells)))]
    [(7, 3, 96), (7, 12, 12), (7, 12, 6)]
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np


class Layered:
    """Cells in layers, each layer a table of ``shapes[layer]`` (rows, columns)."""

    shapes: tuple[tuple[int, int], ...]

    @property
    def cells(self) -> int:
        """The number of cells of all layers."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where each layer lies in a flat sample."""
        ends = itertools.accumulate((math.prod(shape) for shape in self.shapes), initial=0)
        return tuple(slice(start, stop) for start, stop in itertools.pairwise(ends))


@dataclass(frozen=True)
class Calorimeter(Layered):
    """Layers of equal square cross-section, each cut into equal cells.

    Attributes:
        shapes: (rows, columns) of each layer; rows follow x, columns y.
        depths: where layers begin and end along z, in mm; one more than there are layers.
        width: the side of the read-out square, centred on the beam, in mm.
    """

    shapes: tuple[tuple[int, int], ...]
    depths: tuple[float, ...]
    width: float

    @property
    def sizes(self) -> tuple[tuple[float, float], ...]:
        """The side of a cell along x and along y in each layer, in mm."""
        return tuple((self.width / rows, self.width / columns) for rows, columns in self.shapes)

    def edges(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Cell edges in one layer, in mm: (rows + 1,) along x and (columns + 1,) along y."""
        half = self.width / 2
        rows, columns = self.shapes[layer]
        return np.linspace(-half, half, rows + 1), np.linspace(-half, half, columns + 1)

    def centres(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Cell centres in one layer, in mm: (rows,) along x and (columns,) along y."""
        x, y = self.edges(layer)
        return (x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2

    def split(self, x: Any) -> tuple[Any, ...]:
        """The layers of flat samples.

        Args:
            x: cells, (..., cells), a numpy array or a torch tensor.

        Returns:
            One view of ``x`` a layer, (..., rows, columns).
        """
        parts = zip(self.slices, self.shapes)
        return tuple(x[..., part].reshape(*x.shape[:-1], *shape) for part, shape in parts)


@dataclass(frozen=True)
class Cylinder(Layered):
    """Layers of rings around the beam, each ring cut into equal angles; in a flat sample r runs fastest, then α.

    Attributes:
        radii: edges of each layer's rings in mm, rising; none for a layer without cells.
        angles: into how many parts α, from −π, is cut in each layer.
    """

    radii: tuple[tuple[float, ...], ...]
    angles: tuple[int, ...]

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(angles, rings) of each layer; (n, 0) without cells."""
        return tuple((n, max(0, len(edges) - 1)) for edges, n in zip(self.radii, self.angles))

    def centres(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """x and y of each cell of a layer in mm, flat; a single part of α is centred on the beam."""
        edges, n = np.array(self.radii[layer]), self.angles[layer]
        r = (edges[1:] + edges[:-1]) / 2 if n > 1 else np.zeros(len(edges) - 1)
        alpha = -np.pi + 2 * np.pi * (np.arange(n) + 0.5) / n
        return (r * np.cos(alpha)[:, None]).ravel(), (r * np.sin(alpha)[:, None]).ravel()


# Paganini, de Oliveira and Nachman 2017, arXiv 1705.02355: cells of 160 x 5, 40 x 40 and 40 x 80 mm
# behind one another, 480 mm deep.
CALOGAN = Calorimeter(shapes=((3, 96), (12, 12), (12, 6)), depths=(0.0, 90.0, 437.0, 480.0), width=480.0)

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


@dataclass(frozen=True)
class Calorimeter:
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
    def cells(self) -> int:
        """The number of cells of all layers."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where each layer lies in a flat sample."""
        ends = itertools.accumulate((math.prod(shape) for shape in self.shapes), initial=0)
        return tuple(slice(start, stop) for start, stop in itertools.pairwise(ends))

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


# Paganini, de Oliveira and Nachman 2017, arXiv 1705.02355: cells of 160 x 5, 40 x 40 and 40 x 80 mm
# behind one another, 480 mm deep.
CALOGAN = Calorimeter(shapes=((3, 96), (12, 12), (12, 6)), depths=(0.0, 90.0, 437.0, 480.0), width=480.0)

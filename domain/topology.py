"""Where features stand, learned from how they agree (Le Roux et al. 2007, "Learning the 2-D topology of images").

Neighbouring pixels agree, distant ones do not. So the positions of pixels, or of a detector's channels
whose order means nothing, follow from their correlations alone: each is joined to the few it agrees
with most, and Isomap (Tenenbaum, de Silva & Langford 2000) lays that graph out in a plane. Samples can
then be warped smoothly without a word about which feature is next to which. The order of the
features is never read: shuffled, they get the same positions, shuffled alike.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
import torch
from scipy.sparse import SparseEfficiencyWarning
from scipy.spatial import Delaunay, KDTree, QhullError
from sklearn.manifold import Isomap
from torch import Tensor, nn

from domain.errors import InputError
from domain.randomness import numpy_generator

RARE = 0.003  # share of the samples; a feature that leaves its median in fewer says nothing of where it stands
FEWEST = 16  # features with a position
BANK, GROUP = 2000, 10  # warps drawn once before a training; samples in a batch that share one


class Topology(NamedTuple):
    """The features that vary, and where they stand.

    Attributes:
        features: their columns, (A,).
        positions: (A, 2), centred; the median distance to the four nearest is 1.
        usual: the median of every feature, (F,), which stands for what lies outside.
    """

    features: np.ndarray
    positions: np.ndarray
    usual: np.ndarray

    @classmethod
    def learn(cls, x: np.ndarray, neighbours: int = 4) -> Self:
        """Positions from samples.

        Args:
            x: samples, (N, F).
            neighbours: how many features each is joined to; 4 as on a square grid, where more take shortcuts.

        Raises:
            InputError: too few features vary, or they lie on a line.
        """
        usual = np.median(x, 0)
        features = np.flatnonzero((x != usual).mean(0) > RARE)
        if len(features) < FEWEST:
            raise InputError(
                f"{len(features)} of {x.shape[1]} features vary in more than {RARE:.1%} of the samples, and positions "
                f"need {FEWEST}; set warp to 0, and network to another than plane"
            )
        distance = np.sqrt(np.clip(2 - 2 * np.corrcoef(x[:, features], rowvar=False), 0, None))
        with warnings.catch_warnings():  # parts without a link are joined where they agree most, as wished
            warnings.filterwarnings("ignore", message="The number of connected components")
            warnings.simplefilter("ignore", SparseEfficiencyWarning)
            plane = Isomap(n_neighbors=neighbours, n_components=2, metric="precomputed").fit_transform(distance)
        spacing = np.median(KDTree(plane).query(plane, k=5)[0][:, 1:])
        return cls(features, (plane - plane.mean(0)) / spacing, usual)

    def triangles(self) -> Delaunay:
        """The triangulation of the plane on which values between features are interpolated."""
        try:
            return Delaunay(self.positions)
        except QhullError as error:
            raise InputError("the features agree as on a line, not in a plane; set warp to 0, and network to another than plane") from error

    def picture(self, side: int) -> Tensor:
        """How to see a vector as a square picture of the plane: a linear map, (side², F), rows of pixels first.

        The picture is the smallest rectangle around all features, squeezed to a square; which way up, and whether
        mirrored, is arbitrary.
        """
        triangles = self.triangles()
        hull = self.positions[triangles.convex_hull]
        turns = [_rotation(-np.arctan2(*(b - a)[::-1])) for a, b in hull]
        boxes = [np.ptp(self.positions @ turn.T, 0).prod() for turn in turns]
        turn = turns[int(np.argmin(boxes))]
        upright = self.positions @ turn.T
        lines = np.linspace(upright.min(0), upright.max(0), side).T
        places = np.stack(np.meshgrid(*lines, indexing="ij"), -1).reshape(-1, 2) @ turn
        corners, weights = _between(triangles, places)
        picture = np.zeros((side**2, len(self.usual)), np.float32)
        np.add.at(picture, (np.arange(side**2)[:, None], self.features[corners]), weights)
        return torch.from_numpy(picture)


class Warps(nn.Module):
    """A bank of random smooth deformations, each a sparse linear map of a sample.

    A warped feature takes the value found at another place of the plane, interpolated between the three
    features around it; outside of all, its usual value. Features without a position stay as they are.

    Attributes (buffers that are not saved, as they follow from the samples):
        features: columns with a position, (A,).
        corners: columns of the three features around each place, (count, A, 3).
        weights: of the three, (count, A, 3); all zero outside.
        outside: what is then added, (count, A).
    """

    def __init__(self, topology: Topology, count: int, strength: float, rng: np.random.Generator) -> None:
        """Draw ``count`` warps.

        Args:
            topology: where the features stand.
            count: how many.
            strength: at 1, turns reach 15°, shifts 1.5 features, scales and shears 10 %, and smooth
                displacements have a deviation of about one feature.
            rng: source of the warps.

        Raises:
            InputError: the features lie on a line.
        """
        super().__init__()
        triangles = topology.triangles()
        places = (_moved(topology.positions, strength, rng) for _ in range(count))
        corners, weights = (np.stack(arrays) for arrays in zip(*(_between(triangles, each) for each in places)))
        usual = topology.usual[topology.features]
        buffers = {
            "features": topology.features,
            "corners": topology.features[corners],
            "weights": weights.astype(np.float32),
            "outside": ((1 - weights.sum(2)) * usual).astype(np.float32),
        }
        for name, array in buffers.items():
            self.register_buffer(name, torch.from_numpy(array), persistent=False)

    @classmethod
    def bank(cls, topology: Topology, strength: float) -> Self:
        """Those of a training, the same for every seed."""
        return cls(topology, BANK, strength, numpy_generator(0, "warps"))

    @staticmethod
    def drawn(labelled: int, unlabelled: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Rows of the bank for a batch of so many samples of either kind, ``labelled_warps`` and ``warps``, (G,) each."""
        return {
            name: torch.randint(BANK, (math.ceil(count / GROUP),), generator=generator, device=generator.device)
            for name, count in (("labelled_warps", labelled), ("warps", unlabelled))
        }

    def shown(self, views: Mapping[str, Tensor], noise: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The views ``labelled``, warped, and ``unlabelled``, as it is and in ``warped``, by the rows that :meth:`drawn` gives."""
        labelled = self(views["labelled"], noise["labelled_warps"])
        return {**views, "labelled": labelled, "warped": self(views["unlabelled"], noise["warps"])}

    def forward(self, x: Tensor, which: Tensor) -> Tensor:
        """Warp samples.

        Args:
            x: (N, F).
            which: rows of the bank, (G,); the samples are split into G parts, as equal as can be, and
                each part is warped alike.

        Returns:
            (N, F).
        """
        parts = []
        for part, row in zip(x.tensor_split(len(which)), which):
            moved = (part.T[self.corners[row]] * self.weights[row][..., None]).sum(1) + self.outside[row][:, None]
            parts.append(moved.T)
        return x.index_copy(1, self.features, torch.cat(parts))


def _rotation(angle: float) -> np.ndarray:
    """The matrix that turns a point by an angle in radians, (2, 2)."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _moved(positions: np.ndarray, strength: float, rng: np.random.Generator, bumps: int = 12) -> np.ndarray:
    """Where each feature of a warped sample looks, (A, 2)."""
    turn = _rotation(strength * np.deg2rad(rng.uniform(-15, 15)))
    scale = np.diag(np.exp(strength * rng.uniform(-0.1, 0.1, 2)))
    shear = np.array([[1, strength * rng.uniform(-0.1, 0.1)], [0, 1]])
    centres = positions[rng.integers(len(positions), size=bumps)]
    near = np.exp(-((positions[:, None] - centres) ** 2).sum(2) / (2 * 5**2))  # 5 features wide
    shift = strength * rng.uniform(-1.5, 1.5, 2)
    return positions @ (turn @ scale @ shear).T + shift + near @ (strength * rng.normal(size=(bumps, 2)))


def _between(triangles: Delaunay, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the triangle around each place, and their weights, (A, 3) each; zero outside."""
    found = triangles.find_simplex(places)
    affine = triangles.transform[found]
    two = np.einsum("nij,nj->ni", affine[:, :2], places - affine[:, 2])
    weights = np.concatenate([two, 1 - two.sum(1, keepdims=True)], 1)
    return triangles.simplices[found], np.where(found[:, None] >= 0, weights, 0.0)

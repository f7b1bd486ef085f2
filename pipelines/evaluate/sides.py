"""What is seen of samples, kind by kind: observables, features that a two-sample test judges, average pictures.

A kind is a class of :class:`Side`; ``KINDS`` names them. A surrogate is measured alike whatever its samples are:
another kind is one more class here.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from domain.errors import InputError
from domain.geometry import CALOGAN
from domain.metrics import jets, showers
from domain.metrics import pictures as measures
from domain.samples import Samples
from domain.view import pictures, plots


@dataclass(frozen=True)
class Side(abc.ABC):
    """Samples of the simulator, or of a surrogate asked for as many given the same.

    Attributes:
        x: deposits (N, *shape), at least 0.
        condition: (N, C), such as incident energies.
        label: classes (N,), of samples with classes.
        shape: rows and columns of a picture.
        least: the smallest deposit of the reference.
    """

    x: np.ndarray
    condition: np.ndarray | None
    label: np.ndarray | None
    shape: tuple[int, int]
    least: float

    labels: ClassVar[Mapping[str, str]]  # every observable, as an axis names it
    shown: ClassVar[tuple[str, ...]]  # those that are drawn
    tests: ClassVar[Mapping[str, str]]  # two-sample tests, as a table names them
    has_response: ClassVar[bool] = False  # whether a total has a reference energy
    averages: ClassVar[str]  # what their picture shows

    @classmethod
    def of(cls, samples: Samples, shape: tuple[int, int] | None = None, least: float | None = None) -> Self:
        """A side of samples; without ``least``, the reference."""
        deposits = samples.x[samples.x > 0]
        least = float(deposits.min()) if least is None else least
        return cls(samples.x, samples.condition, samples.label, shape or samples.x.shape[-2:], least)

    def drawn(self, x: np.ndarray) -> Self:
        """The side of samples drawn given what these are given."""
        return dataclasses.replace(self, x=x)

    def select(self, rows: np.ndarray) -> Self:
        """Some of the samples; rows: (N,) bool."""
        columns = {name: getattr(self, name) for name in ("x", "condition", "label")}
        return dataclasses.replace(self, **{name: c if c is None else c[rows] for name, c in columns.items()})

    @property
    @abc.abstractmethod
    def observables(self) -> dict[str, np.ndarray]:
        """(N,) each, named and ordered as :attr:`labels`."""

    @property
    @abc.abstractmethod
    def features(self) -> dict[str, np.ndarray]:
        """(N, D) each, named as :attr:`tests`; ``high`` has all observables."""

    def response(self, reference: Self, bins: Sequence[float]) -> dict[str, float]:
        """Figures of the energy response, where there is one."""
        return {}

    @staticmethod
    def draw_response(sides: Mapping[str, Side], bins: Sequence[float], path: Path) -> None:
        """Draw it against energy."""
        raise NotImplementedError

    @staticmethod
    @abc.abstractmethod
    def draw_averages(sides: Mapping[str, Side], path: Path) -> None:
        """Average samples, one side after the other."""


class Pictures(Side):
    """Pictures of any deposits given any conditions, flat or not."""

    labels = measures.OBSERVABLES
    shown = ("total", "hits", "row_width", "column_width", "tilt", "contrast")
    tests = {"low": "AUC, pixels", "high": "AUC, observables"}
    averages = "Average pictures, and below what each has more (red) and less (blue) than the simulator; from the left"

    @cached_property
    def observables(self) -> dict[str, np.ndarray]:
        return measures.observables(self.x, self.shape)

    @property
    def features(self) -> dict[str, np.ndarray]:
        """Conditions, and ln(1 + deposit / least) or ln(total) and the other observables."""
        total = np.log(np.maximum(self.observables["total"], self.least))
        pixels = np.log1p(self.x.reshape(len(self.x), -1) / self.least)
        given = () if self.condition is None else (self.condition,)
        return {
            "low": np.column_stack([*given, pixels]),
            "high": np.column_stack([*given, *{**self.observables, "total": total}.values()]),
        }

    @staticmethod
    def draw_averages(sides: Mapping[str, Side], path: Path) -> None:
        """Logarithmic; below, what each has more (red) and less (blue) than the first."""
        averages = np.stack([side.x.mean(0).reshape(side.shape) for side in sides.values()])
        pictures.heat(averages, path, averages - averages[0])


class Jets(Pictures):
    """Jet images of one class; their mass, momentum and τ21 are what a surrogate must find out by itself."""

    labels = {
        "mass": "jet mass [GeV]", "pt": "jet pT [GeV]", "tau21": "τ21",
        **{name: label for name, label in measures.OBSERVABLES.items() if name != "total"},
    }  # fmt: skip
    shown = ("mass", "pt", "tau21", "hits", "hottest", "contrast")
    tests = {"jet": "AUC, mass pT τ21", "low": "AUC, pixels", "high": "AUC, observables"}

    @cached_property
    def observables(self) -> dict[str, np.ndarray]:
        seen = {"mass": jets.mass(self.x), "pt": jets.pt(self.x), "tau21": jets.tau21(self.x)}
        seen |= measures.observables(self.x, self.shape)
        return {name: seen[name] for name in self.labels}

    @property
    def features(self) -> dict[str, np.ndarray]:
        """Three observables, ln(1 + pixel / least), and all observables."""
        columns = list(self.observables.values())
        pixels = np.log1p(self.x.reshape(len(self.x), -1) / self.least)
        return {"jet": np.column_stack(columns[:3]), "low": pixels, "high": np.column_stack(columns)}


class Showers(Side):
    """Showers in CaloGAN's geometry, in MeV, given the incident energy in GeV."""

    labels = {name: str(axis) for name, axis in showers.OBSERVABLES.items()}
    shown = (
        "response", "fraction_0", "fraction_2", "shower_depth", "width_x_1", "width_y_0", "ratio_1", "sparsity_0", "sparsity_1",
    )  # fmt: skip
    has_response = True
    averages = "Average showers in the three layers; from above"
    tests = {"layers": "AUC, layer energies", "low": "AUC, cells", "high": "AUC, observables"}

    @property
    def energy(self) -> np.ndarray:
        """Incident, (N,) in GeV."""
        return self.condition[:, 0]

    @cached_property
    def observables(self) -> dict[str, np.ndarray]:
        return showers.observables(self.x, self.energy)

    @property
    def features(self) -> dict[str, np.ndarray]:
        made = {"layers": showers.features_layers, "low": showers.features_low, "high": showers.features_high}
        return {name: features(self.x, self.energy) for name, features in made.items()}

    def response(self, reference: Self, bins: Sequence[float]) -> dict[str, float]:
        """NaN where showers of some bin hold no energy, or always the same: a network may have collapsed."""
        theirs = showers.energy_response(reference.x, reference.energy, bins)
        try:
            ratios = showers.response_ratios(showers.energy_response(self.x, self.energy, bins), theirs)
            linearity = showers.linearity(self.x, self.energy, bins).deviation
        except InputError:
            ratios, linearity = {"bias": np.nan, "sigma_ratio": np.nan}, np.nan
        return {"etot_bias": ratios["bias"], "etot_sigma_ratio": ratios["sigma_ratio"], "etot_linearity": linearity}

    @staticmethod
    def draw_response(sides: Mapping[str, Side], bins: Sequence[float], path: Path) -> None:
        """Sides that have one in every bin."""
        whole = [name for name, side in sides.items() if np.isfinite(list(side.response(side, bins).values())).all()]
        plots.response({name: showers.energy_response(sides[name].x, sides[name].energy, bins) for name in whole}, path)

    @staticmethod
    def draw_averages(sides: Mapping[str, Side], path: Path) -> None:
        """The three layers in true proportion, a row for each side."""
        averages = {name: CALOGAN.split(side.x.mean(0)) for name, side in sides.items()}
        pictures.layers(averages, CALOGAN.sizes, path)


KINDS: Mapping[str, type[Side]] = {"picture": Pictures, "jet": Jets, "shower": Showers}

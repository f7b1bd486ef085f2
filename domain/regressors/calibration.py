"""A calorimeter's calibration: the factor from the total that a shower deposits to its energy.

The network learns ln(energy / total), so that errors count relative to the energy, at 1 GeV as at 100, and starts from the total
instead of having to learn a sum. Experiments calibrate clusters so, by their shapes beside (CMS 2021, JINST 16 P05014, arXiv 2012.06888).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils import Tags, column_or_1d
from sklearn.utils.validation import check_non_negative, validate_data
from torch import Tensor
from torch.nn.functional import mse_loss

from domain.config import Config, Count
from domain.errors import InputError
from domain.nets.deposits import layer_energies, layer_moments, layer_shapes, layer_sizes, log_total
from domain.nets.mlp import mlp
from domain.network_estimator import NetworkEstimator, image_shape, vectors
from domain.space import Space, standard
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms
from domain.training import Budget

OF_A_LAYER = {"total": 0, "layers": 1, "shape": 1 + 6}  # numbers that are seen: its share, its moments


@dataclass(frozen=True)
class CalibrationConfig(Config):
    """Parameters of a calibration.

    Attributes:
        sees: ``total``, the logarithm of the total deposit; ``layers``, the share of each layer too; or ``shape``, also where
            in each layer the deposits lie and how widely, see :func:`domain.nets.deposits.layer_moments`.
        shapes: (rows, columns) of each layer; left out, CaloGAN's for flat samples of as many cells, and a single layer
            for pictures and others.
        hidden: widths of the hidden layers.
        batch: showers in each step.
    """

    sees: Literal["total", "layers", "shape"] = "layers"
    shapes: tuple[tuple[Count, Count], ...] = ()
    hidden: tuple[Count, ...] = (64, 64)
    batch: Count = 100
    optimiser: Adam = Adam(rate=1e-3, beta1=0.9)


class Calibration(System):
    """A network from deposits to the one condition of their space, an energy."""

    Config: ClassVar[type[Config]] = CalibrationConfig
    averaged = ("network",)

    def __init__(self, config: CalibrationConfig, space: Space) -> None:
        super().__init__()
        if not space.physical or len(space.condition) != 1:
            raise InputError(f"calibration: samples are of kind {space.kind!r} with conditions {space.condition}; give showers and their energy")
        self.config, self.space, self.shapes = config, space, layer_shapes(config.shapes, space.shape)
        features = 1 + OF_A_LAYER[config.sees] * len(self.shapes)
        self.network = mlp((features, *config.hidden, 1))
        for name, width in (("seen", features), ("told", 1)):
            self.register_buffer(f"{name}_mean", torch.zeros(width))
            self.register_buffer(f"{name}_scale", torch.ones(width))
        self.players = (Player("network", ("network",), self.terms, config.optimiser),)

    def features(self, cells: Tensor) -> Tensor:
        """Deposits (N, cells) of :func:`deposits` → (N, F), the logarithm of the total first."""
        found, sees = [log_total(cells)[:, None]], self.config.sees
        if sees != "total":
            total = cells.sum(1, keepdim=True).clamp(min=torch.finfo(cells.dtype).tiny)
            found.append(layer_energies(cells, layer_sizes(self.shapes)) / total)
        if sees == "shape":
            found.append(layer_moments(cells, self.shapes))
        return torch.cat(found, 1).to(self.seen_mean)

    def streams(self, x: Tensor, condition: Tensor) -> Mapping[str, Stream]:
        """x: deposits (N, *shape), condition: energies (N, 1), above 0; of showers that deposit something."""
        cells = deposits(x)
        some = cells.sum(1) > 0
        features = self.features(cells[some])
        return {"known": Stream((features, condition[some].log() - features[:, :1]), self.config.batch)}

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        """Standardise what is seen and what is told."""
        for name, values in zip(("seen", "told"), data["known"].tensors):
            mean, scale = standard(values)
            getattr(self, f"{name}_mean").copy_(mean)
            getattr(self, f"{name}_scale").copy_(scale)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {}

    def terms(self, batch: Batch, noise: Noise) -> Terms:
        features, told = batch["known"]
        return {"squares": mse_loss(self.answer(features), (told - self.told_mean) / self.told_scale)}

    def answer(self, features: Tensor) -> Tensor:
        return self.network((features - self.seen_mean) / self.seen_scale)

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """x: deposits (N, *shape) → energies (N, 1); of a shower without deposit 0."""
        cells = deposits(x)
        factor = (self.answer(self.features(cells)) * self.told_scale + self.told_mean).exp()
        return factor * cells.sum(1, keepdim=True)


def deposits(x: Tensor) -> Tensor:
    """Samples (N, *shape) → (N, cells) in single precision; a cell below 0, as noise leaves it, deposits nothing."""
    return x.flatten(1).float().clamp(min=0)


@dataclass(eq=False, repr=False)
class CalibrationRegressor(RegressorMixin, NetworkEstimator):
    """A calibration as scikit-learn's estimator, of deposits at least 0 and energies above 0.

    Args:
        sees, shapes, hidden: as in :class:`CalibrationConfig`.
        rate: learning rate.
    """

    hold: float = 0.5
    average: float = 0.99
    sees: str = "layers"
    shapes: tuple[tuple[int, int], ...] = ()
    hidden: tuple[int, ...] = (64, 64)
    rate: float = 1e-3

    def make(self, space: Space) -> Calibration:
        return Calibration(CalibrationConfig(self.sees, self.shapes, self.hidden, self.batch, Adam(self.rate, 0.9)), space)

    def prepare(self, X: Any, y: Any) -> tuple[Calibration, Mapping[str, Stream], Budget, int]:
        """Check the samples; y: (N,). Return what :func:`domain.training.fit` takes."""
        image = image_shape(X)
        X, y = validate_data(self, vectors(X), column_or_1d(y, warn=True), dtype=np.float32, y_numeric=True)
        if not (y > 0).all():
            raise ValueError("calibration: targets are energies, so they must be above 0")
        system, budget, seed = self.begin(X, image, condition=("energy",), units=("",))
        return system, system.streams(self.encoded(X), torch.tensor(y, dtype=torch.float32)[:, None]), budget, seed

    def predict(self, X: Any) -> np.ndarray:
        """Energies in the unit of ``y``, (N,) float64."""
        return self.answer("predict", X)[:, 0]

    def encoded(self, X: np.ndarray) -> Tensor:
        """Rows (N, F) as they are, at least 0."""
        check_non_negative(X, "calibration")
        return torch.tensor(X).unflatten(1, self.space_.shape)

    def _space(self, image: tuple[int, ...] | None, about: Mapping[str, Any]) -> Space:
        return Space("shower", image or self.low_.shape, (0.0, float(self.high_.max())), **about)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = tags.target_tags.positive_only = True
        tags.regressor_tags.poor_score = True  # in general, columns do not add up to the target
        return tags

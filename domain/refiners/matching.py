"""The floor of refinement, without a network: simple figures of simulated images become those of real ones.

Four figures, each matched in turn on images as the ones before left them:

* place, size, slant and aspect of the ink, by its moments: every image is moved, scaled, sheared and
  stretched, so that their distributions become the real ones;
* width of the strokes, 2 × ink / length of the outline: thicker or thinner by grey dilation or erosion;
* sharpness of the edges: one Gaussian blur for all, where the real images are blurred;
* grey levels: the histogram of all pixels, value by value.

Ink is what is brighter than −1, the background. For images that are no strokes, only grey levels and
sharpness mean something. Everything is fitted on unlabelled images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from kornia.filters import gaussian_blur2d
from kornia.morphology import dilation, erosion
from torch import Tensor
from torch.nn.functional import grid_sample

from domain.config import Config, Count
from domain.nets.warp import identity_grid
from domain.space import Space
from domain.system import Stream, System

LEVELS, VALUES = 201, 10**6  # quantiles of a distribution, and how many values they are taken from
BLURS = torch.arange(0, 2.01, 0.1)  # deviations that are tried, in pixels
CROSS = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
CORRECTIONS = 3  # of the share of a dilation
BACKGROUND = -1.0
LEAST = 1e-6  # under a division, for images without ink


def quantiles(values: Tensor) -> Tensor:
    """A distribution's quantiles, (LEVELS,), from any number of values."""
    values = values.flatten()[:: max(1, values.numel() // VALUES)]
    return torch.quantile(values, torch.linspace(0, 1, LEVELS).to(values))


def matched(values: Tensor, tables: Tensor) -> Tensor:
    """Values of the first distribution moved to the same rank in the second; tables (2, LEVELS) of quantiles.

    A value that many samples share, such as the background, has the middle one of its ranks.
    """
    ours, theirs = tables
    values, last = values.contiguous(), LEVELS - 1
    low, high = (torch.searchsorted(ours, values, right=right) for right in (False, True))
    below, above = ours[(low - 1).clamp(0, last)], ours[low.clamp(max=last)]
    between = low - 1 + (values - below) / (above - below).clamp(min=LEAST)
    rank = torch.where(low == high, between, (low + high - 1) / 2).clamp(0, last)
    return torch.lerp(theirs[rank.floor().long()], theirs[rank.ceil().long()], rank - rank.floor())


def ink(x: Tensor) -> Tensor:
    """x: (N, C, H, W) in [−1, 1] → brightness in [0, 1], (N, H, W)."""
    return (x.mean(1) + 1) / 2


@dataclass(frozen=True)
class Shape:
    """Moments of the ink of N images: its centre x and y in pixels from the upper left corner, its size (log of
    the height's deviation in pixels), its slant (pixels to the side for each pixel down) and its aspect (log of
    upright width over height), (N,) each."""

    x: Tensor
    y: Tensor
    size: Tensor
    slant: Tensor
    aspect: Tensor

    @classmethod
    def of(cls, images: Tensor) -> Shape:
        weight = ink(images)
        weight = weight / weight.sum((1, 2), keepdim=True).clamp(min=LEAST)
        x, y = (torch.arange(side).to(weight) + 0.5 for side in (weight.shape[2], weight.shape[1]))
        x, y = x.expand(weight.shape), y[:, None].expand(weight.shape)

        def mean(values: Tensor) -> Tensor:
            return (weight * values).sum((1, 2))

        middle_x, middle_y = mean(x), mean(y)
        x, y = x - middle_x[:, None, None], y - middle_y[:, None, None]
        height = mean(y * y) + LEAST
        slant = mean(x * y) / height
        upright = (mean(x * x) - slant * mean(x * y)).clamp(min=0) + LEAST
        return cls(middle_x, middle_y, height.log() / 2, slant, (upright / height).log() / 2)


GEOMETRY = tuple(field.name for field in fields(Shape))


def moved(x: Tensor, grid: Tensor) -> Tensor:
    """Images (N, C, H, W) in [−1, 1] seen through a grid as of ``nets/warp.py``, with background beyond the border.

    The interpolation is cubic: a linear one dims thin strokes.
    """
    return (grid_sample(x - BACKGROUND, grid, "bicubic", align_corners=False) + BACKGROUND).clamp(-1, 1)


def edges(x: Tensor) -> Tensor:
    """Length of the brightness gradient between neighbouring pixels, (N, H, W)."""
    brightness = ink(x)
    across = torch.diff(brightness, dim=2, append=brightness[:, :, -1:])
    down = torch.diff(brightness, dim=1, append=brightness[:, -1:])
    return (across.square() + down.square()).sqrt()


def thickness(x: Tensor) -> Tensor:
    """Mean width of the strokes in pixels, (N,): a stroke of area w·l has an outline of 2·l."""
    return 2 * ink(x).sum((1, 2)) / edges(x).sum((1, 2)).clamp(min=LEAST)


def sharpness(x: Tensor) -> Tensor:
    """Mean gradient at an edge, a scalar in (0, 1]."""
    gradient = edges(x)
    return gradient.square().sum() / gradient.sum().clamp(min=LEAST)


def blurred(x: Tensor, deviation: Tensor) -> Tensor:
    """A Gaussian blur; deviation: a scalar in pixels, 0 for none."""
    return gaussian_blur2d(x, (13, 13), deviation.clamp(min=1e-3).expand(1, 2), border_type="replicate")


def mixed(x: Tensor, thicker: Tensor, thinner: Tensor, share: Tensor) -> Tensor:
    """Images (N, C, H, W) moved towards ``thicker`` by a positive share, (N,), towards ``thinner`` by a negative one."""
    share = share.clamp(-1, 1)[:, None, None, None]
    return torch.where(share > 0, torch.lerp(x, thicker, share), torch.lerp(x, thinner, -share))


@dataclass(frozen=True)
class MatchingConfig(Config):
    """What is matched.

    Attributes:
        geometry, width, blur, grey: whether the ink's moments, stroke width, sharpness, grey levels are.
        images: how many of each side are measured, at most.
    """

    geometry: bool = True
    width: bool = True
    blur: bool = True
    grey: bool = True
    images: Count = 5000


class Matching(System):
    """Has no player: all that it needs is measured at the end; translates and warps."""

    Config: ClassVar[type[Config]] = MatchingConfig

    def __init__(self, config: MatchingConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space, self.players = config, space, ()
        for name in (*GEOMETRY, "thickness", "levels"):  # simulated and real quantiles
            self.register_buffer(name, torch.zeros(2, LEVELS))
        self.register_buffer("deviation", torch.zeros(()))

    def streams(self, simulated: Tensor, real: Tensor, label: Tensor | None = None) -> dict[str, Stream]:
        """Both are images (N, C, H, W) in [−1, 1]; no label is used."""
        return {"simulated": Stream((simulated,), 1), "real": Stream((real,), 1)}

    @torch.no_grad()
    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        """Measure both sides; what comes later is measured on what is matched so far."""
        simulated, real = (self._some(data[name], generator) for name in ("simulated", "real"))
        if self.config.geometry:
            shapes = [Shape.of(images) for images in (simulated, real)]
            for name in GEOMETRY:
                getattr(self, name).copy_(torch.stack([quantiles(getattr(shape, name)) for shape in shapes]))
            simulated = moved(simulated, self._grid(simulated))
        if self.config.width:
            self.thickness.copy_(torch.stack([quantiles(thickness(simulated)), quantiles(thickness(real))]))
            simulated = self._widened(simulated)
        if self.config.blur:
            wanted = sharpness(real)
            distances = [(sharpness(blurred(simulated, d)) - wanted).abs() for d in BLURS.to(simulated)]
            self.deviation.copy_(BLURS[torch.stack(distances).argmin()])
            simulated = blurred(simulated, self.deviation)
        if self.config.grey:
            self.levels.copy_(torch.stack([quantiles(simulated.flatten()), quantiles(real.flatten())]))

    def _some(self, stream: Stream, generator: torch.Generator) -> Tensor:
        images = stream.tensors[0]
        rows = torch.randperm(len(images), generator=generator, device=generator.device)
        return images[rows[: self.config.images]]

    def _grid(self, x: Tensor) -> Tensor:
        """Where each pixel of the moved, scaled, sheared and stretched images comes from, (N, H, W, 2)."""
        side, now = torch.tensor([x.shape[3], x.shape[2]], device=x.device), Shape.of(x)
        wanted = Shape(*[matched(getattr(now, name), getattr(self, name)) for name in GEOMETRY])
        now, wanted = ([getattr(shape, name)[:, None, None] for name in GEOMETRY] for shape in (now, wanted))
        (x_now, y_now, size, slant, aspect), (x_wanted, y_wanted, wanted_size, wanted_slant, wanted_aspect) = now, wanted
        across, down = ((identity_grid(*x.shape[2:]).to(x) + 1) / 2 * side).unbind(-1)
        across, down = across - x_wanted, down - y_wanted
        upright = (across - wanted_slant * down) * (size + aspect - wanted_size - wanted_aspect).exp()
        down = down * (size - wanted_size).exp()
        return 2 * torch.stack((x_now + upright + slant * down, y_now + down), -1) / side - 1

    def _widened(self, x: Tensor) -> Tensor:
        """Strokes thicker or thinner: a share of a dilation or of an erosion, of which a whole one is two pixels.

        On thin strokes an erosion does less than that, so what it did corrects the share.
        """
        now, cross = thickness(x), CROSS.to(x)
        wanted = matched(now, self.thickness) - now
        thicker, thinner, share = dilation(x, cross), erosion(x, cross), wanted / 2
        for _ in range(CORRECTIONS):
            done = thickness(mixed(x, thicker, thinner, share)) - now
            share = share * (wanted / torch.where(done.abs() < LEAST, wanted + LEAST, done)).clamp(0.5, 2)
        return mixed(x, thicker, thinner, share)

    def translate(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """x: (N, C, H, W) in [−1, 1] → the same shape and range. Deterministic."""
        return self.translate_with_grid(x, generator)[0]

    @property
    def warps(self) -> bool:
        """Whether pixels move."""
        return self.config.geometry

    @torch.no_grad()
    def translate_with_grid(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """The same, and where the pixels came from, (N, H, W, 2); None without ``geometry``."""
        with torch.autocast(x.device.type, enabled=False):  # rounding would lift the background
            grid = self._grid(x) if self.config.geometry else None
            x = x if grid is None else moved(x, grid)
            x = self._widened(x) if self.config.width else x
            x = blurred(x, self.deviation) if self.config.blur else x
            return (matched(x, self.levels) if self.config.grey else x).clamp(-1, 1), grid

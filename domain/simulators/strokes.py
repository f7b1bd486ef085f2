"""Handwritten digits, drawn by a round pen along random curves, with exact labels.

A digit is one of several templates: strokes that pass through a few control points. The points
are moved at random, joined by Catmull-Rom curves, sheared, rotated and stretched, fitted to a box
and inked by a pen of constant width. All geometry is exact, in pixels of the image, before
anything is rasterised; so are the labels, which are read off it.

Two styles follow the two classic data sets:

* ``grey``: MNIST (LeCun et al. 1998, Proc. IEEE 86, 2278). The digit fits a box of 20/28 of the
  image, its aspect kept, its centre of mass in the middle; anti-aliased grey, 0 to 255.
* ``counts``: optdigits (Alpaydin & Kaynak 1998, doi 10.24432/C50P49; scikit-learn's
  ``load_digits`` is its test part). NIST's preprocessing makes the digit fill a bitmap of four
  times the side, 32×32 for 8×8; a value is the number of ink pixels in a block of 4×4, 0 to 16.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Literal

import torch
from kornia.geometry import get_affine_matrix2d, transform_points
from torch import Tensor

from domain.config import Config, NonNegative, Positive, Range
from domain.errors import InputError
from domain.randomness import torch_generator
from domain.samples import About, Samples

# Control points as "x,y" in per cent of the unit box, y downwards; "|" lifts the pen. Strokes are
# smooth, so a corner is two strokes that share a point. A stroke that ends where it began is closed.
TEMPLATES: dict[int, tuple[str, ...]] = {
    0: (
        "50,0 26,18 20,50 26,82 50,100 74,82 80,50 74,18 50,0",
        "62,8 40,3 23,28 20,62 33,93 55,98 75,76 78,42 67,14 46,6",
    ),
    1: (
        "50,0 50,100",
        "30,24 54,0 | 54,0 54,100",
        "22,40 55,0 | 55,0 55,100",
        "34,24 52,0 | 52,0 52,100 | 36,100 68,100",
    ),
    2: (
        "22,22 38,3 62,3 74,22 66,48 42,78 20,100 | 20,100 80,100",
        "20,16 46,0 68,18 58,54 30,90 18,82 34,72 56,84 92,90",
        "20,15 50,0 72,20 55,55 20,95 | 20,95 45,90 82,98",
    ),
    3: (
        "24,12 48,0 70,12 66,36 42,46 | 42,46 70,56 75,80 52,100 20,90",
        "22,0 74,0 | 74,0 46,40 | 46,40 78,65 55,100 18,92",
    ),
    4: (
        "60,0 15,65 | 15,65 88,65 | 60,0 60,100",
        "50,0 15,60 | 15,60 85,60 | 62,35 55,100",
        "28,5 20,60 | 20,60 82,58 | 64,20 58,100",
        "25,0 22,38 40,52 72,45 | 75,0 72,45 | 72,45 68,100",
    ),
    5: (
        "75,0 30,0 | 30,0 26,42 | 26,42 55,36 78,62 60,96 20,94",
        "88,2 42,8 | 42,8 30,46 | 30,46 58,42 70,70 48,98 15,92",
        "32,4 28,45 | 28,45 60,42 74,72 50,100 20,92 | 32,4 82,0",
    ),
    6: (
        "62,0 32,30 20,68 38,98 68,92 74,68 50,54 24,70",
        "62,0 28,35 18,74 42,100 78,86 70,60 42,62 24,84",
    ),
    7: (
        "18,4 80,2 | 80,2 45,100",
        "18,4 80,2 | 80,2 45,100 | 30,52 78,50",
        "18,22 30,4 72,3 70,32 52,68 42,100",
        "20,15 22,0 | 22,0 80,0 | 80,0 52,50 45,100 | 25,52 80,48",
    ),
    8: (
        "50,46 74,22 50,0 26,22 50,46 76,75 50,100 24,75 50,46",
        "50,0 28,22 50,45 72,22 50,0 | 50,45 22,72 50,100 78,72 50,45",
        "80,6 47,1 26,22 50,46 74,73 49,100 24,78 49,50 80,12",
    ),
    9: (
        "72,22 48,0 25,25 42,50 72,28 | 72,10 70,60 62,100",
        "72,22 48,0 25,24 45,48 72,25 | 72,25 76,65 58,98 22,92",
        "72,20 50,0 27,20 48,42 72,20 | 72,20 64,60 46,100",
        "70,8 30,5 25,38 70,42 | 70,8 76,70 50,100 20,92",
    ),
}
PIECES = 5  # straight segments between two control points of a curve
BLOCK = 4  # bitmap pixels along the side of one ``counts`` pixel
CACHE = 2**18  # distances computed at once, so that they stay in the processor's cache


@dataclass(frozen=True)
class Template:
    """One way to write a digit, as a linear map from control points to straight segments.

    Attributes:
        digit: the class.
        points: distinct control points, (P, 2), x and y in the unit box.
        basis: (S, 2, P); segment ends are ``basis @ points``. Strokes that share a point move together.
    """

    digit: int
    points: Tensor
    basis: Tensor

    @classmethod
    def parse(cls, digit: int, text: str) -> Template:
        """The template of one entry of ``TEMPLATES``."""
        strokes = [stroke.split() for stroke in text.split("|")]
        names = list(dict.fromkeys(name for stroke in strokes for name in stroke))
        points = torch.tensor([[int(part) / 100 for part in name.split(",")] for name in names])
        unit = torch.eye(len(names))
        curves = [catmull_rom(unit[[names.index(name) for name in stroke]]) for stroke in strokes]
        return cls(digit, points, torch.cat([torch.stack((c[:-1], c[1:]), 1) for c in curves]))


def catmull_rom(knots: Tensor) -> Tensor:
    """Points on the uniform Catmull-Rom spline (Catmull & Rom 1974) through the knots.

    Args:
        knots: (K, D). The spline is closed where the last equals the first; elsewhere the knots
            next to the ends are mirrored there.

    Returns:
        (M, D) with the knots among them; two knots give themselves, as a line needs no more.
    """
    if len(knots) == 2:
        return knots
    closed = torch.equal(knots[0], knots[-1])
    before = knots[-2] if closed else 2 * knots[0] - knots[1]
    after = knots[1] if closed else 2 * knots[-1] - knots[-2]
    padded = torch.cat((before[None], knots, after[None]))
    t = torch.arange(PIECES) / PIECES
    cubic = torch.tensor([[0.0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    weights = torch.stack((t**0, t, t**2, t**3), 1) @ cubic
    spans = torch.stack([padded[i : i + 4] for i in range(len(knots) - 1)])
    return torch.cat(((weights @ spans).flatten(0, 1), knots[-1:]))


LIBRARY = tuple(Template.parse(digit, text) for digit, texts in TEMPLATES.items() for text in texts)


POINTS = max(len(template.points) for template in LIBRARY)


@dataclass(frozen=True)
class Hand:
    """How N digits are written.

    Attributes:
        moves: of the control points, (N, POINTS, 2), in the unit box.
        affine: shear, stretch and rotation about the middle of the unit box, (N, 3, 3).
        width: of the pen, (N,), in pixels.
        scale: of the digit, (N,), as a fraction of its box.
        shift: of the digit along x and y, (N, 2), in pixels.
    """

    moves: Tensor
    affine: Tensor
    width: Tensor
    scale: Tensor
    shift: Tensor

    def __getitem__(self, rows: Tensor) -> Hand:
        return Hand(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def slant(self) -> Tensor:
        """Where the template's upright axis ends up, (N,), in rad from the image's, right positive.

        Fitting keeps the aspect, so it changes no angle.
        """
        return torch.atan2(-self.affine[:, 0, 1], self.affine[:, 1, 1])


def centre_of_mass(segments: Tensor) -> Tensor:
    """(N, 2) centre of mass of (N, S, 2, 2) segments, weighted by length as a constant pen inks them."""
    length = (segments[:, :, 1] - segments[:, :, 0]).norm(dim=-1, keepdim=True)
    return (segments.mean(2) * length).sum(1) / length.sum(1)


def _frame(segments: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Each segment's direction (cos, sin), and each pixel centre's offsets x, y from its middle.

    Shapes (N, S, 1, 1) twice, (N, S, 1, side) and (N, S, side, 1).
    """
    x, y = (segments[:, :, 1] - segments[:, :, 0]).unbind(-1)
    angle = torch.atan2(y, x)[..., None, None]
    centres = torch.arange(side) + 0.5
    offset = centres - segments.mean(2)[..., None]
    return angle.cos(), angle.sin(), offset[:, :, 0, None, :], offset[:, :, 1, :, None]


def squared_distance(segments: Tensor, side: int) -> Tensor:
    """From each pixel's centre to the nearest segment, squared, in pixels².

    Args:
        segments: (N, S, 2, 2), ends x and y in pixels.
        side: of the image.

    Returns:
        (N, side, side).
    """
    cos, sin, x, y = _frame(segments, side)
    half = (segments[:, :, 1] - segments[:, :, 0]).norm(dim=-1)[..., None, None] / 2
    beyond = (cos * x + sin * y).abs_().sub_(half).relu_()  # past the nearer end, along the segment
    aside = cos * y - sin * x
    return aside.square_().addcmul_(beyond, beyond).amin(1)


def centre_line(segments: Tensor, side: int) -> Tensor:
    """Which pixels the segments pass through, exactly: (N, side, side) bool.

    A segment meets a square unless one of three axes separates them: x, y or the segment's normal.

    Args:
        segments: (N, S, 2, 2), ends x and y in pixels.
        side: of the image.
    """
    cos, sin, x, y = _frame(segments, side)
    reach = (1 + (segments[:, :, 1] - segments[:, :, 0]).abs())[..., None, None] / 2
    near = (x.abs() <= reach[:, :, 0]) & (y.abs() <= reach[:, :, 1])
    crosses = (cos * y - sin * x).abs_() <= (cos.abs() + sin.abs()) / 2
    return near.logical_and_(crosses).any(1)


def grey(segments: Tensor, width: Tensor, side: int) -> Tensor:
    """Anti-aliased ink, (N, side, side) uint8, 0 to 255: the edge is a ramp one pixel wide.

    Args:
        segments: (N, S, 2, 2), ends x and y in pixels.
        width: of the pen, (N,), in pixels.
        side: of the image.
    """
    distance = squared_distance(segments, side).sqrt_()
    ink = (width[:, None, None] / 2 + 0.5 - distance).clamp_(0, 1)
    return ink.mul_(255).round_().to(torch.uint8)


def counts(segments: Tensor, width: Tensor, side: int) -> Tensor:
    """Ink pixels of a bitmap in blocks of 4×4, (N, side, side) uint8, 0 to 16; see :func:`grey`."""
    bitmap = squared_distance(segments * BLOCK, side * BLOCK) <= (width[:, None, None] * BLOCK / 2) ** 2
    blocks = bitmap.unflatten(2, (side, BLOCK)).unflatten(1, (side, BLOCK))
    return blocks.sum((2, 4), dtype=torch.uint8)


@dataclass(frozen=True)
class Strokes(Config):
    """Handwritten digits; classes are drawn uniformly, and so are a class's templates.

    Conditions are the slant of the upright axis, in rad, positive where the top leans right, and
    the width of the pen in pixels of the image. The mask is 1 where the centre line of a stroke passes.

    Attributes:
        size: side of the image in pixels.
        style: ``grey`` like MNIST or ``counts`` like optdigits.
        jitter: standard deviation of a control point's move, as a fraction of the template's box.
        slant: lowest and highest shear, in rad.
        width: lowest and highest width of the pen, as a fraction of the digit's box.
        aspect: lowest and highest factor on the template's width, its height kept.
        rotation: a digit is turned by up to this either way, in rad.
        scale: lowest and highest size of the digit, as a fraction of its box.
        translation: a digit is moved by up to this along x and y, as a fraction of its box.
    """

    size: Annotated[int, Range(8)] = 28
    style: Literal["grey", "counts"] = "grey"
    jitter: NonNegative = 0.06
    slant: tuple[Annotated[float, Range(-1, 1)], Annotated[float, Range(-1, 1)]] = (-0.2, 0.5)
    width: tuple[Positive, Annotated[float, Range(0, 0.5)]] = (0.09, 0.19)
    aspect: tuple[Positive, Positive] = (0.9, 1.3)
    rotation: Annotated[float, Range(0, 1)] = 0.1
    scale: tuple[Positive, Annotated[float, Range(0, 1)]] = (0.95, 1.0)
    translation: Annotated[float, Range(0, 0.2)] = 0.05

    shard: ClassVar[int] = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("slant", "width", "aspect", "scale"):
            low, high = getattr(self, key)
            if low > high:
                raise InputError(f"Strokes.{key}: runs from {low:g} to {high:g}; put the lower bound first")
        if self.scale[0] <= self.width[1]:
            raise InputError(
                f"Strokes.scale: starts at {self.scale[0]:g}, no more than the widest pen, "
                f"{self.width[1]:g}; raise it or lower 'width'"
            )
        # A thinner pen could pass through a pixel's corner and leave no ink there.
        if (thinnest := self.width[0] * self.box) < 0.5:
            raise InputError(
                f"Strokes.width: starts at {thinnest:.2g} pixels, must be at least 0.5; "
                f"use {0.5 / self.box:.2g} or more, or a larger 'size'"
            )

    @property
    def box(self) -> float:
        """Side of the box that the digit fits, in pixels."""
        return self.size * (20 / 28 if self.style == "grey" else 1)

    def about(self) -> About:
        """Images with their slant and pen width, exact after every move, turn and fit."""
        return About(
            kind="image",
            range=(0.0, 255.0 if self.style == "grey" else float(BLOCK**2)),
            classes=len(TEMPLATES),
            condition=("slant", "width"),
            units=("rad", "px"),
            producer="simulators.strokes",
            parameters=self.as_dict(),
        )

    def simulate(self, count: int, seed: int) -> Samples:
        """``count`` digits: x (N, 1, size, size), label, condition and mask (N, size, size)."""
        generator = torch_generator(seed, "strokes")
        label = torch.randint(len(TEMPLATES), (count,), generator=generator)
        ways = torch.tensor([len(texts) for texts in TEMPLATES.values()])
        way = (torch.rand(count, generator=generator) * ways[label]).long()
        template = (ways.cumsum(0) - ways)[label] + way
        hands = self._hands(count, generator)
        x = torch.zeros(count, self.size, self.size, dtype=torch.uint8)
        mask = torch.zeros_like(x)
        ink = grey if self.style == "grey" else counts
        pixels = (self.size * (1 if self.style == "grey" else BLOCK)) ** 2
        for index, written in enumerate(LIBRARY):
            together = max(1, CACHE // (len(written.basis) * pixels))
            for rows in (template == index).nonzero().flatten().split(together):
                segments = self._segments(written, hands[rows])
                x[rows] = ink(segments, hands.width[rows], self.size)
                mask[rows] = centre_line(segments, self.size).byte()
        condition = torch.stack((hands.slant, hands.width), 1)
        return Samples(x[:, None].numpy(), self.about(), label.numpy(), condition.numpy(), mask=mask.numpy())

    def _hands(self, count: int, generator: torch.Generator) -> Hand:
        def uniform(low: float, high: float, *shape: int) -> Tensor:
            return low + (high - low) * torch.rand(count, *shape, generator=generator)

        stretch = torch.stack((uniform(*self.aspect), torch.ones(count)), 1)
        turn = uniform(-self.rotation, self.rotation).rad2deg()
        shear = uniform(*self.slant)
        centre = torch.full((count, 2), 0.5)
        return Hand(
            moves=self.jitter * torch.randn(count, POINTS, 2, generator=generator),
            affine=get_affine_matrix2d(torch.zeros(count, 2), centre, stretch, turn, shear),
            width=self.box * uniform(*self.width),
            scale=uniform(*self.scale),
            shift=self.box * uniform(-self.translation, self.translation, 2),
        )

    def _segments(self, template: Template, hand: Hand) -> Tensor:
        """(N, S, 2, 2) segments in pixels of the image."""
        points = transform_points(hand.affine, template.points + hand.moves[:, : len(template.points)])
        segments = template.basis @ points[:, None]
        # Half the pen sticks out on either side, so that it is the ink that fits the box.
        low, high = segments.amin((1, 2)), segments.amax((1, 2))
        factor = (self.box * hand.scale - hand.width) / (high - low).amax(1)
        centre = centre_of_mass(segments) if self.style == "grey" else (low + high) / 2
        place = self.size / 2 + hand.shift
        return (segments - centre[:, None, None]) * factor[:, None, None, None] + place[:, None, None]

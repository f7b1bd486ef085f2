"""Pictures of one eye with its exact direction of gaze: plain, rich as a camera would see it, or in between.

The eyeball is a sphere of 12 mm radius; the iris a disc of 5.9 mm whose rim lies on it, square to the
gaze; the pupil is concentric. The cornea is a sphere of 8 mm through that rim, which mirrors one
distant light. Lids are arcs between the corners of the eye; they follow part of the vertical gaze. The
projection is parallel along the camera's axis, so iris and pupil are ellipses, and the middle of the iris
lies ``REACH`` sin(angle) from that of the eyeball. The cornea refracts nothing. Gaze is that of
``domain/gaze.py``; the axis of sight is the eyeball's own.

Sizes: eyeball and cornea as El Hage & Le Grand describe them (Physiological Optics, Springer 1980, chapter 2,
their middles 5 mm apart); the iris as wide as corneas are, 11.71 ± 0.42 mm (Rüfer et al. 2005, Cornea 24, 259).

The grades draw the same geometry from the same seed, so samples of both can be compared one by one:

* ``plain``: flat greys with sharp, anti-aliased edges;
* ``rich``: darker and textured (iris fibres, skin, brow, lashes), shaded (round eyeball, shadow and crease of
  the lid, eye socket), then blurred, vignetted, exposed and noisy as by a small camera. It stands for real
  images where both sides must have exact labels; figures on it are no figures on real eyes;
* ``mixed``: both, one shining through the other, in shares that are uniform over pictures. Nothing has moved in it, so
  what a network that reads gazes makes of it says how far it may be believed of looks in between.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Literal

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn.functional import interpolate

from domain.config import Config, Count, Fraction, NonNegative, Positive, Range
from domain.errors import InputError
from domain.randomness import torch_generator
from domain.samples import About, Samples

EYEBALL, IRIS, CORNEA = 12.0, 5.9, 8.0  # radii in mm
REACH = math.sqrt(EYEBALL**2 - IRIS**2)  # from the eyeball's middle to that of the iris, in mm
DOME = REACH - math.sqrt(CORNEA**2 - IRIS**2)  # and to that of the cornea's sphere
FISSURE = 14.5  # half the distance between the corners of the eye, in mm
FOLLOW = (0.6, 0.35)  # share of the iris's rise or fall that the upper and the lower lid take
LEAST = 0.5  # how far a lid stands from the line between the corners at least, in mm
TOGETHER = 64  # pictures drawn at once, so that they stay in the processor's cache
FIBRES = 48  # around the iris
Span = tuple[float, float]

# Each number of a look is uniform in its span: greys from 0 to 1, lengths in mm, blur in pixels.
LOOKS: Mapping[str, Mapping[str, Span]] = {
    "plain": {"skin": (0.55, 0.8), "sclera": (0.85, 0.97), "iris": (0.25, 0.5), "glint": (0.5, 0.9)},
    "rich": {
        "skin": (0.45, 0.7), "sclera": (0.55, 0.8), "iris": (0.1, 0.32), "glint": (0.4, 0.9),
        "fibres": (0.1, 0.35), "patches": (0.04, 0.1), "shadow": (0.3, 0.6), "socket": (0.1, 0.35),
        "crease": (2.5, 4.5), "fold": (0.15, 0.45), "brow": (9.0, 15.0), "lashes": (0.3, 0.7), "side_light": (-0.3, 0.3),
        "blur": (0.4, 1.0), "vignette": (0.0, 0.35), "exposure": (0.7, 1.15), "gamma": (0.8, 1.2), "noise": (0.01, 0.03),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Pose:
    """The geometry of N pictures.

    Attributes:
        yaw, pitch: of the gaze, (N,), in degrees.
        pupil: its diameter, (N,), in mm.
        offset: of the eyeball's middle from the image's, (N, 2), x right, y down, in pixels.
        lids: heights of the upper and the lower lid over the line between the corners, (N, 2), in mm.
        side: (N,), 1 where the nose is on the image's right, −1 on its left.
        slope: (N,), rise of that line towards the outer corner.
        field: width of the image, (N,), in mm.
    """

    yaw: Tensor
    pitch: Tensor
    pupil: Tensor
    offset: Tensor
    lids: Tensor
    side: Tensor
    slope: Tensor
    field: Tensor

    def __getitem__(self, rows: slice) -> Pose:
        return Pose(*(getattr(self, field.name)[rows] for field in fields(self)))


class Scene:
    """What lies where in N pictures of (height, width) pixels; lengths in mm, shapes (N, H, W) or broadcast to it.

    Attributes:
        size: height and width.
        scale: pixels in a mm.
        x, y: of the pixels' centres from the eyeball's middle, right and down.
        along, across: in the plane of the iris, from its middle: where a line of sight meets that plane.
        radius: the length of these two.
        rim: distance inside the rim of the iris, as seen in the image; negative outside.
        pupil: distance inside the rim of the pupil.
        upper, lower: distance below the upper and above the lower lid.
        forward: of the gaze, its parts right and down, (N, 1, 1) each.
    """

    def __init__(self, pose: Pose, shape: tuple[int, int]) -> None:
        self.size = height, width = shape
        yaw, pitch, pupil, side, slope, field = (
            value[:, None, None]
            for value in (pose.yaw.deg2rad(), pose.pitch.deg2rad(), pose.pupil, pose.side, pose.slope, pose.field)
        )
        self.scale, self.side = width / field, side
        self.x = (torch.arange(width) + 0.5 - width / 2 - pose.offset[:, :1])[:, None] / self.scale
        self.y = (torch.arange(height)[:, None] + 0.5 - height / 2 - pose.offset[:, 1, None, None]) / self.scale
        self.forward = (-pitch.cos() * yaw.sin(), -pitch.sin())
        right, down = self.x - REACH * self.forward[0], self.y - REACH * self.forward[1]
        # The plane's own axes are (cos yaw, 0) and (−sin pitch sin yaw, cos pitch) in the image.
        self.across = down / pitch.cos()
        self.along = (right + pitch.sin() * yaw.sin() * self.across) / yaw.cos()
        self.radius = torch.hypot(self.along, self.across).clamp_(min=1e-3)
        # The radius grows at this rate along the image's axes: its gradient turns it into a distance.
        rightwards = self.along / yaw.cos()
        downwards = (self.across + rightwards * pitch.sin() * yaw.sin()) / pitch.cos()
        rate = torch.hypot(rightwards, downwards).div_(self.radius).clamp_(min=1e-3)
        self.rim, self.pupil = (IRIS - self.radius) / rate, (pupil / 2 - self.radius) / rate
        self.upper, self.lower = (
            self._lid(pose.lids[:, k, None, None], sign, slope) for k, sign in enumerate((-1, 1))
        )

    def _lid(self, lid: Tensor, sign: int, slope: Tensor) -> Tensor:
        """Distance to an arc y = sign · lid · (1 − (x / FISSURE)²) over the sloping line, (N, H, W)."""
        arc = sign * lid * (1 - (self.x / FISSURE) ** 2) + slope * self.side * self.x
        steepness = slope * self.side - 2 * sign * lid * self.x / FISSURE**2
        return sign * (arc - self.y) / (1 + steepness**2).sqrt()

    def covers(self, distance: Tensor, soft: float = 1.0) -> Tensor:
        """How much of a pixel lies inside, 0 to 1: the edge is a ramp ``soft`` pixels wide."""
        return (0.5 + distance * (self.scale / soft)).clamp_(0, 1)

    @property
    def opening(self) -> Tensor:
        """Distance from the nearer lid, positive between them, (N, H, W)."""
        return torch.minimum(self.upper, self.lower)

    def mask(self) -> Tensor:
        """1 on the visible iris, 2 on the visible pupil, by the pixel's centre, (N, H, W) uint8."""
        seen = self.opening > 0
        return (seen & (self.rim > 0)).byte() + (seen & (self.pupil > 0)).byte()

    def glint(self, light: Tensor) -> Tensor:
        """The light in the cornea's mirror, 0 to 1, (N, H, W); ``light``: its direction right and down, (N, 2).

        The mirror's normal halves the angle between light and camera.
        """
        toward = (1 - light.square().sum(1)).sqrt()
        half = light / (2 * (1 + toward))[:, None].sqrt()
        right, down = (DOME * self.forward[k] + CORNEA * half[:, k, None, None] for k in range(2))
        spot = ((self.x - right) ** 2 + (self.y - down) ** 2).mul_(-1.6).exp_()
        return spot * (self.rim > 0)


def over(below: Tensor, above: Tensor, cover: Tensor) -> Tensor:
    """What is seen where ``above`` covers a share of ``below``."""
    return below + (above - below) * cover


def plain(scene: Scene, look: Mapping[str, Tensor], light: Tensor) -> Tensor:
    """Flat greys, (N, H, W) in [0, 1]; each of ``look`` is (N, 1, 1), ``light`` as :meth:`Scene.glint` takes it."""
    eye = over(look["sclera"], look["iris"], scene.covers(scene.rim))
    eye = over(eye, torch.tensor(0.05), scene.covers(scene.pupil))
    eye = over(eye, torch.tensor(1.0), look["glint"] * scene.glint(light))
    picture = over(look["skin"], eye, scene.covers(scene.opening))
    return over(picture, 0.5 * look["skin"], scene.covers(0.4 - scene.upper.abs()) * (scene.lower > 0))


@dataclass(frozen=True)
class Grain:
    """Normal numbers: skin (N, 1, 7, 11), lashes (N, 1, W), fibres (N, FIBRES) and the camera's noise (N, H, W)."""

    skin: Tensor
    lashes: Tensor
    fibres: Tensor
    noise: Tensor

    @classmethod
    def draw(cls, count: int, shape: tuple[int, int], generator: torch.Generator) -> Grain:
        shapes = (1, 7, 11), (1, shape[1]), (FIBRES,), shape
        return cls(*(torch.randn(count, *each, generator=generator) for each in shapes))


def rich(scene: Scene, look: Mapping[str, Tensor], light: Tensor, grain: Grain) -> Tensor:
    """As a small camera sees it, (N, H, W), mostly in [0, 1]; arguments as in :func:`plain`."""
    picture = over(_skin(scene, look, grain), _eyeball(scene, look, light, grain), scene.covers(scene.opening))
    fringe = scene.upper.abs().mul_(-1.2).exp_() * (scene.lower > -0.5) * (1 + 0.3 * grain.lashes)
    picture = picture * (1 - look["lashes"] * fringe).clamp_(0, 1)
    return _camera(picture, look, grain)


def _eyeball(scene: Scene, look: Mapping[str, Tensor], light: Tensor, grain: Grain) -> Tensor:
    """The round white with its iris, in the upper lid's shadow."""
    bright = (1 - (scene.x**2 + scene.y**2) / 15**2).clamp_(min=0.1).sqrt_()
    turn = torch.atan2(scene.across, scene.along).add_(math.pi).mul_(FIBRES / (2 * math.pi))
    fibres = grain.fibres.gather(1, turn.flatten(1).long().clamp_(0, FIBRES - 1)).view_as(turn)
    inward = scene.radius / IRIS
    iris = look["iris"] * (1 + look["fibres"] * fibres) * (1.5 - inward**3).clamp_(min=0.4)
    eye = over(look["sclera"] * bright, iris, scene.covers(scene.rim, soft=2))
    eye = over(eye, torch.tensor(0.03), scene.covers(scene.pupil, soft=1.5))
    eye = eye * (1 - look["shadow"] * (-scene.upper.clamp(min=0) / 1.8).exp_())
    return over(eye, torch.tensor(1.0), look["glint"] * scene.glint(light))


def _skin(scene: Scene, look: Mapping[str, Tensor], grain: Grain) -> Tensor:
    """Patches, the fold of the upper lid, the dark socket beside the nose, and the brow."""
    patches = interpolate(grain.skin, scene.upper.shape[1:], mode="bilinear", align_corners=True)[:, 0]
    texture = 1 + look["patches"] * patches
    fold = 1 - look["fold"] * ((scene.upper + look["crease"]) ** 2).mul_(-1.5).exp_()
    nose = ((scene.x - scene.side * 17) ** 2 + (scene.y + 5) ** 2).div_(-90).exp_()
    brow = 0.5 * torch.sigmoid(-scene.y - look["brow"] - 0.02 * scene.x**2 + 0.5 * grain.lashes)
    lit = 1 + look["side_light"] * scene.x / 20
    return look["skin"] * texture * fold * (1 - look["socket"] * nose) * (1 - brow) * lit


def _camera(picture: Tensor, look: Mapping[str, Tensor], grain: Grain) -> Tensor:
    """Blur, vignetting, exposure, and noise that grows with the root of the light, as counted photons' does."""
    sigma = look["blur"].view(-1, 1).expand(-1, 2)
    picture = gaussian_blur2d(picture[:, None], (5, 5), sigma, "replicate")[:, 0]
    height, width = picture.shape[1:]
    x, y = torch.linspace(-1, 1, width), torch.linspace(-1, 1, height)[:, None]
    picture = look["exposure"] * picture * (1 - look["vignette"] * (x**2 + y**2) / 2)
    picture = picture.clamp_(0, 1.5) ** look["gamma"]
    return picture + look["noise"] * grain.noise * (0.3 + picture).sqrt_()


class Look:
    """What is drawn for the looks of ``count`` eyes of one grade; pictures are asked for in order."""

    def __init__(self, grade: str, count: int, seed: int) -> None:
        self.grade, self.generator = grade, torch_generator(seed, "eyes", grade)
        self.numbers = {name: uniform(span, (count, 1, 1), self.generator) for name, span in LOOKS[grade].items()}
        self.light = uniform((-0.5, 0.5), (count, 2), self.generator) - torch.tensor([0.0, 0.3])

    def picture(self, scene: Scene, rows: slice) -> Tensor:
        """The eyes of some rows, (N, H, W) in [0, 1]."""
        numbers, light = {name: value[rows] for name, value in self.numbers.items()}, self.light[rows]
        if self.grade == "plain":
            return plain(scene, numbers, light).clamp_(0, 1)
        return rich(scene, numbers, light, Grain.draw(len(light), scene.size, self.generator)).clamp_(0, 1)


@dataclass(frozen=True)
class Eyes(Config):
    """Grey pictures of one eye; everything is uniform between the bounds of its span.

    Conditions are yaw and pitch of the gaze, the pupil's diameter, the offset of the eyeball's middle from
    the image's (x right, y down), and the distance between the lids over the eyeball's middle. The mask is 1
    on the visible iris and 2 on the visible pupil.

    Attributes:
        grade: ``plain``, ``rich`` or ``mixed``.
        height, width: of the image in pixels; SimGAN's crops by default, MPIIGaze's are 36 and 60.
        yaw, pitch: of the gaze, in degrees.
        pupil: its diameter, in mm.
        offset: the eyeball's middle is moved by up to this either way along x and y, in pixels.
        opening: between the lids when the eye looks ahead, in mm; the upper one covers three fifths of it.
        slope: of the line between the corners of the eye, towards the outer one.
        field: width of the image, in mm.
        left: share of pictures with the nose on the image's left.
    """

    grade: Literal["plain", "rich", "mixed"] = "plain"
    height: Annotated[int, Range(16)] = 35
    width: Annotated[int, Range(16)] = 55
    yaw: tuple[Annotated[float, Range(-45, 45)], Annotated[float, Range(-45, 45)]] = (-25.0, 25.0)
    pitch: tuple[Annotated[float, Range(-45, 45)], Annotated[float, Range(-45, 45)]] = (-20.0, 15.0)
    pupil: tuple[Positive, Annotated[float, Range(0, 9)]] = (2.0, 6.0)
    offset: NonNegative = 2.0
    opening: tuple[Positive, Annotated[float, Range(0, 40)]] = (8.0, 12.0)
    slope: tuple[Annotated[float, Range(-1, 1)], Annotated[float, Range(-1, 1)]] = (0.0, 0.1)
    field: tuple[Positive, Positive] = (38.0, 42.0)
    left: Fraction = 0.5

    shard: ClassVar[Count] = 5000

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("yaw", "pitch", "pupil", "opening", "slope", "field"):
            low, high = getattr(self, key)
            if low > high:
                raise InputError(f"Eyes.{key}: runs from {low:g} to {high:g}; put the lower bound first")

    def about(self) -> About:
        return About(
            kind="image",
            range=(0.0, 255.0),
            condition=("yaw", "pitch", "pupil", "offset_x", "offset_y", "opening"),
            units=("degree", "degree", "mm", "px", "px", "mm"),
            producer="simulators.eyes",
            parameters=self.as_dict(),
        )

    def simulate(self, count: int, seed: int) -> Samples:
        """``count`` eyes: x (N, 1, height, width) uint8, condition (N, 6) and mask (N, height, width)."""
        pose = self._pose(count, torch_generator(seed, "eyes", "pose"))
        looks = [Look(grade, count, seed) for grade in (LOOKS if self.grade == "mixed" else [self.grade])]
        share = torch.rand((count, 1, 1), generator=torch_generator(seed, "eyes", "mixed"))
        x = torch.empty(count, self.height, self.width, dtype=torch.uint8)
        mask = torch.empty_like(x)
        for start in range(0, count, TOGETHER):
            rows = slice(start, min(start + TOGETHER, count))
            scene = Scene(pose[rows], (self.height, self.width))
            picture, *richer = (look.picture(scene, rows) for look in looks)
            picture = torch.lerp(picture, *richer, share[rows]) if richer else picture
            x[rows] = picture.mul_(255).round_().byte()
            mask[rows] = scene.mask()
        condition = torch.cat((torch.stack((pose.yaw, pose.pitch, pose.pupil), 1), pose.offset, pose.lids.sum(1, keepdim=True)), 1)
        return Samples(x[:, None].numpy(), self.about(), condition=condition.numpy(), mask=mask.numpy())

    def _pose(self, count: int, generator: torch.Generator) -> Pose:
        yaw, pitch, pupil, opening, slope, field = (
            uniform(span, (count,), generator)
            for span in (self.yaw, self.pitch, self.pupil, self.opening, self.slope, self.field)
        )
        offset = uniform((-self.offset, self.offset), (count, 2), generator)
        side = torch.where(torch.rand(count, generator=generator) < self.left, -1.0, 1.0)
        rise = REACH * pitch.deg2rad().sin()
        lids = torch.stack((0.6 * opening + FOLLOW[0] * rise, 0.4 * opening - FOLLOW[1] * rise), 1)
        return Pose(yaw, pitch, pupil, offset, lids.clamp(min=LEAST), side, slope, field)


def uniform(span: Span, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform numbers between two bounds."""
    return span[0] + (span[1] - span[0]) * torch.rand(shape, generator=generator)

"""Rendered eyes: what the pixels show against the labels, and what both grades share."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from domain.errors import InputError
from domain.gaze import direction
from domain.randomness import torch_generator
from domain.simulators.eyes import CORNEA, DOME, IRIS, REACH, Eyes, Grain, Scene, plain, rich, uniform
from domain.simulators.eyes import LOOKS as SPANS

GRADES = ("plain", "rich")
OPEN: dict[str, Any] = {"opening": (40.0, 40.0), "field": (40.0, 40.0), "slope": (0.0, 0.0)}
SMALL = (35, 55)


def centres(mask: np.ndarray) -> np.ndarray:
    """Centre of mass of every iris with its pupil, x and y from the image's middle in pixels, (N, 2)."""
    height, width = mask.shape[1:]
    seen = (mask > 0).astype(float)
    x, y = np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2
    return np.stack([seen.sum(1) @ x, seen.sum(2) @ y], 1) / seen.sum((1, 2))[:, None]


def recovered(mask: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Yaw and pitch in degrees, (N, 2), from where the whole iris stands."""
    moved = (centres(mask) - offset) / (mask.shape[2] / 40) / REACH
    pitch = np.arcsin(-moved[:, 1])
    return np.degrees(np.stack([np.arcsin(-moved[:, 0] / np.cos(pitch)), pitch], 1))


@pytest.mark.parametrize("grade", (*GRADES, "mixed"))
@pytest.mark.parametrize("shape", [(35, 55), (36, 60), (16, 16)])
def test_any_size(grade: str, shape: tuple[int, int]) -> None:
    samples = Eyes(grade=grade, height=shape[0], width=shape[1]).simulate(70, seed=1)
    assert samples.x.shape == (70, 1, *shape) and samples.x.dtype == np.uint8
    assert samples.mask.shape == (70, *shape) and set(np.unique(samples.mask)) <= {0, 1, 2}
    assert (samples.x.max((1, 2, 3)) > samples.x.min((1, 2, 3)) + 40).all(), "an eye has hardly any contrast"


def test_the_mask_lies_where_the_gaze_puts_it() -> None:
    """At twice the size, so that the pixels' corners weigh less."""
    samples = Eyes(height=140, width=220, **OPEN).simulate(200, seed=2)
    yaw, pitch, _, *offset, _ = samples.condition.T
    expected = np.stack(offset, 1) + REACH * 220 / 40 * direction(samples.condition[:, :2])[:, :2]
    np.testing.assert_allclose(centres(samples.mask), expected, atol=0.15)
    area = np.pi * IRIS**2 * np.cos(np.radians(yaw)) * np.cos(np.radians(pitch)) * (220 / 40) ** 2
    np.testing.assert_allclose((samples.mask > 0).sum((1, 2)), area, rtol=0.02)


def test_gaze_is_what_the_moments_of_the_mask_show() -> None:
    samples = Eyes(height=70, width=110, **OPEN).simulate(300, seed=3)
    error = recovered(samples.mask, samples.condition[:, 3:5]) - samples.condition[:, :2]
    assert np.abs(error).max() < 0.5
    at_size = Eyes(**OPEN).simulate(300, seed=3)
    error = recovered(at_size.mask, at_size.condition[:, 3:5]) - at_size.condition[:, :2]
    assert np.sqrt((error**2).mean()) < 0.5


def test_the_iris_moves_with_the_gaze() -> None:
    """Left for a positive yaw, up for a positive pitch, further for more."""
    for axis, key, other in ((0, "yaw", "pitch"), (1, "pitch", "yaw")):
        places = [
            centres(Eyes(**OPEN, **{key: (angle, angle), other: (0.0, 0.0)}, offset=0.0).simulate(1, 0).mask)[0, axis]
            for angle in range(-30, 31, 5)
        ]
        assert (np.diff(places) < 0).all() and places[6] == pytest.approx(0, abs=1e-6)


def test_the_pupil_is_as_large_as_its_label() -> None:
    samples = Eyes(height=140, width=220, yaw=(0, 0), pitch=(0, 0), **OPEN).simulate(50, seed=4)
    diameter = 2 * np.sqrt((samples.mask == 2).sum((1, 2)) / np.pi) * 40 / 220
    np.testing.assert_allclose(diameter, samples.condition[:, 2], rtol=0.03)


def test_the_opening_is_between_the_lids() -> None:
    simulator = Eyes(height=140, width=220, offset=0.0, field=(40.0, 40.0))
    pose = simulator._pose(50, torch_generator(0, "pose"))
    between = (Scene(pose, (140, 220)).opening > 0)[:, :, 109:111].sum(1).float().mean(1) * 40 / 220
    torch.testing.assert_close(between, pose.lids.sum(1), atol=0.2, rtol=0)
    down, up = (Eyes(pitch=(angle, angle)).simulate(200, 0).condition[:, 5].mean() for angle in (-20, 15))
    assert down < up, "the upper lid follows the gaze"


def mirrored(grade: str, turned: bool) -> Tensor:
    """Twenty pictures of one scene, or of its image in a mirror, in floats."""
    pose = Eyes()._pose(20, torch_generator(5, "pose"))
    generator = torch_generator(6, "look")
    look = {name: uniform(span, (20, 1, 1), generator) for name, span in SPANS[grade].items()}
    light = uniform((-0.5, 0.5), (20, 2), generator)
    grain = Grain.draw(20, SMALL, generator)
    if turned:
        flip = torch.tensor([-1.0, 1.0])
        pose = dataclasses.replace(pose, yaw=-pose.yaw, side=-pose.side, offset=pose.offset * flip)
        light = light * flip
        grain = Grain(grain.skin.flip(3), grain.lashes.flip(2), reflected(grain.fibres), grain.noise.flip(2))
        look = {**look, "side_light": -look["side_light"]} if grade == "rich" else look
    scene = Scene(pose, SMALL)
    return plain(scene, look, light) if grade == "plain" else rich(scene, look, light, grain)


def reflected(fibres: Tensor) -> Tensor:
    """Fibres by their angle a are those by π − a."""
    return fibres.flip(1).roll(fibres.shape[1] // 2, 1)


@pytest.mark.parametrize("grade", GRADES)
def test_a_mirror_turns_the_picture_and_the_yaw(grade: str) -> None:
    torch.testing.assert_close(mirrored(grade, True), mirrored(grade, False).flip(2), atol=2e-3, rtol=0)


def test_the_glint_is_where_the_cornea_mirrors_the_light() -> None:
    """Ahead, a light beside the camera is seen in the middle; one at 60° at the normal of 30°."""
    pose = Eyes(yaw=(0, 0), pitch=(0, 0), offset=0.0, field=(40.0, 40.0))._pose(2, torch_generator(0, "pose"))
    scene = Scene(pose, (141, 221))
    spots = scene.glint(torch.tensor([[0.0, 0.0], [np.sin(np.pi / 3), 0.0]], dtype=torch.float32))
    rows, columns = np.unravel_index(spots.flatten(1).argmax(1).numpy(), (141, 221))
    np.testing.assert_allclose((columns - 110) * 40 / 221, [0, CORNEA * np.sin(np.pi / 6)], atol=0.1)
    np.testing.assert_allclose(rows, 70)
    assert np.hypot(IRIS, REACH - DOME) == pytest.approx(CORNEA), "the cornea passes through the rim of the iris"


def test_both_grades_show_the_same_eyes() -> None:
    first, second = (Eyes(grade=grade).simulate(150, seed=7) for grade in GRADES)
    np.testing.assert_array_equal(first.condition, second.condition)
    np.testing.assert_array_equal(first.mask, second.mask)
    assert (first.x != second.x).any((1, 2, 3)).all()


def test_mixed_eyes_lie_between() -> None:
    """Each picture between the two of the same eye, by a share of its own."""
    first, second, mixed = (Eyes(grade=grade).simulate(150, seed=7) for grade in (*GRADES, "mixed"))
    np.testing.assert_array_equal(mixed.condition, first.condition)
    np.testing.assert_array_equal(mixed.mask, first.mask)
    low, high, x = (each.x.reshape(150, -1).astype(float) for each in (first, second, mixed))
    share = ((x - low) * (high - low)).sum(1) / ((high - low) ** 2).sum(1)
    assert share.min() < 0.05 and share.max() > 0.95 and abs(share.mean() - 0.5) < 0.1
    np.testing.assert_allclose(x, low + share[:, None] * (high - low), atol=2)


@pytest.mark.parametrize("grade", GRADES)
def test_an_iris_is_darker_than_the_white(grade: str) -> None:
    samples = Eyes(grade=grade, opening=(11.0, 11.0), pitch=(0, 0)).simulate(200, seed=8)
    iris = [x[0][mask > 0].mean() for x, mask in zip(samples.x, samples.mask)]
    around = [x[0, 14:20].max() for x in samples.x]
    assert np.mean(np.array(iris) < np.array(around)) > 0.99


def test_conditions_are_in_range_and_named() -> None:
    simulator = Eyes(yaw=(-10, 20))
    samples = simulator.simulate(2000, seed=9)
    low, high = samples.condition.min(0), samples.condition.max(0)
    np.testing.assert_allclose(low[:5], [-10, -20, 2, -2, -2], atol=0.1)
    np.testing.assert_allclose(high[:5], [20, 15, 6, 2, 2], atol=0.1)
    assert simulator.about().condition[:2] == ("yaw", "pitch") and simulator.about().units[0] == "degree"


@pytest.mark.parametrize("grade", (*GRADES, "mixed"))
def test_same_seed_same_bytes(grade: str) -> None:
    first, again, other = (Eyes(grade=grade).simulate(100, seed) for seed in (1, 1, 2))
    for name, column in first.columns.items():
        assert column.tobytes() == again.columns[name].tobytes()
    assert (first.x != other.x).any()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"grade": "richer"}, "grade"),
        ({"width": 10}, "width"),
        ({"yaw": [10, -10]}, "yaw"),
        ({"pitch": [-50, 0]}, "pitch"),
        ({"pupil": [0, 4]}, "pupil"),
        ({"left": 2}, "left"),
        ({"gaze": [0, 1]}, "grade"),
    ],
)
def test_bad_parameters_are_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        Eyes.parse(values, "params.yaml: simulate.eyes")

"""Drawn digits: labels against what the pixels show, rasters against independent ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.svm import SVC
from torch import Tensor

from domain.errors import InputError
from domain.randomness import torch_generator
from domain.simulators.strokes import (
    BLOCK,
    LIBRARY,
    PIECES,
    Strokes,
    catmull_rom,
    centre_line,
    counts,
    grey,
    squared_distance,
)

STYLES = ("grey", "counts")


@pytest.fixture(scope="module")
def segments() -> Tensor:
    """Eight random zigzags, (8, 6, 2, 2), in an image of 12 pixels; one segment is a point."""
    ends = 1 + 10 * torch.rand(8, 6, 2, 2, generator=torch_generator(0, "segments"))
    ends[0, 0, 1] = ends[0, 0, 0]
    return ends


def distances(segments: np.ndarray, side: int) -> np.ndarray:
    """From pixel centres to the nearest point of any segment, by projection, in double precision."""
    centres = np.stack(np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5), -1)
    nearest = np.full((side, side), np.inf)
    for start, stop in segments.astype(float):
        along = stop - start
        t = np.clip((centres - start) @ along / max(along @ along, 1e-12), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(centres - start - t[..., None] * along, axis=-1))
    return nearest


def test_distances_agree_with_projection(segments: Tensor) -> None:
    expected = np.stack([distances(s, 12) for s in segments.numpy()])
    np.testing.assert_allclose(squared_distance(segments, 12).sqrt(), expected, atol=1e-3)


def test_counts_are_ink_pixels_in_blocks(segments: Tensor) -> None:
    width = torch.linspace(0.5, 3, 8)
    drawn = counts(segments, width, 12).numpy()
    for image, lines, pen in zip(drawn, segments.numpy(), width.numpy()):
        bitmap = distances(lines * BLOCK, 12 * BLOCK) <= pen * BLOCK / 2
        for row, column in np.ndindex(12, 12):
            block = bitmap[BLOCK * row : BLOCK * (row + 1), BLOCK * column : BLOCK * (column + 1)]
            assert image[row, column] == np.count_nonzero(block)


def test_the_mask_is_every_pixel_that_a_segment_enters(segments: Tensor) -> None:
    mask = centre_line(segments, 12).numpy()
    t = np.linspace(0, 1, 20_001)[:, None]
    for image, lines in zip(mask, segments.double().numpy()):
        columns, rows = np.concatenate([a + t * (b - a) for a, b in lines]).astype(int).T
        entered = np.zeros((12, 12), bool)
        entered[rows, columns] = True
        np.testing.assert_array_equal(image, entered)


def test_ink_of_a_ring_is_its_width_times_its_length() -> None:
    angle = torch.linspace(0, 2 * torch.pi, 65)
    ring = 14 + 8 * torch.stack((angle.cos(), angle.sin()), 1)
    pieces = torch.stack((ring[:-1], ring[1:]), 1)[None]
    for width in (1.0, 2.5, 4.0):
        ink = grey(pieces, torch.tensor([width]), 28).float().sum() / 255
        assert ink == pytest.approx(width * 2 * torch.pi * 8, rel=0.01)


def test_a_closed_curve_through_a_circle_is_one_at_its_seam_too() -> None:
    angle = torch.linspace(0, 2 * torch.pi, 9)[:-1]
    knots = torch.stack((angle.cos(), angle.sin()), 1)
    curve = catmull_rom(torch.cat((knots, knots[:1])))
    torch.testing.assert_close(curve[:-1:PIECES], knots)
    assert (curve.norm(dim=1) - 1).abs().max() < 0.01


def test_an_open_curve_through_points_of_a_line_is_the_line() -> None:
    curve = catmull_rom(torch.tensor([[0.0, 0], [1, 1], [2, 2]]))
    torch.testing.assert_close(curve[:, 0], curve[:, 1])
    assert len(curve) == 2 * PIECES + 1


def test_every_digit_is_written_in_several_ways_inside_the_unit_box() -> None:
    written = np.bincount([template.digit for template in LIBRARY])
    assert len(written) == 10 and written.min() >= 2
    for template in LIBRARY:
        assert template.points.min() >= 0 and template.points.max() <= 1
        torch.testing.assert_close(template.basis.sum(-1), torch.ones(len(template.basis), 2))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [8, 13, 28, 64])
def test_any_size(style: str, size: int) -> None:
    simulator = Strokes(size=size, style=style)
    samples = simulator.simulate(60, seed=1)
    assert samples.x.shape == (60, 1, size, size) and samples.x.dtype == np.uint8
    assert samples.mask.shape == (60, size, size)
    top = simulator.about().range[1]
    assert top == (255 if style == "grey" else 16)
    assert (samples.x.max((1, 2, 3)) >= 0.4 * top).all(), "a digit has hardly any contrast"
    assert (samples.x == 0).mean() > 0.3
    assert (samples.x[:, 0][samples.mask == 1] > 0).all(), "a centre line leaves the ink"
    assert (samples.mask.sum((1, 2)) >= size // 2).all()


@pytest.mark.parametrize("style", STYLES)
def test_the_thinnest_pen_still_covers_its_centre_line(style: str) -> None:
    samples = Strokes(size=10, style=style, width=(0.071, 0.071)).simulate(500, seed=2)
    assert (samples.x[:, 0][samples.mask == 1] > 0).all()


def test_classes_are_uniform_and_conditions_in_range() -> None:
    simulator = Strokes(size=8, rotation=0.0, aspect=(1.0, 1.0))
    samples = simulator.simulate(5000, seed=3)
    drawn = np.bincount(samples.label, minlength=10)
    assert ((drawn - 500) ** 2 / 500).sum() < 27.9  # chi-squared, 9 degrees of freedom, p = 0.001
    slant, width = samples.condition.T
    assert slant.min() >= -0.2001 and slant.max() <= 0.5001
    assert width.min() >= 0.09 * simulator.box and width.max() <= 0.1901 * simulator.box


def test_slant_is_what_the_moments_of_a_one_show() -> None:
    samples = Strokes(jitter=0.0, slant=(-0.4, 0.4), rotation=0.2).simulate(3000, seed=4)
    image = samples.x[samples.label == 1, 0] / 255.0
    slant = samples.condition[samples.label == 1, 0]
    rows, columns = np.mgrid[:28, :28]
    mass = image.sum((1, 2))
    y = rows - ((image * rows).sum((1, 2)) / mass)[:, None, None]
    x = columns - ((image * columns).sum((1, 2)) / mass)[:, None, None]
    upright = -np.arctan2((image * x * y).sum((1, 2)), (image * y * y).sum((1, 2)))
    assert np.corrcoef(upright, slant)[0, 1] > 0.95
    bare = np.abs(upright - slant) < 0.03  # the template without a flag: a quarter of the ones
    assert 0.15 < bare.mean()


def test_width_is_ink_over_centre_line() -> None:
    samples = Strokes(size=56, slant=(0.0, 0.0), rotation=0.0).simulate(1000, seed=5)
    noughts = samples.label == 0
    ink = samples.x[noughts].sum((1, 2, 3)) / 255.0
    # A line of length l enters about 4/π l pixels, averaged over directions.
    length = samples.mask[noughts].sum((1, 2)) * np.pi / 4
    width = samples.condition[noughts, 1]
    assert np.corrcoef(ink / length, width)[0, 1] > 0.95
    assert np.median(ink / length / width) == pytest.approx(1, abs=0.08)


def test_grey_fits_the_box_and_is_centred_by_mass() -> None:
    image = Strokes(scale=(1.0, 1.0), translation=0.0).simulate(300, seed=6).x[:, 0].astype(float)
    inked = image >= 128
    for axis in (1, 2):
        line = inked.any(axis)
        extent = 28 - line.argmax(1) - line[:, ::-1].argmax(1)
        assert extent.max() <= 21
        profile = image.sum(axis)
        centre = profile @ (np.arange(28) + 0.5) / profile.sum(1)
        assert np.abs(centre - 14).max() < 1.5


def test_counts_fill_the_bitmap() -> None:
    image = Strokes(size=8, style="counts", scale=(1.0, 1.0), translation=0.0).simulate(300, seed=7).x[:, 0]
    filled = [image.take(0, axis).any(1) & image.take(7, axis).any(1) for axis in (1, 2)]
    assert (filled[0] | filled[1]).all()


@pytest.mark.parametrize("style", STYLES)
def test_same_seed_same_bytes(style: str) -> None:
    simulator = Strokes(size=12, style=style)
    first, again, other = (simulator.simulate(200, seed) for seed in (8, 8, 9))
    for name, column in first.columns.items():
        assert column.tobytes() == again.columns[name].tobytes()
    assert (first.x != other.x).any()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"size": 7}, "size"),
        ({"style": "gray"}, "style"),
        ({"slant": [0.5, -0.2]}, "slant"),
        ({"width": [0.01, 0.2]}, "width"),
        ({"scale": [0.1, 1.0]}, "scale"),
        ({"jitter": -0.1}, "jitter"),
        ({"aspect": [0.0, 1.0]}, "aspect"),
        ({"rotate": 0.1}, "rotation"),
    ],
)
def test_bad_parameters_are_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        Strokes.parse(values, "params.yaml: simulate.strokes")


def test_a_classifier_of_drawn_digits_reads_real_ones() -> None:
    drawn = Strokes(size=8, style="counts").simulate(2000, seed=0)
    classifier = SVC(C=10).fit(drawn.x.reshape(2000, -1) / 16, drawn.label)
    digits = load_digits()
    assert classifier.score(digits.data / 16, digits.target) > 0.85

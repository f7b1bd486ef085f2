"""Centre lines: exact where the answer is known, and near one on strokes whose lines are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from domain.errors import InputError
from domain.metrics.lines import quality, skeleton
from domain.simulators.strokes import Strokes


def bar(count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A bar three pixels thick, 20 long, and its centre line."""
    x, mask = np.zeros((count, 1, 28, 28), np.uint8), np.zeros((count, 28, 28), np.uint8)
    x[:, :, 9:12, 4:24], mask[:, 10, 4:24] = 255, 1
    return x, mask


def test_the_line_of_a_bar_is_its_middle() -> None:
    x, mask = bar()
    drawn = skeleton(torch.from_numpy(x / 255).float())[0, 0].numpy()
    assert np.array_equal(drawn[10, 5:23], np.ones(18)) and not drawn[:9].any() and not drawn[12:].any()
    assert quality(x, mask, 127.5) == pytest.approx(1)


def test_a_pixel_aside_is_forgiven_and_three_are_not() -> None:
    x, mask = bar()
    assert quality(x, np.roll(mask, 3, 1), 127.5) == 0
    thin = (mask * 255)[:, None]
    assert quality(thin, np.roll(mask, 1, 1), 127.5) == pytest.approx(1)


def test_a_label_that_is_drawn_half() -> None:
    """Completeness 11 / 20, as the tolerance reaches one pixel past the end, and correctness 1."""
    _, mask = bar()
    half = (mask * 255)[:, None].copy()
    half[..., 14:] = 0
    assert quality(half, mask, 127.5) == pytest.approx(11 / 20)


def test_the_mean_over_images_of_which_one_has_no_ink() -> None:
    x, mask = bar(2)
    x[1] = 0
    assert quality(x, mask, 127.5) == pytest.approx(0.5)


def test_an_image_that_is_ink_everywhere_has_an_end() -> None:
    assert skeleton(torch.ones(1, 1, 9, 9)).any()


def test_strokes_follow_their_lines_and_not_each_others() -> None:
    samples = Strokes().simulate(200, 0)
    assert quality(samples.x, samples.mask, 127.5) > 0.9
    assert quality(samples.x, np.roll(samples.mask, 1, 0), 127.5) < 0.6


def test_shapes_that_do_not_fit() -> None:
    x, mask = bar()
    with pytest.raises(InputError, match="lines: images"):
        quality(x, mask[:, :20], 127.5)

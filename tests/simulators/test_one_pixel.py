"""Images with one white pixel: all places, equally often, told by the label."""

from __future__ import annotations

import numpy as np

from domain.simulators.one_pixel import OnePixel


def test_one_pixel_is_white_and_the_label_tells_which() -> None:
    samples = OnePixel(side=3).simulate(9000, 0)
    assert samples.x.shape == (9000, 1, 3, 3) and samples.about.classes == 9
    flat = samples.x.reshape(-1, 9)
    assert (flat.sum(1) == 1).all() and (flat.argmax(1) == samples.label).all()
    assert np.abs(np.bincount(samples.label, minlength=9) / 1000 - 1).max() < 0.1

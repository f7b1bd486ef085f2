"""Stacked digits from scikit-learn's digits."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from domain.datasets.digits import Digits
from domain.datasets.stacked import Stacked
from domain.errors import InputError
from domain.samples import write


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stacked") / "digits.h5"
    digits = Digits().load()
    write(path, dataclasses.replace(digits, split=np.arange(len(digits)) % 3))
    return path


def test_each_channel_shows_its_digit(source: Path) -> None:
    digits = Digits().load()
    known = {(image * 255.0 / 16).round().astype(np.uint8).tobytes(): k for image, k in zip(digits.x[:, 0], digits.label)}
    stacked = Stacked(source=str(source), count=300).load()
    assert stacked.x.shape == (350, 3, 8, 8) and stacked.x.max() == 255
    assert (stacked.split == 0).sum() == 300 and (stacked.split == 2).sum() == 50
    for x, label in zip(stacked.x, stacked.label):
        assert [known[channel.tobytes()] for channel in x] == [int(digit) for digit in f"{label:03d}"]


def test_the_seed_decides(source: Path) -> None:
    first, again, other = (Stacked(str(source), 20, seed).load() for seed in (0, 0, 1))
    assert np.array_equal(first.x, again.x) and not np.array_equal(first.x, other.x)


def test_training_images_stay_in_training(source: Path) -> None:
    digits = Digits().load()
    held = {image.tobytes() for image in digits.x[np.arange(len(digits)) % 3 == 2, 0]}
    trained = {image.tobytes() for image in digits.x[np.arange(len(digits)) % 3 == 0, 0]} - held
    stacked = Stacked(str(source), 200).load()
    for x in (stacked.x[stacked.split == 0] / 255.0 * 16).round().astype(np.uint8).reshape(-1, 8, 8):
        assert x.tobytes() in trained


def test_other_files_are_refused(tmp_path: Path) -> None:
    digits = Digits().load()
    write(tmp_path / "bare.h5", dataclasses.replace(digits, label=None))
    with pytest.raises(InputError, match="stacking takes grey images"):
        Stacked(str(tmp_path / "bare.h5")).load()
    write(tmp_path / "hidden.h5", dataclasses.replace(digits, label=np.full(len(digits), -1)))
    with pytest.raises(InputError, match="no labelled training images"):
        Stacked(str(tmp_path / "hidden.h5")).load()

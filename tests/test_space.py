"""The space of a model: own units to what models see and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from domain.errors import InputError
from domain.samples import About, SampleFile, Samples, write
from domain.space import Space

BYTES = Space("image", (1, 2, 2), (0.0, 255.0), integer=True, classes=3, condition=("slant",), units=("rad",))
FLOATS = Space("image", (1, 2, 2), (0.0, 1.0))
SHOWER = Space("shower", (4,), (0.0, 1000.0), condition=("energy",), units=("GeV",))


def test_of_samples_and_of_a_file(tmp_path: Path) -> None:
    about = About("image", (0, 255), 3, ("slant",), ("rad",))
    samples = Samples(np.zeros((5, 1, 2, 2), np.uint8), about, condition=np.zeros((5, 1)))
    write(tmp_path / "a.h5", samples)
    assert Space.of(samples) == Space.of(SampleFile(tmp_path / "a.h5")) == BYTES


@pytest.mark.parametrize("space", [BYTES, FLOATS, SHOWER])
def test_json_round_trip(space: Space) -> None:
    assert Space.parse(json.loads(json.dumps(space.as_dict())), "model.json: space") == space


def test_ends_of_the_range() -> None:
    encoded = BYTES.encode(np.array([0, 255, 127.5]))
    assert encoded.dtype == torch.float32 and encoded.tolist() == [-1, 1, 0]


@pytest.mark.parametrize("low, high, dtype", [(0, 255, np.uint8), (0, 16, np.uint8), (-3, 1000, np.int32)])
def test_integers_survive(low: int, high: int, dtype: type) -> None:
    space = replace(BYTES, range=(low, high))
    x = np.arange(low, high + 1).astype(dtype)
    decoded = space.decode(space.encode(x))
    assert decoded.dtype == dtype
    np.testing.assert_array_equal(decoded, x)


def test_integers_are_rounded_to_the_nearest() -> None:
    x = np.array([0.49, 0.51, 7.6, -3, 300])
    assert BYTES.decode(BYTES.encode(x)).tolist() == [0, 1, 8, 0, 255]


def test_floats_survive() -> None:
    space = replace(FLOATS, range=(-2.0, 6.0))
    x = np.linspace(-2, 6, 101, dtype=np.float32)
    np.testing.assert_allclose(space.decode(space.encode(x)), x, atol=1e-6)


@pytest.mark.parametrize("kind", ["shower", "jet"])
def test_physical_kinds_keep_their_units(kind: str) -> None:
    space = replace(SHOWER, kind=kind)
    x = np.float32([0, 1e-3, 999.9])
    assert torch.equal(space.encode(x), torch.from_numpy(x))
    np.testing.assert_array_equal(space.decode(torch.tensor([-1.0, 0.25, 2000.0])), np.float32([0, 0.25, 1000]))


def test_decoding_takes_any_tensor() -> None:
    x = torch.zeros(2, dtype=torch.bfloat16, requires_grad=True)
    assert FLOATS.decode(x).tolist() == [0.5, 0.5]


def test_require() -> None:
    BYTES.require(replace(BYTES, classes=0, condition=(), units=()), "the model", "a.h5")
    for change in ({"kind": "jet"}, {"shape": (3, 2, 2)}, {"range": (0.0, 16.0)}):
        (key, value), = change.items()
        with pytest.raises(InputError) as error:
            BYTES.require(replace(BYTES, **change), "the model", "a.h5")
        assert str(error.value).startswith(f"a.h5: has {key} {value}, but the model was made for {key} ")


def test_require_images() -> None:
    FLOATS.require_images("a.h5")
    with pytest.raises(InputError, match=r"a\.h5: 'x' has samples of shape \(4,\); store images"):
        SHOWER.require_images("a.h5")


def test_about() -> None:
    about = BYTES.about("tests", {"a": 1}, 3, {"model": "00"})
    assert about == About("image", (0.0, 255.0), 3, ("slant",), ("rad",), "tests", {"a": 1}, 3, {"model": "00"})

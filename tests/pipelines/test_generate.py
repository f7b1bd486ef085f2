"""Sample k is the same however the request is cut, interrupted and resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from domain import models
from domain.generators import GENERATORS
from domain.geometry import CALOGAN
from domain.randomness import scoped_seed
from domain.samples import read
from domain.space import Space
from domain.surrogates import SURROGATES

Pipeline = Callable[[str], None]

IMAGES = Space("image", (1, 8, 8), (0.0, 16.0), integer=True, classes=10)
SHOWERS = Space("shower", (CALOGAN.cells,), (0.0, 2e5), condition=("energy",), units=("GeV",))


@pytest.fixture
def gan(tmp_path: Path) -> Path:
    kind = GENERATORS["gan"]
    with scoped_seed(0, "gan"):
        model = kind(kind.Config(latent=8, width=4, conditional=True), IMAGES).eval()
    for weights in model.generator.parameters():
        weights.data *= 10  # an untrained generator's images are all alike
    (tmp_path / "gan").mkdir()
    models.save(tmp_path / "gan", model, [], {"seed": 0, "inputs": {}})
    return tmp_path / "gan"


@pytest.fixture
def surrogate(tmp_path: Path) -> Path:
    kind = SURROGATES["flow"]
    with scoped_seed(0, "surrogate"):
        model = kind(kind.Config(width=8, splines_width=8), SHOWERS).eval()
    model.range.fit(torch.tensor([[1.0], [100.0]]))
    (tmp_path / "surrogate").mkdir()
    models.save(tmp_path / "surrogate", model, [], {"seed": 0, "inputs": {}})
    return tmp_path / "surrogate"


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("cut-*.h5"))


def test_however_it_is_cut(gan: Path, pipeline: Pipeline, tmp_path: Path) -> None:
    """64 bytes a sample: 1 byte a shard gives whole batches of 1000, 128,000 give two of them."""
    pipeline("generate gan --count 3500 --label 3 --out whole.h5")
    whole = read("whole.h5")
    assert whole.x.shape == (3500, 1, 8, 8) and whole.x.dtype == np.uint8 and whole.x.std() > 0
    for size, names in (
        (1, [f"cut-0000{k}-of-00004.h5" for k in range(4)]),
        (128_000, [f"cut-0000{k}-of-00002.h5" for k in range(2)]),
    ):
        pipeline(f"generate gan --count 3500 --label 3 --out cut.h5 --shard-bytes {size}")
        assert [path.name for path in shards(tmp_path)] == names
        np.testing.assert_array_equal(np.concatenate([read(path).x for path in shards(tmp_path)]), whole.x)
        for path in shards(tmp_path):
            path.unlink()


def test_samples_do_not_repeat(gan: Path, pipeline: Pipeline) -> None:
    pipeline("generate gan --count 2000 --out whole.h5")
    assert len(np.unique(read("whole.h5").x, axis=0)) == 2000


def test_resumes(gan: Path, pipeline: Pipeline, tmp_path: Path) -> None:
    """A shard that is missing is made again, to the same bytes; the others are left alone."""
    command = "generate gan --count 2500 --out cut.h5 --shard-bytes 1"
    pipeline(command)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in shards(tmp_path)}
    lost = shards(tmp_path)[1]
    lost.unlink()
    pipeline(command)
    assert shards(tmp_path) == list(before)
    for path, (content, modified) in before.items():
        assert path.read_bytes() == content
        assert (path.stat().st_mtime_ns == modified) == (path != lost)


def test_seeds_and_labels_differ(gan: Path, pipeline: Pipeline) -> None:
    for out, options in (("a", "--seed 0 --label 1"), ("b", "--seed 1 --label 1"), ("c", "--seed 0 --label 2")):
        pipeline(f"generate gan --count 50 --out {out}.h5 {options}")
    a, b, c = (read(f"{out}.h5") for out in "abc")
    assert not np.array_equal(a.x, b.x) and not np.array_equal(a.x, c.x)
    assert (a.label == 1).all() and (c.label == 2).all()


def test_what_the_file_says(gan: Path, pipeline: Pipeline) -> None:
    pipeline("generate gan --count 5 --out a.h5 --seed 4")
    samples = read("a.h5")
    assert list(samples.columns) == ["x", "label"] and (samples.label >= 0).all()
    assert (samples.about.producer, samples.about.seed) == ("pipelines.generate", 4)
    assert samples.about.parameters == {"count": 5, "label": None, "condition": None}
    assert samples.about.range == (0, 16) and list(samples.about.inputs) == ["model"]


def test_condition(surrogate: Path, pipeline: Pipeline) -> None:
    pipeline("generate surrogate --count 30 --condition energy=50 --out showers.h5")
    samples = read("showers.h5")
    assert samples.x.shape == (30, CALOGAN.cells) and (samples.condition == 50).all()
    assert samples.about.condition == ("energy",) and samples.about.units == ("GeV",)

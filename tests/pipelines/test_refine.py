"""Refined files: what they hold, where it came from, and that nothing but the seed decides it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from domain import models
from domain.errors import InputError
from domain.files import digest, read_json
from domain.randomness import scoped_seed
from domain.refiners.simgan import SimGAN, SimGANConfig
from domain.samples import About, SampleFile, Samples, read, write
from domain.simulators.strokes import Strokes
from domain.space import Space
from pipelines import translate

Pipeline = Callable[[str], None]

PARAMETERS = """
refine:
  simgan:
    model: {width: 4, blocks: 1, critic_width: 4, history: 8, critic_first: 2, batch: 8, warp: 0.2, latent: 2, SIMILARITY}
    budget: {steps: 8, log_every: 2, precision: float32}
    copies: 2
    seed: 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Simulated and real strokes, and parameters."""
    for name, seed in (("simulated", 1), ("real", 2)):
        samples = Strokes(size=8, style="counts").simulate(50, seed)
        about = {**vars(samples.about), "seed": seed}
        write(tmp_path / f"{name}.h5", Samples(**{**samples.columns, "about": About(**about)}))
    (tmp_path / "params.yaml").write_text(PARAMETERS.replace("SIMILARITY", "similarity: 0.1"))
    return tmp_path


def untrained(folder: Path, **options: object) -> tuple[SimGAN, Callable[[], Path]]:
    """A refiner, and what saves it."""
    with scoped_seed(0, "refiner"):
        config = SimGANConfig(width=4, blocks=1, critic_width=4, history=0, **options)
        model = SimGAN(config, Space("image", (1, 8, 8), (0.0, 16.0), integer=True, classes=10))

    def save() -> Path:
        (folder / "model").mkdir()
        models.save(folder / "model", model, [], {"seed": 0, "inputs": {}})
        return folder / "model"

    return model, save


def test_what_is_written(folder: Path, pipeline: Pipeline) -> None:
    pipeline("refine simulated.h5 real.h5 simgan refined.h5 model")
    raw, refined = read("simulated.h5"), read("refined.h5")
    assert len(refined) == 100 and not np.array_equal(refined.x[:50], refined.x[50:])
    np.testing.assert_array_equal(refined.origin, np.tile(np.arange(50), 2))
    for name in ("label", "condition"):
        np.testing.assert_array_equal(refined.columns[name], raw.columns[name][refined.origin])
    about = refined.about
    assert about.seed == 1 and about.producer == "pipelines.refine"
    assert about.inputs == {"simulated.h5": digest("simulated.h5"), "refiner": digest("model/model.json")}
    assert about.parameters["refinement"]["before_warp"] == ["slant", "width"]
    assert about.parameters["refinement"]["seed"] == 3 and about.parameters["refinement"]["family"] == "simgan"
    pictures = sorted(path.name for path in Path("model").glob("*.png"))
    assert pictures == ["samples.png", "step-000002.png", "step-000004.png", "step-000006.png"]
    assert not list(Path("data/scratch").iterdir())


def test_a_trained_refiner_refines_the_same(folder: Path, pipeline: Pipeline) -> None:
    pipeline("refine simulated.h5 real.h5 simgan refined.h5 model")
    pipeline("translate model simulated.h5 again.h5 --copies 2 --seed 3 --precision float32")
    pipeline("translate model simulated.h5 other.h5 --copies 2 --seed 4")
    np.testing.assert_array_equal(read("again.h5").x, read("refined.h5").x)
    assert not np.array_equal(read("other.h5").x, read("refined.h5").x)


def test_the_batch_size_does_not_matter(folder: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline("refine simulated.h5 real.h5 simgan refined.h5 model")
    monkeypatch.setattr(translate, "SHARD", 20)
    files = []
    for batch in (7, 20):
        monkeypatch.setattr(translate, "BATCH", batch)
        files.append(folder / f"{batch}.h5")
        translate.refine(folder / "model", folder / "simulated.h5", files[-1], translate.Request(copies=2), "test")
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_identity_changes_nothing(folder: Path) -> None:
    _, save = untrained(folder)
    translate.refine(save(), folder / "simulated.h5", folder / "same.h5", translate.Request(), "test")
    raw, same = read(folder / "simulated.h5"), read(folder / "same.h5")
    for name, column in raw.columns.items():
        np.testing.assert_array_equal(same.columns[name], column)
    assert "before_warp" not in same.about.parameters["refinement"]


def with_points(folder: Path, units: Sequence[str] = ("px", "px")) -> None:
    """A dot in every image, where the mask and the conditions say."""
    rows, columns = np.random.default_rng(0).integers(2, 5, (2, 30))
    x, each = np.zeros((30, 1, 8, 8), np.uint8), np.arange(30)
    x[each, 0, rows, columns] = 16
    condition = np.stack([columns + 0.5, rows + 0.5], 1)
    about = About("image", (0, 16), condition=("dot_x", "dot_y"), units=tuple(units))
    write(folder / "dots.h5", Samples(x, about, condition=condition, mask=x[:, 0] // 16))


def test_a_warp_moves_masks_and_points(folder: Path, pipeline: Pipeline) -> None:
    """A warp by one pixel right and two down, exactly."""
    model, save = untrained(folder, warp=0.5)
    model.warp.net.head.bias.data[4:6] = torch.atanh(torch.tensor([-1.0, -2.0]) * 2 / 8)
    with_points(folder)
    save()
    pipeline("translate model dots.h5 moved.h5 --point dot_x dot_y --precision float32")
    raw, moved = read(folder / "dots.h5"), read(folder / "moved.h5")
    np.testing.assert_array_equal(moved.x, np.roll(raw.x, (2, 1), (2, 3)))
    np.testing.assert_array_equal(moved.mask, np.roll(raw.mask, (2, 1), (1, 2)))
    np.testing.assert_allclose(moved.condition, raw.condition + [1, 2], atol=1e-4)
    assert moved.about.parameters["refinement"]["before_warp"] == []


def test_points_that_are_none(folder: Path) -> None:
    _, save = untrained(folder, warp=0.5)
    with_points(folder, ("px", "mm"))
    model = save()
    for pair, words in ((("dot_x", "dot_z"), "no condition 'dot_z' to move; did you mean"), (("dot_x", "dot_y"), "is in 'mm'")):
        with pytest.raises(InputError, match=words):
            translate.refine(model, folder / "dots.h5", folder / "out.h5", translate.Request(points=(pair,)), "test")
    assert not (folder / "out.h5").exists()


def test_a_failure_is_a_warning(folder: Path, pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "params.yaml").write_text(PARAMETERS.replace("SIMILARITY", "similarity: 1.0e+4").replace("warp: 0.2", "warp: 0"))
    pipeline("refine simulated.h5 real.h5 simgan refined.h5 model")
    message = capsys.readouterr().err
    assert "warning: model: " in message and "refined images are their input" in message
    assert "refined images are their input" in read_json("model/model.json")["provenance"]["alarms"][-1]


def test_only_refiners_translate(folder: Path) -> None:
    (folder / "model").mkdir()
    kind = models.FAMILIES["generator"]["gan"]
    models.save(folder / "model", kind(kind.Config(width=4), Space.of(SampleFile(folder / "real.h5"))), [], {})
    with pytest.raises(InputError, match="does not translate; name a refiner"):
        translate.refine(folder / "model", folder / "real.h5", folder / "out.h5", translate.Request(), "test")

"""The chamber's responses: the layout, the user's own copy, and what it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from domain.datasets import tpc
from domain.datasets.tpc import NAMES, Tpc, read_events
from domain.errors import InputError
from domain.files import digest
from domain.samples import read

STUDY = Path(__file__).resolve().parents[2] / "studies" / "tpc" / "params.yaml"
EVENTS = """params: -1.500 20.250 40.125 30.750 23  0.479
  30  40 1.250e+00  29  33 9.000e-01
params:  2.000 -9.500 99.500  8.250 23  0.478
   6 107 2.000e+03
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / NAMES[0]
    path.write_text(EVENTS)
    return path


@pytest.fixture(scope="session")
def copy(shared_data: Path) -> Path:
    """The folder with the real file."""
    folder = shared_data / "physics" / "mpd_tpc"
    if not (folder / NAMES[0]).is_file():
        pytest.skip(f"no detector responses: {folder / NAMES[0]} is absent")
    return folder


def test_the_window_stands_about_the_crossing_point(small: Path) -> None:
    """Its own pad and bin of time are row 3 and column 7."""
    image, condition = read_events(small)
    expected = np.zeros((2, 8, 16), np.float32)
    expected[0, 3, 7], expected[0, 2, 0], expected[1, 1, 15] = 1.25, 0.9, 2000
    np.testing.assert_array_equal(image, expected)
    np.testing.assert_array_equal(condition, [[-1.5, 20.25, 40.125, 0.75, 0.125], [2.0, -9.5, 99.5, 0.25, 0.5]])


BROKEN = {
    "no text": (b"\xff\xfe\xfa", "is not a file of events of two lines"),
    "garbage": (b"once upon\na time\n", "is not a file of events of two lines"),
    "five parameters": (EVENTS.replace(" 23 ", " ").encode(), "is not a file of events of two lines"),
    "cut off": (EVENTS[:-12].encode(), "is not a file of events of two lines"),
    "a line short": (EVENTS[: EVENTS.index("   6 107")].encode(), "is not a file of events of two lines"),
    "outside": (EVENTS.replace(" 107 ", " 108 ").encode(), "event 1 has hits outside its window of 8×16"),
    "before": (EVENTS.replace("29  33", "29  32").encode(), "event 0 has hits outside its window"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_one_clear_error(tmp_path: Path, case: str) -> None:
    content, message = BROKEN[case]
    (tmp_path / NAMES[1]).write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_events(tmp_path / NAMES[1])
    assert "\n" not in str(error.value) and NAMES[1] in str(error.value)


def test_only_the_known_file_is_taken(small: Path) -> None:
    with pytest.raises(InputError, match=f"has the SHA-256 {digest(small)}, not {tpc.SHA256}; put the file"):
        Tpc().load([small.parent])
    with pytest.raises(InputError, match=f"found no {NAMES[0]} or digits.dat in .*put a copy of your own there"):
        Tpc().load([small.parent / "elsewhere"])


def test_the_real_responses(copy: Path) -> None:
    """Counts and extremes as the file's own text has them."""
    samples = Tpc().load([copy])
    x, (crossing, dip, drift, pad, time) = samples.x, samples.condition.T
    assert x.shape == (5000, 128) and x.dtype == np.float32
    assert np.count_nonzero(x) == 91977 and x[x > 0].min() == np.float32(0.9002) and x.max() == 11650
    assert (x > 0).sum(1).min() == 8 and (x > 0).sum(1).max() == 45
    assert (crossing.min(), crossing.max()) == pytest.approx((-20.817, 19.18))
    assert (dip.min(), dip.max()) == pytest.approx((-59.992, 59.969))
    assert (drift.min(), drift.max()) == pytest.approx((24.915, 302.089))
    assert min(pad.min(), time.min()) >= 0 and max(pad.max(), time.max()) < 1


def test_the_offsets_move_the_image_and_the_conditions_shape_it(copy: Path) -> None:
    samples = Tpc().load([copy])
    image, (crossing, dip, _, pad, time) = samples.x.reshape(-1, 8, 16).astype(float), samples.condition.T
    rows, columns = np.mgrid[:8, :16]
    total = image.sum((1, 2))
    row, column = (image * rows).sum((1, 2)) / total, (image * columns).sum((1, 2)) / total
    assert abs(np.mean(row - tpc.PAD - pad)) < 0.01 and abs(np.mean(column - tpc.TIME - time)) < 0.02
    assert np.corrcoef(row, pad)[0, 1] > 0.95
    tilt = ((image * (rows - row[:, None, None]) * (columns - column[:, None, None])).sum((1, 2))) / total
    assert np.corrcoef(tilt, crossing * dip)[0, 1] < -0.7  # a slanted track crosses more pads and more bins at once


def test_the_study_prepares_it(
    copy: Path, pipeline: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By configuration alone, from the folder that the user names."""
    monkeypatch.setenv("SIMULACRA_RAW", str(copy))
    for name in ("one.h5", "two.h5"):
        pipeline(f"prepare tpc {name} --params {STUDY}")
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    samples = read(tmp_path / "one.h5")
    assert np.bincount(samples.split).tolist() == [3000, 0, 2000]
    assert samples.about.inputs == {NAMES[0]: tpc.SHA256} and samples.about.units == Tpc().about().units

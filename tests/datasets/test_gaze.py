"""The field's files of gaze, in tiny copies of their layout: MPIIGaze's normalised files and UnityEyes' pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from domain.datasets.mpiigaze import MpiiGaze
from domain.datasets.unityeyes import UnityEyes
from domain.errors import InputError
from domain.gaze import direction

RNG = np.random.default_rng(0)
GAZE = RNG.uniform(-20, 20, (7, 2))
POSE = np.radians([[0, 0, 0], [0, 10, 0], [-15, 0, 0], [0, 0, 30], [0, 5, 0], [0, 0, 0], [0, 0, 0]])
PICTURES = RNG.integers(0, 256, (7, 36, 60), np.uint8)
DAYS = {"p00/day01": (slice(0, 2), slice(2, 4)), "p00/day02": (slice(4, 5), slice(5, 6)), "p03/day01": (slice(6, 7), slice(0, 2))}


def write_mpiigaze(folder: Path, change: Callable[[dict[str, Any]], object] = lambda data: None) -> Path:
    for name, sides in DAYS.items():
        path = folder / "MPIIGaze/Data/Normalized" / f"{name}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        eyes = {s: {"gaze": direction(GAZE[r]), "image": PICTURES[r], "pose": POSE[r]} for s, r in zip(("left", "right"), sides)}
        change(eyes)
        savemat(path, {"data": eyes, "filenames": np.array(["0001.jpg"], object)[:, None]})
    return folder


def test_mpiigaze(tmp_path: Path) -> None:
    samples = MpiiGaze(mirror=False).load([write_mpiigaze(tmp_path)])
    order = [0, 1, 2, 3, 4, 5, 6, 0, 1]
    np.testing.assert_array_equal(samples.x[:, 0], PICTURES[order])
    np.testing.assert_allclose(samples.condition[:, :2], GAZE[order], atol=1e-4)
    assert samples.split is None and list(samples.about.inputs) == ["Normalized"]


def test_a_head_turns_to_the_left_with_a_positive_angle_about_the_axis_down(tmp_path: Path) -> None:
    """Its yaw has the sign of MPIIGaze's own: the angle of the rotation's third column."""
    head = MpiiGaze(mirror=False).load([write_mpiigaze(tmp_path)]).condition[:4, 2:]
    forward = Rotation.from_rotvec(POSE[:4]).as_matrix()[:, :, 2]
    np.testing.assert_allclose(head[:, 0], np.degrees(np.arctan2(forward[:, 0], forward[:, 2])), atol=1e-4)
    np.testing.assert_allclose(head[:, 1], np.degrees(np.arcsin(forward[:, 1])), atol=1e-4)
    np.testing.assert_allclose(head, [[0, 0], [10, 0], [0, 15], [0, 0]], atol=1e-4)


def test_right_eyes_become_left_ones(tmp_path: Path) -> None:
    samples = MpiiGaze(eyes="right").load([write_mpiigaze(tmp_path)])
    np.testing.assert_array_equal(samples.x[0, 0], PICTURES[2][:, ::-1])
    np.testing.assert_allclose(samples.condition[0, :2], GAZE[2] * [-1, 1], atol=1e-4)


def test_persons_are_split_and_pictures_resized(tmp_path: Path) -> None:
    samples = MpiiGaze(test=("p03",), height=35, width=55).load([write_mpiigaze(tmp_path)])
    assert samples.x.shape == (9, 1, 35, 55) and samples.split.tolist() == [0] * 6 + [2] * 3


def half(folder: Path) -> None:
    path = folder / "MPIIGaze/Data/Normalized/p00/day02.mat"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BROKEN_MPIIGAZE: dict[str, tuple[Callable[[Path], object], dict[str, Any], str]] = {
    "nothing": (lambda folder: None, {}, "mpiigaze: found no MPIIGaze/Data/Normalized or .*put a copy of your own"),
    "empty": (lambda f: (f / "Data/Normalized").mkdir(parents=True), {}, "holds no p00/day01.mat"),
    "cut off": (lambda f: (write_mpiigaze(f), half(f)), {}, "day02.mat: is not a MATLAB file with data.left"),
    "no gaze": (lambda f: write_mpiigaze(f, lambda eyes: eyes["left"].pop("gaze")), {}, r"is not a MATLAB file.*'gaze'"),
    "one side": (lambda f: write_mpiigaze(f, lambda eyes: eyes.pop("right")), {}, r"is not a MATLAB file.*'right'"),
    "other size": (
        lambda f: write_mpiigaze(f, lambda e: e["left"].update(image=np.zeros((2, 30, 60), np.uint8))), {},
        r"'left.image' is uint8 \(2, 30, 60\)",
    ),
    "too few": (lambda f: write_mpiigaze(f, lambda e: e["left"].update(pose=np.zeros((5, 3)))), {}, r"'left.pose' is \(5, 3\) for 2"),
    "NaN": (lambda f: write_mpiigaze(f, lambda e: e["left"]["gaze"].fill(np.nan)), {}, "'left.gaze'.*finite"),
    "no such person": (write_mpiigaze, {"test": ("p01",)}, "no person 'p01'; one of p00, p03"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN_MPIIGAZE)
def test_broken_mpiigaze_is_one_clear_error(tmp_path: Path, case: str) -> None:
    make, options, pattern = BROKEN_MPIIGAZE[case]
    make(tmp_path)
    with pytest.raises(InputError, match=pattern) as error:
        MpiiGaze(**options).load([tmp_path])
    assert "\n" not in str(error.value)


def text(values: np.ndarray) -> str:
    return f"({', '.join(f'{value:.4f}' for value in values)})"


def unity(x: float, y: float, gaze: np.ndarray) -> dict[str, Any]:
    """An eye of 80 pixels about (x, y), counted from the lower left corner."""
    turn = np.linspace(-np.pi, np.pi, 17)[:16]
    margin = [text((x + 30 * np.cos(a), y + 15 * np.sin(a), 9)) for a in turn]  # point 8 on the right
    caruncle = [text((x - 50, y + k, 9)) for k in (-3, 0, 3)]
    look = direction(gaze[None])[0] * [1, -1, 1]
    return {"interior_margin_2d": margin, "caruncle_2d": caruncle, "iris_2d": margin,
            "eye_details": {"look_vec": text((*look, 0.0)), "pupil_size": "0.01"}}  # fmt: skip


def write_unityeyes(folder: Path, change: Callable[[dict[str, Any]], object] = lambda content: None) -> Path:
    """Three pictures, 200×150, with a bright spot of 12×8 where the eye is."""
    (folder / "imgs").mkdir()
    for number, gaze in zip((1, 2, 10), GAZE):
        x, y = 100 + 2 * number, 60 - number
        image = np.zeros((150, 200, 3), np.uint8)
        image[150 - y - 4 : 150 - y + 4, x - 6 : x + 6] = 250
        Image.fromarray(image).save(folder / "imgs" / f"{number}.jpg", quality=95)
        content = unity(x, y, gaze)
        change(content)
        (folder / "imgs" / f"{number}.json").write_text(json.dumps(content))
    return folder


def test_unityeyes(tmp_path: Path) -> None:
    """The eye stands in the middle, 120 of its pixels across the crop, and numbers sort as numbers."""
    samples = UnityEyes().load([write_unityeyes(tmp_path)])
    assert samples.x.shape == (3, 1, 36, 60) and samples.x.dtype == np.uint8
    np.testing.assert_allclose(samples.condition, GAZE[:3], atol=0.02)
    bright = samples.x[:, 0] > 125
    rows, columns = np.arange(36) + 0.5, np.arange(60) + 0.5
    np.testing.assert_allclose((bright.any(2) * rows).sum(1) / bright.any(2).sum(1), 18, atol=0.51)
    np.testing.assert_allclose((bright.any(1) * columns).sum(1) / bright.any(1).sum(1), 30, atol=0.51)
    assert bright.any(1).sum(1).tolist() == [6, 6, 6] and bright.any(2).sum(1).tolist() == [4, 4, 4]


BROKEN_UNITYEYES: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda folder: None, "unityeyes: found no imgs in .*render pictures"),
    "empty": (lambda f: (f / "imgs").mkdir(), "holds no 1.json"),
    "cut off": (lambda f: (write_unityeyes(f) / "imgs/2.json").write_text('{"eye_details": '), "2.json: not readable as JSON"),
    "no picture": (lambda f: (write_unityeyes(f) / "imgs/2.jpg").unlink(), "2.jpg: is not a whole picture"),
    "no gaze": (lambda f: write_unityeyes(f, lambda c: c["eye_details"].pop("look_vec")), "1.json: lacks.*look_vec"),
    "no margin": (lambda f: write_unityeyes(f, lambda c: c.pop("interior_margin_2d")), "1.json: lacks.*interior_margin_2d"),
    "no numbers": (lambda f: write_unityeyes(f, lambda c: c["eye_details"].update(look_vec="(a, b, c)")), "1.json: lacks"),
    "short margin": (lambda f: write_unityeyes(f, lambda c: c["interior_margin_2d"].__delitem__(slice(5, None))), "has 5 points, needs 9"),
    "no width": (lambda f: write_unityeyes(f, lambda c: c.update(caruncle_2d=[c["interior_margin_2d"][8]])), "1.json: the eye is 0.0 pixels wide"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN_UNITYEYES)
def test_broken_unityeyes_is_one_clear_error(tmp_path: Path, case: str) -> None:
    make, pattern = BROKEN_UNITYEYES[case]
    make(tmp_path)
    with pytest.raises(InputError, match=pattern) as error:
        UnityEyes().load([tmp_path])
    assert "\n" not in str(error.value)

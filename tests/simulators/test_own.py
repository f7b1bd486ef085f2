"""A user's own simulator: called once a shard with a seed, and refused in one sentence where it misbehaves."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from domain.errors import InputError
from domain.files import digest
from domain.formats import CaloGAN
from domain.samples import SampleFile, read
from domain.simulators.gflash import GFlash
from domain.simulators.own import SEEDS, Own
from tests.simulators import detector

README = Path(__file__).resolve().parents[2] / "README.md"
DEPOSITS = {"kind": "shower", "shape": (2,), "range": (0, 9), "condition": ("energy",), "units": ("GeV",), "classes": 2}
COMMAND = shlex.join([sys.executable, detector.__file__]) + " {count} {seed} {output}"


def function(name: str = "conditioned", **values: Any) -> Own:
    return Own(**{**DEPOSITS, "function": f"tests.simulators.detector:{name}", **values})


def command(line: str = COMMAND, **values: Any) -> Own:
    return Own(**{**DEPOSITS, "command": line, **values})


def script(lines: str) -> str:
    """A command line that runs Python ``lines``, in which ``a`` holds count, seed and output."""
    return shlex.join([sys.executable, "-c", f"import sys; a = sys.argv[1:]\n{lines}"]) + " {count} {seed} {output}"


def test_a_function_gets_a_seed_that_any_generator_takes() -> None:
    samples = function(arguments={"top": 6.0}).simulate(5, seed=2**62)
    expected = detector.conditioned(5, 1 + 2**62 % SEEDS, top=6.0)
    np.testing.assert_array_equal(samples.x, expected["x"].astype(np.float32))
    np.testing.assert_array_equal(samples.condition, expected["condition"].astype(np.float32)[:, None])
    np.testing.assert_array_equal(samples.label, expected["label"])
    assert samples.x.dtype == np.float32 and samples.about.units == ("GeV",)


def test_whole_numbers_stay_whole() -> None:
    values = {"condition": (), "units": (), "classes": 0, "shape": (4,)}
    samples = function("simulate", **values).simulate(3, 0)
    assert samples.x.dtype == np.uint8 and list(samples.columns) == ["x"]


def test_an_executable_gives_what_the_function_gives() -> None:
    called, executed = function().simulate(7, 3), command().simulate(7, 3)
    for name, column in called.columns.items():
        np.testing.assert_array_equal(column, executed.columns[name])


def test_it_says_which_code_made_the_samples() -> None:
    source = digest(detector.__file__)
    assert function().about().inputs == {"detector.py": source}
    assert command().about().inputs[detector.__file__] == source


def test_an_executable_may_write_a_format_of_the_field(tmp_path: Path) -> None:
    showers = GFlash(energy=(1, 2)).simulate(4, 0)
    CaloGAN().write(tmp_path / "gamma.hdf5", showers)
    copy = script(f"import shutil; shutil.copy({str(tmp_path / 'gamma.hdf5')!r}, a[2])")
    values = {"shape": (504,), "range": (0, 2000), "classes": 0, "format": "calogan"}
    samples = command(copy, **values).simulate(4, 0)
    np.testing.assert_array_equal(samples.x, showers.x)
    np.testing.assert_array_equal(samples.condition, showers.condition)
    with pytest.raises(InputError, match=r"units is \('MeV',\), but 'calogan' holds \('GeV',\)"):
        command(copy, **values, units=("MeV",)).simulate(4, 0)
    with pytest.raises(InputError, match="its output: the key 'layer_0' is missing"):
        command(**values).simulate(4, 0)


PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "neither": ({}, "Own.function: give either a function, 'module:function', or a command"),
    "both": ({"function": "a:b", "command": COMMAND}, "Own.function: give either"),
    "no function": ({"function": "detector"}, "Own.function: is 'detector', must be 'module:function'"),
    "no place": ({"command": "sim {count} {seed}"}, r"Own.command: .* lacks \{output\}; put it where"),
    "quotes": ({"command": "sim '{count} {seed} {output}"}, "Own.command: .* correct its quotes"),
    "format of a function": ({"function": "a:b", "format": "calogan"}, "Own.format: is for what a command writes"),
    "unknown format": ({"command": COMMAND, "format": "calogen"}, "Own.format: is 'calogen'; did you mean 'calogan'?"),
    "format's key": ({"command": COMMAND, "format": "calochallenge"}, "Own.format_options.binning: missing; add it"),
    "negative energies": ({"function": "a:b", "range": (-1, 9)}, "Own.range: .* from 0 or above for a shower"),
    "range": ({"function": "a:b", "range": (9, 9)}, "Own.range: is .9, 9., must rise"),
    "units": ({"function": "a:b", "units": ()}, "Own.units: has 0 entries, condition 1; give one each"),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_wrong_parameters(case: str) -> None:
    values, message = PARAMETERS[case]
    with pytest.raises(InputError, match=message):
        Own(**{**DEPOSITS, **values})


def replaced(**columns: Any) -> Own:
    return function("changed", arguments=columns)


BROKEN: dict[str, tuple[Own, str]] = {
    "module": (function(function="no_such:f"), "'no_such:f': cannot be imported .*No module named.*PYTHONPATH"),
    "name": (function("simulated"), "cannot be imported .*no attribute 'simulated'"),
    "no function": (function("NUMBER"), "is a int, not a function"),
    "raises": (function("failing"), r"failed \(RuntimeError: out of liquid argon, detector.py line \d+\); mend it"),
    "argument": (function(arguments={"tip": 1}), r"unexpected keyword argument 'tip'\); .*'arguments'"),
    "returns nothing": (function("returning_nothing"), "returns a NoneType; return a dictionary with 'x'"),
    "no x": (replaced(x=None), "gives condition, label; .* ask for x, condition, label"),
    "no condition": (replaced(condition=None), "gives x, label; .* ask for x, condition, label"),
    "further column": (replaced(mass=[1]), "gives x, condition, label, mass; .* ask for"),
    "count": (replaced(x=[[1.0, 2.0]] * 3), r"'x' is float64 \(3, 2\), must be numbers \(4, 2\)"),
    "shape": (replaced(x=[[1.0]] * 4), r"'x' is float64 \(4, 1\), must be numbers \(4, 2\)"),
    "ragged": (replaced(x=[[1.0], [1.0, 2.0]]), "'x' is no array"),
    "words": (replaced(x=[["a", "b"]] * 4), "must be numbers"),
    "NaN": (replaced(x=[[np.nan, 1.0]] * 4), "'x' holds NaN or infinite values"),
    "negative": (replaced(x=[[-1.0, 1.0]] * 4), "'x' runs from -1 to 1, outside its value range 0 to 9"),
    "too high": (replaced(x=[[1.0, 10.0]] * 4), "'x' runs from 1 to 10, outside its value range 0 to 9"),
    "two conditions": (replaced(condition=[[1.0, 2.0]] * 4), r"'condition' is float64 \(4, 2\), must be numbers \(4, 1\)"),
    "NaN in condition": (replaced(condition=[np.inf] * 4), "'condition' holds NaN or infinite values"),
    "class": (replaced(label=[0, 1, 2, 0]), "'label' runs from 0 to 2; with 2 classes"),
    "fractional label": (replaced(label=[0.5] * 4), "'label' is float64 .* whole numbers"),
    "no executable": (command("./no-such {count} {seed} {output}"), "cannot be run .*./no-such.; correct the path"),
    "not executable": (command(f"{detector.__file__} {{count}} {{seed}} {{output}}"), "cannot be run .* make it executable"),
    "exit status": (
        command(script("print('starting'); sys.exit('no geometry file')")),
        r"ended with status 1 \(no geometry file\); try it by hand with count 4 and seed 2",
    ),
    "killed": (command(script("import os; os.kill(os.getpid(), 9)")), r"ended with status -9 \(it said nothing\)"),
    "no output": (command(script("")), r"wrote no file; have it write to \{output\}"),
    "no HDF5": (command(script("open(a[2], 'w').write('E = 3')")), "wrote no whole HDF5 file .*; have it write 'x'"),
    "group": (command(script("import h5py; h5py.File(a[2], 'w').create_group('x')")), "wrote no whole HDF5 file"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_misbehaves_is_refused_in_one_sentence(case: str) -> None:
    simulator, message = BROKEN[case]
    with pytest.raises(InputError, match=message) as error:
        simulator.simulate(4, 1)
    assert "\n" not in str(error.value) and simulator.called in str(error.value)


def test_a_failing_shard_leaves_no_file(pipeline: Callable[[str], None], tmp_path: Path) -> None:
    """The executable works once, and then finds the file that it left; what it made is kept for the next run."""
    line = script(f"open('first', 'x'); import runpy; runpy.run_path({detector.__file__!r}, run_name='__main__')")
    options = {**DEPOSITS, "command": line, "shard": 2}
    YAML().dump({"simulate": {"mine": {"simulator": "own", "options": options, "count": 4}}}, tmp_path / "params.yaml")
    with pytest.raises(SystemExit, match="FileExistsError: .*first.*by hand with count 2"):
        pipeline("simulate mine mine.h5")
    assert sorted(os.listdir(tmp_path)) == ["data", "first", "params.yaml"]
    assert [path.name for path in (tmp_path / "data").rglob("*.h5")] == ["000000.h5"]


def blocks(heading: str) -> dict[str, list[str]]:
    """The README's code blocks under a heading, by language."""
    section = README.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found: dict[str, list[str]] = {}
    for language, code in re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL):
        found.setdefault(language, []).append(code)
    return found


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The README's section, its function where a user would put it, its parameters in force."""
    content = blocks("Use your own simulator")
    (tmp_path / "detector.py").write_text(content["python"][0])
    (tmp_path / "params.yaml").write_text(content["yaml"][0])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "detector", raising=False)
    return content


def test_the_readme_from_function_to_surrogate(
    documented: dict[str, list[str]], pipeline: Callable[[str], None], tmp_path: Path
) -> None:
    """Exactly what the README shows: three lines, one entry, and everything below works on its samples."""
    assert len([line for line in documented["python"][0].partition("def ")[2].splitlines()[1:] if line.strip()]) == 3
    for line in documented["sh"][0].splitlines():
        pipeline(line.removeprefix("python -m pipelines."))
    simulated, learned = read(tmp_path / "data/simulated/mine.h5"), SampleFile(tmp_path / "new.h5").read()
    assert simulated.x.shape == (2000, 16) and simulated.about.inputs == {"detector.py": digest(tmp_path / "detector.py")}
    assert simulated.about.producer == "simulators.own" and len(np.unique(simulated.condition)) > 1990
    assert learned.x.shape == (100, 16) and (learned.condition == 5).all()


def test_the_readme_with_an_executable(
    documented: dict[str, list[str]], pipeline: Callable[[str], None], tmp_path: Path
) -> None:
    """The documented command line, of a program that writes what the documented function returns."""
    pipeline("simulate mine by_function.h5")
    program = "\n".join([
        f"#!{sys.executable}", documented["python"][0], "import sys, h5py", "a = dict(zip(sys.argv[1::2], sys.argv[2::2]))",
        "with h5py.File(a['--out'], 'w') as file:",
        "    file.update(simulate(int(a['--events']), int(a['--seed'])))",
    ])
    (tmp_path / "detector").write_text(program)
    (tmp_path / "detector").chmod(0o755)
    (tmp_path / "params.yaml").write_text(documented["yaml"][1])
    pipeline("simulate mine by_command.h5")
    ours, theirs = read(tmp_path / "by_function.h5"), read(tmp_path / "by_command.h5")
    np.testing.assert_array_equal(ours.x, theirs.x)
    np.testing.assert_array_equal(ours.condition, theirs.condition)

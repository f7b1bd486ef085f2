"""Your own simulator: a Python function, or an executable that writes HDF5.

* a **function**, ``module:function``, is called as ``f(count, seed, **arguments)`` and returns a dictionary of columns;
* an **executable** is a command line with ``{count}``, ``{seed}`` and ``{output}`` where it takes them, without a shell.
  It writes an HDF5 file with one dataset a column, or a file of one of ``domain/formats``.

The columns are those of the sample file: ``x`` (count, ...), and where the options say so ``condition`` (count, C) and
``label`` (count,). Each shard is one call with a seed of its own, a whole number from 1 to 2³¹ − 2, which fits the seed
of any generator; all that is random must come from it. Of a thousand shards, two share a seed once in 4,300 runs.
"""

from __future__ import annotations

import dataclasses
import importlib
import shlex
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from domain.config import Config, Count, Natural, suggestion
from domain.errors import InputError
from domain.files import digest
from domain.formats import FORMATS
from domain.samples import About, Kind, Samples

COLUMNS = ("x", "condition", "label")
PLACES = ("{count}", "{seed}", "{output}")
SEEDS = 2**31 - 2


@dataclass(frozen=True)
class Own(Config):
    """A simulator that is not part of this project.

    Attributes:
        kind: what one sample is; of a ``shower`` or ``jet``, ``x`` holds energies, at least 0.
        shape: of one sample.
        range: lowest and highest value ``x`` may hold, in its own units.
        classes: number of classes, 0 where there is no ``label``.
        condition: names of the columns of ``condition``.
        units: their units.
        function: ``module:function``, importable from where the stage runs.
        arguments: its further keyword arguments.
        command: or, the executable and what follows it.
        format: what the executable writes, a name in domain/formats; plain columns if left out.
        format_options: the format's own parameters.
        shard: samples in one call.
    """

    kind: Kind
    shape: tuple[Count, ...]
    range: tuple[float, float]
    classes: Natural = 0
    condition: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    function: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    format: str = ""
    format_options: Mapping[str, Any] = field(default_factory=dict)
    shard: Count = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.range
        if not low < high or (self.kind in ("shower", "jet") and low < 0):
            rule = "must rise" if self.kind in ("image", "table") else f"must rise from 0 or above for a {self.kind}"
            raise InputError(f"Own.range: is [{low:g}, {high:g}], {rule}")
        if len(self.units) != len(self.condition):
            problem = f"has {len(self.units)} entries, condition {len(self.condition)}"
            raise InputError(f"Own.units: {problem}; give one each, '' for a pure number")
        if bool(self.function) == bool(self.command):
            raise InputError("Own.function: give either a function, 'module:function', or a command")
        if self.function and not all(self.function.partition(":")):
            raise InputError(f"Own.function: is {self.function!r}, must be 'module:function'")
        if self.command:
            self._check_command()
        if self.format and not self.command:
            raise InputError("Own.format: is for what a command writes; leave it out for a function")
        if self.format:
            self._form()

    def _check_command(self) -> None:
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise InputError(f"Own.command: {self.command!r} is no command line ({error}); correct its quotes") from None
        for place in PLACES:
            if not any(place in word for word in words):
                raise InputError(f"Own.command: {self.command!r} lacks {place}; put it where the executable takes it")

    def _form(self) -> Any:
        """The format that the executable writes."""
        if self.format not in FORMATS:
            raise InputError(f"Own.format: is {self.format!r}; {suggestion(self.format, FORMATS)}")
        return FORMATS[self.format].parse(self.format_options, "Own.format_options")

    @property
    def called(self) -> str:
        """What a message calls it."""
        return f"function {self.function!r}" if self.function else f"command {self.command!r}"

    def about(self) -> About:
        """As the parameters say; its inputs are the files of the user's that the parameters name.

        Raises:
            InputError: the function cannot be imported.
        """
        if self.function:
            self._imported()
            source = getattr(importlib.import_module(self.function.partition(":")[0]), "__file__", None)
            inputs = {Path(source).name: digest(source)} if source else {}
        else:
            inputs = {word: digest(word) for word in shlex.split(self.command) if Path(word).is_file()}
        return dataclasses.replace(self._about, inputs=inputs)

    @property
    def _about(self) -> About:
        return About(
            self.kind, self.range, self.classes, self.condition, self.units, "simulators.own", self.as_dict()
        )

    def simulate(self, count: int, seed: int) -> Samples:
        """``count`` samples, checked; one call of the function or the executable.

        Raises:
            InputError: it cannot be found or fails, or gives other columns, shapes or values than the parameters say.
        """
        seed = 1 + seed % SEEDS
        columns = self._call(count, seed) if self.function else self._execute(count, seed)
        return self._samples(columns, count)

    def _imported(self) -> Callable[..., Any]:
        module, _, name = self.function.partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
        except Exception as error:  # the module is the user's and may raise anything
            mend = "run where the module is, or put its folder on PYTHONPATH"
            raise InputError(f"{self.called}: cannot be imported ({described(error)}); {mend}") from error
        if not callable(function):
            raise InputError(f"{self.called}: is a {type(function).__name__}, not a function; name another")
        return function

    def _call(self, count: int, seed: int) -> Mapping[str, Any]:
        function = self._imported()
        try:
            columns = function(count, seed, **self.arguments)
        except Exception as error:
            inside = traceback.extract_tb(error.__traceback__)[1:2]  # the function's own frame; none if it never began
            place = "".join(f", {Path(frame.filename).name} line {frame.lineno}" for frame in inside)
            problem = f"failed ({described(error)}{place})"
            raise InputError(f"{self.called}: {problem}; mend it, or correct 'arguments'") from error
        if not isinstance(columns, Mapping):
            raise InputError(f"{self.called}: returns a {type(columns).__name__}; return a dictionary with 'x'")
        return columns

    def _execute(self, count: int, seed: int) -> Mapping[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            output, log = Path(folder) / "output.h5", Path(folder) / "log"
            line = shlex.split(self.command)
            for place, value in zip(PLACES, (count, seed, output)):
                line = [word.replace(place, str(value)) for word in line]
            try:
                with open(log, "wb") as stream:
                    ended = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT)
            except OSError as error:
                mend = "correct the path, or make it executable"
                raise InputError(f"{self.called}: cannot be run ({error.strerror}: {line[0]}); {mend}") from error
            if ended.returncode:
                said = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
                problem = f"ended with status {ended.returncode} ({said[0]})"
                raise InputError(f"{self.called}: {problem}; try it by hand with count {count} and seed {seed}")
            if not output.is_file():
                raise InputError(f"{self.called}: wrote no file; have it write to {{output}}")
            return self._formatted(output) if self.format else self._plain(output)

    def _plain(self, output: Path) -> Mapping[str, Any]:
        """Datasets by name."""
        try:
            with h5py.File(output) as file:
                return {name: file[name][:] for name in file}
        except Exception as error:  # h5py raises almost anything on a damaged file
            mend = "have it write 'x' and further columns as datasets"
            raise InputError(f"{self.called}: wrote no whole HDF5 file ({described(error)}); {mend}") from error

    def _formatted(self, output: Path) -> Mapping[str, Any]:
        """The columns of a file in one of the field's own formats."""
        try:
            samples = self._form().read(output)
        except InputError as error:
            raise InputError(f"{self.called}: {str(error).replace(str(output), 'its output')}") from error
        for name in ("kind", "condition", "units", "classes"):
            mine, theirs = getattr(self, name), getattr(samples.about, name)
            if mine != theirs:
                raise InputError(f"{self.called}: {name} is {mine!r}, but {self.format!r} holds {theirs!r}; correct it")
        return {name: column for name, column in samples.columns.items() if name in COLUMNS}

    def _samples(self, columns: Mapping[str, Any], count: int) -> Samples:
        """The columns as the parameters describe them, floats as float32."""
        wanted = ["x", *(["condition"] if self.condition else []), *(["label"] if self.classes else [])]
        for name in [*wanted, *columns]:
            if name not in columns or name not in wanted:
                given = ", ".join(map(str, columns)) or "nothing"
                raise InputError(
                    f"{self.called}: gives {given}; 'shape', 'condition' and 'classes' ask for {', '.join(wanted)}"
                )
        shapes = {"x": (count, *self.shape), "condition": (count, len(self.condition)), "label": (count,)}
        arrays = {name: self._array(name, columns[name], shapes[name]) for name in wanted}
        try:
            return Samples(about=self._about, **arrays)
        except InputError as error:
            raise InputError(f"{self.called}: {str(error).removeprefix('samples: ')}") from None

    def _array(self, name: str, column: Any, shape: tuple[int, ...]) -> np.ndarray:
        try:
            array = np.asarray(column)
        except Exception as error:  # such as rows of different lengths
            raise InputError(f"{self.called}: {name!r} is no array ({described(error)}); make it one") from error
        if name == "condition" and array.ndim == 1:
            array = array[:, None]
        if array.dtype.kind not in ("iu" if name == "label" else "iuf") or array.shape != shape:
            kind = "whole numbers" if name == "label" else "numbers"
            raise InputError(f"{self.called}: {name!r} is {array.dtype} {array.shape}, must be {kind} {shape}")
        return array.astype(np.float32) if array.dtype.kind == "f" else array


def described(error: Exception) -> str:
    """The error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())

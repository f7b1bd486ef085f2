"""What every stage script shares: parameters, scratch files, and how it ends."""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import inspect
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from ruamel.yaml import YAML, YAMLError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from domain.config import Config, suggestion
from domain.errors import InputError
from domain.files import digest
from pipelines import launch

C = TypeVar("C", bound=Config)
ROOT = Path(__file__).parent.parent
SCRATCH = Path("data/scratch")


def parser(script: str, reads_parameters: bool = True, **arguments: str) -> argparse.ArgumentParser:
    """A command line whose help is the script's docstring; ``arguments`` are name → help."""
    module = sys.modules[script]
    made = argparse.ArgumentParser(
        prog=f"python -m {module.__spec__.name}",
        description=inspect.getdoc(module),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, text in arguments.items():
        made.add_argument(name, help=text)
    if reads_parameters:
        made.add_argument("--params", default="params.yaml", metavar="FILE", help="parameter file (params.yaml)")
    return made


def run(main: Callable[[argparse.Namespace], None], made: argparse.ArgumentParser) -> None:
    """Run a script; what a user can mend ends as one sentence, without a traceback."""
    try:
        launch.prepare_process(launch.threads())
        main(made.parse_args())
    except InputError as error:
        sys.exit(f"error: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command resumes")
    except OSError as error:
        sys.exit(f"error: {error.filename or 'input/output'}: {error.strerror or error}; check the path and the disk")


def parameters(kind: type[C], file: str, *keys: str) -> C:
    """One entry of the parameter file, as its frozen dataclass.

    Read by the parser DVC uses (YAML 1.2), so that both see the same values.

    Raises:
        InputError: the file or the entry is missing, or a key is unknown or ill-typed.
    """
    try:
        content: Any = YAML(typ="safe", pure=True).load(Path(file))
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; run from the project's root, or name it with --params") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not valid YAML ({' '.join(str(error).split())}); correct it there") from None
    where = f"{file}: {'.'.join(keys)}"
    for key in keys:
        if not isinstance(content, Mapping) or key not in content:
            known = content if isinstance(content, Mapping) else ()
            raise InputError(f"{where}: there is no entry {key!r}; {suggestion(key, known)}")
        content = content[key]
    return kind.parse(content, where)


def family(table: Mapping[str, Any], name: str, what: str) -> Any:
    """An entry of a folder's table, or an error that names the nearest."""
    if name not in table:
        raise InputError(f"{what} {name!r}: not known; {suggestion(name, table)}")
    return table[name]


@contextlib.contextmanager
def naming(where: str) -> Iterator[None]:
    """Put ``where`` before the message of an error that does not know what file or key it is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def inputs(*paths: Path) -> dict[str, str]:
    """The digest of each input by path, for provenance."""
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file; run `dvc repro` to make it, or correct the path")
    return {path.as_posix(): digest(path) for path in paths}


def tensors(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file that a stage wrote."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run `dvc repro` to make it, or correct the path") from None
    except SafetensorError as error:
        raise InputError(f"{path}: not a whole safetensors file ({error}); delete it and run again") from error


@contextlib.contextmanager
def scratch(out: Path, *content: Any, keep: bool = False) -> Iterator[Path]:
    """A folder for checkpoints of one output; removed when the block ends without an error, unless it is to be kept.

    A run that is killed finds it again; a run of other content or other code does not.
    """
    folder = SCRATCH / f"{out.name}-{key(*content, code=['domain', 'pipelines'])}"
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    if not keep:
        shutil.rmtree(folder)


def sources(*files: Path) -> list[str]:
    """These files and all of the project that they import, directly or not, from the project's root, sorted.

    A folder's ``__init__.py`` counts only where it is imported by name: it is a table of what stands beside it.
    """
    found: set[Path] = set()
    waiting = [file.resolve().relative_to(ROOT) for file in files]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        for node in ast.walk(ast.parse((ROOT / file).read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for name in names:
                whole = name.replace(".", "/")
                module = whole.rpartition("/")[0]
                places = (Path(place) for place in (f"{whole}.py", f"{module}.py", f"{module}/__init__.py"))
                waiting += [place for place in places if (ROOT / place).is_file()][:1]
    return sorted(file.as_posix() for file in found)


def key(*content: Any, code: Iterable[str]) -> str:
    """Sixteen digits that stand for all that a result depends on: content, code, torch's version.

    Args:
        content: parameters, digests of inputs.
        code: files, or folders with all their Python files, from the project's root.
    """
    files = [file for name in code for file in sorted({*(ROOT / name).rglob("*.py"), *(ROOT / name,)}) if file.is_file()]
    text = json.dumps([content, [digest(file) for file in files], torch.__version__], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

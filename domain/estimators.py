"""A fitted classifier on disk, without pickle: the model directory of its network and ``estimator.json``.

    >>> from domain import estimators
    >>> estimators.save("digits", classifier)  # doctest: +SKIP
    >>> estimators.load("digits").predict(X)  # doctest: +SKIP

``estimator.json`` holds the estimator's name and parameters, the class labels, and the scaling of
its input. :func:`domain.models.load` reads the same directory as a system.
"""

from __future__ import annotations

import csv
import math
import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from domain import models
from domain.classifiers import CLASSIFIERS
from domain.classifiers.base.estimator import NetworkClassifier
from domain.config import Config, Range, checked, suggestion
from domain.errors import InputError
from domain.files import digest, read_json, whole_directory, write_json
from domain.space import Space
from domain.training import History

SCHEMA = 1
FILES = ("estimator.json", "history.csv", "model.json", "model.safetensors")
NETWORKS = {name: kind for name, kind in CLASSIFIERS.items() if issubclass(kind, NetworkClassifier)}


@dataclass(frozen=True)
class Fitted(Config):
    """``estimator.json``.

    Attributes:
        classifier: its name in domain/classifiers.
        parameters: of the estimator. A random state that is no number is left out.
        dtype: of the class labels, as numpy writes it.
        classes: the class labels, text or whole numbers, in the order of the network's outputs.
        shape: of one sample, as the user passes it.
        low, high: what the network sees as −1 and 1, for each feature or for all.
        model: SHA-256 of the ``model.json`` it belongs to.
        names: of the features, where they have any.
    """

    schema: Annotated[int, Range(SCHEMA, SCHEMA)]
    classifier: str
    parameters: Mapping[str, Any]
    dtype: str
    classes: tuple[str | int, ...]
    shape: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    model: str
    names: tuple[str, ...] = ()


def save(
    directory: str | Path, estimator: NetworkClassifier, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a fitted classifier to a new folder, or in place of one written before; whole or not at all.

    Args:
        directory: where.
        estimator: one of ``NETWORKS``, fitted.
        provenance: the seed, and the SHA-256 of each input by name, if known.

    Raises:
        InputError: the folder holds something else, or the estimator is of another kind.
    """
    directory = Path(directory)
    if directory.exists() and not (directory.is_dir() and set(os.listdir(directory)) <= set(FILES)):
        raise InputError(f"{directory}: holds something else than a classifier; name a new folder")
    name = _name(estimator)
    with whole_directory(directory) as partial:
        models.save(partial, estimator.system_, estimator.history_, provenance or {})
        content = _fitted(name, estimator, digest(partial / "model.json"))
        write_json(partial / "estimator.json", content.as_dict())


def _name(estimator: NetworkClassifier) -> str:
    name = next((name for name, kind in NETWORKS.items() if type(estimator) is kind), None)
    if name is None:
        raise InputError(
            f"{type(estimator).__name__}: cannot be saved; "
            f"pass one of {', '.join(NETWORKS)}, not what contains it"
        )
    check_is_fitted(estimator)
    return name


def _fitted(name: str, estimator: NetworkClassifier, model: str) -> Fitted:
    labels = estimator.classes_.tolist()
    return Fitted(
        schema=SCHEMA,
        classifier=name,
        parameters={key: _plain(value) for key, value in estimator.get_params().items()},
        dtype=estimator.classes_.dtype.str,
        classes=tuple(label if isinstance(label, str) else int(label) for label in labels),
        shape=estimator.shape_,
        low=estimator.low_.tolist(),
        high=estimator.high_.tolist(),
        model=model,
        names=tuple(getattr(estimator, "feature_names_in_", ())),
    )


def _plain(value: Any) -> Any:
    """A parameter as JSON has it."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return None
    return str(value) if isinstance(value, Path) else value


def load(directory: str | Path) -> NetworkClassifier:
    """A fitted classifier from its folder; its ``history_`` has the six digits of ``history.csv``.

    Raises:
        InputError: a file is missing, damaged or of another version, or two do not belong together.
    """
    directory, where = Path(directory), Path(directory) / "estimator.json"
    if not where.is_file():
        raise InputError(
            f"{directory}: holds no estimator.json, so it is no saved classifier; "
            "correct the path or save it again"
        )
    fitted = Fitted.parse(read_json(where), str(where))
    if fitted.classifier not in NETWORKS:
        hint = suggestion(fitted.classifier, NETWORKS)
        raise InputError(f"{where}: unknown classifier {fitted.classifier!r}; {hint}")
    estimator = NETWORKS[fitted.classifier](**_parameters(fitted, where))
    estimator.system_, estimator.history_ = models.load(directory), _history(directory / "history.csv")
    estimator.space_, estimator.shape_ = estimator.system_.space, fitted.shape
    _check(fitted, estimator.space_, where)
    estimator.low_, estimator.high_ = np.float32(fitted.low), np.float32(fitted.high)
    estimator.n_features_in_, estimator.classes_ = math.prod(fitted.shape), _classes(fitted, where)
    if fitted.names:
        estimator.feature_names_in_ = np.array(fitted.names, object)
    return estimator


def _parameters(fitted: Fitted, where: Path) -> dict[str, Any]:
    hints = typing.get_type_hints(NETWORKS[fitted.classifier])
    known = NETWORKS[fitted.classifier]().get_params()
    parameters: dict[str, Any] = {}
    for key, value in fitted.parameters.items():
        if key not in known:
            raise InputError(f"{where}: parameters.{key}: unknown key; {suggestion(key, known)}")
        parameters[key] = checked(value, hints[key], f"{where}: parameters.{key}")
    return parameters


def _classes(fitted: Fitted, where: Path) -> np.ndarray:
    try:
        return np.array(fitted.classes, np.dtype(fitted.dtype))
    except (TypeError, ValueError, OverflowError) as error:
        problem = f"'classes' do not fit 'dtype' {fitted.dtype!r} ({error})"
        raise InputError(f"{where}: {problem}; save the classifier again") from None


def _check(fitted: Fitted, space: Space, where: Path) -> None:
    """Refuse an estimator and a network that are not each other's."""
    size, scales = math.prod(space.shape), {len(fitted.low), len(fitted.high)}
    problems = {
        "model": fitted.model != digest(where.with_name("model.json")),
        "classes": len(fitted.classes) != space.classes,
        "shape": math.prod(fitted.shape) != size,
        "low or high": len(scales) > 1 or not scales <= {1, size},
        "names": len(fitted.names) not in (0, size),
    }
    if wrong := [key for key, bad in problems.items() if bad]:
        raise InputError(f"{where}: {wrong[0]!r} does not fit model.json; save the classifier again")


def _history(path: Path) -> History:
    try:
        with open(path, newline="") as stream:
            rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]
        return [{**row, "step": int(row["step"])} for row in rows]
    except (OSError, csv.Error, LookupError, TypeError, ValueError) as error:
        problem = f"not readable as training curves ({error})"
        raise InputError(f"{path}: {problem}; save the classifier again") from None

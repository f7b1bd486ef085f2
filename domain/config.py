"""Parameters: frozen dataclasses that check themselves.

A family declares its knobs once, as a frozen dataclass that extends :class:`Config`. Types and
ranges are checked whenever one is made, from Python or from a YAML mapping, and an unknown key
is an error that names the key and the nearest valid one.

    >>> @dataclass(frozen=True)
    ... class Toy(Config):
    ...     width: Annotated[int, Range(1)] = 8
    ...     rate: Annotated[float, Range(0, 1)] = 0.5
    >>> Toy.parse({"width": 4}, "params.yaml: toy")
    Toy(width=4, rate=0.5)
    >>> Toy.parse({"widht": 4}, "params.yaml: toy")
    Traceback (most recent call last):
    domain.errors.InputError: params.yaml: toy.widht: unknown key; did you mean 'width'?
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from domain.errors import InputError


@dataclass(frozen=True)
class Range:
    """The closed range that an ``Annotated`` number must lie in; ``open`` leaves the low end out."""

    low: float = -math.inf
    high: float = math.inf
    open: bool = False

    def admits(self, value: float) -> bool:
        return (value > self.low if self.open else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        low = f"{'above' if self.open else 'at least'} {self.low:g}"
        if math.isinf(self.high):
            return low
        return f"{low} and at most {self.high:g}" if not math.isinf(self.low) else f"at most {self.high:g}"


Count = Annotated[int, Range(1)]
Natural = Annotated[int, Range(0)]
Positive = Annotated[float, Range(0, open=True)]
NonNegative = Annotated[float, Range(0)]
Fraction = Annotated[float, Range(0, 1)]


@dataclass(frozen=True)
class Config:
    """Base of every parameter dataclass."""

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self), include_extras=True)
        for field in dataclasses.fields(self):
            value = checked(getattr(self, field.name), hints[field.name], f"{type(self).__name__}.{field.name}")
            object.__setattr__(self, field.name, value)

    @classmethod
    def parse(cls, values: Mapping[str, Any] | None, where: str) -> Self:
        """Build from a mapping; ``where`` names its place (``params.yaml: train.gan``) in errors."""
        values = {} if values is None else values
        if not isinstance(values, Mapping):
            raise InputError(f"{where}: must be a mapping of keys to values, not {values!r}")
        known = {field.name: field for field in dataclasses.fields(cls)}
        hints = typing.get_type_hints(cls, include_extras=True)
        for key in values:
            if key not in known:
                raise InputError(f"{where}.{key}: unknown key; {suggestion(key, known)}")
        for name, field in known.items():
            if name not in values and _required(field):
                raise InputError(f"{where}.{name}: missing; add it")
        values = {
            key: checked(_over(known[key].default, value), hints[key], f"{where}.{key}") for key, value in values.items()
        }
        try:
            return cls(**values)
        except InputError as error:  # a rule between keys, which names the class and the key
            raise InputError(f"{where}.{str(error).removeprefix(f'{cls.__name__}.')}") from None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; :meth:`parse` reads them back."""
        return dataclasses.asdict(self)


def _over(default: Any, value: Any) -> Any:
    """A nested mapping names only what it changes: the rest stays as the family's own default has it."""
    if isinstance(default, Config) and isinstance(value, Mapping):
        return {**default.as_dict(), **value}
    return value


def _required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def suggestion(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest of the known words, else the list of them."""
    known = [str(name) for name in known]
    near = difflib.get_close_matches(str(word), known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"one of {', '.join(known) or 'none'}"


def checked(value: Any, hint: Any, where: str) -> Any:
    """The value as its type hint wants it (lists become tuples, integers floats), or an error."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        value = checked(value, arguments[0], where)
        for bound in arguments[1:]:
            if not bound.admits(value):
                raise InputError(f"{where}: is {value!r}, must be {bound}")
        return value
    if origin is Literal:
        if value not in arguments:
            raise InputError(f"{where}: is {value!r}; {suggestion(value, arguments)}")
        return value
    if origin in (types.UnionType, typing.Union):
        return _checked_union(value, arguments, where)
    if origin is tuple:
        return _checked_tuple(value, arguments, where)
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        if not isinstance(value, Mapping):
            raise InputError(f"{where}: is {value!r}, must be a mapping")
        return {str(key): checked(item, arguments[1], f"{where}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else hint.parse(value, where)
    return _checked_scalar(value, hint, where)


def _checked_union(value: Any, options: tuple[Any, ...], where: str) -> Any:
    if value is None and type(None) in options:
        return None
    problem: InputError | None = None
    for option in (o for o in options if o is not type(None)):
        try:
            return checked(value, option, where)
        except InputError as error:
            problem = error
    raise problem or InputError(f"{where}: is {value!r}, must be empty")


def _checked_tuple(value: Any, arguments: tuple[Any, ...], where: str) -> tuple:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise InputError(f"{where}: is {value!r}, must be a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(checked(item, arguments[0], f"{where}[{i}]") for i, item in enumerate(value))
    if len(value) != len(arguments):
        raise InputError(f"{where}: has {len(value)} entries, must have {len(arguments)}")
    return tuple(checked(v, hint, f"{where}[{i}]") for i, (v, hint) in enumerate(zip(value, arguments)))


def _checked_scalar(value: Any, hint: Any, where: str) -> Any:
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise InputError(f"{where}: is {value!r} ({type(value).__name__}), must be {hint.__name__}")
    if hint is float and not math.isfinite(value):
        raise InputError(f"{where}: is {value!r}, must be finite")
    return value

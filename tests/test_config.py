"""Parameters check themselves, from Python and from a mapping."""

from __future__ import annotations

import doctest
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from domain import config
from domain.config import Config, Count, Fraction, Natural, Positive, checked, suggestion
from domain.errors import InputError


@dataclass(frozen=True)
class Inner(Config):
    rate: Positive = 0.1
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)


@dataclass(frozen=True)
class Outer(Config):
    width: Count
    cost: Literal["plain", "fancy"] = "plain"
    inner: Inner = Inner()
    hidden: tuple[Count, ...] = (8, 8)
    limit: float | None = None
    flag: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


FULL = {
    "width": 3,
    "cost": "fancy",
    "inner": {"rate": 1, "betas": [0, 1]},
    "hidden": [1, 2, 3],
    "limit": 2,
    "flag": True,
    "options": {"free": [1, {"form": None}]},
}


def test_doctest() -> None:
    assert doctest.testmod(config).failed == 0


def test_parse() -> None:
    made = Outer.parse(FULL, "here")
    assert made.inner == Inner(rate=1.0, betas=(0.0, 1.0)) and isinstance(made.inner.rate, float)
    assert made.hidden == (1, 2, 3) and made.limit == 2.0 and made.options == FULL["options"]


@pytest.mark.parametrize("values", [FULL, {"width": 1}])
def test_round_trip(values: dict[str, Any]) -> None:
    made = Outer.parse(values, "here")
    assert Outer.parse(made.as_dict(), "here") == made


def test_python_is_checked_like_yaml() -> None:
    assert Outer(width=1, hidden=[4]).hidden == (4,)
    with pytest.raises(InputError, match=r"^Inner\.rate: is -1\.0, must be above 0$"):
        Inner(rate=-1)


def test_no_entry_means_defaults() -> None:
    assert Inner.parse(None, "here") == Inner()


@pytest.mark.parametrize(
    "values, message",
    [
        ({"width": 0}, "here.width: is 0, must be at least 1"),
        ({"width": True}, "here.width: is True (bool), must be int"),
        ({"width": 1.0}, "here.width: is 1.0 (float), must be int"),
        ({"width": None}, "here.width: is None (NoneType), must be int"),
        ({"width": "3"}, "here.width: is '3' (str), must be int"),
        ({}, "here.width: missing; add it"),
        ({"width": 1, "withd": 2}, "here.withd: unknown key; did you mean 'width'?"),
        ({"width": 1, "cost": "fanciest"}, "here.cost: is 'fanciest'; did you mean 'fancy'?"),
        ({"width": 1, "inner": {"rate": 0}}, "here.inner.rate: is 0.0, must be above 0"),
        ({"width": 1, "inner": {"betas": [0.5]}}, "here.inner.betas: has 1 entries, must have 2"),
        ({"width": 1, "inner": {"betas": [0.5, 2]}}, "here.inner.betas[1]: is 2.0, must be at least 0 and at most 1"),
        ({"width": 1, "inner": 7}, "here.inner: must be a mapping of keys to values, not 7"),
        ({"width": 1, "hidden": 8}, "here.hidden: is 8, must be a list"),
        ({"width": 1, "hidden": "8"}, "here.hidden: is '8', must be a list"),
        ({"width": 1, "hidden": [8, 0]}, "here.hidden[1]: is 0, must be at least 1"),
        ({"width": 1, "limit": "none"}, "here.limit: is 'none' (str), must be float"),
        ({"width": 1, "limit": float("nan")}, "here.limit: is nan, must be finite"),
        ({"width": 1, "flag": 1}, "here.flag: is 1 (int), must be bool"),
        ({"width": 1, "options": [1]}, "here.options: is [1], must be a mapping"),
        ([1], "here: must be a mapping of keys to values, not [1]"),
    ],
)
def test_refusals(values: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        Outer.parse(values, "here")
    assert str(error.value) == message


def test_a_rule_between_keys_names_the_entry() -> None:
    """A class's own rule speaks of ``Window.low``; from a file it is the file's key that is named."""

    @dataclass(frozen=True)
    class Window(Config):
        low: Natural = 0
        high: Natural = 1

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.low > self.high:
                raise InputError(f"Window.low: is {self.low}, above 'high'; lower it")

    with pytest.raises(InputError, match=r"^Window\.low: is 2, above"):
        Window(low=2)
    with pytest.raises(InputError, match=r"^params\.yaml: here\.low: is 2, above"):
        Window.parse({"low": 2}, "params.yaml: here")


def test_suggestion() -> None:
    assert suggestion("flo", ["flow", "gan"]) == "did you mean 'flow'?"
    assert suggestion("xyz", ["flow", "gan"]) == "one of flow, gan"
    assert suggestion("xyz", []) == "one of none"


def test_checked_leaves_a_dataclass_alone() -> None:
    assert checked(Inner(rate=2), Inner, "here") == Inner(rate=2.0)


@dataclass(frozen=True)
class Careful(Config):
    inner: Inner = Inner(betas=(0.5, 0.5))


def test_a_nested_mapping_keeps_the_defaults_it_does_not_name() -> None:
    assert Careful.parse({"inner": {"rate": 0.5}}, "test").inner == Inner(rate=0.5, betas=(0.5, 0.5))

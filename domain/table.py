"""A table of families by name, each imported when it is first asked for.

A stage works with one family or two. It starts in half the time when it imports neither the others
nor the libraries that only they stand on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TypeVar

T = TypeVar("T")


class Table(Mapping[str, T]):
    """Maps a name to what ``package`` holds in a place.

    Args:
        package: the full name of a package, usually ``__name__`` in its ``__init__.py``.
        places: name → ``module.attribute``, the module within the package.
    """

    def __init__(self, package: str, **places: str) -> None:
        self.places = {name: f"{package}.{place}" for name, place in places.items()}

    def __getitem__(self, name: str) -> T:
        module, _, attribute = self.places[name].rpartition(".")
        found: T = getattr(import_module(module), attribute)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def name(self, kind: type) -> str | None:
        """The name of a class, or None where it stands in no place; imports nothing."""
        place = f"{kind.__module__}.{kind.__qualname__}"
        return next((name for name, other in self.places.items() if other == place), None)

"""Random search, and what it says: settings drawn from wide ranges, then from narrow ones around the best.

The protocol of Lucic et al. 2018 (arXiv 1711.10337): the authors' own setting is the first trial, others
are drawn at random, the best is trained again with several seeds. There a reader chose the narrow
ranges; here a rule does (:func:`narrowed`), so that a search runs by itself.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import kruskal, spearmanr

from domain.config import Config
from domain.errors import InputError

Setting = dict[str, Any]


@dataclass(frozen=True)
class Span(Config):
    """Where one value is drawn from: evenly between two ends, or from a list.

    Attributes:
        sets: the parameters of the model that get it, dots between nested keys.
        low, high: the ends.
        log: draw evenly in the logarithm.
        choices: the list, in place of ends.
    """

    sets: tuple[str, ...]
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sets:
            raise InputError("Span.sets: is empty; name at least one parameter")
        if not self.choices and not (self.low < self.high and (self.low > 0 or not self.log)):
            raise InputError(f"Span.low: draws from {self.low:g} to {self.high:g}; give low < high, above 0 with log, or choices")

    def draw(self, rng: np.random.Generator) -> Any:
        """One value."""
        if self.choices:
            return self.choices[rng.integers(len(self.choices))]
        low, high = self._ends()
        return self._value(rng.uniform(low, high))

    def around(self, value: Any, share: float) -> Span:
        """The part of it that reaches ``share`` / 2 of its width to either side of a value; of a list the value alone."""
        if self.choices:
            return replace(self, choices=(value,))
        low, high = self._ends()
        reach = share * (high - low) / 2
        middle = min(max(math.log(value) if self.log else value, low + reach), high - reach)  # all of it lies inside
        return replace(self, low=self._value(middle - reach), high=self._value(middle + reach))

    def _ends(self) -> tuple[float, float]:
        return (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)

    def _value(self, place: float) -> float:
        return min(max(math.exp(place) if self.log else place, self.low), self.high)


def drawn(spans: Mapping[str, Span], rng: np.random.Generator) -> Setting:
    """One setting: name of a span → value."""
    return {name: span.draw(rng) for name, span in spans.items()}


def narrowed(spans: Mapping[str, Span], setting: Setting, share: float) -> dict[str, Span]:
    """The spans around a setting; see :meth:`Span.around`."""
    return {name: span.around(setting[name], share) for name, span in spans.items()}


def own_setting(spans: Mapping[str, Span], parameters: Mapping[str, Any]) -> Setting:
    """What a model's parameters, defaults included, have in place of a drawn setting."""
    return {name: _at(parameters, span.sets[0]) for name, span in spans.items()}


def applied(spans: Mapping[str, Span], setting: Setting, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A model's parameters with those of a setting in their places."""
    changed = copy.deepcopy(dict(parameters))
    for name, value in setting.items():
        for path in spans[name].sets:
            *folders, key = path.split(".")
            inner = _at(changed, ".".join(folders)) if folders else changed
            if not isinstance(inner, dict) or key not in inner:
                raise InputError(f"{name}.sets: the model has no parameter {path!r}; correct the name")
            inner[key] = value
    return changed


def _at(parameters: Mapping[str, Any], path: str) -> Any:
    value: Any = parameters
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise InputError(f"sets: the model has no parameter {path!r}; correct the name")
        value = value[key]
    return value


def best_so_far(
    wide: Sequence[float], narrow: Sequence[float], budget: int, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """The lowest figure that searches of ``budget`` trials find, (resamples,): a bootstrap over the trials.

    Each resample has the default, which is the first of ``wide``, then as many of the others of ``wide``
    as the search had before it narrowed, then of ``narrow``, all drawn with replacement. What a narrow
    search finds depends on the wide one before it, which stays as it was: the spread is too small there.

    Args:
        wide: figures of the default and of wide trials; infinite where a training diverged.
        narrow: figures of the trials after them.
        budget: 1 to len(wide) + len(narrow).
        resamples: how many.
        rng: draws them.
    """
    if not 1 <= budget <= len(wide) + len(narrow):
        raise InputError(f"budget: is {budget}; the search had 1 to {len(wide) + len(narrow)} trials")
    lowest: np.ndarray = np.full(resamples, wide[0], float)
    first = min(budget, len(wide)) - 1
    for pool, count in ((wide[1:], first), (narrow, budget - 1 - first)):
        if count:
            lowest = np.minimum(lowest, rng.choice(np.asarray(pool, float), (resamples, count)).min(1))
    return lowest


def spreads(groups: Sequence[Sequence[float] | np.ndarray]) -> dict[str, float]:
    """How far tuned methods lie apart, and how far the seeds of one.

    Args:
        groups: the figures of each method's seeds, two at least of each of two at least.

    Returns:
        ``between``, the standard deviation of the methods' means; ``within``, the root of the mean variance over
        seeds; ``p``, of the Kruskal-Wallis test that all figures come from one distribution.
    """
    if len(groups) < 2 or min(map(len, groups)) < 2:
        raise InputError(f"spreads: {[len(group) for group in groups]} figures a method; give two at least of two methods")
    return {
        "between": float(np.std([np.mean(group) for group in groups], ddof=1)),
        "within": float(np.sqrt(np.mean([np.var(group, ddof=1) for group in groups]))),
        "p": float(kruskal(*groups).pvalue),
    }


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's correlation of two figures of the same trials, (N,) each; None where one of them never changes."""
    value = float(spearmanr(a, b).statistic) if len(a) > 1 and np.ptp(a) > 0 and np.ptp(b) > 0 else math.nan
    return None if math.isnan(value) else value

"""Arms of a study over its seeds: from rows to tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from domain.errors import InputError
from domain.metrics.classification import paired_interval, summary
from domain.view import study

BySeed = Mapping[str, float]
Values = Mapping[str, Mapping[str, BySeed]]  # arm → metric → seed → value


def collected(rows: Sequence[Mapping[str, str]]) -> Values:
    """Rows of a table of results by arm, metric and seed, in the table's order."""
    values: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows:
        values.setdefault(row["arm"], {}).setdefault(row["metric"], {})[row["seed"]] = float(row["value"])
    return values


def spread(by_seed: BySeed, scale: float = 1.0) -> str:
    """Mean ± standard deviation over seeds, times ``scale``."""
    found = summary(scale * np.array(list(by_seed.values())), "lower")
    return f"{found['mean']:.3f}" if found["sd"] is None else f"{found['mean']:.3f} ± {found['sd']:.3f}"


def difference(pair: str, arms: Mapping[str, BySeed], where: str) -> list[str]:
    """One line of a table of differences, paired over the seeds: ``a - b``, its mean and its 95 % interval."""
    a, _, b = pair.partition(" - ")
    for arm in (a, b):
        if arm not in arms:
            raise InputError(f"{where}: {pair!r} names no two arms; write 'a - b' with arms among {', '.join(arms)}")
    found = paired(arms[a], arms[b])
    if found is None:
        return [study.name(pair), *["needs two seeds"] * 2]
    return [study.name(pair), f"{found['mean']:+.3f}", f"{found['low']:+.3f} to {found['high']:+.3f}"]


def paired(first: BySeed, second: BySeed) -> Mapping[str, float] | None:
    """``first`` less ``second`` over the seeds that both have: mean, and low and high of its 95 % interval; None of fewer than two."""
    shared = [seed for seed in first if seed in second]
    if len(shared) < 2:
        return None
    return paired_interval(*(np.array([values[seed] for seed in shared]) for values in (first, second)))


def differences_table(lines: Sequence[Sequence[str]], metric: str) -> str:
    """The table of such lines."""
    return study.table(("difference", metric, "95 % interval, paired over seeds"), lines)

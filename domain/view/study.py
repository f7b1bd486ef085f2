"""A study's summary as Markdown: the tables that a paper would print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
TRUST = {  # metric → column
    "nll": "nll",
    "ece": "ece",
    "brier": "brier",
    "errors_removed": "rejected",
    "errors_removed_oracle": "oracle",
}


def page(record: Mapping[str, Any], with_trust: bool, with_warps: bool = False) -> str:
    """The whole page.

    Args:
        record: ``title``, ``unit``, ``test`` (number of test samples), ``rejected`` (a share), ``missing``
            (names of tasks), ``rows``, ``apart`` (task → ``note``, ``rows``) and ``rests_on``. A row is one
            method at one number of labels: ``seeds`` (→ errors), ``single`` (metric → ``mean``, ``sd``,
            ``median``, ``worst``, ``n``; None where nothing was run), ``ensemble`` (metric → value, or None),
            ``core_hours``, ``hardware`` and, in the main table, ``published``, ``published_ensemble``.
        with_trust: whether reliability.svg and risk_coverage.svg lie beside it.
        with_warps: whether warps.png does.
    """
    parts = [f"# {record['title']}", *missing(record["missing"]), introduction(record)]
    parts += [errors(record["rows"], published=True)]
    parts += ["![Each dot is one seed, the diamond the ensemble, grey the published figure](errors.svg)"]
    parts += ["![Errors against core-hours a seed; grey the published figure](cost.svg)"]
    for task, table in record["apart"].items():
        parts += [f"## {name(task)}", table["note"], errors(table["rows"], published=False)]
    parts += ["## Can its doubts be trusted?", explanation(record), trust(record["rows"])]
    parts += (
        ["![Reliability](reliability.svg)", "![Risk and coverage](risk_coverage.svg)"] if with_trust else []
    )
    parts += ["## What the figures rest on", "\n".join(f"- {sentence}" for sentence in record["rests_on"])]
    parts += ["![Positions of pixels, learned from their correlations, and warps along them](warps.png)"] * with_warps
    return "\n\n".join(parts) + "\n"


def unit(record: Mapping[str, Any]) -> str:
    """What the figures count, in words."""
    return "wrong answers" if record["unit"] == "errors" else "wrong answers [%]"


def introduction(record: Mapping[str, Any]) -> str:
    """What the main table shows."""
    among = f" among {record['test']:,} test samples" if record["test"] else ""
    return (
        f"Figures are {unit(record)}{among}, mean ± standard deviation over seeds; fewer is better. The ensemble "
        "answers with the mean of all seeds' probabilities, each seed with labels of its own, as published."
    )


def missing(tasks: Sequence[str]) -> list[str]:
    """A sentence where there are such tasks."""
    verb = "has" if len(tasks) == 1 else "have"
    return [f"**Not whole:** {', '.join(tasks)} {verb} not been run."] if tasks else []


def explanation(record: Mapping[str, Any]) -> str:
    """What the columns of :func:`trust` mean."""
    rejected = f"{100 * record['rejected']:g} %"
    return (
        "Likelihood in nats, expected calibration error over 15 bins of equal width and Brier score, all lower "
        f"is better. Rejected: the share of all errors among the {rejected} least confident answers; a random "
        f"choice of answers has {rejected} of them, and the oracle knows the labels. Single is the mean over seeds."
    )


def errors(rows: Sequence[Row], published: bool) -> str:
    """The errors of every method, each seed's too, and what they cost."""
    columns = ["labels", "method", "seeds", "mean ± sd", "median", "worst", "each seed", "ensemble"]
    columns += ["published", "its ensemble"] if published else []
    return table([*columns, "core-hours a seed", "hardware"], (error_cells(row, published) for row in rows))


def error_cells(row: Row, published: bool) -> list[str]:
    """One line of :func:`errors`."""
    of = row["single"]["test_errors"] if row["single"] else None
    cells = [str(row["labels"]), name(row["method"]), str(len(row["seeds"]) or "")]
    cells += [spread(of["mean"], of["sd"]), number(of["median"]), number(of["worst"])] if of else [""] * 3
    cells += [" ".join(map(number, row["seeds"].values()))]
    cells += [number(row["ensemble"]["test_errors"]) if row["ensemble"] else ""]
    if published:
        cells += [spread(*row[key]) if row[key] else "" for key in ("published", "published_ensemble")]
    return [*cells, "" if row["core_hours"] is None else f"{row['core_hours']:.2g}", row["hardware"]]


def trust(rows: Sequence[Row]) -> str:
    """Calibration and rejection of every method that was run, single and as an ensemble."""
    columns = ["labels", "method", *TRUST.values(), *(f"ensemble: {title}" for title in TRUST.values())]
    return table(columns, (trust_cells(row) for row in rows if row["single"]))


def trust_cells(row: Row) -> list[str]:
    """One line of :func:`trust`."""
    singles = [row["single"][metric]["mean"] if row["single"][metric] else None for metric in TRUST]
    ensembles = [row["ensemble"][metric] if row["ensemble"] else None for metric in TRUST]
    return [str(row["labels"]), name(row["method"]), *(small(value) for value in singles + ensembles)]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a pipe or a line break in a cell would end it, so they are replaced."""
    lines = [columns, ["---"] * len(columns), *rows]
    tidy = [[" ".join(cell.replace("|", "/").split()) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in tidy)


def name(identifier: str) -> str:
    """An arm's or a task's name as words."""
    return identifier.replace("_", " ")


def seeds(count: int) -> str:
    """How many seeds, in words."""
    return f"{count} seed{'s' * (count != 1)}"


def number(value: float) -> str:
    """Four digits, the precision of the published figures."""
    return f"{value:.4g}" if value < 1000 else f"{value:.0f}"


def small(value: float | None) -> str:
    """Three digits; nothing where there is no value."""
    return "" if value is None else f"{value:.3g}"


def spread(mean: float, sd: float | None) -> str:
    """Mean ± standard deviation, if there is one."""
    return number(mean) if sd is None else f"{number(mean)} ± {small(sd)}"

"""A study of surrogates as a page of Markdown: tables of means over seeds, the floor in every one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from domain.view import study
from pipelines.evaluate.sides import Side

# (surrogate, seed) → (group, range of conditions) → metric → value
Measured = Mapping[tuple[str, int], Mapping[tuple[str, str], Mapping[str, float]]]
Column = tuple[str, float, int]  # title, what a value is multiplied by, digits

TOLD: Mapping[str, Column] = {
    "fpd": ("FPD × 10³", 1000, 2),
    "kpd": ("KPD × 10³", 1000, 3),
    "separation_mass": ("separation of mass × 10³", 1000, 1),
    "separation_pt": ("of pT", 1000, 1),
    "separation_tau21": ("of τ21", 1000, 1),
    "separation_worst": ("worst separation × 10³", 1000, 1),
    "etot_bias": ("E_tot bias %", 100, 2),
    "etot_sigma_ratio": ("E_tot σ ratio", 1, 3),
    "etot_linearity": ("E_tot off its line %", 100, 2),
    "coverage": ("coverage", 1, 3),
    "copies": ("nearer than held-out", 1, 3),
}
TRANSFER: Mapping[str, Column] = {
    "transfer_real_to_real": ("simulated → simulated %", 100, 1),
    "transfer_generated_to_real": ("generated → simulated %", 100, 1),
    "transfer_real_to_generated": ("simulated → generated %", 100, 1),
    "transfer_generated_to_generated": ("generated → generated %", 100, 1),
    "transfer_loss": ("points lost", 100, 1),
}


def page(
    measured: Measured, title: str, count: int, kind: type[Side], figures: Sequence[tuple[str, str, str]], rests_on: Sequence[str]
) -> str:
    """``summary.md``.

    Args:
        measured: every figure.
        title: of the page.
        count: held-out samples a side, of each file.
        kind: whose tests and observables the columns and rows name.
        figures: (group, file, caption) of each.
        rests_on: sentences that end the page.
    """
    seeds = len({seed for _, seed in measured})
    parts = list(dict.fromkeys(part for parts in measured.values() for part in parts))
    told = {f"auc_{name}": (label, 1.0, 3) for name, label in kind.tests.items()} | dict(TOLD)
    text = (
        f"Mean ± standard deviation over seeds, up to {seeds} of them; up to {count:,} drawn samples against as many of the simulator, given "
        "the same. The floor is other samples of the simulator, where only the judge has seeds: 0.5 is the AUC of what cannot "
        "be told apart, and half of what copies nothing is nearer to the training samples than held-out samples are."
    )
    lines, single = [f"# {title}", text], len({group for group, _, _ in figures}) == 1
    for group in dict.fromkeys(group for group, _, _ in figures):
        lines += [] if single else [f"## {study.name(group)}"]
        for _, part in (each for each in parts if each[0] == group):
            lines += [] if part == "all" else [f"### {part}"]
            lines.append(compared(measured, (group, part), told))
        lines += [f"![{caption}]({file})" for of, file, caption in figures if of == group]
        lines += ["Separation power × 10³, mean over seeds:", separations(measured, (group, "all"), kind.labels)]
    for part in parts:
        if any("transfer_loss" in values.get(part, {}) for values in measured.values()):
            lines += [f"## Telling {part[0]} apart, trained → tested", compared(measured, part, TRANSFER)]
    return "\n\n".join([*lines, *["\n".join(f"- {sentence}" for sentence in rests_on)] * bool(rests_on)]) + "\n"


def compared(measured: Measured, part: tuple[str, str], columns: Mapping[str, Column]) -> str:
    """A table with a line for each surrogate that was measured there, and the columns that were."""
    seen = {name: of(measured, name, part) for name in dict.fromkeys(name for name, _ in measured)}
    seen = {name: values for name, values in seen.items() if values}
    known = [metric for metric in columns if any(metric in values[0] for values in seen.values())]
    lines = [
        [study.name(name), f"{len(values)}", *(spread([each[metric] for each in values], *columns[metric][1:]) for metric in known)]
        for name, values in seen.items()
    ]
    return study.table(("surrogate", "seeds", *(columns[metric][0] for metric in known)), lines)


def separations(measured: Measured, part: tuple[str, str], labels: Mapping[str, str]) -> str:
    """A table with a line for each observable."""
    names = dict.fromkeys(name for name, _ in measured)
    lines = [
        [label, *(f"{1000 * np.mean([each[f'separation_{key}'] for each in of(measured, name, part)]):.1f}" for name in names)]
        for key, label in labels.items()
    ]
    return study.table(("observable", *map(study.name, names)), lines)


def of(measured: Measured, name: str, part: tuple[str, str]) -> list[Mapping[str, float]]:
    """The figures of each seed of one surrogate."""
    return [values[part] for (who, _), values in measured.items() if who == name and part in values]


def spread(values: Sequence[float], scale: float, digits: int) -> str:
    """Mean ± standard deviation, if there is one."""
    scaled = scale * np.asarray(values)
    deviation = f" ± {scaled.std(ddof=1):.{digits}f}" if len(scaled) > 1 else ""
    return f"{scaled.mean():.{digits}f}{deviation}"

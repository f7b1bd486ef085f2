"""Lay everything out on one page that a person would rather look at than read.

    python -m pipelines.report data/report
    python -m pipelines.report data/report --summary

Reads data/evaluation and the parameter file. Writes ``index.html``, self-contained, and
``sources.json``, the digest of every file the page shows. The page also shows wall times, which two
runs never share, so the digests are what DVC tracks. With ``--summary`` it prints the main results
instead, and lays the page out again only if it is missing or out of date.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from domain.errors import InputError
from domain.files import digest, read_json, whole_file, write_json
from domain.view.page import Row, Section, figure, folded, page, spread, table
from pipelines import stage

EVALUATION = Path("data/evaluation")
Record = dict[str, Any]


def main(arguments: argparse.Namespace) -> None:
    out, parameters = Path(arguments.out), Path(arguments.params)
    topics = {name: load(name) for name in TOPICS}
    speed = load("speed") if (EVALUATION / "speed.json").exists() else {"rows": []}
    sources = shown(topics, parameters)
    if not (arguments.summary and current(out, sources)):
        content = lay_out(topics, speed, parameters.read_text())
        with whole_file(out / "index.html") as partial:
            partial.write_text(content)
        write_json(out / "sources.json", sources)
    if arguments.summary:
        print(summary(topics, speed))
        print(f"\nThe report: {(out / 'index.html').resolve()}")


def current(out: Path, sources: dict[str, str]) -> bool:
    """Whether the page shows just these sources, and no older wall times."""
    page, kept, speed = out / "index.html", out / "sources.json", EVALUATION / "speed.json"
    if not (page.exists() and kept.exists()) or read_json(kept) != sources:
        return False
    return not speed.exists() or speed.stat().st_mtime <= page.stat().st_mtime


def load(topic: str) -> Record:
    """One topic of the evaluation; a missing key is one clear error."""
    return Checked(read_json(EVALUATION / f"{topic}.json"), f"{EVALUATION}/{topic}.json")


class Checked(dict):
    """A JSON object that says which file lacks which key."""

    def __init__(self, content: Any, where: str) -> None:
        if not isinstance(content, dict):
            raise InputError(f"{where}: must hold a JSON object; run `dvc repro --force` to make it again")
        super().__init__({key: checked(value, f"{where}: {key}") for key, value in content.items()})
        self.where = where

    def __missing__(self, key: str) -> Any:
        raise InputError(f"{self.where}: the key {key!r} is missing; run `dvc repro --force` to make the file again")


def checked(value: Any, where: str) -> Any:
    """The value, with every object inside it checked."""
    if isinstance(value, list):
        return [checked(item, f"{where}[{k}]") for k, item in enumerate(value)]
    return Checked(value, where) if isinstance(value, dict) else value


def shown(topics: dict[str, Record], parameters: Path) -> dict[str, str]:
    """The digest of every file on the page."""
    figures = [EVALUATION / entry["file"] for topic in topics.values() for entry in topic["figures"]]
    files = [parameters, *(EVALUATION / f"{name}.json" for name in topics), *figures]
    for path in files:
        if not path.is_file():
            raise InputError(f"{path}: no such file, but the evaluation names it; run `dvc repro --force`")
    return {path.as_posix(): digest(path) for path in files}


def lay_out(topics: dict[str, Record], speed: Record, parameters: str) -> str:
    """The page's HTML."""
    sections = [make(topics[name]) for name, make in TOPICS.items()]
    if speed["rows"]:
        sections.append(how_fast(speed))
    sections.append(
        Section("parameters", "Parameters", "Every knob of this run.", [folded("params.yaml", parameters)])
    )
    lead = "Simulators into training data, few labels into classifiers: what one run made, each number beside its floor."
    return page("Simulacra: the default flow", lead, flow(topics), sections, FOOTER)


FOOTER = (
    "Made by `dvc repro`; the digest of every file shown is in sources.json. Means and spreads are over seeds, from the "
    "last step of training; nothing was chosen on test data. Feature FID uses this project's own classifier and is not "
    "comparable with published Inception FID."
)


def flow(topics: dict[str, Record]) -> list[tuple[str, str]]:
    """What each stage made, in a few words."""
    arms = sum(len(task["arms"]) for task in topics["classification"]["tasks"].values())
    return [
        ("prepare", "real digits, few labels"),
        ("simulate", "strokes, jets, showers"),
        ("train", ", ".join(topics["generators"]["models"])),
        ("refine", ", ".join(topics["refinement"]["pairs"])),
        ("classify", f"{arms} arms over seeds"),
        ("surrogate", ", ".join(topics["showers"]["surrogates"])),
        ("evaluate", "floors beside numbers"),
        ("report", "this page"),
    ]


def figures(topic: Record) -> list[str]:
    return [figure(EVALUATION / entry["file"], entry["caption"], entry["alt"]) for entry in topic["figures"]]


def classification(topic: Record) -> Section:
    blocks = figures(topic)
    for name, task in topic["tasks"].items():
        arms = sorted(task["arms"].items(), key=lambda arm: -arm[1]["accuracy"]["mean"])
        rows = [
            Row(arm.replace("_", " "), [
                f"<b>{spread(m['accuracy'])}</b>" if k == 0 else spread(m["accuracy"]),
                f"{100 * m['accuracy']['median']:.1f}", f"{100 * m['accuracy']['worst']:.1f}",
                spread(m["nll"], 3, percent=False), spread(m["ece"]), str(m["accuracy"]["n"]),
            ])
            for k, (arm, m) in enumerate(arms)
        ]
        head = ("arm", "accuracy %", "median", "worst", "NLL, nats", "ECE %", "seeds")
        source = f"data/classified/{name}, {made_by('classification')}"
        blocks.append(table(head, rows, f"{task['title'].capitalize()}: {task['test']} real test images.", source))
        differences = [
            Row(f"{d['a']} − {d['b']}".replace("_", " "), [f"{100 * d['mean']:+.1f}", f"{100 * d['low']:+.1f} to {100 * d['high']:+.1f}"])
            for d in task["differences"]
        ]
        if differences:
            blocks.append(table(("difference", "points", "95 % interval"), differences, "Accuracy, paired by seed.", source))
    text = (
        "Few labels: every seed draws its own 50 labels; the other training images are unlabelled. "
        "Strokes to digits: trained on simulated images, tested on real ones, all arms at equal counts."
    )
    return Section("classification", "Classification", text, blocks)


def made_by(topic: str) -> str:
    """Where a topic's numbers are, and the command that makes them."""
    return f"{EVALUATION}/{topic}.json by python -m pipelines.evaluate.{topic}"


MEASURES = ("c2st_auc", "feature_fid", "precision", "recall", "density", "coverage")
MEASURE_HEAD = ("C2ST AUC", "feature FID", "precision", "recall", "density", "coverage")


def measures(record: Record) -> list[str]:
    auc = f"{record['c2st_auc']:.3f} <small>± {record['c2st_error']:.3f}</small>"
    return [auc, f"{record['feature_fid']:.1f}", *(f"{record[name]:.2f}" for name in MEASURES[2:])]


def generators(topic: Record) -> Section:
    rows = [
        Row(name, [*measures(m), f"{m['memorisation']:.2f}", f"≥ {m['bound_nats']:.1f}" if "bound_nats" in m else "–"])
        for name, m in topic["models"].items()
    ]
    rows.append(Row("real images (floor)", [*measures(topic["floor"]), f"{topic['floor']['memorisation']:.2f}", "–"], floor=True))
    head = ("model", *MEASURE_HEAD, "memorisation", "log p, nats")
    text = (
        "Samples against held-out real images. C2ST AUC is a fresh classifier's, 0.5 where it sees no difference; "
        "memorisation is the distance to the nearest training image over that of held-out images, near 0 for copies; "
        "log p is of test images scaled to [−1, 1], a lower bound."
    )
    source = made_by("generators")
    return Section("generators", "Generators", text, [table(head, rows, "Generated against real.", source), *figures(topic)])


def refinement(topic: Record) -> Section:
    blocks = figures(topic)
    for name, pair in topic["pairs"].items():
        rows = [
            Row(side, [*measures(pair[side]), f"{100 * pair[side]['label_agreement']:.1f}"]) for side in ("raw", "refined")
        ]
        rows.append(Row("real images (floor)", [*measures(pair["floor"]), f"{100 * pair['floor']['label_agreement']:.1f}"], floor=True))
        caption = f"{name}: the refiner moved pixels by {pair['change']:.2f} on average, in images from −1 to 1."
        blocks.append(table(("samples", *MEASURE_HEAD, "label read back %"), rows, caption, made_by("refinement")))
    text = (
        "Simulated images before and after the refiner, against held-out real ones. The last column is how often a "
        "classifier trained on real images reads the label that the simulator gave."
    )
    return Section("refinement", "Refinement", text, blocks)


def jets(topic: Record) -> Section:
    rows = [
        Row(name, [str(c["count"]), *(f"{c[key]:.1f}" for key in ("mass_peak", "mass_median", "pt_median")), f"{c['tau21_median']:.3f}"])
        for name, c in topic["classes"].items()
    ]
    head = ("class", "jets", "mass peak, GeV", "mass median", "pT median, GeV", "τ21 median")
    caption = f"τ21 alone tells W from QCD with an AUC of {topic['tau21_auc']:.3f}; 0.5 is chance."
    return Section(
        "jets", "Jets", "W and QCD jets by Pythia 8 and FastJet, as 25×25 images.",
        [*figures(topic), table(head, rows, caption, made_by("jets"))],
    )


DISTANCES = {  # key → what it is, and what it is multiplied by
    "fpd": ("FPD of observables × 10³", 1000),
    "kpd": ("KPD of observables × 10³", 1000),
    "wasserstein_worst": ("farthest observable, 1-Wasserstein, % of its spread", 100),
    "linearity": ("response off a straight line, %", 100),
}


def showers(topic: Record) -> Section:
    blocks = figures(topic)
    for name, surrogate in topic["surrogates"].items():
        source = made_by("showers")
        tests = [
            Row({"high": "observables (high level)", "low": "all cells (low level)"}[level],
                [f"{a['value']:.3f} <small>± {a['error']:.3f}</small>", f"{a['floor']:.3f}"])
            for level, a in surrogate["auc"].items()
        ]
        blocks.append(table(("two-sample test", "AUC", "simulator against itself"), tests, f"{name}: can a fresh classifier tell?", source))
        far = [
            Row(label, [f"{scale * surrogate['distances'][key][side]:.2f}" for side in ("value", "floor")])
            for key, (label, scale) in DISTANCES.items()
        ]
        blocks.append(table(("distance", "surrogate", "simulator against itself"), far, f"{name}: how far apart?", source))
        worst = sorted(surrogate["observables"].values(), key=lambda o: -o["separation"])
        rows = [Row(o["label"], [f"{1e3 * o[key]:.2f}" for key in ("separation", "floor", "bias")]) for o in worst]
        head = ("observable", "separation × 10³", "simulator against itself", "subtracted bias")
        caption = (
            f"{name}: separation power, 0 equal to 1000 disjoint, worst first. The surrogate is asked for the incident "
            "energies of the showers it is compared with, so what follows the energy can come out below zero."
        )
        blocks.append(table(head, rows, caption, source))
    rows = [
        Row(f"layer {c['layer']}", [f"{c[f'{side}_mean']:.4f} <small>± {c[f'{side}_sd']:.4f}</small>" for side in ("cascade", "gflash")])
        for c in topic["layers"]
    ]
    first = topic["layers"][0]
    caption = f"Shares of the energy: {first['count']} showers of {first['energy']:.0f} GeV, particle by particle, and by GFLASH; mean ± sd."
    blocks.append(table(("share of the energy", "cascade", "GFLASH"), rows, caption, made_by("showers")))
    text = (
        "Electromagnetic showers in lead and liquid argon: GFLASH, and a flow that learned it, at the same energies; "
        "and how far GFLASH's formulas agree with showers simulated particle by particle."
    )
    return Section("showers", "Showers", text, blocks)


def how_fast(speed: Record) -> Section:
    rows = [
        Row(f"{row['surrogate']}, batch {row['batch']}", [f"{row['simulator_ms']:.3f}", f"{row['surrogate_ms']:.3f}", f"{row['ratio']:.2f}×"])
        for row in speed["rows"]
    ]
    caption = f"Milliseconds a shower, warm, {speed['threads']} thread, {speed['hardware']}, measured {speed['measured']}."
    text = "Simulator and surrogate side by side in one run. GFLASH is itself a fast simulator: only faithfulness justifies a surrogate of it."
    block = table(("what", "simulator", "surrogate", "gain"), rows, caption, f"{EVALUATION}/speed.json by python -m pipelines.evaluate.showers")
    return Section("speed", "Speed", text, [block])


TOPICS: dict[str, Callable[[Record], Section]] = {
    "classification": classification,
    "refinement": refinement,
    "generators": generators,
    "jets": jets,
    "showers": showers,
}


def summary(topics: dict[str, Record], speed: Record) -> str:
    """The main results as plain lines."""
    lines = []
    for task in topics["classification"]["tasks"].values():
        lines.append(f"\n{task['title']}: accuracy % on {task['test']} real test images, mean ± sd over seeds")
        for arm, m in sorted(task["arms"].items(), key=lambda arm: -arm[1]["accuracy"]["mean"]):
            sd = 0.0 if m["accuracy"]["sd"] is None else m["accuracy"]["sd"]
            lines.append(f"  {arm.replace('_', ' '):34}{100 * m['accuracy']['mean']:6.1f} ± {100 * sd:.1f}")
    floor = topics["generators"]["floor"]
    lines.append(f"\nC2ST AUC against real images (real against real: {floor['c2st_auc']:.3f})")
    looks = {**topics["generators"]["models"]}
    for pair, sides in topics["refinement"]["pairs"].items():
        looks |= {f"{pair} {side}": sides[side] for side in ("raw", "refined")}
    lines += [f"  {name:34}{record['c2st_auc']:6.3f}" for name, record in looks.items()]
    lines.append("\nsurrogates: AUC against the simulator (simulator against itself)")
    for name, surrogate in topics["showers"]["surrogates"].items():
        tests = [f"{level} level {a['value']:.3f} ({a['floor']:.3f})" for level, a in surrogate["auc"].items()]
        lines.append(f"  {name:34}{', '.join(tests)}")
    for row in speed["rows"]:
        what = f"{row['surrogate']}, batch {row['batch']}"
        lines.append(f"  {what:34}{row['surrogate_ms']:.3f} ms a shower, simulator {row['simulator_ms']:.3f}")
    return "\n".join(lines).lstrip("\n")


if __name__ == "__main__":
    made = stage.parser(__name__, out="folder to write")
    made.add_argument("--summary", action="store_true", help="print the main results; lay out the page only if need be")
    stage.run(main, made)

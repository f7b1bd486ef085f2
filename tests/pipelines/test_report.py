"""The page: whole, self-contained, legible; opened in a browser as a reader would."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain.errors import InputError
from domain.files import write_json
from domain.view import comparisons, pictures, plots
from pipelines import report, stage

SUMMARY = {"mean": 0.91, "sd": 0.01, "median": 0.91, "worst": 0.9, "n": 2, "values": [0.9, 0.92]}
SAMPLE = {
    "c2st_auc": 0.8, "c2st_error": 0.01, "feature_fid": 9.0, "precision": 0.8, "recall": 0.7, "density": 0.5, "coverage": 0.6,
    "memorisation": 1.1, "label_agreement": 0.9,
}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small evaluation, whose figures are random numbers."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("seed: 0 # <b>\n")
    out = tmp_path / "data/evaluation"
    out.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 17, (16, 1, 8, 8))
    pictures.rows([images, images], (0, 16), out / "images.png", difference=images - 8)
    comparisons.seeds({"one arm": [0.5, 0.6], HOSTILE: [0.7]}, out / "arms.svg", "accuracy")
    edges = np.linspace(0, 1, 11)
    plots.histograms([(f"observable {k}", edges, {"a": np.arange(10), "b": np.arange(10)}) for k in range(6)], out / "many.svg")
    picture, plot, many = (
        [{"file": file, "caption": f"A caption {HOSTILE}", "alt": "a picture"}] for file in ("images.png", "arms.svg", "many.svg")
    )
    arms = {name: dict.fromkeys(("accuracy", "nll", "ece", "errors"), SUMMARY) for name in ("one arm", HOSTILE)}
    task = {"title": "few labels", "test": 500, "arms": arms, "differences": [{"a": "one arm", "b": "x", "mean": 0.1, "low": 0.0, "high": 0.2}]}
    observable = {"label": "total energy [GeV]", "separation": 1e-3, "floor": 1e-4, "bias": 5e-3}
    jet = {"count": 10, "mass_peak": 80.0, "mass_median": 81.0, "pt_median": 270.0, "tau21_median": 0.4}
    topics: dict[str, Any] = {
        "classification": {"tasks": {"few_labels": task}, "figures": plot},
        "refinement": {"pairs": {"strokes-digits": {"raw": SAMPLE, "refined": SAMPLE, "floor": SAMPLE, "change": 0.1}}, "figures": picture},
        "generators": {"models": {"digits-vae": {**SAMPLE, "bound_nats": -3.0}, "digits-gan": SAMPLE}, "floor": SAMPLE, "figures": picture + picture},
        "jets": {"classes": {"QCD": jet, "W": jet}, "tau21_auc": 0.8, "figures": many},
        "showers": {
            "surrogates": {
                "gflash-flow": {
                    "observables": {"total": observable},
                    "auc": {level: {"value": 0.6, "error": 0.01, "floor": 0.5} for level in ("high", "low")},
                    "distances": dict.fromkeys(("fpd", "kpd", "wasserstein_worst", "linearity"), {"value": 0.1, "floor": 0.0}),
                    "response": [],
                }
            },
            "layers": [dict.fromkeys(("layer", "cascade_mean", "cascade_sd", "gflash_mean", "gflash_sd", "energy", "count"), 1)],
            "figures": many,
        },
        "speed": {
            "hardware": "a processor", "threads": 1, "measured": "2026-01-01",
            "rows": [{"surrogate": "gflash-flow", "batch": 1, "simulator_ms": 1.0, "surrogate_ms": 0.1, "ratio": 10.0}],
        },
    }
    for name, content in topics.items():
        write_json(out / f"{name}.json", content)
    return tmp_path


def run(*arguments: str) -> None:
    made = stage.parser("pipelines.report", out="folder")
    made.add_argument("--summary", action="store_true")
    report.main(made.parse_args(["data/report", *arguments]))


def test_the_page_needs_nothing_else(folder: Path) -> None:
    run()
    text = (folder / "data/report/index.html").read_text()
    addresses = set(re.findall(r'(?:src|href)="([^"]{0,40})', text))
    assert all(address.startswith(("data:", "#")) for address in addresses), addresses
    assert HOSTILE not in text and "&lt;script&gt;" in text
    identifiers = re.findall(r'\bid="([^"]+)"', text)
    drawn_twice = {name for name in identifiers if identifiers.count(name) > 1 and "-many-" not in name}
    assert not drawn_twice


def test_sources_name_every_file_shown(folder: Path) -> None:
    run()
    sources = json.loads((folder / "data/report/sources.json").read_text())
    assert {"params.yaml", "data/evaluation/jets.json", "data/evaluation/images.png"} <= set(sources)
    assert "data/evaluation/speed.json" not in sources


def test_the_summary_lays_the_page_out_only_if_need_be(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("--summary")
    page = folder / "data/report/index.html"
    assert str(page) in capsys.readouterr().out
    page.write_text("kept")
    run("--summary")
    assert page.read_text() == "kept"
    (folder / "params.yaml").write_text("seed: 1\n")
    run("--summary")
    assert page.read_text() != "kept"
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("The report")) <= 100


def test_a_missing_key_in_a_list_is_named(folder: Path) -> None:
    path = folder / "data/evaluation/jets.json"
    content = json.loads(path.read_text())
    del content["figures"][0]["alt"]
    write_json(path, content)
    with pytest.raises(InputError, match=r"jets.json: figures\[0\]: the key 'alt' is missing"):
        run()


@pytest.mark.parametrize("key", ["tau21_auc", "figures"])
def test_a_missing_key_is_named(folder: Path, key: str) -> None:
    path = folder / "data/evaluation/jets.json"
    content = json.loads(path.read_text())
    del content[key]
    write_json(path, content)
    with pytest.raises(InputError, match=rf"jets.json: the key '{key}' is missing"):
        run()


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PROBE = """<script>window.addEventListener('load', () => {
  const broken = [...document.images].filter(i => !i.complete || !i.naturalWidth).length;
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  document.title = `broken ${broken}, overflow ${wide}, width ${innerWidth}`;
  parent.postMessage(document.title, '*'); });</script>"""
FRAME = """<iframe src="index.html" style="width: %dpx; height: 800px; border: 0"></iframe>
<script>addEventListener('message', event => { document.title = event.data; });</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; install the package chromium")
@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_in_a_browser(folder: Path, width: int, dark: bool) -> None:
    """No console errors, no broken image, nothing wider than the window."""
    run()
    page = folder / "data/report/index.html"
    page.write_text(page.read_text().replace("</body>", f"{PROBE}</body>"))
    frame = page.with_name("frame.html")  # the browser's own window cannot be as narrow as a telephone's
    frame.write_text(FRAME % width)
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr",
        "--window-size=1300,900", f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--virtual-time-budget=5000", "--dump-dom", frame.as_uri(),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert f"broken 0, overflow 0, width {width}" in result.stdout, re.findall(r"<title>[^<]*", result.stdout)
    assert "CONSOLE" not in result.stderr, [line for line in result.stderr.splitlines() if "CONSOLE" in line]

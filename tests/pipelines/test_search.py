"""From digits to the table of a search, by configuration alone; a search that is killed repeats no trial."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import pipelines.search
from domain import training
from domain.errors import InputError
from domain.files import digest, read_json
from domain.generators import GENERATORS
from domain.search import applied, own_setting
from pipelines import stage
from pipelines.evaluate.search import Search
from pipelines.search import Job, Protocol, Searched, search

STUDIES = ["equal_gans", "equal_gans_full"]
Pipeline = Callable[[str], None]

PARAMS = """
prepare:
  digits: {validation: 297, test: 500}
classify:
  features:
    test: digits.h5
    seeds: [0]
    keep: net
    arms: {net: {classifier: supervised, samples: digits.h5, options: {hidden: [16], epochs: 2, average: 0.9}}}
protocol:
  samples: digits.h5
  features: features/model
  budget: {steps: 6, precision: float32}
  wide: 3
  narrow: 2
  seeds: [1, 2]
  count: 40
search:
  gan:
    family: gan
    model: &gan {width: 4, latent: 4, batch: 16}
    ranges:
      rate: {sets: [generator.rate, critic.rate], low: 1.0e-4, high: 1.0e-2, log: true}
      n: {sets: [critic_steps], choices: [1, 3]}
  vae:
    family: vae
    model: *gan
    ranges: {rate: {sets: [optimiser.rate], low: 1.0e-4, high: 1.0e-2, log: true}}
evaluate:
  search:
    title: Two of a kind
    folder: searched
    budgets: [1, 3, 5]
    resamples: 50
    methods: {gan: a critic, vae: none}
    adversarial: [gan, vae]
    rests_on: [Nothing much.]
"""


@pytest.fixture
def prepared(pipeline: Pipeline, tmp_path: Path) -> Path:
    (tmp_path / "study").mkdir()
    (tmp_path / "study/params.yaml").write_text(PARAMS)
    pipeline("prepare digits digits.h5 --params study/params.yaml")
    pipeline("classify features features --params study/params.yaml")
    return tmp_path


def run(pipeline: Pipeline, method: str, out: str) -> None:
    pipeline(f"search {method} {out} --params study/params.yaml")


def test_from_digits_to_the_table(pipeline: Pipeline, prepared: Path) -> None:
    for method in ("gan", "vae"):
        run(pipeline, method, f"searched/{method}")
    trials = read_json(prepared / "searched/gan/trials.json")
    assert [trial["phase"] for trial in trials] == ["wide"] * 3 + ["narrow"] * 2
    assert trials[0]["setting"] == {"rate": 2e-4, "n": 1}
    best = min(trials[:3], key=lambda trial: trial["figures"]["feature_fid"])["setting"]
    for trial in trials[3:]:
        assert trial["setting"]["n"] == best["n"] and trial["setting"]["rate"] != best["rate"]
    winner = min(trials, key=lambda trial: trial["figures"]["feature_fid"])["setting"]
    kept = read_json(prepared / "searched/gan/2/model.json")
    assert kept["config"]["critic"]["rate"] == winner["rate"] and kept["provenance"]["seed"] == 2
    pipeline("evaluate.search study")
    with open(prepared / "study/results.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[:5] == ["study", "method", "seed", "metric", "value"]
    finals = {(row["method"], row["seed"]) for row in rows if row["phase"] == "final" and row["metric"] == "f8"}
    assert finals == {("gan", "1"), ("gan", "2"), ("vae", "1"), ("vae", "2"), ("floor", "")}
    assert len([row for row in rows if row["phase"] == "narrow" and row["metric"] == "feature_fid"]) == 4
    assert all(row["seconds"] and row["revision"] for row in rows if row["method"] != "floor")
    summary = (prepared / "study/summary.md").read_text()
    assert "claim" in summary and "| 3 trials |" in summary and "Nothing much." in summary
    assert (prepared / "study/budget.svg").exists() and (prepared / "study/trade.svg").exists()


def test_a_killed_search_repeats_no_trial(pipeline: Pipeline, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is interrupted in its fourth training; what comes out is the same to the byte."""
    run(pipeline, "gan", "whole/gan")
    begun: list[int] = []
    play, start = training.Run.play, training.Run.start

    def counted(self: training.Run) -> None:
        begun.extend([1] if self.round == 0 else [])
        if len(begun) == 4:
            raise KeyboardInterrupt
        play(self)

    monkeypatch.setattr(training.Run, "play", counted)
    with pytest.raises(SystemExit, match="the same command resumes"):
        run(pipeline, "gan", "killed/gan")
    assert not (prepared / "killed/gan").exists()
    monkeypatch.setattr(training.Run, "play", play)
    fresh: list[int] = []
    monkeypatch.setattr(training.Run, "start", lambda run: (fresh.append(run.round), start(run))[1])
    run(pipeline, "gan", "killed/gan")
    assert len(fresh) == 5 + 2 - 3
    assert digest(prepared / "killed/gan") == digest(prepared / "whole/gan")
    assert not list((prepared / "data/scratch").iterdir())


def test_a_trial_that_diverges_is_a_trial(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULACRA_EXECUTOR", "serial")
    protocol = stage.parameters(Protocol, "study/params.yaml", "protocol")
    method = stage.parameters(Searched, "study/params.yaml", "search", "gan")
    plain = Job(protocol, method, "search.gan", {}, 0)
    fit = pipelines.search.fit

    def diverging(model, *arguments, **options):
        if model.config.generator.rate != 2e-4:
            raise pipelines.search.NotFinite("the weights were not finite")
        return fit(model, *arguments, **options)

    monkeypatch.setattr(pipelines.search, "fit", diverging)
    trials = search(plain, own_setting(method.ranges, plain.model), prepared)
    assert trials[0]["figures"] and all(trial["figures"] is None for trial in trials[1:])


@pytest.mark.parametrize("name", STUDIES)
def test_the_study_searches_what_it_tells_of(name: str) -> None:
    file = stage.ROOT / "studies" / name / "params.yaml"
    content = YAML(typ="safe", pure=True).load(file)
    told, protocol = stage.parameters(Search, str(file), "evaluate", "search"), stage.parameters(Protocol, str(file), "protocol")
    assert list(told.methods) == content["methods"] == list(content["search"])
    assert max(told.budgets) == protocol.wide + protocol.narrow and protocol.seed not in protocol.seeds
    for method in content["methods"]:
        entry = stage.parameters(Searched, str(file), "search", method)
        model = GENERATORS[entry.family].Config.parse(entry.model, method).as_dict()
        assert applied(entry.ranges, own_setting(entry.ranges, model), model) == model


def test_refuses(pipeline: Pipeline, prepared: Path) -> None:
    file = prepared / "study/params.yaml"
    file.write_text(PARAMS.replace("sets: [critic_steps]", "sets: [critic_step]"))
    with pytest.raises(SystemExit, match=r"study/params.yaml: search.gan.ranges: .*no parameter 'critic_step'"):
        run(pipeline, "gan", "searched/gan")
    file.write_text(PARAMS.replace("budgets: [1, 3, 5]", "budgets: [6]"))
    with pytest.raises(SystemExit, match="budgets: has 6"):
        pipeline("evaluate.search study")
    with pytest.raises(InputError, match="adversarial"):
        Search(title="", folder="", budgets=(1,), methods={}, adversarial=("gan",))

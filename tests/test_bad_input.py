"""Whatever is wrong, the user reads one sentence that names the file, the key and the mend.

Each case breaks one thing in a folder that is otherwise in order, and runs one command there. No
output may appear, nothing half done may stay, and what was there before must be untouched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain.classifiers import CLASSIFIERS
from domain.errors import InputError
from domain.files import digest
from tests.breaking import (
    PARAMETERS, Break, attribute, both, bytes_of, column, cut, entry, gone, in_file, in_order, model_json, no_attribute,
    npz, other_weights, parameters, pictures, weights,
)  # fmt: skip

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parameters, sample files and untrained models, all in order."""
    folder = tmp_path_factory.mktemp("good")
    in_order(folder)
    return folder


@dataclass(frozen=True)
class Case:
    """What is broken, the command that meets it, the words it must answer with, its environment."""

    name: str
    line: str
    words: Sequence[str]
    broken: Break = lambda folder: None
    environment: Mapping[str, str] = field(default_factory=dict)


conditional = parameters("latent: 4}", "latent: 4, conditional: true}")
other_arm = parameters("samples: digits.h5, options", "samples: strokes.h5, options")


TRAIN, CLASSIFY = "train digits.h5 gan model", "classify task model"
PREPARE, SIMULATE = "prepare digits there.h5", "simulate strokes simulated.h5"
OWN = "prepare mine there.h5"
REFINE = "refine strokes.h5 digits.h5 simgan there.h5 model"
SURROGATE = "surrogate data/simulated/showers.h5 flow model"
GENERATE = "generate gan --count 5 --out new.h5"
LABELLED = GENERATE.replace("gan", "labelled")
SHOWERS = GENERATE.replace("gan", "data/surrogates/flow")

# Broken sample files: name, how it is broken, words of the error after the file's name.
SAMPLE_FILES = [
    ("truncated", bytes_of("digits.h5", cut), "not a whole HDF5 file", "again"),
    ("not HDF5", bytes_of("digits.h5", lambda content: b"text"), "not a whole HDF5 file"),
    ("empty file", bytes_of("digits.h5", lambda content: b""), "not a whole HDF5 file"),
    ("missing file", gone("digits.h5"), "no such file", "correct the path"),
    ("missing x", column("x", None), "the key 'x' is missing"),
    ("misspelt column", column("labels", np.zeros(240)), "'labels'", "did you mean 'label'?"),
    ("a group", in_file(lambda file: file.create_group("mask")), "'mask' is no column"),
    ("words", column("label", [b"cat"] * 240), "'label' holds object", "convert"),
    ("no schema", no_attribute("schema"), "no attribute 'schema'", "README"),
    ("old schema", attribute("schema", 0), "has schema 0", "reads 1", "make the file again"),
    ("unknown attribute", attribute("clases", 3), "'clases'", "did you mean 'classes'?"),
    ("no range", no_attribute("range"), "attribute 'range' is missing", "add it"),
    ("bad range", attribute("range", [1]), "attribute 'range': has 1 entries, must have 2"),
    ("bad kind", attribute("kind", "images"), "'kind'", "did you mean 'image'?"),
    ("no JSON", in_file(lambda file: file.attrs.__setitem__("kind", 3)), "not JSON"),
    ("short column", column("label", np.zeros(239)), "'label' has 239 rows, 'x' has 240"),
    ("label (N, 1)", column("label", np.zeros((240, 1))), "'label' has shape", "flatten"),
    ("wide condition", column("condition", np.zeros((240, 3))), "'condition' has shape", "2 columns"),
    ("NaN", column("x", np.full((240, 1, 8, 8), np.nan)), "'x' holds NaN", "remove"),
    ("NaN in condition", entry("condition", np.nan), "'condition' holds NaN", "remove"),
    ("label too high", entry("label", 10), "'label' runs from 0 to 10", "10 classes"),
    ("label too low", entry("label", -2), "'label' runs from -2"),
    ("value too high", entry("x", 17), "'x' runs from 0 to 17", "'range'"),
    ("bad split", entry("split", 5), "'split' must hold 0 (train)"),
]

# Broken parameters: name, command, what is replaced by what, words of the error after the file's name.
PARAMETER_VALUES = [
    ("no YAML", TRAIN, "train:", "train: [", "not valid YAML", "correct it"),
    ("double key", TRAIN, "refine:", "train:", "not valid YAML", "duplicate key"),
    ("empty", TRAIN, PARAMETERS, "", "train.gan: there is no entry 'train'"),
    ("missing entry", TRAIN, "gan: {", "gann: {", "train.gan", "did you mean 'gann'?"),
    ("unknown key", TRAIN, "}, budget: {steps: 3", "}, bugdet: {steps: 3", "train.gan.bugdet", "'budget'?"),
    ("deep key", TRAIN, "{steps: 3", "{step: 3", "train.gan.budget.step:", "did you mean 'steps'?"),
    ("model key", TRAIN, "latent", "latnet", "train.gan.model.latnet", "did you mean 'latent'?"),
    ("ill-typed", TRAIN, "steps: 3", "steps: many", "train.gan.budget.steps", "'many' (str)", "int"),
    ("too large", TRAIN, "{steps: 3", "{average: 2.0", "train.gan.budget.average", "at most"),
    ("no mapping", TRAIN, "{steps: 3, precision: float32}", "3", "train.gan.budget", "must be a mapping"),
    ("unknown family", TRAIN, "gan: {", "gan: {family: gam, ", "train.gan: family 'gam'", "'gan'?"),
    ("infinite", TRAIN, "latent: 4", "latent: 4, critic: {rate: .inf}", "critic.rate: is inf", "finite"),
    ("zero count", SIMULATE, "count: 20", "count: 0", "simulate.strokes.count: is 0", "at least 1"),
    ("negative count", SIMULATE, "count: 20", "count: -5", "simulate.strokes.count: is -5"),
    ("simulator", SIMULATE, "strokes: {", "strokes: {simulator: stroke, ", "simulate.strokes", "'strokes'?"),
    ("strokes size", SIMULATE, "size: 8", "size: 7", "simulate.strokes.options.size: is 7", "at least 8"),
    ("strokes style", SIMULATE, "counts", "gray", "simulate.strokes.options.style", "did you mean 'grey'?"),
    ("mass window", "simulate jets new.h5", "[60, 100]", "[100, 60]", "simulate.jets.options.mass", "first"),
    ("data set", PREPARE, "digits: {", "digits: {dataset: digit, ", "prepare.digits", "'digits'?"),
    ("uneven labels", PREPARE, "labels: 50", "labels: 55", "prepare.digits: labels: 55", "10 classes"),
    ("many labels", PREPARE, "labels: 50", "labels: 9000", "labels: class 0 has only", "900"),
    ("test too large", PREPARE, "test: 300", "test: 3000", "prepare.digits.test: is 3000", "smaller"),
    ("arm key", CLASSIFY, "net: {", "net: {labls: 2, ", "classify.task.arms.net.labls", "'labels'?"),
    ("classifier", CLASSIFY, "supervised", "supervise", "task.arms.net.classifier", "'supervised'?"),
    ("option", CLASSIFY, "epochs", "epoch", "classify.task.arms.net.options.epoch:", "'epochs'?"),
    ("ill-typed option", CLASSIFY, "epochs: 1", "epochs: a", "task.arms.net.options.epochs", "'a'", "int"),
    ("no seeds", CLASSIFY, "[0]", "[]", "classify.task.seeds: is empty", "at least one"),
    ("keep no arm", CLASSIFY, "keep: net", "keep: nett", "classify.task.keep: 'nett'", "'net'?"),
    ("keep no network", CLASSIFY, "keep: net", "keep: floor", "keep: 'floor' is no arm with a network"),
]

# Broken model directories: name, how it is broken, words of the error.
MODELS = [
    ("no model", gone("gan"), "gan: holds no model.json", "correct the path"),
    ("no weights", gone("gan/model.safetensors"), "model.safetensors: missing", "again"),
    ("wrong hash", bytes_of("gan/model.safetensors", lambda content: content + b"x"), "'sha256' differs"),
    ("truncated weights", weights(cut), "model.safetensors: does not fit", "again"),
    ("other weights", other_weights, "model.safetensors: does not fit its model.json"),
    ("wider model", model_json(config={"width": 8, "latent": 4}), "model.safetensors: does not fit"),
    ("old model", model_json(schema=0), "model.json: has schema 0", "train the model again"),
    ("role", model_json(role="generators"), "model.json: unknown role", "did you mean 'generator'?"),
    ("family", model_json(family="gann"), "model.json: unknown family", "did you mean 'gan'?"),
    ("no config", model_json(config=None), "model.json: the key 'config' is missing"),
    ("config key", model_json(config={"widht": 8}), "model.json: config.widht: unknown key", "'width'"),
    ("space key", model_json(space={"shape": [1, 8, 8], "range": [0, 1]}), "model.json: space.kind: missing"),
    ("broken JSON", bytes_of("gan/model.json", cut), "model.json: not readable as JSON", "again"),
]

# Nothing is broken but the command: name, command, words of the error.
COMMANDS = [
    ("zero samples", GENERATE.replace("5", "0"), "--count: is 0, must be at least 1"),
    ("negative samples", GENERATE.replace("5", "-3"), "--count: is -3"),
    ("negative seed", f"{GENERATE} --seed -1", "--seed: is -1, must be at least 0"),
    ("shard of nothing", f"{GENERATE} --shard-bytes 0", "--shard-bytes: is 0"),
    ("no such label", f"{LABELLED} --label 10", "--label: is 10", "10 classes"),
    ("label below 0", f"{LABELLED} --label -1", "--label: is -1", "10 classes"),
    ("label without labels", f"{GENERATE} --label 1", "--label: is 1", "not trained to take a label", "leave it out"),
    ("unknown condition", f"{SHOWERS} --condition enrgy=1", "'enrgy'", "did you mean 'energy'?"),
    ("no condition", f"{GENERATE} --condition slant=1", "unknown condition 'slant'"),
    ("no number", f"{SHOWERS} --condition energy=high", "'high' is not a finite number", "name=value"),
    ("NaN asked for", f"{SHOWERS} --condition energy=nan", "'nan' is not a finite number"),
    ("energy too high", f"{SHOWERS} --condition energy=500",
     "'energy'", "500 GeV", "training range"),
    ("other request", GENERATE.replace("new", "strokes"), "strokes.h5: is there already", "--out"),
    ("other file", GENERATE.replace("new", "there"), "there.h5: not a whole HDF5 file"),
    ("a refiner", GENERATE.replace("gan", "simgan"), "simgan: this model does not sample", "generator"),
    ("no folder", GENERATE.replace("new", "file/new"), "file/new.h5: cannot be written", "permissions"),
    ("no model folder", f"{TRAIN.replace('model', 'file/model')}", "file/model: cannot be written"),
    ("other parameters", f"{TRAIN} --params mine.yaml", "mine.yaml: no such file", "--params"),
    ("parameter folder", f"{TRAIN} --params model", "model"),
    ("train on showers", TRAIN.replace("digits", "data/simulated/showers"), "(504,)", "(N, C, H, W)"),
    ("refine showers", REFINE.replace("digits", "data/simulated/showers"), "showers.h5", "store images"),
    ("few showers", "evaluate.showers new", "showers.h5: has 60 samples", "holds out 80", "simulate more"),
    ("no pictures", OWN, "pictures: is no folder", "correct 'path'"),
]

# The environment: name, command, variable, value, words of the error after the variable's name.
ENVIRONMENT = [
    ("workers", SIMULATE, "WORKERS", "zero", "is 'zero'", "above 0"),
    ("threads", SIMULATE, "THREADS", "0", "is '0'", "above 0"),
    ("executor", SIMULATE, "EXECUTOR", "dask", "'dask' gives no executor", "'serial'"),
    ("device", TRAIN, "DEVICE", "gpu", "'gpu'", "use 'cpu'"),
    ("strange device", TRAIN, "DEVICE", "meta", "'meta'", "use 'cpu'"),
    ("absent GPU", TRAIN, "DEVICE", "cuda:99", "no such GPU", "use 'cpu'"),
    ("raw folder", PREPARE, "RAW", "nowhere", "'nowhere' is not a folder", "unset it"),
    ("seconds", TRAIN, "CHECKPOINT_SECONDS", "often", "is 'often'", "above 0"),
]

# The rest: name, command, how it is broken, words of the error.
SMALL = column("x", np.zeros((50, 1, 4, 4)), "strokes.h5")
IMAGES = np.zeros((4, 8, 8), np.uint8)
OTHERS = [
    ("no parameters", TRAIN, gone("params.yaml"), "params.yaml: no such file", "--params"),
    ("no text", TRAIN, bytes_of("params.yaml", lambda content: b"\xff\xfe\xfa"), "params.yaml: not valid YAML"),
    ("no classes", TRAIN, both(column("label", None), both(attribute("classes", 0), conditional)),
     "params.yaml: train.gan: gan.conditional", "false"),
    ("diverging", TRAIN, parameters("latent: 4", "latent: 4, critic: {rate: 1.0e+38}"),
     "was not finite in round", "lower the learning rate"),
    ("other size", REFINE, SMALL, "strokes.h5: has shape (1, 4, 4)", "(1, 8, 8)"),
    ("no conditions", SURROGATE, column("condition", None, "data/simulated/showers.h5"),
     "showers.h5: has no column 'condition'", "learns samples given it"),
    ("held out", SURROGATE, parameters("held_out: 5", "held_out: 60"), "showers.h5: has 60", "60 are to be held"),
    ("no split", CLASSIFY, column("split", None), "digits.h5: the key 'split' is missing", "'test'"),
    ("no test samples", CLASSIFY, column("split", np.zeros(240)), "digits.h5", "'test' must hold samples"),
    ("unlabelled test", CLASSIFY, column("label", np.full(240, -1)), "digits.h5", "must hold samples with a 'label'"),
    ("unlabelled arm", CLASSIFY, both(column("label", None, "strokes.h5"), other_arm), "strokes.h5: has no labels"),
    ("arm's labels all -1", CLASSIFY, both(column("label", np.full(50, -1), "strokes.h5"), other_arm),
     "strokes.h5: no label of class 0"),
    ("arm of another size", CLASSIFY, both(SMALL, other_arm), "strokes.h5: has shape (1, 4, 4)", "digits.h5"),
    ("arm's file", CLASSIFY, both(gone("strokes.h5"), other_arm), "strokes.h5: no such file"),
    ("arm's count", CLASSIFY, parameters("labels: 20", "labels: 25"), "digits.h5: labels: 25 labels do not divide"),
    ("arm's samples", CLASSIFY, parameters("labels: 20", "only: 500"), "digits.h5: has 80 samples", "asks for 500"),
    ("absent class", CLASSIFY, parameters("labels: 20", "only: 3"), "digits.h5: no label of class"),
    ("alpha of 7.5", CLASSIFY, parameters("alpha: 0.2", "alpha: 7.5"), "floor-0", "'alpha'"),
    ("zero epochs", CLASSIFY, parameters("epochs: 1", "epochs: 0"), "net-0", "at least 1"),
    ("no picture", OWN, pictures(notes_txt=b""), "pictures: no picture", "correct 'path'"),
    ("broken picture", OWN, pictures(a_png=b"\x89PNG"), "a.png: is not a picture", "replace"),
    ("own without x", OWN, npz(images=IMAGES), "mine.npz: the key 'x' is missing", "store the images"),
    ("own layout", OWN, npz(x=IMAGES.reshape(4, 64)), "mine.npz: 'x' has shape (4, 64)", "(N, H, W)"),
    ("own labels", OWN, npz(x=IMAGES, label=np.zeros(3, int)), "mine.npz: 'label' has 3 rows, 'x' has 4"),
    ("labels of none", OWN, npz(" labels: 10,", x=IMAGES), "params.yaml: prepare.mine.labels: is 10", "no labels"),
]

CASES = [
    *(Case(name, TRAIN, ("digits.h5: ", *words), broken) for name, broken, *words in SAMPLE_FILES),
    *(
        Case(name, line, ("params.yaml: ", *words), parameters(old, new))
        for name, line, old, new, *words in PARAMETER_VALUES
    ),
    *(Case(name, GENERATE, words, broken) for name, broken, *words in MODELS),
    *(Case(name, line, words) for name, line, *words in COMMANDS),
    *(
        Case(name, line, (f"SIMULACRA_{variable}: ", *words), environment={f"SIMULACRA_{variable}": value})
        for name, line, variable, value, *words in ENVIRONMENT
    ),
    *(Case(name, line, words, broken) for name, line, broken, *words in OTHERS),
]


def tree(folder: Path) -> dict[str, str]:
    """The digest of every file but those of unfinished work and of single runs."""
    files = (path for path in folder.rglob("*") if path.is_file() and not {"scratch", "runs"} & set(path.parts))
    return {str(path.relative_to(folder)): digest(path) for path in files}


def assert_one_sentence(message: str, words: Sequence[str]) -> None:
    assert message.startswith("error: ") and "\n" not in message.strip()
    for word in words:
        assert word in message, f"{word!r} is not in {message!r}"


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path, dirs_exist_ok=True))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bad_input(
    case: Case, folder: Path, pipeline: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    case.broken(folder)
    for key, value in case.environment.items():
        monkeypatch.setenv(key, value)
    before = tree(folder)
    with pytest.raises(SystemExit) as end:
        pipeline(case.line)
    assert_one_sentence(str(end.value.code), case.words)
    assert tree(folder) == before
    assert not list(folder.rglob("*.partial"))


@pytest.mark.parametrize("name", ["zero count"])
def test_in_a_process_of_its_own(name: str, folder: Path) -> None:
    """Exit code 1 and one line on standard error."""
    case = next(case for case in CASES if case.name == name)
    case.broken(folder)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SIMULACRA_EXECUTOR": "serial", **case.environment}
    command = [sys.executable, "-m", *f"pipelines.{case.line}".split()]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stdout == "" and len(ended.stderr.splitlines()) == 1
    assert_one_sentence(ended.stderr, case.words)


WRITERS = [PREPARE, SIMULATE, REFINE, GENERATE]


@pytest.mark.parametrize("line", WRITERS, ids=lambda line: line.split()[0])
def test_a_full_disk(
    line: str, folder: Path, pipeline: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No space for the sample file: the old one stays, and so does no part of a new one."""
    before = tree(folder)
    usage = shutil.disk_usage(folder)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SystemExit) as end:
        pipeline(line)
    assert_one_sentence(str(end.value.code), ("h5: cannot be written (No space left on device)", "free disk space"))
    assert tree(folder) == before and not list(folder.rglob("*.partial"))


def test_a_disk_that_fills_up_while_training(folder: Path, pipeline: Callable[[str], None]) -> None:
    resource = pytest.importorskip("resource", reason="file size limits exist on POSIX systems only")
    before, (_, hard) = tree(folder), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(SystemExit) as end:
            pipeline(TRAIN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert_one_sentence(str(end.value.code), ("cannot be written", "free disk space"))
    assert tree(folder) == before and not list(folder.rglob("*.partial"))


def interrupt(*arguments: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "line, interrupted, left",
    [
        (TRAIN, "domain.models.save", "scratch/model-*/checkpoint.safetensors"),
        (CLASSIFY, "domain.classifiers.LabelSpreadingClassifier.fit", "runs/model/net-0-*/probabilities.safetensors"),
    ],
    ids=["train", "classify"],
)
def test_broken_scratch(
    line: str, interrupted: str, left: str, folder: Path, pipeline: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An interrupted run leaves a file to resume from; where that is broken, the error says to delete it."""
    before = tree(folder)
    with monkeypatch.context() as patch, pytest.raises(SystemExit, match="the same command resumes"):
        patch.setattr(interrupted, interrupt)
        pipeline(line)
    (file,) = (folder / "data").glob(left)
    file.write_bytes(cut(file.read_bytes()))
    with pytest.raises(SystemExit) as end:
        pipeline(line)
    assert_one_sentence(str(end.value.code), (file.name, "delete it"))
    assert tree(folder) == before
    file.unlink()
    pipeline(line)
    assert not list((folder / "data").glob("**/checkpoint*")) and tree(folder) != before


@pytest.mark.parametrize("name", ["supervised", "feature_matching"])
def test_no_label_at_all(name: str) -> None:
    with pytest.raises(InputError, match="y holds no label.*label at least one sample"):
        CLASSIFIERS[name](epochs=1).fit(np.random.default_rng(0).random((20, 4)), np.full(20, -1))

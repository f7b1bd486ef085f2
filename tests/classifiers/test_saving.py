"""Fitted classifiers travel: to a folder, through pickle, joblib, skops. Their realness and samples."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io

from domain import estimators, models
from domain.classifiers import CLASSIFIERS, FeatureMatchingGANClassifier, SupervisedClassifier
from domain.classifiers.base.estimator import NetworkClassifier
from domain.classifiers.feature_matching import FeatureMatchingGAN
from domain.ensemble import Ensemble
from domain.errors import InputError
from domain.estimators import FILES, NETWORKS
from domain.space import Space

Data = tuple[np.ndarray, np.ndarray]
LABELS = {
    "integers": np.arange(10),
    "floats": np.arange(10, dtype=np.float32),
    "text": np.array(list("abcdefghij")),
    "objects": np.array("zero one two three four five six seven eight nine".split(), object),
    "bools": np.arange(10) > 4,
}


def small(**options: object) -> FeatureMatchingGANClassifier:
    defaults = {
        "hidden": (16, 16), "generator_hidden": (8,), "latent": 4,
        "average": 0.9, "epochs": 3, "batch": 32, "random_state": 0,
    }
    return FeatureMatchingGANClassifier(**{**defaults, **options})


@pytest.fixture(scope="module")
def digits() -> Data:
    X, y = load_digits(return_X_y=True)
    return X[:150], y[:150]


@pytest.fixture(scope="module")
def fitted(digits: Data) -> FeatureMatchingGANClassifier:
    return small().fit(*digits)


def test_every_network_comes_back(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    for name, kind in NETWORKS.items():
        model = kind(epochs=1, batch=32, average=0.9, random_state=0)
        if "hidden" in model.get_params():
            model.set_params(hidden=(16,) * len(model.hidden))
        model.fit(X, y)
        estimators.save(tmp_path / name, model)
        back = estimators.load(tmp_path / name)
        assert type(back) is kind and back.get_params() == model.get_params()
        np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind(kind: str, digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = small(epochs=1).fit(X, LABELS[kind][y])
    estimators.save(tmp_path / "model", model)
    back = estimators.load(tmp_path / "model")
    assert back.classes_.dtype == model.classes_.dtype and back.classes_.tolist() == model.classes_.tolist()
    np.testing.assert_array_equal(back.predict(X), model.predict(X))


def test_attributes_come_back(fitted: NetworkClassifier, digits: Data, tmp_path: Path) -> None:
    estimators.save(tmp_path / "model", fitted, {"seed": 0, "inputs": {}})
    back = estimators.load(tmp_path / "model")
    assert (back.space_, back.shape_, back.n_features_in_) == (fitted.space_, (64,), 64)
    for name in ("low_", "high_"):
        expected, given = getattr(fitted, name), getattr(back, name)
        assert given.dtype == expected.dtype and np.array_equal(given, expected)
    assert [row.keys() for row in back.history_] == [row.keys() for row in fitted.history_]
    assert [row["step"] for row in back.history_] == [row["step"] for row in fitted.history_]
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == list(FILES)
    assert isinstance(models.load(tmp_path / "model"), FeatureMatchingGAN)
    np.testing.assert_array_equal(back.fit(*digits).predict_proba(digits[0]), fitted.predict_proba(digits[0]))


def test_the_same_classifier_gives_the_same_bytes(fitted: NetworkClassifier, tmp_path: Path) -> None:
    for name in ("a", "b"):
        estimators.save(tmp_path / name, fitted)
    for file in FILES:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_columns_with_names(digits: Data, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    pandas = pytest.importorskip("pandas", reason="columns have names in pandas, no dependency")
    X = pandas.DataFrame(digits[0], columns=[f"pixel {k}" for k in range(64)])
    model = small(epochs=1).fit(X, digits[1])
    estimators.save(tmp_path / "model", model)
    back = estimators.load(tmp_path / "model")
    np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))
    assert not [warning for warning in recwarn if "feature names" in str(warning.message)]


def test_names_come_back(digits: Data, tmp_path: Path) -> None:
    model = small(epochs=1).fit(*digits)
    model.feature_names_in_ = np.array([f"pixel {k}" for k in range(64)], object)
    estimators.save(tmp_path / "model", model)
    assert estimators.load(tmp_path / "model").feature_names_in_.tolist() == model.feature_names_in_.tolist()


def test_parameters_that_json_does_not_know(digits: Data, tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    model = small(rate=np.float64(1e-3), random_state=random, checkpoint=tmp_path / "run.safetensors")
    estimators.save(tmp_path / "model", model.fit(*digits))
    back = estimators.load(tmp_path / "model")
    assert (back.rate, back.random_state, back.checkpoint) == (1e-3, None, str(tmp_path / "run.safetensors"))


# What is refused.


def test_save_refuses(fitted: NetworkClassifier, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(InputError, match="name a new folder"):
        estimators.save(tmp_path, fitted)
    assert (tmp_path / "letters.txt").exists()
    with pytest.raises(NotFittedError):
        estimators.save(tmp_path / "model", small())
    with pytest.raises(InputError, match="Ensemble: cannot be saved"):
        estimators.save(tmp_path / "model", Ensemble(small()))
    assert not (tmp_path / "model").exists()


def test_an_interrupted_save_leaves_the_old_one(
    fitted: NetworkClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "estimator.json")

    estimators.save(tmp_path / "model", fitted)
    monkeypatch.setattr("domain.estimators.write_json", full)
    with pytest.raises(InputError, match="No space left"):
        estimators.save(tmp_path / "model", fitted)
    estimators.load(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def rewritten(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = json.loads((folder / "estimator.json").read_text())
        (folder / "estimator.json").write_text(json.dumps({**content, **changes}))

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "estimator.json").unlink(), "holds no estimator.json"),
        (lambda folder: (folder / "model.json").unlink(), "holds no model.json"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\0"), "missing, or not the weights"),
        (lambda folder: (folder / "history.csv").unlink(), "history.csv: not readable"),
        (lambda folder: (folder / "history.csv").write_text("step,a\n1\n"), "history.csv: not readable"),
        (lambda folder: (folder / "history.csv").write_text("a\n1\n"), "history.csv: not readable"),
        (lambda folder: (folder / "estimator.json").write_text("{"), "not readable as JSON"),
        (lambda folder: (folder / "estimator.json").write_text("[]"), "must be a mapping"),
        (rewritten(schema=2), "schema: is 2"),
        (rewritten(classifier="nearest_neighbour"), "unknown classifier 'nearest_neighbour'"),
        (rewritten(classifier="supervised"), r"parameters\.\w+: unknown key"),
        (rewritten(parameters={"epochs": "many"}), "parameters.epochs: is 'many'"),
        (rewritten(dtype="strange"), "'classes' do not fit 'dtype'"),
        (rewritten(classes=["a"] * 10), "'classes' do not fit 'dtype'"),
        (rewritten(classes=[0, 1]), "'classes' does not fit model.json"),
        (rewritten(low=[0.0, 1.0]), "'low or high' does not fit"),
        (rewritten(shape=[8, 9]), "'shape' does not fit"),
        (rewritten(names=["x"]), "'names' does not fit"),
    ],
)
def test_load_refuses(
    damage: Callable[[Path], object], message: str, fitted: NetworkClassifier, tmp_path: Path
) -> None:
    estimators.save(tmp_path / "model", fitted)
    damage(tmp_path / "model")
    with pytest.raises(InputError, match=message):
        estimators.load(tmp_path / "model")


def test_the_network_of_another_is_refused(digits: Data, fitted: NetworkClassifier, tmp_path: Path) -> None:
    estimators.save(tmp_path / "model", fitted)
    estimators.save(tmp_path / "other", SupervisedClassifier(hidden=(8,), epochs=1).fit(*digits))
    for name in ("model.json", "model.safetensors"):
        (tmp_path / "other" / name).replace(tmp_path / "model" / name)
    with pytest.raises(InputError, match="'model' does not fit model.json"):
        estimators.load(tmp_path / "model")


# Pickle, joblib, skops.


def test_the_state_is_plain(fitted: NetworkClassifier) -> None:
    state = fitted.__getstate__()["system_"]
    assert all(type(value) is np.ndarray for value in state["weights"].values())
    assert json.loads(json.dumps(state["config"]))
    assert isinstance(fitted.system_, FeatureMatchingGAN) and isinstance(fitted.space_, Space)


def test_pickle_and_joblib(fitted: NetworkClassifier, digits: Data, tmp_path: Path) -> None:
    X, _ = digits
    before = torch.random.get_rng_state()
    model = clone(fitted).fit(*digits).set_params(hidden=(3,))  # the fitted network keeps its own widths
    joblib.dump(model, tmp_path / "model.joblib")
    copies = [pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib", mmap_mode="r")]
    for back in copies:
        assert back.space_ == model.space_ and back.history_ == model.history_
        np.testing.assert_array_equal(back.predict_proba(X), fitted.predict_proba(X))
        np.testing.assert_array_equal(back.sample(3, random_state=0), model.sample(3, random_state=0))
    assert torch.equal(torch.random.get_rng_state(), before), "loading must leave torch's generator alone"


def test_skops_saves_a_whole_pipeline(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    pipeline = make_pipeline(StandardScaler(), small())
    for model in (pipeline.fit(X, y), Ensemble(small(), n_estimators=2, random_state=0).fit(X, y)):
        io.dump(model, tmp_path / "model.skops")
        strangers = io.get_untrusted_types(file=tmp_path / "model.skops")
        assert all(name.startswith("domain.") for name in strangers)
        back = io.load(tmp_path / "model.skops", trusted=strangers)
        assert back.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()


# Realness and samples.


def test_realness(digits: Data) -> None:
    X, y = digits
    model = small(hidden=(64,), latent=16, epochs=30).fit(X, y)
    real, noise = model.realness(X), model.realness(np.random.default_rng(0).uniform(0, 16, X.shape))
    assert real.shape == (len(X),) and np.median(real) > np.median(noise)
    np.testing.assert_allclose(model.realness(X[:3]), real[:3], rtol=1e-7)


def test_samples_in_the_users_units(digits: Data) -> None:
    X, y = digits
    shifted = 100 + 3 * X
    for shape in ((64,), (8, 8), (1, 8, 8)):
        model = small().fit(shifted.reshape(-1, *shape), y)
        drawn = model.sample(5, random_state=0)
        assert drawn.shape == (5, *shape) and drawn.dtype == np.float32
        assert drawn.min() >= 100 and drawn.max() <= 148 + 1e-4
        np.testing.assert_array_equal(drawn, model.sample(5, random_state=0))
        assert not np.array_equal(drawn, model.sample(5, random_state=1))
    low, high = X.min(0), X.max(0)
    flat = small().fit(X, y).sample(50, random_state=0)
    assert (flat >= low).all() and (flat <= np.where(high > low, high, low + 1)).all()
    with pytest.raises(InputError, match="sample: count: is 0"):
        model.sample(0)


def test_what_a_system_cannot_do(digits: Data) -> None:
    model = SupervisedClassifier(hidden=(8,), epochs=1, average=0.9)
    for method in ("sample", "realness"):
        with pytest.raises(NotFittedError):
            getattr(model, method)(digits[0][:1] if method == "realness" else 1)
    model.fit(*digits)
    for method in ("sample", "realness"):
        with pytest.raises(AttributeError, match=f"'SupervisedClassifier' has no attribute '{method}'"):
            getattr(model, method)


def test_floors_are_not_networks() -> None:
    assert set(CLASSIFIERS) - set(NETWORKS) == {"label_spreading", "nearest_neighbour"}

"""A folder in which everything is in order, and ways to break one thing in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from safetensors.torch import save
from sklearn.datasets import load_digits

from domain import models
from domain.classifiers import NETWORKS
from domain.files import digest
from domain.generators import GENERATORS
from domain.randomness import scoped_seed
from domain.refiners import REFINERS
from domain.samples import About, Samples, write
from domain.simulators.gflash import GFlash
from domain.space import Space
from domain.surrogates import SURROGATES

PARAMETERS = """
prepare:
  digits: {labels: 50, validation: 200, test: 300}
  mine: {dataset: own, options: {path: pictures}}
simulate:
  strokes: {options: {size: 8, style: counts}, count: 20}
  jets: {options: {mass: [60, 100]}, count: 4}
train:
  gan: {model: {width: 4, latent: 4}, budget: {steps: 3, precision: float32}}
refine:
  simgan: {model: {width: 4, blocks: 1, history: 16}, budget: {steps: 2}}
classify:
  task:
    test: digits.h5
    seeds: [0]
    keep: net
    arms:
      net: {classifier: supervised, samples: digits.h5, labels: 20, options: {epochs: 1, hidden: [8]}}
      floor: {classifier: label_spreading, samples: digits.h5, options: {alpha: 0.2}}
surrogate:
  flow: {budget: {steps: 2}, held_out: 5}
evaluate:
  showers: {surrogates: {flow: showers}, cascade: showers, count: 40}
  images: {features: data/classified/net}
"""

Break = Callable[[Path], Any]


def in_order(folder: Path) -> None:
    """Write parameters, sample files and untrained models into a folder."""
    (folder / "params.yaml").write_text(PARAMETERS)
    x, label = load_digits(return_X_y=True)
    x, label, split = x[:240].reshape(-1, 1, 8, 8).astype(np.uint8), label[:240], np.arange(240) % 3
    about = About("image", (0, 16), 10, ("slant", "width"), ("rad", ""))
    digits = Samples(x, about, label=label, condition=np.zeros((240, 2)), split=split)
    write(folder / "digits.h5", digits)
    write(folder / "strokes.h5", digits.select(slice(0, 50)))
    showers = GFlash(energy=(1, 2)).simulate(60, 0)
    (folder / "data" / "simulated").mkdir(parents=True)
    write(folder / "data" / "simulated" / "showers.h5", showers)
    for path, table, name, options, space in (
        ("gan", GENERATORS, "gan", {"width": 4, "latent": 4}, Space.of(digits)),
        ("labelled", GENERATORS, "gan", {"width": 4, "latent": 4, "conditional": True}, Space.of(digits)),
        ("simgan", REFINERS, "simgan", {"width": 4, "blocks": 1, "history": 16}, Space.of(digits)),
        ("data/classified/net", NETWORKS, "supervised", {"hidden": [8]}, Space.of(digits)),
        ("data/surrogates/flow", SURROGATES, "flow", {"width": 8, "splines_width": 8}, Space.of(showers)),
    ):
        (folder / path).mkdir(parents=True)
        with scoped_seed(0, path):
            model = table[name](table[name].Config.parse(options, path), space)
        models.save(folder / path, model, [{"step": 1}], {"seed": 0, "inputs": {}})
    for name in ("simulated.h5", "there.h5"):
        (folder / name).write_text("made before")
    (folder / "model").mkdir()
    (folder / "model" / "model.json").write_text("made before")
    (folder / "file").touch()


# Ways to break things.


def in_file(change: Callable[[h5py.File], None], name: str = "digits.h5") -> Break:
    """Change an HDF5 file in place."""

    def broken(folder: Path) -> None:
        with h5py.File(folder / name, "r+") as file:
            change(file)

    return broken


def attribute(key: str, value: Any) -> Break:
    return in_file(lambda file: file.attrs.__setitem__(key, json.dumps(value)))


def no_attribute(key: str) -> Break:
    return in_file(lambda file: file.attrs.__delitem__(key))


def column(key: str, values: Any, name: str = "digits.h5") -> Break:
    """Replace a column, or remove it where ``values`` is None."""

    def change(file: h5py.File) -> None:
        if key in file:
            del file[key]
        if values is not None:
            file[key] = values

    return in_file(change, name)


def entry(key: str, value: Any) -> Break:
    """Set the first number of a column."""
    return in_file(lambda file: file[key].__setitem__(0, value))


def parameters(old: str, new: str) -> Break:
    def broken(folder: Path) -> None:
        assert old in PARAMETERS
        (folder / "params.yaml").write_text(PARAMETERS.replace(old, new))

    return broken


def model_json(**changes: Any) -> Break:
    """Change keys of the GAN's model.json; None removes one."""

    def broken(folder: Path) -> None:
        path = folder / "gan" / "model.json"
        content = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))

    return broken


def weights(change: Callable[[bytes], bytes]) -> Break:
    """Change the bytes of the GAN's weights, and their hash to match."""

    def broken(folder: Path) -> None:
        path = folder / "gan" / "model.safetensors"
        path.write_bytes(change(path.read_bytes()))
        model_json(sha256=digest(path))(folder)

    return broken


other_weights = weights(lambda content: save({"a": torch.zeros(3)}))


def bytes_of(name: str, change: Callable[[bytes], bytes]) -> Break:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def gone(name: str) -> Break:
    return lambda folder: (folder / name).unlink() if (folder / name).is_file() else shutil.rmtree(folder / name)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def pictures(**files: bytes) -> Break:
    """A folder of pictures, or of what should be some."""

    def broken(folder: Path) -> None:
        (folder / "pictures").mkdir()
        for name, content in files.items():
            (folder / "pictures" / name.replace("_", ".")).write_bytes(content)

    return broken


def npz(keys: str = "", **columns: Any) -> Break:
    """A user's own file, named by ``prepare.mine`` with further ``keys``."""

    def broken(folder: Path) -> None:
        np.savez(folder / "mine.npz", **columns)
        named = f"mine: {{dataset: own,{keys} options: {{path: mine.npz}}}}"
        parameters("mine: {dataset: own, options: {path: pictures}}", named)(folder)

    return broken


def both(first: Break, second: Break) -> Break:
    return lambda folder: (first(folder), second(folder))

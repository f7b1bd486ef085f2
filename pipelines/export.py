"""Write a surrogate as an ONNX file, for programs without Python.

    python -m pipelines.export data/surrogates/gflash-flow gflash.onnx

Inputs are ``z``, (N, Z), standard normal numbers that decide what is drawn, and what the surrogate is given:
``condition``, (N, C), in the units that the file's metadata name, or ``label``, (N,) int64, or both. The output
``x`` is (N, *shape), in the unit of the training samples.
The file is written once ONNX Runtime has given torch's own samples, to a thousandth of the largest value, and its
empty cells. Needs ``pip install onnx onnxscript onnxruntime``.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from domain import models
from domain.errors import InputError
from domain.files import whole_file
from domain.randomness import torch_generator
from domain.surrogates.base import Rendered
from domain.system import System
from pipelines import stage

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
CHECKED = 100  # samples that torch and ONNX Runtime must agree on
TOLERANCE = 1e-3  # of the largest value
ROUNDING = 1e-3  # share of values at the edge of empty, which rounding may tip over


def main(arguments: argparse.Namespace) -> None:
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise InputError(f"export: {missing[0]} is not installed; run pip install {' '.join(PACKAGES)}")
    directory, out = Path(arguments.model), Path(arguments.out)
    model = models.load(directory)
    if not hasattr(model, "render"):
        raise InputError(f"{directory}: only surrogates are exported; name a folder of data/surrogates")
    with whole_file(out) as partial:
        export(model, partial)
        worst = compare(model, partial)
    print(f"{out}: as torch to {worst:.1e} of the largest value, {CHECKED} samples", file=sys.stderr)


def export(model: System, path: Path) -> None:
    """Write the ONNX file; any number of samples may be asked for. ONNX Runtime optimises it as it loads."""
    space, count = model.space, torch.export.Dim("count")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            Rendered(model), drawn(model, 5), dynamo=True, verbose=False, input_names=names(model),
            output_names=["x"], optimize=False, dynamic_shapes=({0: count}, tuple({0: count} for _ in model.given)),
        )
    said = {"condition": space.condition, "units": space.units, "range": space.range, "kind": space.kind}
    program.model.metadata_props.update({key: json.dumps(value) for key, value in said.items()})
    program.save(path)


def compare(model: System, path: Path) -> float:
    """The largest difference between torch and ONNX Runtime over the largest value."""
    import onnxruntime

    asked = drawn(model, CHECKED)
    ours = Rendered(model)(*asked).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {name: value.numpy() for name, value in zip(names(model), asked)})
    tipped = (ours == 0) != (theirs == 0)
    worst = float(np.abs(ours - theirs)[~tipped].max() / ours.max())
    if worst > TOLERANCE or tipped.mean() > ROUNDING:
        raise InputError(f"{path}: ONNX Runtime is off by {worst:.1e} of the largest value; report this with your versions of torch and onnx")
    return worst


def names(model: System) -> list[str]:
    """Of the inputs."""
    return ["z", *model.given]


def drawn(model: System, count: int) -> tuple[Tensor, ...]:
    """Normal numbers, and what the model is given: classes in turn, conditions within the training range."""
    generator = torch_generator(0, "export")
    asked = {
        "label": lambda: torch.arange(count) % max(1, model.space.classes),
        "condition": lambda: model.conditions(count, generator),
    }
    return model.latent(count, generator), *(asked[name]() for name in model.given)


if __name__ == "__main__":
    stage.run(
        main, stage.parser(__name__, reads_parameters=False, model="model directory of a surrogate", out="ONNX file to write")
    )

"""The model directory: any trained system, saved without pickle and checked when loaded.

``model.safetensors`` holds the weights, ``model.json`` the family, its parameters, the space of
its samples and where it came from, ``history.csv`` the training curves.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import Tensor

from domain.config import suggestion
from domain.errors import InputError
from domain.files import digest, read_json, write_json
from domain.space import Space
from domain.system import System, capabilities
from domain.table import Table
from domain.training import History

SCHEMA = 1
# What is saved is looked for from the top: estimators need scikit-learn, which no other training imports.
FAMILIES: Table[Table[type[System]]] = Table(
    "domain",
    generator="generators.GENERATORS",
    refiner="refiners.REFINERS",
    surrogate="surrogates.SURROGATES",
    classifier="classifiers.NETWORKS",
    regressor="regressors.NETWORKS",
)


def save(directory: Path, model: System, history: History, provenance: Mapping[str, Any]) -> None:
    """Write a model into an existing, empty directory.

    Args:
        directory: where; make it with :func:`domain.files.whole_directory`.
        model: a system of a registered family.
        history: what :func:`domain.training.fit` returned.
        provenance: the seed, and the SHA-256 of each input by name.
    """
    role, family = _name(model)
    weights = {key: value.contiguous() for key, value in model.state_dict().items()}
    (directory / "model.safetensors").write_bytes(serialised(weights))
    content = {
        "schema": SCHEMA,
        "role": role,
        "family": family,
        "capabilities": capabilities(model),
        "config": model.config.as_dict(),
        "space": model.space.as_dict(),
        "provenance": dict(provenance),
        "sha256": digest(directory / "model.safetensors"),
    }
    write_json(directory / "model.json", content)
    with open(directory / "history.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, history[0] if history else ["step"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in history)


def _name(model: System) -> tuple[str, str]:
    for role, table in FAMILIES.items():
        if family := table.name(type(model)):
            return role, family
    raise InputError(f"{type(model).__name__}: in no table of families; add it to its folder's __init__.py")


def _family(role: Any, family: Any, where: Path) -> type[System]:
    table: Mapping[str, Any] = FAMILIES
    for key, name in (("role", role), ("family", family)):
        if not isinstance(name, str) or name not in table:
            raise InputError(f"{where}: unknown {key} {name!r}; {suggestion(name, table)}")
        table = table[name]
    return table


def load(directory: str | Path) -> System:
    """A model ready to use, from its directory.

    Raises:
        InputError: a file is missing or damaged, the schema is of another version, the family is
            unknown, or the weights are not those that were saved.
    """
    directory = Path(directory)
    if not (directory / "model.json").is_file():
        raise InputError(f"{directory}: holds no model.json, so it is not a model; run `dvc repro` or correct the path")
    content, where = read_json(directory / "model.json"), directory / "model.json"
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise InputError(f"{where}: has schema {content.get('schema') if isinstance(content, dict) else None}, this version reads {SCHEMA}; train the model again")
    for key in ("role", "family", "config", "space", "sha256"):
        if key not in content:
            raise InputError(f"{where}: the key {key!r} is missing; train the model again")
    kind = _family(content["role"], content["family"], where)
    weights = directory / "model.safetensors"
    if not weights.is_file() or digest(weights) != content["sha256"]:
        raise InputError(f"{weights}: missing, or not the weights that model.json describes (its 'sha256' differs); train or copy the model again")
    config = kind.Config.parse(content["config"], f"{where}: config")
    space = Space.parse(content["space"], f"{where}: space")
    model = kind(config, space)
    try:
        model.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        raise InputError(f"{weights}: does not fit its model.json ({str(error).splitlines()[0]}); train the model again") from None
    return model.eval().requires_grad_(False)


def weights(directory: str | Path, system: System) -> dict[str, Tensor]:
    """The parameters of a trained model, for another of the same networks to begin with.

    Any family whose parameters have the names and shapes of ``system``'s will do, as a VAE's do for an IWAE; what the
    other has besides, such as critics, is left out.

    Raises:
        InputError: as for :func:`load`; a parameter of ``system`` is missing there, or of another shape.
    """
    there, found = dict(load(directory).named_parameters()), {}
    for name, own in system.named_parameters():
        if name not in there:
            raise InputError(f"{directory}: has no weights {name!r} to begin with; name a model of the same networks")
        if there[name].shape != own.shape:
            shapes = f"{tuple(there[name].shape)}, and {tuple(own.shape)} are needed"
            raise InputError(f"{directory}: its weights {name!r} are {shapes}; name a model of the same networks")
        found[name] = there[name].detach().clone()
    return found

"""Generate synthetic samples from a trained model.

    python -m pipelines.generate data/models/digits-gan --count 100000 --out digits.h5
    python -m pipelines.generate data/surrogates/gflash-flow --count 1000 --condition energy=50 --out showers.h5

Reads a model directory. Writes a sample file like those it was trained on; past --shard-bytes,
several (``digits-00000-of-00004.h5`` and so on). The same command resumes after an interruption:
shards that are there are kept. Sample k is the same however the request is cut.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from tqdm import tqdm

from domain import models
from domain.config import checked, suggestion
from domain.errors import InputError
from domain.files import digest
from domain.randomness import torch_generator
from domain.samples import About, SampleFile, Samples, Writer
from domain.space import Space
from domain.system import CanSample, System
from pipelines import launch, stage

BATCH = 1000


def main(arguments: argparse.Namespace) -> None:
    source, out = Path(arguments.model), Path(arguments.out)
    model = models.load(source)
    if not isinstance(model, CanSample):
        raise InputError(f"{source}: this model does not sample; name a generator or a surrogate")
    if arguments.count < 1:
        raise InputError(f"--count: is {arguments.count}, must be at least 1")
    if arguments.shard_bytes < 1:
        raise InputError(f"--shard-bytes: is {arguments.shard_bytes}, must be at least 1")
    if arguments.seed < 0:
        raise InputError(f"--seed: is {arguments.seed}, must be at least 0")
    label, condition = chosen_label(model, arguments.label), chosen_condition(model, arguments.condition)
    request = {"count": arguments.count, "label": label, "condition": condition}
    about = model.space.about("pipelines.generate", request, arguments.seed, {"model": digest(source / "model.json")})
    model = model.to(launch.device())
    with tqdm(total=arguments.count, unit=" samples", disable=None) as bar:
        for path, start, stop in shards(out, arguments.count, arguments.shard_bytes, model.space):
            if not finished(path, about, stop - start):
                write_shard(model, path, about, range(start, stop), bar)
            bar.update(stop - bar.n)


def shards(out: Path, count: int, shard_bytes: int, space: Space) -> Iterator[tuple[Path, int, int]]:
    """The files of a request and the samples each holds; whole batches but for the last."""
    row = math.prod(space.shape) * (1 if space.integer else 4)
    size = max(1, shard_bytes // (row * BATCH)) * BATCH
    total = math.ceil(count / size)
    for k in range(total):
        name = out if total == 1 else out.with_name(f"{out.stem}-{k:05d}-of-{total:05d}{out.suffix}")
        yield name, k * size, min(count, (k + 1) * size)


def finished(path: Path, about: About, count: int) -> bool:
    """Whether the shard is there already; another file in its place is never overwritten."""
    if not path.exists():
        return False
    file = SampleFile(path)
    if file.about != about or len(file) != count:
        raise InputError(f"{path}: is there already, from another request; remove it or choose another --out")
    return True


def write_shard(model: System, path: Path, about: About, wanted: range, bar: tqdm) -> None:
    """Samples ``wanted`` of the request, batch by batch."""
    device = next(model.parameters()).device
    with Writer(path, about) as writer:
        for start in range(wanted.start, wanted.stop, BATCH):
            generator = torch_generator(about.seed, "generate", start, device=device)
            given = asked_for(model, about, generator)
            x = model.space.decode(model.sample(BATCH, generator, **given))
            columns = {name: column.cpu().numpy() for name, column in given.items()}
            batch = Samples(x, about, **columns).select(slice(0, wanted.stop - start))
            writer.append(batch)
            bar.update(len(batch))


def asked_for(model: System, about: About, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """The label and the condition of a batch; what nobody named is drawn, so that the file can say it."""
    label, condition = about.parameters["label"], about.parameters["condition"]
    given: dict[str, torch.Tensor] = {}
    if label is not None:
        given["label"] = torch.full((BATCH,), label, device=generator.device)
    elif "label" in model.given:
        given["label"] = torch.randint(model.space.classes, (BATCH,), generator=generator, device=generator.device)
    if condition is not None:
        given["condition"] = torch.tensor(condition, device=generator.device).expand(BATCH, -1)
    elif "condition" in model.given:
        given["condition"] = model.conditions(BATCH, generator)
    return given


def chosen_label(model: System, label: int | None) -> int | None:
    """The label asked for, checked against the model's classes."""
    if label is not None and "label" not in model.given:
        raise InputError(f"--label: is {label}, but this model was not trained to take a label; leave it out")
    if label is not None and not 0 <= label < model.space.classes:
        raise InputError(f"--label: is {label}, but this model knows {model.space.classes} classes, counted from 0")
    return label


def chosen_condition(model: System, pairs: list[str] | None) -> list[float] | None:
    """The conditions asked for, in the model's order: every one of them, or none."""
    if not pairs:
        return None
    known = model.space.condition if "condition" in model.given else ()
    values: dict[str, float] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        if name not in known:
            raise InputError(f"--condition {pair}: unknown condition {name!r}; {suggestion(name, known)}")
        try:
            values[name] = checked(float(text), float, f"--condition {pair}")
        except ValueError:
            raise InputError(f"--condition {pair}: {text!r} is not a finite number; write name=value") from None
    for name in known:
        if name not in values:
            raise InputError(f"--condition: {name!r} is missing; give {name}=value too")
    return [values[name] for name in known]


if __name__ == "__main__":
    made = stage.parser(__name__, reads_parameters=False, model="model directory")
    made.add_argument("--count", type=int, required=True, help="how many samples")
    made.add_argument("--out", required=True, help="sample file to write")
    made.add_argument("--label", type=int, help="class to generate")
    made.add_argument("--condition", action="append", metavar="NAME=VALUE", help="condition to generate at; may be repeated")
    made.add_argument("--seed", type=int, default=0, help="seed (0)")
    made.add_argument("--shard-bytes", type=int, default=2**29, metavar="N", help="start a new file past this size (512 MiB)")
    stage.run(main, made)

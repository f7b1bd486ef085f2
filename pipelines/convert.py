"""Convert between the field's own files and the sample file.

    python -m pipelines.convert calogan gamma.hdf5 data/simulated/gamma.h5
    python -m pipelines.convert calogan data/simulated/gamma.h5 gamma.hdf5 --back
    python -m pipelines.convert calochallenge dataset_2_1.hdf5 data/simulated/ds2.h5 binning=binning_dataset_2.xml

Reads a file of the named format (domain/formats) and writes a sample file, or with --back the other way round.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from domain.errors import InputError
from domain.files import digest
from domain.formats import FORMATS
from domain.samples import SampleFile, write
from pipelines import stage


def main(arguments: argparse.Namespace) -> None:
    source, out = Path(arguments.source), Path(arguments.out)
    kind = stage.family(FORMATS, arguments.format, "convert: format")
    form = kind.parse(dict(option(each) for each in arguments.options), f"convert: {arguments.format}")
    if arguments.back:
        samples = SampleFile(source).read()
        form.write(out, samples)
    else:
        samples = form.read(source)
        about = dataclasses.replace(samples.about, parameters=form.as_dict(), inputs={source.name: digest(source)})
        write(out, dataclasses.replace(samples, about=about))
    print(f"{out}: {len(samples)} samples of shape {samples.x.shape[1:]}", file=sys.stderr)


def option(text: str) -> tuple[str, str]:
    """A parameter of the format, ``key=value``."""
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"convert: {text!r} is no option; write key=value")
    return key, value


if __name__ == "__main__":
    made = stage.parser(
        __name__, reads_parameters=False, format=f"one of {', '.join(FORMATS)}", source="file to read", out="file to write"
    )
    made.add_argument("options", nargs="*", metavar="key=value", help="parameters of the format")
    made.add_argument("--back", action="store_true", help="from a sample file to the format")
    stage.run(main, made)

"""The speed of jets: events and jets a second, the share that passes the windows, and where the time goes.

    python -m benchmarks.jets [--events 400] [--mass 60 100]

LAGAN's windows, one class after the other, on one core. ``drawn`` counts hard processes, ``dropped`` the share
of them that the early veto saves the rest, ``passed`` the share of the others that lie in the windows. The clock
is the processor's, not the wall's, so that other work on the machine counts little; starting Pythia is apart.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from typing import Any

from domain.metrics.speed import processor
from domain.simulators.jets import BATCH, CLASSES, Jets, early_veto, hadrons, libraries, measured, trimmed

STEPS = ("Pythia", "FastJet", "subjets", "image")


class Clock:
    """Adds up processor seconds step by step."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STEPS, 0.0)

    def timed(self, step: str, function: Callable[..., Any], *arguments: Any) -> Any:
        began = time.process_time()
        result = function(*arguments)
        self.seconds[step] += time.process_time() - began
        return result


def run(settings: Jets, label: int, count: int) -> str:
    """A row of the table: ``count`` fully simulated events of one class."""
    pythia8mc, fastjet = libraries()
    veto = early_veto(*settings.early, settings.radius, pythia8mc, fastjet)
    began = time.process_time()
    events = hadrons(settings.card(label), 1, pythia8mc, veto)
    first = next(events)
    start = time.process_time() - began
    clock, passed = Clock(), 0
    rest = (clock.timed("Pythia", next, events) for _ in range(count - 1))
    for particles in itertools.chain([first], rest):
        jet = clock.timed("FastJet", trimmed, particles, settings, fastjet)
        if settings.accepts(jet):
            passed += 1
            clock.timed("image", settings.image, clock.timed("subjets", measured, jet, fastjet))
    clock.seconds["Pythia"] *= count / max(1, count - BATCH)  # the first batch fell into the start
    total = sum(clock.seconds.values())
    shares = " ".join(f"{step} {seconds / total:.0%}" for step, seconds in clock.seconds.items())
    return (
        f"{CLASSES[label]:>5}{veto.seen:8}{veto.dropped / veto.seen:9.1%}{passed / count:8.1%}{passed / veto.seen:9.2%}"
        f"{veto.seen / total:10.0f}{count / total:9.0f}{passed / total:8.1f}{start:8.2f} s   {shares}"
    )


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--events", type=int, default=400, metavar="N", help="fully simulated, each class (400)")
    made.add_argument("--mass", type=float, nargs=2, default=[60.0, 100.0], metavar="GeV", help="window (60 100)")
    arguments = made.parse_args()
    count = max(2, -(-arguments.events // BATCH)) * BATCH
    settings = Jets(mass=tuple(arguments.mass))
    print(f"{processor()}, one core, {count} events fully simulated of each class")
    print("class   drawn  dropped  passed  overall   drawn/s  full/s  jets/s   start   share of the time")
    for label in range(len(CLASSES)):
        print(run(settings, label, count), flush=True)


if __name__ == "__main__":
    main()

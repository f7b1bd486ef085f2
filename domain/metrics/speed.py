"""How long a call takes. The only measurement that two runs do not share to the last digit."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def milliseconds_each(call: Callable[[int], object], batch: int, repeats: int = 3, least: float = 0.2) -> float:
    """Median milliseconds per sample of ``call(batch)``, warm.

    Args:
        call: makes ``batch`` samples and has finished when it returns.
        batch: samples in one call.
        repeats: measurements; each lasts at least ``least`` seconds.
    """
    call(batch)
    figures = []
    for _ in range(repeats):
        began, calls = time.perf_counter(), 0
        while calls == 0 or time.perf_counter() - began < least:
            call(batch)
            calls += 1
        figures.append(1e3 * (time.perf_counter() - began) / (calls * batch))
    return float(np.median(figures))


def processor() -> str:
    """The processor's name, as the machine gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

"""Where and how precisely to compute: chosen by what the processor can do, never by a timing."""

from __future__ import annotations

import contextlib
from typing import Literal

import torch

from domain.errors import InputError

Precision = Literal["auto", "float32", "bfloat16"]


def device(name: str | None = None) -> torch.device:
    """The device called ``name``; without a name the first GPU, else the CPU."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(name)
    except RuntimeError:
        chosen = None
    if chosen is None or chosen.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r}: not a device; use 'cpu', 'cuda' or 'cuda:0'")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {name!r}: there is no such GPU here; use 'cpu'")
    return chosen


def fast_bfloat16(place: torch.device) -> bool:
    """Whether bfloat16 matrix products have their own instructions there (CUDA, AMX, AVX-512)."""
    if place.type == "cuda":
        return torch.cuda.is_bf16_supported()
    capability = torch.backends.cpu.get_cpu_capability()
    return capability.startswith("AVX512") and torch.cpu._is_avx512_bf16_supported()


def autocast(place: torch.device, precision: Precision = "auto") -> contextlib.AbstractContextManager:
    """Run matrix products in bfloat16 where that is asked for, or ``auto`` and the hardware has it.

    Parameters and their updates stay in float32.
    """
    wanted = fast_bfloat16(place) if precision == "auto" else precision == "bfloat16"
    return torch.autocast(place.type, dtype=torch.bfloat16, enabled=wanted)

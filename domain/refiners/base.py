"""What refiners that learn the simulated samples' labels share."""

from __future__ import annotations

import torch
from torch import Tensor

from domain.errors import InputError


def source_labels(simulated: Tensor, label: Tensor | None, classes: int) -> Tensor:
    """The labels of the simulated samples, (N,) int64; −1 for all where no class is to be learned.

    Raises:
        InputError: classes are to be learned, and no simulated sample has one.
    """
    if label is None or not classes:
        label = torch.full((len(simulated),), -1)
    if classes and not (label >= 0).any():
        raise InputError(
            "model.classification: no simulated sample has a label to learn from; give labels, or set it to 0"
        )
    return label


def require_labels(classes: int, family: str) -> None:
    """Refuse to classify what no label was learned for."""
    if not classes:
        raise InputError(f"{family}: learned without labels, so it cannot classify; train it with classification above 0")

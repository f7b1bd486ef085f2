"""Do the strokes of an image still run along the centre lines that label them?

The lines of an image are the morphological skeleton of its ink (Lantuéjoul 1978), and are compared with the
labelled ones under a tolerance of one pixel, as roads found in pictures are: completeness, correctness and quality
(Wiedemann, Heipke, Mayer & Jamet 1998, "Empirical evaluation of automatically extracted road axes").
"""

from __future__ import annotations

import numpy as np
import torch
from kornia.morphology import dilation, erosion, opening
from torch import Tensor

from domain.errors import InputError

CROSS = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
BLOCK = torch.ones(3, 3)  # a pixel and its neighbours: the tolerance
LEAST = 1e-6  # under a division, for images without ink


def skeleton(ink: Tensor) -> Tensor:
    """The pixels that a stroke has its middle in; ink: (N, 1, H, W) of 0 and 1 → the same.

    What an opening takes from the ink, from the eroded ink, and so on until nothing is left.
    """
    found = torch.zeros_like(ink)
    while ink.any():
        found = torch.maximum(found, ink - opening(ink, CROSS))
        ink = erosion(ink, CROSS, border_type="constant", border_value=0.0)
    return found


def quality(x: np.ndarray, mask: np.ndarray, half: float) -> float:
    """The intersection over union of labelled and drawn lines, each counted where the other is at most a pixel off.

    With correctness c, the share of the drawn line that is near the label, and completeness k, the share of the
    label that is near the drawn line, it is c k / (c + k − c k), the mean over images.

    Args:
        x: images (N, 1, H, W), brighter where there is ink.
        mask: 1 on the labelled lines, (N, H, W).
        half: what is brighter is ink.

    Returns:
        In [0, 1]; an image without ink counts 0.
    """
    if x.ndim != 4 or x.shape[1] != 1 or mask.shape != (len(x), *x.shape[2:]):
        raise InputError(f"lines: images {x.shape} and masks {mask.shape}; give (N, 1, H, W) and (N, H, W)")
    drawn = skeleton(torch.from_numpy(np.asarray(x > half, np.float32)))
    label = torch.from_numpy(np.asarray(mask > 0, np.float32))[:, None]
    correct = (drawn * dilation(label, BLOCK)).sum((1, 2, 3)) / drawn.sum((1, 2, 3)).clamp(min=LEAST)
    complete = (label * dilation(drawn, BLOCK)).sum((1, 2, 3)) / label.sum((1, 2, 3)).clamp(min=LEAST)
    both = correct * complete
    return float((both / (correct + complete - both).clamp(min=LEAST)).mean())

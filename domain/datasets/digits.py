"""The 8×8 handwritten digits that scikit-learn carries: no download, no official split.

1,797 digits by 43 writers, each pixel the count of inked points in a 4×4 block of a 32×32 bitmap
(Alpaydin & Kaynak 1998, UCI "Optical Recognition of Handwritten Digits", its test part).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from domain.config import Config
from domain.samples import About, Samples


@dataclass(frozen=True)
class Digits(Config):
    """The digits 0 to 9; it has no parameters."""

    def about(self) -> About:
        return About(kind="image", range=(0, 16), classes=10, producer="datasets.digits")

    def load(self, folders: Sequence[Path] = (), progress: bool = False) -> Samples:
        """x: (1797, 1, 8, 8) uint8 counts in 0..16; label: 0..9. No folder is read."""
        bundled = load_digits()
        return Samples(bundled.images[:, None].astype(np.uint8), self.about(), label=bundled.target)

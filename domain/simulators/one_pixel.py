"""Images with one white pixel, labelled by its place: as many pictures as pixels, all equally likely.

Four of them, with codes of two numbers, show what a normal posterior costs: the best codes of each picture fill a
quarter of the plane (Mescheder et al. 2017, arXiv 1701.04722, section 5). The entropy of the four, log 4 nats, is the
least that −log p(x) can be on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from domain.config import Config, Range
from domain.randomness import numpy_generator
from domain.samples import About, Samples


@dataclass(frozen=True)
class OnePixel(Config):
    """Images of 0 and one 1.

    Attributes:
        side: pixels along each side; side² pictures.
    """

    side: Annotated[int, Range(2)] = 2

    shard: ClassVar[int] = 100_000

    def about(self) -> About:
        """Black and white images."""
        return About("image", (0.0, 1.0), self.side**2, producer="simulators.one_pixel", parameters=self.as_dict())

    def simulate(self, count: int, seed: int) -> Samples:
        """x: (count, 1, side, side) float32; label: the white pixel's number, row by row."""
        label = numpy_generator(seed, "one_pixel").integers(self.side**2, size=count)
        x = np.eye(self.side**2, dtype=np.float32)[label].reshape(count, 1, self.side, self.side)
        return Samples(x, self.about(), label=label)

"""Adversarial costs: a pair of functions on scores, and what a score means.

Each function works sample by sample on raw scores r (real) and f (generated), as a critic without
a final sigmoid gives them; the mean over a batch is taken by whoever calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn.functional import softplus

Link = Literal["logit", "score", "lipschitz"]


@dataclass(frozen=True)
class Cost:
    """What the critic and the generator minimise.

    Attributes:
        critic: (r, f) → cost of the critic, per sample.
        generator: f → cost of the generator, per sample.
        link: ``logit`` scores may be read as log density ratios; ``score`` may not;
            ``lipschitz`` scores mean something only under a Lipschitz constraint.
    """

    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    link: Link


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """−log D(x) − log(1 − D(G(z))) with D = sigmoid(score) (Goodfellow et al. 2014, eq. 1)."""
    return softplus(-real) + softplus(fake)


COSTS: dict[str, Cost] = {
    "minimax": Cost(cross_entropy, lambda f: -softplus(f), "logit"),
    "non_saturating": Cost(cross_entropy, lambda f: softplus(-f), "logit"),
    "maximum_likelihood": Cost(cross_entropy, lambda f: -f.exp(), "logit"),
    "least_squares": Cost(lambda r, f: (r - 1) ** 2 + f**2, lambda f: (f - 1) ** 2, "score"),
}

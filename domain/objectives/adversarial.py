"""Adversarial costs: a pair of functions on scores, and what a score means.

Each function works sample by sample on raw scores r (real) and f (generated), as a critic without
a final sigmoid gives them; the mean over a batch is taken by whoever calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn.functional import relu, softplus

Link = Literal["logit", "score", "lipschitz"]


@dataclass(frozen=True)
class Cost:
    """What the critic and the generator minimise.

    Attributes:
        critic: (r, f) → cost of the critic, per sample.
        generator: f → cost of the generator, per sample; of a relative cost (f, r) →.
        link: ``logit`` scores may be read as log density ratios; ``score`` may not;
            ``lipschitz`` scores mean something only under a Lipschitz constraint.
        relative: whether only differences of real and generated scores count.
        middle: the score between real and generated; mirrored there, the sides change their parts.
    """

    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[..., Tensor]
    link: Link
    relative: bool = False
    middle: float = 0.0


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """−log D(x) − log(1 − D(G(z))) with D = sigmoid(score) (Goodfellow et al. 2014, eq. 1)."""
    return softplus(-real) + softplus(fake)


def paired(higher: Tensor, lower: Tensor) -> Tensor:
    """−log sigmoid(higher − lower), pair by pair (Jolicoeur-Martineau 2018, arXiv 1807.00734, RpGAN)."""
    return softplus(lower - higher)


def averaged(higher: Tensor, lower: Tensor) -> Tensor:
    """Each score against the other side's mean over the batch (the same paper, RaGAN)."""
    return softplus(lower.mean() - higher) + softplus(lower - higher.mean())


# Least squares: Mao et al. 2016, arXiv 1611.04076. Hinge: Lim & Ye 2017, arXiv 1705.02894. Wasserstein:
# Arjovsky et al. 2017, arXiv 1701.07875. Reverse KL: of the generated distribution from the real one, as the best
# critic's scores, log density ratios, have it (Sønderby et al. 2016, arXiv 1610.04490).
COSTS: dict[str, Cost] = {
    "minimax": Cost(cross_entropy, lambda f: -softplus(f), "logit"),
    "non_saturating": Cost(cross_entropy, lambda f: softplus(-f), "logit"),
    "maximum_likelihood": Cost(cross_entropy, lambda f: -f.exp(), "logit"),
    "reverse_kl": Cost(cross_entropy, lambda f: -f, "logit"),
    "least_squares": Cost(lambda r, f: (r - 1) ** 2 + f**2, lambda f: (f - 1) ** 2, "score", middle=0.5),
    "hinge": Cost(lambda r, f: relu(1 - r) + relu(1 + f), lambda f: -f, "score"),
    "wasserstein": Cost(lambda r, f: f - r, lambda f: -f, "lipschitz"),
    "relativistic": Cost(paired, paired, "score", relative=True),
    "relativistic_average": Cost(averaged, averaged, "score", relative=True),
}

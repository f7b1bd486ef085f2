"""How scores depend on one another, as far as means and a covariance can say it: a normal copula, of values that may be 0."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from domain.nets.ranks import drawn_scores, normal_score
from domain.nets.trend import ROWS, Quadratic

SWEEPS = 12  # of drawing empty values, each followed by a fit
CHUNK = 1024  # samples drawn at once
BLOCK = 32  # values whose laws are prepared by one product
TINY = 1e-6  # least variance along an axis
RARE = 0.01  # a value above 0 less often than this says nothing of a covariance


class NormalCopula(nn.Module):
    """Normal scores of D values given C numbers: a mean of second degree, and a covariance.

    Of an empty value no more is known than that its score is below a bound. Spread there at random, it would know nothing of
    its neighbours: correlations shrink, and a layer's hits, one by one as frequent as they should be, vary too little in
    number. So each is drawn from its law given all the others, by Gibbs sampling, in turns with the fit: the extended rank
    likelihood (Hoff 2007, Ann. Appl. Stat. 1:265).

    Args:
        values: D.
        numbers: C.
    """

    root: Tensor  # (D, D) symmetric square root of the covariance
    inverse: Tensor  # (D, D) its inverse

    def __init__(self, values: int, numbers: int) -> None:
        super().__init__()
        self.mean = Quadratic(numbers, values)
        self.register_buffer("root", torch.eye(values))
        self.register_buffer("inverse", torch.eye(values))

    def fit(self, low: Tensor, high: Tensor, given: Tensor, turns: Tensor, generator: torch.Generator) -> Tensor:
        """Measure mean and covariance; return what they leave to explain, (N, D), as :meth:`whiten` has it.

        Args:
            low, high: ranks (N, D) in [0, 1], equal for values above 0; an empty value lies between the two.
            given: (N, C).
            turns: orders of the values that are as likely, (T, D).
            generator: draws the scores of empty values.
        """
        least, most = normal_score(low), normal_score(high)
        few = len(low) < ROWS * int(((low == high).float().mean(0) > RARE).sum())
        scores = drawn_scores(low, high, torch.rand(low.shape, generator=generator, device=low.device))
        covariance = self._measure(scores, given, turns, few)
        for _ in range(SWEEPS):
            precision = torch.from_numpy(power(covariance, -1.0)).to(scores)
            for rows in torch.arange(len(scores)).split(CHUNK):
                share = torch.rand(low.shape[1], len(rows), generator=generator, device=generator.device).T.to(scores)
                scores[rows] = self._drawn(scores[rows], least[rows], most[rows], given[rows], precision, share)
            covariance = self._measure(scores, given, turns, few)
        for matrix, exponent in ((self.root, 0.5), (self.inverse, -0.5)):
            matrix.copy_(torch.from_numpy(power(covariance, exponent)))
        return self.whiten(scores, given)

    def _measure(self, scores: Tensor, given: Tensor, turns: Tensor, few: bool) -> np.ndarray:
        """Fit the mean; return the covariance of what is left, (D, D), of ``few`` samples shrunk.

        Shrinking as Ledoit and Wolf (2004, J. Multivar. Anal. 88:365).
        """
        self.mean.fit(given, scores)
        self.mean.weights.copy_(torch.stack([self.mean.weights[:, turn] for turn in turns]).mean(0))
        left = (scores - self.mean(given)).cpu().double().numpy()
        covariance = left.T @ left / len(left)
        if few:
            from sklearn.covariance import ledoit_wolf

            covariance = ledoit_wolf(left, assume_centered=True)[0]
        return np.mean([covariance[np.ix_(turn, turn)] for turn in turns.cpu().numpy()], 0)

    def _drawn(
        self, scores: Tensor, least: Tensor, most: Tensor, given: Tensor, precision: Tensor, share: Tensor
    ) -> Tensor:
        """Scores between two bounds anew, one value after the other; all (n, D) but given, (n, C), and precision, (D, D).

        ``share`` says how far up its law each falls, in [0, 1).
        """
        spread, mean = precision.diagonal().rsqrt(), self.mean(given)
        pull, share = precision / precision.diagonal()[:, None], share.T.contiguous()
        left, low, high = ((each - mean).T.contiguous() for each in (scores, least, most))  # (D, n)
        for block in (low < high).any(1).nonzero()[:, 0].split(BLOCK):
            centre = left[block] - pull[block] @ left  # of each value's law; what is drawn moves those after it
            for i, j in enumerate(block.tolist()):
                below = torch.special.ndtr((high[j] - centre[i]) / spread[j]) * share[j]
                drawn = centre[i] + spread[j] * torch.special.ndtri(below.clamp(min=torch.finfo(below.dtype).tiny))
                drawn = drawn.clamp(low[j], high[j])
                centre[i + 1 :] -= pull[block[i + 1 :], j, None] * (drawn - left[j])
                left[j] = drawn
        return left.T + mean

    def completed(self, low: Tensor, high: Tensor, given: Tensor, share: Tensor) -> Tensor:
        """Scores (N, D) of other samples, empty values drawn from their law given all the others.

        Args:
            low, high: ranks (N, D), as :meth:`fit` takes them.
            given: (N, C).
            share: (N, 1 + sweeps, D) in [0, 1): where an empty value lies between its bounds at first, and how far up its
                law it falls in each sweep.
        """
        least, most, precision = normal_score(low), normal_score(high), self.inverse @ self.inverse
        scores = drawn_scores(low, high, share[:, 0])
        for each in share.unbind(1)[1:]:
            scores = self._drawn(scores, least, most, given, precision, each)
        return scores

    def whiten(self, scores: Tensor, given: Tensor) -> Tensor:
        """Scores (N, D) → uncorrelated ones; given: (N, C)."""
        return (scores - self.mean(given)) @ self.inverse

    def forward(self, z: Tensor, given: Tensor) -> Tensor:
        """The inverse of :meth:`whiten`; normal numbers (N, D) become the copula's own scores."""
        return z @ self.root + self.mean(given)


class ClassCopulas(nn.Module):
    """A copula of each class, or one of all samples; arguments as of :class:`NormalCopula`.

    Args:
        classes: their number, 0 for none.
    """

    def __init__(self, values: int, numbers: int, classes: int) -> None:
        super().__init__()
        self.copulas = nn.ModuleList(NormalCopula(values, numbers) for _ in range(max(1, classes)))

    def fit(
        self, low: Tensor, high: Tensor, given: Tensor, label: Tensor | None, turns: Tensor, generator: torch.Generator
    ) -> Tensor:
        """As :meth:`NormalCopula.fit`; label: classes (N,), each with samples."""
        if label is None:
            return self.copulas[0].fit(low, high, given, turns, generator)
        left = torch.empty_like(low)
        for k, copula in enumerate(self.copulas):
            rows = label == k
            left[rows] = copula.fit(low[rows], high[rows], given[rows], turns, generator)
        return left

    def forward(self, z: Tensor, given: Tensor, label: Tensor | None) -> Tensor:
        """As :meth:`NormalCopula.forward`; label: classes (N,)."""
        scores, *others = (copula(z, given) for copula in self.copulas)
        for k, other in enumerate(others, 1):
            scores = torch.where(label[:, None] == k, other, scores)
        return scores


def power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """A power of a symmetric matrix without negative eigenvalues, (D, D)."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, TINY) ** exponent) @ vectors.T

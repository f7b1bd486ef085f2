"""The copula of values that may be 0: what was put in is found again."""

from __future__ import annotations

import pytest
import torch

from domain.nets.copula import NormalCopula
from domain.nets.ranks import normal_score
from domain.randomness import torch_generator

WIDTH, ONE = 6, torch.arange(6)[None]


def normals(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Normal scores (count, 6) of unit variance, equally correlated once their trend is taken out; one number; the correlation."""
    generator, correlation = torch_generator(0, "copula"), torch.full((WIDTH, WIDTH), 0.4).fill_diagonal_(1.0)
    given = torch.randn(count, 1, generator=generator)
    left = torch.randn(count, WIDTH, generator=generator) @ torch.linalg.cholesky(correlation).T
    return 0.6 * given * torch.linspace(-1, 1, WIDTH) + 0.8 * left, given, 0.64 * correlation


@pytest.mark.parametrize("empty", [0.0, 0.3, 0.7])
def test_the_covariance_is_found_though_most_values_are_empty(empty: float) -> None:
    scores, given, covariance = normals(6000)
    copula, high = NormalCopula(WIDTH, 1), torch.special.ndtr(scores)
    bound = high.quantile(empty, 0) if empty else torch.zeros(WIDTH)
    low, high = torch.where(high > bound, high, 0.0), torch.where(high > bound, high, bound)
    copula.fit(low, high, given, ONE, torch_generator(0, "fit"))
    found = copula.root @ copula.root
    assert (found - covariance).abs().max() < 0.08
    if empty > 0.5:  # what the sampling is for: without it correlations are lost
        share = torch.rand(low.shape, generator=torch_generator(0, "at random"))
        assert normal_score(torch.lerp(low, high, share)).T.cov()[2, 3] < 0.6 * covariance[2, 3]


def test_whitening_is_undone() -> None:
    scores, given, _ = normals(2000)
    copula = NormalCopula(WIDTH, 1)
    rank = torch.special.ndtr(scores)
    white = copula.fit(rank, rank, given, ONE, torch_generator(0, "fit"))
    torch.testing.assert_close(white.T.cov(), torch.eye(WIDTH), atol=0.01, rtol=0)
    torch.testing.assert_close(copula(white, given), scores, atol=1e-3, rtol=0)


def test_scores_stay_within_their_bounds_and_known_ones_are_kept() -> None:
    scores, given, _ = normals(500)
    rank = torch.special.ndtr(scores)
    low, high = torch.where(rank > 0.5, rank, 0.0), rank.clamp(min=0.5)
    copula = NormalCopula(WIDTH, 1)
    drawn = copula(copula.fit(low, high, given, ONE, torch_generator(0, "fit")), given)
    assert (drawn[rank <= 0.5] <= 1e-3).all()
    torch.testing.assert_close(drawn[rank > 0.5], scores[rank > 0.5], atol=1e-3, rtol=0)


def test_orders_as_likely_share_one_covariance() -> None:
    scores, given, _ = normals(300)
    rank, turns = torch.special.ndtr(scores), torch.stack([torch.arange(WIDTH), torch.arange(WIDTH).flip(0)])
    copula = NormalCopula(WIDTH, 1)
    copula.fit(rank, rank, given, turns, torch_generator(0, "fit"))
    torch.testing.assert_close(copula.root, copula.root.flip(0, 1))
    torch.testing.assert_close(copula.mean.weights, copula.mean.weights.flip(1))


def test_other_samples_are_completed_by_the_same_law() -> None:
    """Empty values of samples that were not learned from keep their correlations, bounds hold, and known ones stay."""
    scores, given, covariance = normals(6000)
    rank = torch.special.ndtr(scores)
    bound = rank.quantile(0.6, 0)
    low, high = torch.where(rank > bound, rank, 0.0), torch.where(rank > bound, rank, bound)
    copula, (first, second) = NormalCopula(WIDTH, 1), (slice(0, 3000), slice(3000, None))
    copula.fit(low[first], high[first], given[first], ONE, torch_generator(0, "fit"))
    share = torch.rand(3000, 13, WIDTH, generator=torch_generator(0, "share"))
    found = copula.completed(low[second], high[second], given[second], share)
    assert (copula.whiten(found, given[second]).T.cov() - torch.eye(WIDTH)).abs().max() < 0.15
    known = rank[second] > bound
    torch.testing.assert_close(found[known], normal_score(rank[second])[known], atol=1e-3, rtol=0)
    assert (found <= normal_score(bound) + 1e-4)[~known].all()

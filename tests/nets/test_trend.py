"""Polynomials of second degree."""

from __future__ import annotations

import torch

from domain.nets.trend import MOST, Quadratic, Trend
from domain.randomness import torch_generator


def test_a_trend_is_found_whatever_the_units() -> None:
    context = 2 * torch.rand(1000, 3, generator=torch_generator(0, "trend")) - 1
    total = (1 + context[:, 0] - 0.5 * context[:, 1] * context[:, 2] + 0.3 * context[:, 2] ** 2).exp()
    trend = Trend(3)
    trend.fit(torch.cat([1e6 * total, torch.zeros(50)]), torch.cat([context, context[:50]]))
    torch.testing.assert_close(trend(context).exp(), 1e6 * total, rtol=1e-4, atol=0)


def test_few_samples_and_many_numbers_are_given_a_line() -> None:
    generator = torch_generator(0, "line")
    for numbers, count in ((3, 60), (MOST + 1, 5000)):
        x = torch.randn(count, numbers, generator=generator)
        line = Quadratic(numbers, 2)
        line.fit(x, torch.stack([1 + x[:, 0], 2 - x[:, 2]], 1))
        assert not line.weights[1 + numbers :].any()
        torch.testing.assert_close(line(x[:5]), torch.stack([1 + x[:5, 0], 2 - x[:5, 2]], 1), rtol=1e-5, atol=1e-5)

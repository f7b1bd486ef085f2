"""The VAE's bound against an exact answer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from domain.generators.vae import VAE, VAEConfig
from domain.objectives.divergences import kl_to_standard_normal
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space

DEVIATION = 0.5


class Linear(nn.Module):
    """A decoder x = Wz; with Gaussian noise, log p(x) is known: N(0, WWᵀ + σ²)."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, z: Tensor) -> Tensor:
        return torch.atanh((z @ self.weight.T).clamp(-0.999, 0.999)).reshape(-1, 1, 2, 2)


def test_bound_and_importance_weighted_bound_and_exact_are_in_order() -> None:
    with scoped_seed(0, "test"):
        model = VAE(VAEConfig(latent=2, width=4), Space("image", (1, 2, 2), (0.0, 1.0))).eval()
        weight = 0.05 * torch.randn(4, 2)
        x = 0.5 * torch.randn(50, 1, 2, 2)
    model.decoder = Linear(weight)
    model.log_deviation.data.fill_(torch.tensor(DEVIATION).log())
    exact = MultivariateNormal(torch.zeros(4), weight @ weight.T + DEVIATION**2 * torch.eye(4)).log_prob(x.flatten(1))
    with torch.no_grad():
        mean, log_variance = model.posterior(x)
        noise = torch.randn(400, *mean.shape, generator=torch_generator(0, "noise"))
        z = mean + (0.5 * log_variance).exp() * noise
        single = torch.stack([model.log_likelihood(x, draw) for draw in z]).mean(0) - kl_to_standard_normal(mean, log_variance)
    five, many = (model.density(x, torch_generator(0, "z"), draws) for draws in (5, 2000))
    assert many.kind == "bound"
    assert single.mean() <= five.value.mean() <= many.value.mean() + 0.01
    torch.testing.assert_close(many.value.mean(), exact.mean(), atol=0.03, rtol=0)

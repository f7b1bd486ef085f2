"""Distributions of codes, q(z | x), whose draws are differentiable functions of noise drawn beforehand.

A kind says how many numbers an encoder gives for it (``outputs``), how wide a code is (``width``) and what noise
a draw takes (``noise``). In all, ``latent`` counts a code's degrees of freedom d; leading axes are free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import normalize

from domain.objectives.divergences import kl_to_standard_normal

PROPOSALS = 6  # of a gamma number; all are refused less than once in 10⁷ draws
LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Gaussian:
    """Independent normal numbers; mean, log_variance: (..., d)."""

    mean: Tensor
    log_variance: Tensor

    @staticmethod
    def outputs(latent: int) -> int:
        return 2 * latent

    @staticmethod
    def width(latent: int) -> int:
        return latent

    @staticmethod
    def noise(shape: tuple[int, ...], latent: int, generator: torch.Generator) -> Tensor:
        """Standard normal, (*shape, d)."""
        return torch.randn(*shape, latent, generator=generator, device=generator.device)

    @classmethod
    def of(cls, out: Tensor) -> Self:
        """From an encoder's output (..., 2d)."""
        mean, log_variance = out.float().chunk(2, -1)
        return cls(mean, log_variance.clamp(-12, 8))

    @property
    def constant(self) -> Self:
        """The same distribution, through which no gradient flows."""
        return type(self)(self.mean.detach(), self.log_variance.detach())

    def draw(self, noise: Tensor) -> Tensor:
        """noise: (..., d) of :meth:`noise` → codes of its shape."""
        return self.mean + (0.5 * self.log_variance).exp() * noise

    def log_prob(self, z: Tensor) -> Tensor:
        """z: (..., d) → (...), in nats."""
        scaled = (z - self.mean).square() * (-self.log_variance).exp()
        return -0.5 * (scaled + self.log_variance + LOG_2PI).sum(-1)

    def kl(self) -> Tensor:
        """KL(q ‖ N(0, 1)) in nats, (...)."""
        return kl_to_standard_normal(self.mean, self.log_variance)


@dataclass(frozen=True)
class PowerSpherical:
    """p(z) ∝ (1 + μ·z)^κ on the unit sphere of d dimensions in d + 1 (De Cao & Aziz 2020, arXiv 2006.04437).

    It stands in for the von Mises-Fisher distribution of the hyperspherical VAE (Davidson et al. 2018, arXiv
    1804.00891): its density needs no Bessel function, and its draws no rejection that a gradient must account for.
    mean: μ, unit vectors (..., d + 1); concentration: κ, (...), at least 0.5 for d = 1 and positive for d ≥ 2.
    """

    mean: Tensor
    concentration: Tensor

    @staticmethod
    def outputs(latent: int) -> int:
        return latent + 2

    @staticmethod
    def width(latent: int) -> int:
        return latent + 1

    @staticmethod
    def noise(shape: tuple[int, ...], latent: int, generator: torch.Generator) -> Tensor:
        """A tangent direction, and normal numbers and logarithms of uniform ones for proposals, (*shape, d + 12)."""
        normal = torch.randn(*shape, latent + PROPOSALS, generator=generator, device=generator.device)
        uniform = torch.rand(*shape, PROPOSALS, generator=generator, device=generator.device)
        return torch.cat([normal, uniform.clamp_min(1e-38).log()], -1)

    @classmethod
    def of(cls, out: Tensor) -> Self:
        """From an encoder's output (..., d + 2); κ, from 0.5, is exponential in it, and at 0 about d: a mean cosine of a half."""
        out = out.float()
        return cls(normalize(out[..., :-1], dim=-1), 0.5 + (out.shape[-1] - 2) * out[..., -1].clamp(-10, 10).exp())

    @property
    def constant(self) -> Self:
        """The same distribution, through which no gradient flows."""
        return type(self)(self.mean.detach(), self.concentration.detach())

    @property
    def latent(self) -> int:
        """d."""
        return self.mean.shape[-1] - 1

    def draw(self, noise: Tensor) -> Tensor:
        """noise: (..., d + 12) of :meth:`noise` → unit vectors (..., d + 1).

        (1 + μ·z) / 2 follows Beta(d/2 + κ, d/2), which is a share of two gamma numbers; the second is half the
        squared length of the tangent direction, so that nothing is lost to cancellation at large κ.
        """
        tangent, normal, log_uniform = noise.split([self.latent, PROPOSALS, PROPOSALS], -1)
        along = gamma(0.5 * self.latent + self.concentration, normal, log_uniform)[..., None]
        across = 0.5 * tangent.square().sum(-1, keepdim=True)
        total = along + across
        z = torch.cat([(along - across) / total, (2 * along).sqrt() * tangent / total], -1)
        return reflect(z, self.mean)

    def log_prob(self, z: Tensor) -> Tensor:
        """z: unit vectors (..., d + 1) → (...), in nats, with respect to area."""
        cosine = (self.mean * z).sum(-1).clamp(min=-1 + 1e-6)
        return self.concentration * torch.log1p(cosine) - self.log_normaliser

    @property
    def log_normaliser(self) -> Tensor:
        """log ∫ (1 + μ·z)^κ over the sphere; their equation 5."""
        b = 0.5 * self.latent
        a = b + self.concentration
        return (a + b) * math.log(2) + b * math.log(math.pi) + torch.lgamma(a) - torch.lgamma(a + b)


def gamma(shape: Tensor, normal: Tensor, log_uniform: Tensor) -> Tensor:
    """Gamma numbers with an exact pathwise gradient (Marsaglia & Tsang 2000; Figurnov et al. 2018, arXiv 1805.08498).

    The first proposal that is accepted; its derivative keeps the distribution function's value, which does not
    depend on how the number was drawn.

    shape: (...), at least 1; normal, log_uniform: (..., P) noise of P proposals. → (...)
    """
    with torch.no_grad():
        d = shape.detach()[..., None] - 1 / 3
        v = (1 + normal * (9 * d).rsqrt()) ** 3
        accepted = (v > 0) & (log_uniform < 0.5 * normal**2 + d - d * v + d * v.clamp_min(1e-30).log())
        number = (d * v).gather(-1, accepted.byte().argmax(-1, keepdim=True)).squeeze(-1).clamp_min(1e-12)
        slope = torch._standard_gamma_grad(shape.detach().expand_as(number).contiguous(), number)
    return number + slope * (shape - shape.detach())


def reflect(z: Tensor, mean: Tensor) -> Tensor:
    """The reflection that takes the first axis to ``mean``, applied to z; both (..., m), mean of length 1."""
    first = torch.zeros_like(mean)
    first[..., 0] = 1
    normal = first - mean
    return z - 2 * normal * (normal * z).sum(-1, keepdim=True) / normal.square().sum(-1, keepdim=True).clamp_min(1e-12)


CODES: dict[str, type[Gaussian] | type[PowerSpherical]] = {"normal": Gaussian, "sphere": PowerSpherical}

"""Distributions of codes before any sample is seen, p(z), or of all samples' codes together.

Each gives ``log_prob``, codes (..., d) → (...) in nats; ``draw``, (count, d); and ``kl`` from a posterior, in
closed form where there is one, else log q(z) − log p(z) at its draw z.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import zuko
from torch import Tensor, nn
from torch.nn.functional import normalize

from domain.errors import InputError
from domain.nets.codes import LOG_2PI, Gaussian, PowerSpherical
from domain.objectives.divergences import kl_to_uniform_on_sphere, log_area


class Prior(nn.Module):
    """Base: a Monte Carlo KL."""

    def log_prob(self, z: Tensor) -> Tensor:
        raise NotImplementedError

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        raise NotImplementedError

    def kl(self, code: Gaussian | PowerSpherical, z: Tensor) -> Tensor:
        """KL(code ‖ prior), (...); z: a draw from the code, (..., d), for priors without a closed form."""
        return code.log_prob(z) - self.log_prob(z)

    def begin(self, images: Tensor, generator: torch.Generator) -> None:
        """Set start values from training images (N, C, H, W)."""

    def fit(self, codes: Tensor, generator: torch.Generator) -> None:
        """Follow the codes of training images, (N, d), once these are learned."""


class StandardNormal(Prior):
    """Independent, mean 0, deviation 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def log_prob(self, z: Tensor) -> Tensor:
        return -0.5 * (z**2 + LOG_2PI).sum(-1)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randn(count, self.width, generator=generator, device=generator.device)

    def kl(self, code: Gaussian, z: Tensor) -> Tensor:
        return code.kl()


class Sphere(Prior):
    """Uniform on the unit sphere in ``width`` dimensions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def log_prob(self, z: Tensor) -> Tensor:
        return z.new_full(z.shape[:-1], -log_area(self.width - 1))

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return normalize(torch.randn(count, self.width, generator=generator, device=generator.device), dim=1)

    def kl(self, code: PowerSpherical, z: Tensor) -> Tensor:
        return kl_to_uniform_on_sphere(code.concentration, code.log_normaliser, code.latent)


class Mixture(Prior):
    """``components`` normal distributions, whose weights, means and variances are learned."""

    def __init__(self, width: int, components: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(components))
        self.mean = nn.Parameter(torch.randn(components, width))
        self.log_variance = nn.Parameter(torch.zeros(components, width))

    def parts(self) -> tuple[Tensor, Gaussian]:
        """Log weights (K,) and the components, (K, d)."""
        return self.logits.log_softmax(0), Gaussian(self.mean, self.log_variance.clamp(-12, 8))

    def log_prob(self, z: Tensor) -> Tensor:
        log_weight, parts = self.parts()
        precision = (-parts.log_variance).exp()
        with torch.autocast(z.device.type, enabled=False):  # differences of large numbers need float32
            # Σ (z − m)² / v multiplied out: two matrix products in place of an array of N × K × d
            square = z**2 @ precision.T - 2 * z @ (parts.mean * precision).T + (parts.mean**2 * precision).sum(1)
        each = log_weight - 0.5 * (square + (parts.log_variance + LOG_2PI).sum(1))
        return each.logsumexp(-1)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        log_weight, parts = self.parts()
        which = torch.multinomial(log_weight.exp(), count, replacement=True, generator=generator)
        chosen = Gaussian(parts.mean[which], parts.log_variance[which])
        return chosen.draw(Gaussian.noise((count,), parts.mean.shape[1], generator))


class Vamp(Mixture):
    """The posteriors of learned images, equally weighted (Tomczak & Welling 2017, arXiv 1705.07120, section 2.1).

    Args:
        components: how many images.
        shape: (C, H, W) of an image.
        posterior: images (K, C, H, W) in [−1, 1] → their posteriors.
    """

    def __init__(self, components: int, shape: tuple[int, ...], posterior: Callable[[Tensor], Gaussian]) -> None:
        Prior.__init__(self)
        self.images = nn.Parameter(torch.zeros(components, *shape))
        self.posterior = posterior

    def parts(self) -> tuple[Tensor, Gaussian]:
        count = len(self.images)
        return self.images.new_full((count,), -math.log(count)), self.posterior(torch.tanh(self.images))

    def begin(self, images: Tensor, generator: torch.Generator) -> None:
        rows = torch.randint(len(images), (len(self.images),), generator=generator, device=generator.device)
        self.images.data.copy_(torch.atanh(0.9 * images[rows]))


class Flow(Prior):
    """Neural spline couplings (Durkan et al. 2019, arXiv 1906.04032) of a standard normal."""

    def __init__(self, width: int, transforms: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        if width < 2:
            raise InputError("a flow's couplings need codes of at least two numbers; set latent to 2 or more")
        self.width = width
        self.flow = zuko.flows.NSF(width, transforms=transforms, passes=2, hidden_features=hidden)

    def log_prob(self, z: Tensor) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):  # a spline's bins need float32
            return self.flow().log_prob(z)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        z = torch.randn(count, self.width, generator=generator, device=generator.device)
        return self.flow().transform.inv(z)


class Aggregate(StandardNormal):
    """A standard normal while codes are learned; after that a mixture of normals fitted to them, with full covariances.

    Ghosh et al. 2019 (arXiv 1903.12436) call it ex-post density estimation.
    """

    log_weight: Tensor  # (K,)
    mean: Tensor  # (K, d)
    scale: Tensor  # (K, d, d), lower triangular; its square is the covariance

    def __init__(self, width: int, components: int) -> None:
        super().__init__(width)
        self.register_buffer("log_weight", torch.full((components,), -math.log(components)))
        self.register_buffer("mean", torch.zeros(components, width))
        self.register_buffer("scale", torch.eye(width).repeat(components, 1, 1))

    def fit(self, codes: Tensor, generator: torch.Generator) -> None:
        if len(codes) < 2 * len(self.mean):
            what = f"{len(codes)} codes for {len(self.mean)} components"
            raise InputError(f"aggregate prior: {what}; give more training samples or fewer components")
        # Here, since it takes as long to import as all else a VAE needs but torch, and no other prior asks for it.
        from sklearn.mixture import GaussianMixture

        seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
        found = GaussianMixture(len(self.mean), reg_covar=1e-4, random_state=seed).fit(codes.double().cpu().numpy())
        scale = torch.linalg.cholesky(torch.from_numpy(found.covariances_))
        for buffer, value in ((self.mean, found.means_), (self.log_weight, found.weights_)):
            buffer.copy_(torch.from_numpy(value))
        self.log_weight.log_()
        self.scale.copy_(scale)

    def log_prob(self, z: Tensor) -> Tensor:
        flat = z.reshape(-1, self.width)
        centred = flat - self.mean[:, None]  # (K, N, d)
        white = torch.linalg.solve_triangular(self.scale, centred.mT, upper=False)
        spread = self.scale.diagonal(dim1=1, dim2=2).log().sum(1)
        each = -0.5 * (white.square() + LOG_2PI).sum(1) - spread[:, None] + self.log_weight[:, None]
        return each.logsumexp(0).reshape(z.shape[:-1])

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        which = torch.multinomial(self.log_weight.exp(), count, replacement=True, generator=generator)
        white = super().draw(count, generator)
        return self.mean[which] + (self.scale[which] @ white[..., None]).squeeze(-1)


Kind = Literal["standard", "mixture", "vamp", "flow", "aggregate"]


def prior(
    kind: Kind, sphere: bool, width: int, components: int, shape: tuple[int, ...], posterior: Callable[[Tensor], Gaussian]
) -> Prior:
    """A prior of codes of ``width`` numbers.

    Args:
        kind: ``standard``, normal, or with ``sphere`` uniform on the unit sphere; the others are for normal codes.
        components: of ``mixture``, ``vamp`` and ``aggregate``; couplings of ``flow``.
        shape, posterior: as :class:`Vamp` takes them.
    """
    made: dict[Kind, Callable[[], Prior]] = {
        "standard": lambda: Sphere(width) if sphere else StandardNormal(width),
        "mixture": lambda: Mixture(width, components),
        "vamp": lambda: Vamp(components, shape, posterior),
        "flow": lambda: Flow(width, components, (64, 64)),
        "aggregate": lambda: Aggregate(width, components),
    }
    return made[kind]()

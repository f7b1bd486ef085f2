"""k-means as a generative model: every sample is one of k means, plus noise.

The crudest baseline with codes. Lloyd's algorithm is the hard limit of fitting a mixture of equal round normal
distributions; with the clusters' shares and their common variance it gives that mixture's exact density. It has no
players: scikit-learn fits it when training ends, and one step of training is enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from sklearn.cluster import KMeans as Clustering
from torch import Tensor
from torch.nn.functional import one_hot

from domain.config import Config, Count
from domain.errors import InputError
from domain.space import Space
from domain.system import Density, Stream, System


@dataclass(frozen=True)
class KMeansConfig(Config):
    """Parameters of k-means.

    Attributes:
        clusters: k.
        starts: random starts, of which the best is kept.
    """

    clusters: Count = 50
    starts: Count = 3


class KMeans(System):
    """Means of clusters; samples, encodes, decodes, reconstructs and gives the exact density of its model."""

    Config: ClassVar[type[Config]] = KMeansConfig
    players = ()

    centres: Tensor  # (k, D)
    log_share: Tensor  # (k,)
    variance: Tensor  # scalar, of each number about its centre

    def __init__(self, config: KMeansConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        self.register_buffer("centres", torch.zeros(config.clusters, math.prod(space.shape)))
        self.register_buffer("log_share", torch.full((config.clusters,), -math.log(config.clusters)))
        self.register_buffer("variance", torch.ones(()))

    def streams(self, x: Tensor, label: Tensor) -> dict[str, Stream]:
        """x: (N, *shape); labels are not used."""
        if len(x) <= self.config.clusters:
            raise InputError(f"kmeans: {len(x)} training samples for {self.config.clusters} clusters; ask for fewer")
        return {"real": Stream((x,), 1)}

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        x = data["real"].tensors[0].flatten(1).cpu().numpy()
        seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
        found = Clustering(self.config.clusters, n_init=self.config.starts, random_state=seed).fit(x)
        if not found.inertia_ > 0:
            raise InputError(f"kmeans: {self.config.clusters} clusters hold these samples exactly; ask for fewer")
        self.centres.copy_(torch.from_numpy(found.cluster_centers_))
        counts = torch.from_numpy(found.labels_).long().bincount(minlength=self.config.clusters)
        self.log_share.copy_((counts / len(x)).log())
        self.variance.fill_(found.inertia_ / x.size)

    def decode(self, z: Tensor) -> Tensor:
        """Shares of clusters (N, k) → the weighted mean of their centres, (N, *shape)."""
        return (z @ self.centres).unflatten(1, self.space.shape)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Centres of clusters drawn by their shares, without noise, (count, *shape)."""
        which = torch.multinomial(self.log_share.exp(), count, replacement=True, generator=generator)
        return self.centres[which].unflatten(1, self.space.shape)

    def encode(self, x: Tensor) -> Tensor:
        """1 for the nearest centre, 0 for the others; x: (N, *shape) → (N, k)."""
        nearest = torch.cdist(x.flatten(1), self.centres).argmin(1)
        return one_hot(nearest, self.config.clusters).to(x.dtype)

    def reconstruct(self, x: Tensor) -> Tensor:
        """The nearest centre; x: (N, *shape) → (N, *shape)."""
        return self.decode(self.encode(x))

    def density(self, x: Tensor, generator: torch.Generator) -> Density:
        """log Σ share N(x; centre, variance) in nats; x: (N, *shape)."""
        square = torch.cdist(x.flatten(1).double(), self.centres.double()).square()
        variance = self.variance.double()
        scale = self.centres.shape[1] * (2 * math.pi * variance).log()
        return Density((self.log_share - 0.5 * (square / variance + scale)).logsumexp(1).float(), "exact")

"""PCA and k-means are scikit-learn's, with densities that are exact; autoencoders repair what was damaged."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans as Clustering
from sklearn.decomposition import PCA as Decomposition
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from domain.config import Config
from domain.errors import InputError
from domain.generators.autoencoder import Autoencoder, AutoencoderConfig
from domain.generators.kmeans import KMeans, KMeansConfig
from domain.generators.pca import PCA, PCAConfig
from domain.randomness import scoped_seed, torch_generator
from domain.space import Space
from domain.system import System
from domain.training import Budget, fit

SPACE = Space("image", (1, 4, 4), (0.0, 1.0))


@pytest.fixture
def x() -> Tensor:
    """Two hundred images that vary in five directions, and a little in all."""
    generator = torch_generator(0, "x")
    basis = torch.randn(5, 16, generator=generator)
    flat = torch.randn(200, 5, generator=generator) @ basis / 4 + 0.1 * torch.randn(200, 16, generator=generator)
    return flat.clamp(-1, 1).reshape(-1, 1, 4, 4)


def trained(kind: type[System], config: Config, x: Tensor, steps: int = 1) -> System:
    with scoped_seed(0, "start"):
        model = kind(config, SPACE)
    history = fit(model, model.streams(x, torch.zeros(len(x))), Budget(steps=steps, precision="float32"), seed=0)
    assert history[-1]["step"] == steps
    return model


def test_pca_is_scikit_learns(x: Tensor) -> None:
    model = trained(PCA, PCAConfig(latent=5), x)
    theirs = Decomposition(5).fit(x.flatten(1).numpy())
    rebuilt = theirs.inverse_transform(theirs.transform(x.flatten(1).numpy()))
    np.testing.assert_allclose(model.reconstruct(x).flatten(1), rebuilt, atol=1e-5)
    density = model.density(x, torch_generator(0, "d"))
    assert density.kind == "exact"
    np.testing.assert_allclose(density.value, theirs.score_samples(x.flatten(1).numpy()), rtol=1e-4, atol=1e-3)
    drawn = model.encode(model.sample(20_000, torch_generator(0, "s")))
    torch.testing.assert_close(drawn.var(0), model.variance - model.noise_variance, rtol=0.05, atol=0.01)


def test_k_means_is_scikit_learns_and_its_density_that_of_the_mixture(x: Tensor) -> None:
    model = trained(KMeans, KMeansConfig(clusters=6), x)
    flat = x.flatten(1)
    rebuilt = model.reconstruct(x)
    again = Clustering(6, init=model.centres.numpy(), n_init=1).fit(flat.numpy())
    np.testing.assert_allclose(again.cluster_centers_, model.centres, atol=1e-5)
    np.testing.assert_allclose(rebuilt.flatten(1), again.cluster_centers_[again.labels_], atol=1e-5)
    assert float(model.variance) == pytest.approx(float((x - rebuilt).square().mean()), rel=1e-4)
    parts = Independent(Normal(model.centres, model.variance.sqrt()), 1)
    expected = MixtureSameFamily(Categorical(logits=model.log_share), parts).log_prob(flat)
    torch.testing.assert_close(model.density(x, torch_generator(0, "d")).value, expected, atol=1e-3, rtol=1e-4)


def test_pca_rebuilds_best_of_all_linear_maps_and_the_autoencoder_comes_near(x: Tensor) -> None:
    pca = trained(PCA, PCAConfig(latent=5), x)
    options = {"latent": 5, "network": "mlp", "hidden": (32,), "components": 2}
    model = trained(Autoencoder, AutoencoderConfig(**options), x, steps=300)
    spread = (x - x.mean(0)).square().mean()
    errors = [float((x - each.reconstruct(x)).square().mean() / spread) for each in (pca, model)]
    assert errors[0] < errors[1] < 0.5


def test_a_denoising_autoencoder_repairs(x: Tensor) -> None:
    black = torch.where(x > 0, 1.0, -1.0)
    options = {"likelihood": "bernoulli", "latent": 8, "network": "mlp", "hidden": (32,), "components": 2}
    model = trained(Autoencoder, AutoencoderConfig(**options, corruption="salt_and_pepper", amount=0.2), black, steps=400)
    damaged = model.corrupted(black, model.code_noise(len(black), torch_generator(9, "damage")))
    assert (damaged != black).float().mean() == pytest.approx(0.1, abs=0.03), "half of the damaged pixels do not change"
    repaired = model.reconstruct(damaged)
    assert (repaired - black).square().mean() < (damaged - black).square().mean()


@pytest.mark.parametrize(("kind", "share"), [("masking", 0.3), ("salt_and_pepper", 0.3)])
def test_corruption_hits_its_share_of_pixels(kind: str, share: float) -> None:
    with scoped_seed(0, "start"):
        model = Autoencoder(AutoencoderConfig(corruption=kind, amount=share, width=4), SPACE)
    x = torch.zeros(2000, 1, 4, 4)
    hit = model.corrupted(x, model.code_noise(2000, torch_generator(0, "damage")))
    assert float((hit != 0).float().mean()) == pytest.approx(share, abs=0.01)
    assert float((hit == 1).float().mean()) == pytest.approx(0 if kind == "masking" else share / 2, abs=0.01)


def test_too_many_components_or_clusters_are_refused(x: Tensor) -> None:
    with pytest.raises(InputError, match="pca.latent"):
        PCA(PCAConfig(latent=16), SPACE)
    with pytest.raises(InputError, match="components"):
        trained(PCA, PCAConfig(latent=8), x[:8])
    with pytest.raises(InputError, match="clusters"):
        trained(KMeans, KMeansConfig(clusters=9), x[:9])
    with pytest.raises(InputError, match="AutoencoderConfig.walk"):
        AutoencoderConfig(walk=3)
    assert math.isfinite(float(trained(PCA, PCAConfig(latent=3), x).noise_variance))

"""Virtual adversarial training: scikit-learn's contract, and its direction against exact linear algebra."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import Tensor, nn

from domain.classifiers import SupervisedClassifier, VirtualAdversarialClassifier
from domain.classifiers.virtual_adversarial import (
    VirtualAdversarialConfig,
    VirtualAdversarialTraining,
)
from domain.errors import InputError
from domain.objectives.smoothness import adversarial_direction, divergence
from domain.space import Space
from domain.system import Batch, Noise

UNLABELLED = "labels of -1 mean unlabelled here; scikit-learn exempts its own such estimators by name"


def small(**options: object) -> VirtualAdversarialClassifier:
    tiny = {"hidden": (32,), "radius": 0.1, "epochs": 15, "batch": 32, "unlabelled_batch": 32, "rate": 1e-2}
    same = {"average": 0.9, "precision": "float32", "random_state": 0}
    return VirtualAdversarialClassifier(**{**tiny, **same, **options})


@parametrize_with_checks(
    [small()], expected_failed_checks=lambda estimator: {"check_classifiers_classes": UNLABELLED}
)
def test_scikit_learn(
    estimator: VirtualAdversarialClassifier, check: Callable[[VirtualAdversarialClassifier], None]
) -> None:
    check(estimator)


@pytest.mark.parametrize("entropy", [0.0, 1.0])
def test_unlabelled_digits_help(entropy: float) -> None:
    """50 labels of 1,797 digits: well above the same labels alone."""
    X, y = load_digits(return_X_y=True)
    few = np.where(np.arange(len(y)) < 50, y, -1)
    options = {"hidden": (128,), "epochs": 15, "batch": 50, "unlabelled_batch": 128, "rate": 5e-3}
    model = small(radius=0.5, entropy=entropy, **options).fit(X, few)
    alone = SupervisedClassifier(hidden=(128,), epochs=100, batch=50, average=0.9, random_state=0)
    alone.fit(X[:50], y[:50])
    accuracy, floor = model.score(X[50:], y[50:]), alone.score(X[50:], y[50:])
    assert accuracy > 0.88 and accuracy > floor + 0.04


class Linear:
    """p(y|x) = softmax(W x): its Fisher matrix in input space, Wᵀ (diag p − p pᵀ) W, is known."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.randn(4, 6, generator=generator, dtype=torch.float64)
        self.x = torch.randn(5, 6, generator=generator, dtype=torch.float64)
        self.start = torch.randn(5, 6, generator=generator, dtype=torch.float64)

    def __call__(self, x: Tensor) -> Tensor:
        return x @ self.weight.T

    def fisher(self) -> Tensor:
        p = self(self.x).softmax(1)
        return self.weight.T @ (torch.diag_embed(p) - p[:, :, None] * p[:, None]) @ self.weight


def test_power_iteration_finds_the_top_eigenvector_of_the_fisher_matrix() -> None:
    model = Linear()
    values, vectors = torch.linalg.eigh(model.fisher())
    assert (values[:, -1] > 1.2 * values[:, -2]).all()  # else the top eigenvector is ill-defined
    found = adversarial_direction(model, model.x, model(model.x), model.start, 1e-5, iterations=100)
    cosine = (found * vectors[..., -1]).sum(1).abs()
    torch.testing.assert_close(cosine, torch.ones(5).double(), atol=1e-6, rtol=0)


def test_one_iteration_is_one_product_with_the_fisher_matrix() -> None:
    model = Linear()
    found = adversarial_direction(model, model.x, model(model.x), model.start, difference=1e-5)
    product = (model.fisher() @ model.start[..., None]).squeeze(-1)
    torch.testing.assert_close(found, nn.functional.normalize(product), atol=1e-4, rtol=0)


def test_divergence_is_half_the_fisher_norm_of_a_small_step() -> None:
    """KL[p(·|x) ‖ p(·|x + r)] = ½ rᵀ F r + O(|r|³)."""
    model = Linear()
    r = 1e-4 * nn.functional.normalize(model.start)
    expected = 0.5 * (r[:, None] @ model.fisher() @ r[..., None]).flatten()
    torch.testing.assert_close(divergence(model(model.x), model(model.x + r)), expected, atol=0, rtol=1e-3)


def test_divergence_of_two_known_distributions_in_nats() -> None:
    p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.9, 0.1]])
    expected = torch.tensor([0.5 * np.log(0.25 / 0.09)]).float()
    torch.testing.assert_close(divergence(p.log(), q.log()), expected)


def system(**options: object) -> VirtualAdversarialTraining:
    torch.manual_seed(0)
    config = VirtualAdversarialConfig(**{"hidden": (16, 16), "batch": 8, "unlabelled_batch": 12, **options})
    return VirtualAdversarialTraining(config, Space("table", (6,), (-1.0, 1.0), classes=3)).train()


def batch_and_noise(model: VirtualAdversarialTraining) -> tuple[Batch, Noise]:
    generator = torch.Generator().manual_seed(1)
    x = 2 * torch.rand(20, 6, generator=generator) - 1
    batch = {"labelled": (x[:8], torch.arange(8) % 3), "unlabelled": (x[8:],)}
    return batch, model.noise(model.players[0], generator)


def test_the_perturbation_is_as_long_as_its_radius(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = system(radius=1.5), []
    batch, noise = batch_and_noise(model)
    logits = model.logits
    monkeypatch.setattr(model, "logits", lambda x: seen.append(x.detach()) or logits(x))
    model.terms(batch, noise)
    _, clean, probe, perturbed = seen
    torch.testing.assert_close((probe - clean).norm(dim=1), torch.full((12,), model.config.difference))
    torch.testing.assert_close((perturbed - clean).norm(dim=1), torch.full((12,), 1.5))


def test_smoothness_is_never_negative_and_grows_with_the_radius() -> None:
    sizes = []
    for radius in (1e-3, 0.1, 1.0):
        model = system(radius=radius)
        batch, noise = batch_and_noise(model)
        sizes.append(model.terms(batch, noise)["smoothness"].item())
    assert 0 <= sizes[0] < sizes[1] < sizes[2]


def test_the_direction_leaves_no_gradient_behind() -> None:
    """Only the perturbed pass trains: neither the target nor the direction carries a gradient."""
    model = system()
    batch, noise = batch_and_noise(model)
    (x,) = batch["unlabelled"]
    clean = model.logits(x).detach()
    d = adversarial_direction(model.logits, x, clean, noise["start"], model.config.difference)
    assert not d.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_certain_sample_is_never_thrown_far() -> None:
    """Where the softmax saturates, the gradient underflows; its direction must not blow up."""
    model = Linear()

    def logits(x: Tensor) -> Tensor:
        return x @ model.weight.float().T

    for scale in (1.0, 30.0, 100.0, 1000.0):
        x = (scale * model.x).float()
        d = adversarial_direction(logits, x, logits(x), model.start.float(), difference=1.0)
        assert torch.isfinite(d).all() and (d.norm(dim=1) < 1 + 1e-5).all()


def test_one_sample_has_no_batch_statistics() -> None:
    with pytest.raises(InputError, match="unlabelled_batch: is 1, must be at least 2"):
        system(unlabelled_batch=1)

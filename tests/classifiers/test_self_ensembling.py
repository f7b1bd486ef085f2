"""Self-ensembling: what its teacher is, whose answers count, and that it follows a domain that moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from domain.classifiers import SelfEnsemblingClassifier, SupervisedClassifier
from domain.classifiers.self_ensembling import SelfEnsembling, SelfEnsemblingConfig
from domain.errors import InputError
from domain.objectives.entropy import marginal_entropy
from domain.space import Space
from domain.system import Batch, Noise
from tests.classifiers.test_virtual_adversarial import UNLABELLED

SMALL = {"hidden": (32,), "batch": 32, "precision": "float32", "random_state": 0}


def small(**options: object) -> SelfEnsemblingClassifier:
    return SelfEnsemblingClassifier(**{**SMALL, "epochs": 15, "average": 0.9, "rate": 1e-2, **options})


@parametrize_with_checks(
    [small()], expected_failed_checks=lambda estimator: {"check_classifiers_classes": UNLABELLED}
)
def test_scikit_learn(estimator: SelfEnsemblingClassifier, check: Callable[[SelfEnsemblingClassifier], None]) -> None:
    check(estimator)


def test_a_shifted_domain_is_learnt_without_its_labels() -> None:
    """Two clouds on either side of a line; in the other domain both lie further right."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 800)
    source = 0.3 * rng.normal(size=(800, 2)) + np.stack([2 * y - 1, np.zeros(800)], 1)
    target = source[::-1] + [0.6, 0.5]
    X, given = np.concatenate([source, target]), np.concatenate([y, np.full(800, -1)])
    model = small(epochs=10).fit(X, given)
    alone = SupervisedClassifier(**SMALL, epochs=10).fit(X, given)
    assert model.score(target, y[::-1]) > 0.98 and alone.score(target, y[::-1]) < 0.93


def system(**options: object) -> SelfEnsembling:
    torch.manual_seed(0)
    config = SelfEnsemblingConfig(**{"hidden": (16,), "batch": 8, "unlabelled_batch": 12, "noise": 0.0, **options})
    model = SelfEnsembling(config, Space("table", (6,), (-1.0, 1.0), classes=3)).train()
    model.after(model.players[0], {}, {})  # the teacher is the student now
    return model


def batch_and_noise(model: SelfEnsembling) -> tuple[Batch, Noise]:
    generator = torch.Generator().manual_seed(1)
    x = 2 * torch.rand(20, 6, generator=generator) - 1
    batch = {"labelled": (x[:8], torch.arange(8) % 3), "unlabelled": (x[8:],)}
    return batch, model.noise(model.players[0], generator)


def test_the_teacher_is_the_mean_of_the_students() -> None:
    model = system(memory=0.75)
    model.mean.steps.zero_()
    batch, noise = batch_and_noise(model)
    for step in range(5):  # a plain mean of the first four, which is their weight from then on
        for weight in model.student.parameters():
            weight.data.fill_(float(step))
        model.after(model.players[0], batch, noise)
    for mean in model.mean.values(model.student).values():
        torch.testing.assert_close(mean, torch.full_like(mean, 0.75 * 1.5 + 0.25 * 4))


def test_only_sure_answers_of_the_teacher_count() -> None:
    batch, noise = batch_and_noise(system())
    everything, nothing = (system(confidence=least).terms(batch, noise) for least in (0.0, 1.0))
    assert everything["sure"] == 1 and everything["agreement"] > 0
    assert nothing["sure"] == 0 and nothing["agreement"] == 0
    middle = system(confidence=0.4)
    terms = middle.terms(batch, noise)
    logits = middle.teacher(batch["unlabelled"][0])  # which the student still equals
    p, answer = logits.softmax(1).max(1)
    costs = torch.where(p >= 0.4, -logits.log_softmax(1).gather(1, answer[:, None])[:, 0], 0.0)
    torch.testing.assert_close(terms["agreement"], costs.mean())
    assert 0 < terms["sure"] < 1


def test_balance_pays_for_classes_that_are_missing() -> None:
    model = system(confidence=0.0, balance=0.5)
    batch, noise = batch_and_noise(model)
    terms = model.terms(batch, noise)
    torch.testing.assert_close(terms["balance"], -0.5 * marginal_entropy(model.student(batch["unlabelled"][0])))


def test_the_teacher_remembers_as_long_as_the_average() -> None:
    assert small(average=0.8).make(Space("table", (6,), (-1.0, 1.0), classes=3)).config.memory == 0.8


def test_unlabelled_are_those_without_a_label() -> None:
    model, x = system(), torch.zeros(5, 6)
    sizes = [len(model.streams(x, torch.tensor(label))["unlabelled"]) for label in ([0, 1, 2, -1, -1], [0, 1, 2, 0, 1])]
    assert sizes == [2, 5]


def test_views_need_images() -> None:
    with pytest.raises(InputError, match="need images"):
        system(student_augment=1.0)

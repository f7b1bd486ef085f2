"""Several networks that differ by their seed, and the mean of their probabilities.

Independent errors cancel in the mean, and where the members disagree the mean is less sure, so an
ensemble is both more accurate and better calibrated (Lakshminarayanan et al. 2017, arXiv 1612.01474).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from domain.config import Count, checked
from domain.errors import InputError
from domain.randomness import torch_seed


def mean_probabilities(members: Iterable[np.ndarray]) -> np.ndarray:
    """The mean of the members' class probabilities, each (N, K), summed one by one: (N, K) float64."""
    total, count = None, 0
    for count, member in enumerate(members, 1):
        member = np.asarray(member, np.float64)
        if total is not None and member.shape != total.shape:
            raise InputError(
                f"ensemble: member {count} gives shape {member.shape}, the first {total.shape}; "
                "train all on the same classes"
            )
        total = member if total is None else total + member
    if total is None:
        raise InputError("ensemble: has no members; give at least one")
    return total / count


@dataclass(eq=False, repr=False)
class Ensemble(ClassifierMixin, BaseEstimator):
    """Clones of one classifier, each with a random state of its own.

    The answers do not depend on where the members are trained, if every worker computes with the
    same number of threads.

    Args:
        estimator: the classifier to clone; also a pipeline, each of whose steps gets its own random state.
        n_estimators: how many members.
        random_state: seed of the members' random states. The first n members are the same in
            every larger ensemble.

    Attributes:
        members_: the fitted members.
        classes_: the class labels.
        n_features_in_: numbers in one sample.
    """

    estimator: Any
    n_estimators: int = 5
    random_state: Any = None

    def fit(self, X: Any, y: Any, executor: Executor | None = None) -> Self:
        """Train every member on X and y, as the estimator takes them.

        Args:
            executor: where; without one, in this process, one after the other.
        """
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        size = checked(self.n_estimators, Count, "Ensemble.n_estimators")
        members = [_member(self.estimator, seed, number) for number in range(size)]
        each = map if executor is None else executor.map
        self.members_ = list(each(_fitted, members, repeat(X), repeat(y)))
        return self._describe()

    def predict_proba(self, X: Any) -> np.ndarray:
        """Mean class probabilities of the members, (N, K), columns in the order of ``classes_``."""
        check_is_fitted(self)
        return mean_probabilities(member.predict_proba(X) for member in self.members_)

    def predict(self, X: Any) -> np.ndarray:
        """The class of the highest mean probability of each sample, (N,)."""
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

    def subset(self, indices: Sequence[int]) -> Self:
        """A fitted ensemble of some of the members, which both then share."""
        check_is_fitted(self)
        chosen = copy.copy(self)
        chosen.members_ = [self.members_[index] for index in indices]
        if not chosen.members_:
            raise InputError("ensemble: a subset needs at least one member")
        return chosen.set_params(n_estimators=len(chosen.members_))

    def _describe(self) -> Self:
        """Take over what scikit-learn wants to know of a fitted estimator."""
        for name in ("classes_", "n_features_in_", "feature_names_in_"):
            if hasattr(self.members_[0], name):
                setattr(self, name, getattr(self.members_[0], name))
        return self


def _member(estimator: Any, seed: int, number: int) -> Any:
    """A clone with its own random states and its own checkpoint file, if it has one."""
    member = clone(estimator)
    own: dict[str, Any] = {}
    for key, value in member.get_params().items():
        name = key.rpartition("__")[2]
        if name == "random_state":
            own[key] = torch_seed(seed, key, number) % 2**31
        elif name == "checkpoint" and value is not None:
            own[key] = Path(value).with_stem(f"{Path(value).stem}-{number}")
    return member.set_params(**own)


def _fitted(member: Any, X: Any, y: Any) -> Any:
    return member.fit(X, y)

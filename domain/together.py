"""Independent seeds of one small network, trained together as one batched computation.

A small network leaves a GPU idle: its time goes into starting kernels. S seeds stacked along a
leading axis, (S, …), start as many kernels as one. Their terms are ``torch.func.vmap`` of one
system's, their losses are summed, which leaves every gradient its own, and Adam works element by
element, so that S optimisers are one. Each seed draws its own rows and noise, as it would alone;
its result is that of :func:`domain.training.fit` but for the order of sums inside a matrix product.

What a system does ``after`` a step it does seed by seed, and must do to its buffers in place. Terms
that use what ``vmap`` cannot batch, such as kornia's affine matrices, do not stack. Tested on a CPU
against one seed at a time; there nothing is gained, so map over processes instead.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from domain.errors import InputError
from domain.system import Batch, Noise, Player, Stream, System, Terms
from domain.training import Budget, History, Run, complete


def fit_together(
    systems: Sequence[System],
    data: Sequence[Mapping[str, Stream]],
    budget: Budget,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    save_seconds: float = 20.0,
    progress: str | None = None,
) -> list[History]:
    """Train ``systems`` in place, all at once, and return the history of each.

    Args:
        systems: S untrained systems of one class and configuration, each with its start values.
        data: the streams of each; sizes must agree. A tensor that all share is kept once.
        budget: how long.
        seeds: of rows and noise, one for each system.
        device, checkpoint, save_seconds, progress: as in :func:`domain.training.fit`.

    Raises:
        InputError: the systems or their data cannot be stacked.
        NotFinite: a term is NaN or infinite; names the seed as well.
    """
    _require_alike(systems, data, seeds)
    run = _Together(systems, data, budget, seeds, torch.device(device))
    complete(run, checkpoint, save_seconds, progress)
    return run.histories


class NetworkEstimator(Protocol):
    """A scikit-learn estimator around a system, whose ``fit`` is ``prepare``, a training, ``adopt``."""

    device: str
    checkpoint: str | Path | None
    save_seconds: float
    verbose: bool

    def fit(self, X: Any, y: Any) -> Self:
        """Train on samples X with labels y."""

    def prepare(self, X: Any, y: Any) -> tuple[System, Mapping[str, Stream], Budget, int]:
        """Check the data; return what :func:`domain.training.fit` takes: system, data, budget, seed."""

    def adopt(self, system: System, history: History) -> Self:
        """Become the estimator of a trained system."""


E = TypeVar("E", bound=NetworkEstimator)


def fit_estimators(
    estimators: Sequence[E],
    X: Any,
    ys: Sequence[Any],
    executor: Executor | None = None,
    *,
    stack: bool | None = None,
) -> list[E]:
    """Fit estimators that differ in seed and labels on the same samples; return them, fitted.

    Args:
        estimators: equal but for ``random_state``.
        X: the samples, as the estimators take them.
        ys: the labels for each estimator, −1 where unlabelled.
        executor: where to fit one at a time; without one, here and in turn. Either way gives the
            bytes of ``estimator.fit(X, y)``, if the workers run as many threads.
        stack: train all as one computation, with the first one's checkpoint; by default on a GPU.
    """
    if not len(estimators) == len(ys) > 0:
        counts = f"{len(estimators)} estimators and {len(ys)} sets of labels"
        raise InputError(f"{counts} do not pair; give one set of labels for each estimator")
    if stack is None:
        stack = all(torch.device(estimator.device).type == "cuda" for estimator in estimators)
    if not stack:
        each = executor.map if executor else map
        return list(each(_fitted, estimators, itertools.repeat(X), ys))
    systems, data, budgets, seeds = zip(*(e.prepare(X, y) for e, y in zip(estimators, ys)))
    first = estimators[0]
    if any(budget != budgets[0] for budget in budgets):
        raise InputError("estimators with unlike budgets do not stack; give all the same epochs and batch")
    histories = fit_together(
        systems, data, budgets[0], seeds, device=first.device,
        checkpoint=Path(first.checkpoint) if first.checkpoint else None, save_seconds=first.save_seconds,
        progress=type(first).__name__ if first.verbose else None,
    )
    return [e.adopt(system, history) for e, system, history in zip(estimators, systems, histories)]


def _fitted(estimator: E, X: Any, y: Any) -> E:
    return estimator.fit(X, y)


def _require_alike(
    systems: Sequence[System], data: Sequence[Mapping[str, Stream]], seeds: Sequence[int]
) -> None:
    if not len(systems) == len(data) == len(seeds) > 0:
        raise InputError(
            f"{len(systems)} systems, {len(data)} sets of data and {len(seeds)} seeds do not match; "
            "give one of each per seed"
        )
    for seed, system, streams in zip(seeds, systems, data):
        if _structure(system) != _structure(systems[0]):
            raise InputError(
                f"the system of seed {seed} differs from the first one's class, configuration or shapes; "
                "train different systems one at a time"
            )
        if _sizes(streams) != _sizes(data[0]):
            raise InputError(
                f"the training data of seed {seed} has batches and sizes {_sizes(streams)}, the first one's "
                f"{_sizes(data[0])}; give every seed as many samples"
            )


def _structure(system: System) -> tuple[Any, ...]:
    shapes = {name: value.shape for name, value in system.state_dict().items()}
    return type(system), getattr(system, "config", None), shapes


def _sizes(streams: Mapping[str, Stream]) -> dict[str, tuple[Any, ...]]:
    """Rows in a batch, and the shape of every tensor, of each stream."""
    return {name: (s.batch, *(tuple(t.shape) for t in s.tensors)) for name, s in streams.items()}


class _Together(Run):
    """A run whose tensors have a leading axis of seeds, (S, …).

    Parameters and buffers of the systems are views of the stacked ones, so that all of a run that
    knows systems alone (start, save, resume, finish) sees their present values.
    """

    def __init__(
        self,
        systems: Sequence[System],
        data: Sequence[Mapping[str, Stream]],
        budget: Budget,
        seeds: Sequence[int],
        device: torch.device,
    ) -> None:
        self.pool = {
            name: [_pooled(tensors, device) for tensors in zip(*(streams[name].tensors for streams in data))]
            for name in data[0]
        }
        views = [
            {name: Stream(tuple(t[k] for t in self.pool[name]), s.batch) for name, s in data[0].items()}
            for k in range(len(systems))
        ]
        super().__init__(systems, views, budget, seeds, device)
        self.each = torch.arange(len(systems), device=device).unsqueeze(1)

    def _leaves(self) -> dict[str, Tensor]:
        for system in self.systems:
            system.requires_grad_(True)
        leaves, self.buffers = stack_module_state(self.systems)
        for name, stack in (leaves | self.buffers).items():
            for system, value in zip(self.systems, stack.detach()):
                _tensors(system)[name].data = value
        return leaves

    def _join(self, values: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(values))

    def _picked(self, name: str, rows: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensor[self.each, rows] for tensor in self.pool[name])

    def _terms(self, player: Player, batch: Batch, noise: Noise) -> Terms:
        def terms(state: tuple[dict[str, Tensor], ...], batch: Batch, noise: Noise) -> Terms:
            return functional_call(self.system, state, (player, batch, noise))

        try:
            return vmap(terms)((self.parameters, self.buffers), batch, noise)
        except RuntimeError as error:
            if "vmap" not in str(error):
                raise
            raise InputError(
                f"{type(self.system).__name__} so configured computes what does not stack over seeds "
                f"({str(error).splitlines()[0]}); train its seeds one at a time"
            ) from error

    def _after(self, player: Player, batch: Batch, noise: Noise) -> None:
        if type(self.system).after is System.after:
            return
        for k, system in enumerate(self.systems):
            (own,) = (p for p in system.players if p.name == player.name)
            rows = {name: tuple(tensor[k] for tensor in tensors) for name, tensors in batch.items()}
            system.after(own, rows, {name: drawn[k] for name, drawn in noise.items()})
        for name, buffer in self.system.named_buffers():
            if buffer.data_ptr() != self.buffers[name].data_ptr():
                raise InputError(
                    f"{type(self.system).__name__}.after replaces the buffer {name!r}; "
                    "change it in place, or train the seeds one at a time"
                )

    def finish(self) -> None:
        super().finish()
        for system in self.systems:
            for tensor in _tensors(system).values():
                tensor.data = tensor.data.clone()  # a view would keep every seed's tensors alive


def _tensors(system: System) -> dict[str, Tensor]:
    return dict(system.named_parameters()) | dict(system.named_buffers())


def _pooled(tensors: Sequence[Tensor], device: torch.device) -> Tensor:
    """Each seed's (n, …) → (S, n, …) on the device; one copy where all seeds have the same."""
    first = tensors[0]
    if all(tensor is first or torch.equal(tensor, first) for tensor in tensors):
        return first.to(device).expand(len(tensors), *first.shape)
    return torch.stack(list(tensors)).to(device)

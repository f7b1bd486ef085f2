"""The only training loop. It knows no family: it steps players and keeps the books.

Everything a step draws (its rows, its noise) is a function of the seed, the player and the step's
number, so a run that is killed and started again ends with the same bits as one never killed.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from domain.config import Config, Count, Fraction, Range
from domain.device import Precision, autocast
from domain.errors import InputError
from domain.files import whole_file
from domain.randomness import torch_generator
from domain.system import Batch, Noise, Player, Stream, System, Terms

History = list[dict[str, float]]


@dataclass(frozen=True)
class Budget(Config):
    """How long and how precisely to train.

    Attributes:
        steps: rounds; in each, every player takes its steps.
        average: decay per round of the averaged weights, bias-corrected; 0 keeps the last weights.
        hold: share of the rounds at the full learning rate; it then falls linearly to zero.
        log_every: rounds between two rows of the history.
        precision: ``auto`` takes bfloat16 matrix products where the processor has them.
    """

    steps: Count = 1000
    average: Annotated[float, Range(0, 0.999999)] = 0.0
    hold: Fraction = 1.0
    log_every: Count = 50
    precision: Precision = "auto"


class NotFinite(InputError):
    """A term or a weight became NaN or infinite."""


def fit(
    system: System,
    data: Mapping[str, Stream],
    budget: Budget,
    seed: int,
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    save_seconds: float = 20.0,
    progress: str | None = None,
    watch: Callable[[int], None] | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> History:
    """Train ``system`` in place and return its history, one row per ``log_every`` rounds.

    Args:
        system: what to train.
        data: the streams its players draw from, by name.
        budget: how long.
        seed: of rows and noise; start values are the caller's.
        device: where to train.
        checkpoint: a file to resume from, and to save to every ``save_seconds``.
        progress: title of a progress bar on a terminal, none without.
        watch: called after every round with the number of rounds so far; it must change nothing.
        weights: parameters by name to begin with, in place of the system's own start values.

    Raises:
        NotFinite: a term is NaN or infinite; names round, player and term. The checkpoint keeps
            the last finite state.
    """
    run = Run([system], [data], budget, [seed], torch.device(device), weights)
    complete(run, checkpoint, save_seconds, progress, watch)
    return run.histories[0]


def complete(
    run: Run,
    checkpoint: Path | None,
    save_seconds: float,
    progress: str | None,
    watch: Callable[[int], None] | None = None,
) -> None:
    """Play every round that is left, keep the books, and finish; arguments as in :func:`fit`."""
    if checkpoint is None or not run.resume(checkpoint):
        run.start()
    saved = time.monotonic()
    steps, hidden = run.budget.steps, None if progress else True
    bar = tqdm(total=steps, initial=run.round, desc=progress, disable=hidden, leave=False)
    with bar, light_collections():
        while run.round < steps:
            run.play()
            bar.update()
            if run.round % run.budget.log_every == 0 or run.round == steps:
                bar.set_postfix(run.log())
            if watch is not None:
                watch(run.round)
            if checkpoint is not None and time.monotonic() - saved > save_seconds:
                run.save(checkpoint)
                saved = time.monotonic()
    if checkpoint is not None:
        run.save(checkpoint)
    run.finish()


@contextlib.contextmanager
def light_collections() -> Iterator[None]:
    """Let Python's garbage collector pass over what exists by now: it took 8 % of a small network's steps."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class Run:
    """The state of one training: what a checkpoint holds.

    The books are kept per seed, and here there is one; ``together.py`` runs several by overriding
    the methods that say how seeds join in a step.
    """

    def __init__(
        self,
        systems: Sequence[System],
        data: Sequence[Mapping[str, Stream]],
        budget: Budget,
        seeds: Sequence[int],
        device: torch.device,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.weights = weights or {}
        self.systems, self.system = [system.to(device).train() for system in systems], systems[0]
        self.budget, self.seeds, self.device = budget, list(seeds), device
        self.data = [
            {name: Stream(tuple(t.to(device) for t in s.tensors), s.batch) for name, s in streams.items()}
            for streams in data
        ]
        for name, stream in self.data[0].items():
            if not len(stream):
                raise InputError(f"training data {name!r} is empty; give at least one sample")
        self.orders: dict[tuple[str, str], tuple[int, Tensor]] = {}
        self.round = 0
        self.histories: list[History] = [[] for _ in seeds]
        self.sums: dict[str, Tensor] = {}
        self.summed = 0

    def start(self) -> None:
        """Let each system set its start values from its data."""
        for system, data, seed in zip(self.systems, self.data, self.seeds):
            system.start(data, torch_generator(seed, "start", device=self.device))
            system.load_state_dict(self.weights, strict=False)
        self.begin()

    def begin(self) -> None:
        """Make optimisers and averages from the systems' present values."""
        self.parameters = self._leaves()
        players = self.system.players
        self.optimisers = {p.name: p.optimiser.build(list(self._owned(p).values())) for p in players}
        self.average = {
            name: torch.zeros_like(value)
            for name, value in self.parameters.items()
            if self.budget.average and name.split(".")[0] in self.system.averaged
        }

    def _owned(self, player: Player) -> dict[str, Tensor]:
        return {name: value for name, value in self.parameters.items() if name.split(".")[0] in player.roles}

    # How seeds join in a step: here there is one.

    def _leaves(self) -> dict[str, Tensor]:
        """What the optimisers step, by name; the systems' own parameters follow."""
        return dict(self.system.named_parameters())

    def _join(self, values: Sequence[Tensor]) -> Tensor:
        """One tensor of a step, from that of each seed."""
        return values[0]

    def _picked(self, name: str, rows: Tensor) -> tuple[Tensor, ...]:
        """The samples of a stream in these rows."""
        return tuple(tensor.index_select(0, rows) for tensor in self.data[0][name].tensors)

    def _terms(self, player: Player, batch: Batch, noise: Noise) -> Terms:
        return self.system(player, batch, noise)

    def _after(self, player: Player, batch: Batch, noise: Noise) -> None:
        self.system.after(player, batch, noise)

    # One round.

    def play(self) -> None:
        """Every player takes its steps; the average follows."""
        for player in self.system.players:
            for group in self.optimisers[player.name].param_groups:
                group["lr"] = player.optimiser.rate * self._rate()
            for name, parameter in self.parameters.items():
                parameter.requires_grad_(name.split(".")[0] in player.roles)
            for turn in range(player.steps):
                self._step(player, self.round * player.steps + turn)
        self._follow()
        self.round += 1
        self.summed += 1

    def _rate(self) -> float:
        left, hold = 1 - self.round / self.budget.steps, self.budget.hold
        return 1.0 if hold == 1 or left >= 1 - hold else left / (1 - hold)

    def _step(self, player: Player, turn: int) -> None:
        streams = player.streams or self.data[0]
        batch = {name: self._picked(name, self._rows(name, player, turn)) for name in streams}
        noise = self._noise(player, turn)
        with autocast(self.device, self.budget.precision):
            terms = self._terms(player, batch, noise)
        optimiser = self.optimisers[player.name]
        optimiser.zero_grad()
        torch.stack([term.float() for term in terms.values()]).sum().backward()
        optimiser.step()
        with torch.no_grad():
            self._after(player, batch, noise)
            self._note(player, terms)

    def _noise(self, player: Player, turn: int) -> Noise:
        purpose = "noise", player.name, turn
        generators = (torch_generator(seed, *purpose, device=self.device) for seed in self.seeds)
        drawn = [self.system.noise(player, generator) for generator in generators]
        return {name: self._join([noise[name] for noise in drawn]) for name in drawn[0]}

    def _rows(self, name: str, player: Player, turn: int) -> Tensor:
        """Row numbers of turn ``turn``: a window on an endless run of permutations of the stream."""
        stream = self.data[0][name]
        first, last = turn * stream.batch, (turn + 1) * stream.batch
        windows = []
        while first < last:
            epoch, offset = divmod(first, len(stream))
            windows.append(self._order(name, player, epoch)[..., offset : offset + last - first])
            first += windows[-1].shape[-1]
        return torch.cat(windows, -1)

    def _order(self, name: str, player: Player, epoch: int) -> Tensor:
        """The permutation of one pass over a stream."""
        key, size = (name, player.name), len(self.data[0][name])
        if key not in self.orders or self.orders[key][0] != epoch:
            generators = [torch_generator(seed, "order", name, player.name, epoch) for seed in self.seeds]
            order = self._join([torch.randperm(size, generator=generator) for generator in generators])
            self.orders[key] = epoch, order.to(self.device)
        return self.orders[key][1]

    @torch.no_grad()
    def _follow(self) -> None:
        if self.average:
            present = [self.parameters[name].data for name in self.average]
            torch._foreach_lerp_(list(self.average.values()), present, 1 - self.budget.average)

    def _note(self, player: Player, terms: Terms) -> None:
        """Add to the running means; remember the first round that was not finite, without a sync."""
        for name, term in terms.items():
            key = f"{player.name}.{name}"
            value = term.detach().float() / player.steps
            first = torch.where(torch.isfinite(value), torch.inf, float(self.round))
            self.sums[key] = torch.stack([value, first]) if key not in self.sums else torch.stack(
                [self.sums[key][0] + value, torch.minimum(self.sums[key][1], first)]
            )

    def log(self) -> dict[str, str]:
        """Close a row of the history; raise if a term was not finite."""
        self._require_finite()
        means = {key: (sums[0].double() / self.summed).reshape(-1) for key, sums in self.sums.items()}
        columns = [mean.tolist() for mean in means.values()]
        for history, *row in zip(self.histories, *columns):
            history.append({"step": self.round, **dict(zip(means, row))})
        self.sums, self.summed = {}, 0
        return {key: f"{mean.mean():.3g}" for key, mean in means.items()}

    def _require_finite(self) -> None:
        for key, sums in self.sums.items():
            for seed, first in zip(self.seeds, sums[1].reshape(-1).tolist()):
                if math.isfinite(first):
                    raise self._not_finite(f"the term {key!r} was not finite in round {int(first)}", seed)
        for name, value in self.parameters.items():
            finite = value.isfinite().reshape(len(self.seeds), -1).all(1).tolist()
            for seed, good in zip(self.seeds, finite):
                if not good:
                    what = f"the weights {name!r} were not finite after round {self.round - 1}"
                    raise self._not_finite(what, seed)

    def _not_finite(self, what: str, seed: int) -> NotFinite:
        return NotFinite(
            f"training stopped with seed {seed}: {what} of {self.budget.steps}; "
            "lower the learning rate, or look for outliers in the data"
        )

    def finish(self) -> None:
        """Put the averaged weights in place and let each system measure what it needs."""
        with torch.no_grad():
            for name, value in self.average.items():
                self.parameters[name].copy_(value / (1 - self.budget.average**self.round))
        for system, data, seed in zip(self.systems, self.data, self.seeds):
            system.requires_grad_(True)
            system.finish(data, torch_generator(seed, "finish", device=self.device))
            system.eval()

    # Checkpoints: safetensors, so that nothing is ever unpickled.

    def save(self, path: Path) -> None:
        """Write the whole state to one file, if it is finite."""
        self._require_finite()
        tensors: dict[str, Tensor] = {}
        for k, system in enumerate(self.systems):
            tensors |= {f"system/{k}/{name}": v for name, v in system.state_dict().items()}
        tensors |= {f"average/{k}": v for k, v in self.average.items()}
        tensors |= {f"sums/{k}": v for k, v in self.sums.items()}
        for player in self.system.players:
            state = self.optimisers[player.name].state
            for name, parameter in self._owned(player).items():
                place = f"optimiser/{player.name}/{name}"
                tensors |= {f"{place}/{slot}": v for slot, v in state[parameter].items()}
        books = {
            "seeds": self.seeds, "round": self.round, "summed": self.summed,
            "histories": self.histories, "terms": list(self.sums),
        }
        with whole_file(path) as partial:
            save_file({k: v.contiguous() for k, v in tensors.items()}, partial, {"books": json.dumps(books)})

    def resume(self, path: Path) -> bool:
        """Take the state from a checkpoint; False if there is none."""
        if not path.exists():
            return False
        try:
            with safe_open(path, "pt", device=str(self.device)) as file:
                books = json.loads(file.metadata()["books"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}
            if books["seeds"] != self.seeds:
                raise ValueError(f"its seeds are {books['seeds']}")
            for k, system in enumerate(self.systems):
                system.load_state_dict(_under(tensors, f"system/{k}/"))
        except (SafetensorError, OSError, TypeError, LookupError, ValueError, RuntimeError) as error:
            problem = str(error).splitlines()[0]
            mend = "delete it to start anew"
            raise InputError(f"{path}: is no checkpoint of this training ({problem}); {mend}") from error
        self.begin()
        self.average = _under(tensors, "average/")
        self.sums = {name: tensors[f"sums/{name}"] for name in books["terms"]}
        for player in self.system.players:
            state = self.optimisers[player.name].state
            for name, parameter in self._owned(player).items():
                slots = _under(tensors, f"optimiser/{player.name}/{name}/")
                state[parameter] = {slot: _laid_out_like(parameter, value) for slot, value in slots.items()}
        self.round, self.summed, self.histories = books["round"], books["summed"], books["histories"]
        return True


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    """A copy with the parameter's strides where it has its shape: a fused optimiser pairs them in memory."""
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

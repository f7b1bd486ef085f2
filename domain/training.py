"""The only training loop. It knows no family: it steps players and keeps the books.

Everything a step draws (its rows, its noise) is a function of the seed, the player and the step's
number, so a run that is killed and started again ends with the same bits as one never killed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
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
from domain.system import Player, Stream, System, Terms

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

    Raises:
        NotFinite: a term is NaN or infinite; names round, player and term. The checkpoint keeps
            the last finite state.
    """
    run = _Run(system, data, budget, seed, torch.device(device))
    if checkpoint is None or not run.resume(checkpoint):
        system.start(run.data, torch_generator(seed, "start", device=device))
        run.begin()
    saved = time.monotonic()
    bar = tqdm(total=budget.steps, initial=run.round, desc=progress, disable=None if progress else True, leave=False)
    with bar:
        while run.round < budget.steps:
            run.play()
            bar.update()
            if run.round % budget.log_every == 0 or run.round == budget.steps:
                bar.set_postfix(run.log())
            if checkpoint is not None and time.monotonic() - saved > save_seconds:
                run.save(checkpoint)
                saved = time.monotonic()
    if checkpoint is not None:
        run.save(checkpoint)
    run.finish()
    return run.history


class _Run:
    """The state of one training: what a checkpoint holds."""

    def __init__(
        self, system: System, data: Mapping[str, Stream], budget: Budget, seed: int, device: torch.device
    ) -> None:
        self.system, self.budget, self.seed, self.device = system.to(device).train(), budget, seed, device
        self.data = {name: Stream(tuple(t.to(device) for t in s.tensors), s.batch) for name, s in data.items()}
        for name, stream in self.data.items():
            if not len(stream):
                raise InputError(f"training data {name!r} is empty; give at least one sample")
        self.orders: dict[tuple[str, str], tuple[int, Tensor]] = {}
        self.round, self.history, self.bad = 0, [], None
        self.sums: dict[str, Tensor] = {}
        self.summed = 0

    def begin(self) -> None:
        """Make optimisers and averages from the system's start values."""
        owned = {player.name: self._owned(player) for player in self.system.players}
        self.optimisers = {p.name: p.optimiser.build(list(owned[p.name].values())) for p in self.system.players}
        self.average = {
            name: torch.zeros_like(value)
            for name, value in self.system.named_parameters()
            if self.budget.average and name.split(".")[0] in self.system.averaged
        }

    def _owned(self, player: Player) -> dict[str, torch.nn.Parameter]:
        return {n: p for n, p in self.system.named_parameters() if n.split(".")[0] in player.roles}

    # One round.

    def play(self) -> None:
        """Every player takes its steps; the average follows."""
        for player in self.system.players:
            for group in self.optimisers[player.name].param_groups:
                group["lr"] = player.optimiser.rate * self._rate()
            for name, parameter in self.system.named_parameters():
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
        batch = {name: self._rows(name, player, turn) for name in self.data}
        noise = self.system.noise(player, torch_generator(self.seed, "noise", player.name, turn, device=self.device))
        with autocast(self.device, self.budget.precision):
            terms = self.system(player, batch, noise)
        optimiser = self.optimisers[player.name]
        optimiser.zero_grad()
        torch.stack([term.float() for term in terms.values()]).sum().backward()
        optimiser.step()
        with torch.no_grad():
            self.system.after(player, batch, noise)
            self._note(player, terms)

    def _rows(self, name: str, player: Player, turn: int) -> tuple[Tensor, ...]:
        """Rows of turn ``turn``: a window on an endless run of permutations of the stream."""
        stream = self.data[name]
        first = turn * stream.batch
        picked, size = [], len(stream)
        while len(picked) == 0 or sum(map(len, picked)) < stream.batch:
            epoch, offset = divmod(first, size)
            key = (name, player.name)
            if key not in self.orders or self.orders[key][0] != epoch:
                generator = torch_generator(self.seed, "order", name, player.name, epoch)
                self.orders[key] = epoch, torch.randperm(size, generator=generator).to(self.device)
            window = self.orders[key][1][offset : offset + stream.batch - sum(map(len, picked))]
            picked.append(window)
            first += len(window)
        rows = torch.cat(picked)
        return tuple(tensor[rows] for tensor in stream.tensors)

    @torch.no_grad()
    def _follow(self) -> None:
        decay = self.budget.average
        if self.average:
            parameters = dict(self.system.named_parameters())
            torch._foreach_lerp_(list(self.average.values()), [parameters[n].data for n in self.average], 1 - decay)

    def _note(self, player: Player, terms: Terms) -> None:
        """Add to the running means; remember the first round that was not finite, without a sync."""
        for name, term in terms.items():
            key = f"{player.name}.{name}"
            value = term.detach().float() / player.steps
            first = torch.where(torch.isfinite(value), torch.inf, float(self.round))
            self.sums[key] = torch.stack([value, first]) if key not in self.sums else torch.stack(
                [self.sums[key][0] + value, torch.minimum(self.sums[key][1], first)]
            )

    def log(self) -> dict[str, float]:
        """Close a row of the history; raise if a term was not finite."""
        self._require_finite()
        row = {key: sums[0].item() / self.summed for key, sums in self.sums.items()}
        self.history.append({"step": self.round, **row})
        self.sums, self.summed = {}, 0
        return {key: f"{value:.3g}" for key, value in row.items()}

    def _require_finite(self) -> None:
        for key, sums in self.sums.items():
            if torch.isfinite(sums[1]):
                raise NotFinite(
                    f"training stopped: the term {key!r} was not finite in round {int(sums[1])} of "
                    f"{self.budget.steps}; lower the learning rate, or look for outliers in the data"
                )
        for name, value in self.system.named_parameters():
            if not torch.isfinite(value).all():
                raise NotFinite(
                    f"training stopped: the weights {name!r} were not finite after round {self.round - 1} of "
                    f"{self.budget.steps}; lower the learning rate, or look for outliers in the data"
                )

    def finish(self) -> None:
        """Put the averaged weights in place and let the system measure what it needs."""
        with torch.no_grad():
            parameters = dict(self.system.named_parameters())
            for name, value in self.average.items():
                parameters[name].copy_(value / (1 - self.budget.average**self.round))
        self.system.requires_grad_(True)
        self.system.finish(self.data, torch_generator(self.seed, "finish", device=self.device))
        self.system.eval()

    # Checkpoints: safetensors, so that nothing is ever unpickled.

    def save(self, path: Path) -> None:
        """Write the whole state to one file, if it is finite."""
        self._require_finite()
        tensors = {f"system/{k}": v for k, v in self.system.state_dict().items()}
        tensors |= {f"average/{k}": v for k, v in self.average.items()}
        tensors |= {f"sums/{k}": v for k, v in self.sums.items()}
        for player in self.system.players:
            state = self.optimisers[player.name].state
            for name, parameter in self._owned(player).items():
                tensors |= {f"optimiser/{player.name}/{name}/{slot}": v for slot, v in state[parameter].items()}
        books = {"round": self.round, "summed": self.summed, "history": self.history, "terms": list(self.sums)}
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
            self.system.load_state_dict(_under(tensors, "system/"))
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
                state[parameter] = _under(tensors, f"optimiser/{player.name}/{name}/")
        self.round, self.summed, self.history = books["round"], books["summed"], books["history"]
        return True


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

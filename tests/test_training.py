"""The training loop, watched with a toy that has everything a family may have."""

from __future__ import annotations

import collections
import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from domain.classifiers.supervised import Supervised, SupervisedConfig
from domain.errors import InputError
from domain.randomness import scoped_seed
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms
from domain.training import Budget, NotFinite, Run, fit

ROWS = 7


class Toy(System):
    """Two players with steps of their own, noise, a buffer that follows, and start and finish.

    ``spoil`` turns the second player's term into NaN from that step on; ``die`` ends the run there.
    """

    averaged = ("left",)

    def __init__(self, spoil: float = math.inf, die: float = math.inf, rate: float = 0.01) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(2, 2), nn.Linear(2, 1)
        self.register_buffer("shown", torch.zeros(2, ROWS))
        self.register_buffer("turns", torch.zeros((), dtype=torch.long))
        self.spoil, self.die = spoil, die
        self.weights: list[dict[str, Tensor]] = []
        optimiser = Adam(rate=rate, beta1=0.5)
        self.players = (
            Player("left", ("left",), self.left_terms, optimiser),
            Player("right", ("right",), self.right_terms, optimiser, steps=2),
        )

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        return {"z": torch.randn(1, 2, generator=generator, device=generator.device)}

    def left_terms(self, batch: Batch, noise: Noise) -> Terms:
        x, _ = batch["real"]
        return {"score": self.right(self.left(x + noise["z"])).mean(), "size": self.left.weight.square().sum()}

    def right_terms(self, batch: Batch, noise: Noise) -> Terms:
        x, _ = batch["real"]
        error = (self.right(self.left(x) + noise["z"]) - 1).square().mean()
        return {"error": torch.where(self.turns >= self.spoil, torch.nan, error)}

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        self.left.bias.data = torch.randn(2, generator=generator)

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        player_row = [p.name for p in self.players].index(player.name)
        self.shown[player_row] += torch.bincount(batch["real"][1], minlength=ROWS)
        self.turns += player.name == "right"
        self.weights.append({name: value.clone() for name, value in self.named_parameters()})
        if self.turns >= self.die:
            raise KeyboardInterrupt

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        self.right.bias.data += torch.rand(1, generator=generator)


def toy(**options: float) -> Toy:
    with scoped_seed(0, "toy"):
        return Toy(**options)


def stream(batch: int = 3) -> dict[str, Stream]:
    x = torch.linspace(-1, 1, 2 * ROWS).reshape(ROWS, 2)
    return {"real": Stream((x, torch.arange(ROWS)), batch)}


BUDGET = Budget(steps=9, average=0.9, hold=0.5, log_every=4, precision="float32")


@pytest.mark.parametrize("die", range(1, 18))
def test_a_killed_run_ends_with_the_same_bits(tmp_path: Path, die: int) -> None:
    """Killed in any turn, inside a round as well; a checkpoint is saved after every round."""
    whole, checkpoint = toy(), tmp_path / "checkpoint"
    history = fit(whole, stream(), BUDGET, 3)
    with pytest.raises(KeyboardInterrupt):
        fit(toy(die=die), stream(), BUDGET, 3, checkpoint=checkpoint, save_seconds=0)
    resumed = toy()
    resumed.left.weight.data.zero_()
    assert checkpoint.exists() == (die > 2)
    if not checkpoint.exists():
        resumed = toy()
    again = fit(resumed, stream(), BUDGET, 3, checkpoint=checkpoint, save_seconds=0)
    assert json.dumps(again) == json.dumps(history), "values or the order of columns"
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_checkpoint_keeps_the_layout_of_convolutions(tmp_path: Path) -> None:
    """A fused optimiser pairs a parameter with its moments in memory, whatever their strides say."""

    def begun() -> Run:
        torch.manual_seed(0)
        system = Supervised(SupervisedConfig("conv", width=4, batch=8), Space("image", (1, 12, 12), (0.0, 1.0), classes=2))
        data = system.streams(torch.randn(40, 1, 12, 12, generator=torch.manual_seed(1)), torch.arange(40) % 2)
        return Run([system], [data], Budget(steps=6, precision="float32"), [0], torch.device("cpu"))

    whole, resumed = begun(), begun()
    whole.start()
    for _ in range(3):
        whole.play()
    whole.save(tmp_path / "checkpoint")
    assert resumed.resume(tmp_path / "checkpoint")
    for _ in range(3):
        whole.play()
        resumed.play()
    for name, value in whole.parameters.items():
        assert torch.equal(value, resumed.parameters[name]), name


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first, again = toy(), toy()
    fit(first, stream(), BUDGET, 3, checkpoint=tmp_path / "checkpoint")
    fit(again, stream(), BUDGET, 3, checkpoint=tmp_path / "checkpoint")
    assert again.weights == []
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items())


def test_seeds_differ() -> None:
    runs = [toy(), toy()]
    histories = [fit(run, stream(), BUDGET, seed) for seed, run in enumerate(runs)]
    assert histories[0] != histories[1]


@pytest.mark.parametrize("batch", [1, 3, 7, 10, 16])
def test_windows_cover_every_epoch_once(batch: int) -> None:
    """After k turns, k × batch rows were shown, and no row once more often than another's."""
    run = toy()
    fit(run, stream(batch), Budget(steps=7), 0)
    for turns, shown in zip((7, 14), run.shown):
        assert shown.sum() == turns * batch
        assert shown.max() - shown.min() <= 1
        if turns * batch % ROWS == 0:
            assert (shown == turns * batch / ROWS).all()


def test_epochs_are_shuffled_anew() -> None:
    orders = collections.defaultdict(list)

    class Watched(Toy):
        def after(self, player: Player, batch: Batch, noise: Noise) -> None:
            orders[player.name].append(tuple(batch["real"][1].tolist()))

    fit(Watched(), stream(ROWS), Budget(steps=4), 0)
    assert len(set(orders["left"] + orders["right"])) == 12


def test_a_player_moves_its_own_roles_only() -> None:
    run = toy()
    fit(run, stream(), Budget(steps=3), 0)
    for (before, after), owner in zip(zip(run.weights, run.weights[1:]), ["right", "right", "left"] * 3):
        for name in before:
            assert torch.equal(before[name], after[name]) == (name.split(".")[0] != owner)


def test_learning_rate() -> None:
    """Adam's first step is ± rate; with β = 0 every step is, so a step shows the rate itself."""

    class Ramp(System):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.ParameterList([torch.zeros(())])
            self.positions: list[float] = []
            optimiser = Adam(rate=0.5, beta1=0, beta2=0)
            self.players = (Player("ramp", ("net",), lambda batch, noise: {"x": self.net[0] * 1.0}, optimiser),)

        def after(self, player: Player, batch: Batch, noise: Noise) -> None:
            self.positions.append(self.net[0].item())

    def rates(hold: float) -> list[float]:
        run = Ramp()
        fit(run, stream(), Budget(steps=8, hold=hold, precision="float32"), 0)
        return [(a - b) / 0.5 for a, b in zip([0.0, *run.positions], run.positions)]

    assert rates(1) == pytest.approx([1] * 8)
    assert rates(0.5) == pytest.approx([1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    assert rates(0) == pytest.approx([1 - k / 8 for k in range(8)])


def test_average() -> None:
    """Σ (1 − d) d^(n−k) w_k / (1 − d^n) over the rounds' last weights, of the averaged role alone."""
    run, plain = toy(), toy()
    fit(run, stream(), BUDGET, 3)
    fit(plain, stream(), Budget(**{**BUDGET.as_dict(), "average": 0.0}), 3)
    rounds = [weights["left.weight"].double() for weights in run.weights[2::3]]
    decay = BUDGET.average
    shares = [(1 - decay) * decay ** (len(rounds) - 1 - k) for k in range(len(rounds))]
    expected = sum(share * weight for share, weight in zip(shares, rounds)) / sum(shares)
    torch.testing.assert_close(run.left.weight.double(), expected, rtol=1e-5, atol=1e-6)
    assert not torch.equal(run.left.weight, plain.left.weight)
    assert torch.equal(run.right.weight, plain.right.weight)


def test_history() -> None:
    """A row every ``log_every`` rounds and at the end; each value is the mean over its turns."""
    every = fit(toy(), stream(), Budget(steps=5, log_every=1), 0)
    pairs = fit(toy(), stream(), Budget(steps=5, log_every=2), 0)
    assert [list(row) for row in every] == [["step", "left.score", "left.size", "right.error"]] * 5
    assert [row["step"] for row in pairs] == [2, 4, 5]
    for key in ("left.score", "right.error"):
        means = [(every[0][key] + every[1][key]) / 2, (every[2][key] + every[3][key]) / 2, every[4][key]]
        assert [row[key] for row in pairs] == pytest.approx(means, rel=1e-5)


@pytest.mark.parametrize("log_every, save_seconds", [(1, 0.0), (100, 0.0), (3, 1e9), (100, 1e9)])
def test_not_finite(tmp_path: Path, log_every: int, save_seconds: float) -> None:
    """The round and the term are named; the checkpoint, if one was saved, is from before."""
    checkpoint, budget = tmp_path / "checkpoint", Budget(steps=9, log_every=log_every)
    with pytest.raises(NotFinite, match=r"'right\.error' was not finite in round 3 of 9; lower the learning rate"):
        fit(toy(spoil=7), stream(), budget, 3, checkpoint=checkpoint, save_seconds=save_seconds)
    whole, resumed = toy(), toy()
    fit(whole, stream(), budget, 3)
    fit(resumed, stream(), budget, 3, checkpoint=checkpoint)
    assert torch.equal(whole.left.weight, resumed.left.weight)
    assert (len(resumed.weights) < len(whole.weights)) == (save_seconds == 0)


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    """The last step can spoil the weights when every term was finite: √x at 0 has no derivative."""

    class Root(Toy):
        def right_terms(self, batch: Batch, noise: Noise) -> Terms:
            last = {"error": (self.right.weight * 0).sqrt().sum()}
            return last if self.turns == 1 else super().right_terms(batch, noise)

    with pytest.raises(NotFinite, match=r"the weights 'right\.weight' were not finite after round 0 of 1"):
        fit(Root(), stream(), Budget(steps=1), 0, checkpoint=tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_broken_checkpoint(tmp_path: Path, content: bytes | None) -> None:
    """Empty, not a checkpoint, or cut off: one sentence that says which file to delete."""
    checkpoint = tmp_path / "checkpoint"
    fit(toy(), stream(), BUDGET, 3, checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-5] if content is None else content)
    with pytest.raises(InputError, match="checkpoint: is no checkpoint of this training .*; delete it"):
        fit(toy(), stream(), BUDGET, 3, checkpoint=checkpoint)


def test_a_checkpoint_of_another_system(tmp_path: Path) -> None:
    class Other(Toy):
        def __init__(self) -> None:
            super().__init__()
            self.right = nn.Linear(2, 5)

    fit(toy(), stream(), BUDGET, 3, checkpoint=tmp_path / "checkpoint")
    with pytest.raises(InputError, match="is no checkpoint of this training"):
        fit(Other(), stream(), BUDGET, 3, checkpoint=tmp_path / "checkpoint")


def test_empty_data() -> None:
    with pytest.raises(InputError, match="training data 'real' is empty"):
        fit(toy(), {"real": Stream((torch.zeros(0, 2), torch.zeros(0)), 3)}, BUDGET, 0)

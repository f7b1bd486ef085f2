"""The adversarial game between a generator and a critic.

A family of the game says what the generator is given (:meth:`Adversarial.inputs`) and what the critic is shown
(:meth:`Adversarial.shown`). The cost, its penalties and its options are the same for all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad

from domain.config import Config, Count, Natural, NonNegative, Positive, suggestion
from domain.errors import InputError
from domain.nets import pair, spectral_norm
from domain.nets.batch_norm import calibrate
from domain.objectives.adversarial import COSTS
from domain.objectives.penalties import Penalty, gradient_penalty, places
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms


@dataclass(frozen=True)
class AdversarialConfig(Config):
    """Parameters of the game.

    Attributes:
        cost: what the players minimise, a name in ``objectives/adversarial.py``.
        penalty: on the critic's gradient, see ``objectives/penalties.py``.
        clip: bound on the size of every weight of the critic (Arjovsky et al. 2017); 0 for none.
        spectral: divide every weight of the critic by its largest singular value (Miyato et al. 2018).
        kernels: of minibatch discrimination in the critic (Salimans et al. 2016); 0 for none.
        pack: samples that the critic judges together (Lin et al. 2017, arXiv 1712.04086).
        unroll: steps of the critic that the generator looks ahead, on the same batch, and that its
            gradient passes through (Metz et al. 2016, arXiv 1611.02163); plain gradient steps.
        unroll_rate: their size.
        critic_steps: steps of the critic in each round.
        latent: width of the latent vector, standard normal.
        width: channels at the largest size of networks for images.
        critic_width: the same of the critic, where it differs; 0 where not.
        hidden: widths of the hidden layers of networks for vectors.
        batch: real and generated samples in each step.
        generator, critic: their optimisers.
    """

    cost: str = "non_saturating"
    penalty: Penalty | None = None
    clip: NonNegative = 0.0
    spectral: bool = False
    kernels: Natural = 0
    pack: Count = 1
    unroll: Natural = 0
    unroll_rate: Positive = 0.1
    critic_steps: Count = 1
    latent: Count = 64
    width: Count = 64
    critic_width: Natural = 0
    hidden: tuple[Count, ...] = (128, 128)
    batch: Count = 64
    generator: Adam = Adam(rate=2e-4)
    critic: Adam = Adam(rate=2e-4)

    def __post_init__(self) -> None:
        super().__post_init__()
        name = type(self).__name__
        if self.cost not in COSTS:
            raise InputError(f"{name}.cost: is {self.cost!r}; {suggestion(self.cost, COSTS)}")
        if COSTS[self.cost].link == "lipschitz" and not (self.penalty or self.clip or self.spectral):
            raise InputError(
                f"{name}.cost: {self.cost!r} means something only for a critic that is not too steep; "
                "set penalty, clip or spectral"
            )
        if self.batch % self.pack:
            raise InputError(f"{name}.pack: {self.batch} samples do not divide into packs of {self.pack}; change batch")


def beside(x: Tensor, numbers: Tensor) -> Tensor:
    """Samples with numbers of their own: further channels of one value each, or columns.

    x: (N, C, ...), numbers: (N, K) → (N, C + K, ...)
    """
    return torch.cat([x, numbers.reshape(*numbers.shape, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])], 1)


class Adversarial(System):
    """A generator and a critic at play."""

    averaged = ("generator",)
    config: AdversarialConfig

    def __init__(self, config: AdversarialConfig, space: Space, given: int = 0, labels: int = 0) -> None:
        """``given``: numbers beside the latent vector; ``labels``: channels or columns beside the sample."""
        super().__init__()
        self.config, self.space, self.cost = config, space, COSTS[config.cost]
        pair.require(space.shape)
        self.judged: tuple[int, ...] = space.shape  # of what the cost compares and a penalty lies between
        self.generator = pair.generator(config.latent + given, space.shape, config.width, config.hidden)
        self.critic = self.scorer(labels)
        if config.spectral:
            spectral_norm.constrain(self.critic)
        critic = Player("critic", ("critic",), self.critic_terms, config.critic, config.critic_steps)
        generator = Player("generator", ("generator",), self.generator_terms, config.generator)
        self.players = critic, generator
        self.opponent, self.answer = critic, dataclasses.replace(generator, terms=self.answer_terms)

    # What a family may say otherwise.

    def scorer(self, labels: int) -> nn.Module:
        """The critic of packs of samples, with ``labels`` more channels or columns beside each."""
        config, (first, *rest) = self.config, self.space.shape
        packed = (config.pack * (first + labels), *rest)
        return pair.Scorer(packed, config.critic_width or config.width, config.hidden, config.kernels)

    def streams(self, x: Tensor, label: Tensor) -> dict[str, Stream]:
        """x: images (N, C, H, W) or vectors (N, F) in [−1, 1]; label: (N,), −1 where unlabelled."""
        return {"real": Stream((x, label), self.config.batch)}

    def drawn(self, count: int, generator: torch.Generator) -> Noise:
        """The random numbers behind ``count`` generated samples."""
        return {"z": torch.randn(count, self.config.latent, generator=generator, device=generator.device)}

    def inputs(self, noise: Noise, label: Tensor) -> Tensor:
        """What the generator is given for random numbers and labels (N,) → (N, latent + given)."""
        return noise["z"]

    def shown(self, x: Tensor, label: Tensor) -> Tensor:
        """What the critic is shown of samples (N, *judged) with labels (N,), before they are packed."""
        return x

    def real(self, batch: Batch, noise: Noise) -> Tensor:
        """What the critic should rate high, (N, *judged)."""
        return batch["real"][0]

    def made(self, batch: Batch, noise: Noise) -> Tensor:
        """What the critic should rate low, (N, *judged)."""
        return self.generate(noise, batch["real"][1])

    # The game.

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        config, device = self.config, generator.device
        drawn = dict(self.drawn(config.batch, generator))
        if config.penalty:
            packs, shape = config.batch // config.pack, (config.pack, *self.judged)
            drawn["share"] = torch.rand(packs, generator=generator, device=device)
            drawn["shift"] = torch.rand(packs, *shape, generator=generator, device=device)
        return drawn

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        label, sides = batch["real"][1], (self.real(batch, noise), self.made(batch, noise))
        terms = {"adversarial": self.cost.critic(*(self.score(side, label) for side in sides)).mean()}
        if rule := self.config.penalty:
            real, made = (side.unflatten(0, (-1, self.config.pack)) for side in sides)
            at = places(rule.at, real, made, noise["share"], noise["shift"])
            slope = gradient_penalty(lambda pack: self.score(pack.flatten(0, 1), label), at, rule.target)
            terms["penalty"] = rule.weight * slope.mean()
        return terms

    def generator_terms(self, batch: Batch, noise: Noise) -> Terms:
        """The generator's cost against the critic, or against the critic that would have answered."""
        if not self.config.unroll:
            return self.answer_terms(batch, noise)
        return functional_call(self, self.unrolled(batch, noise), (self.answer, batch, noise))

    def answer_terms(self, batch: Batch, noise: Noise) -> Terms:
        label = batch["real"][1]
        scores = [self.score(self.made(batch, noise), label)]
        if self.cost.relative:
            scores.append(self.score(self.real(batch, noise), label))
        return {"adversarial": self.cost.generator(*scores).mean()}

    def unrolled(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """The critic's parameters ``unroll`` gradient steps ahead, as functions of the generator's."""
        critic = {name: p.detach() for name, p in self.named_parameters() if name.startswith("critic.")}

        def loss(parameters: dict[str, Tensor]) -> Tensor:
            terms = functional_call(self, parameters, (self.opponent, batch, noise))
            return torch.stack(list(terms.values())).sum()

        for _ in range(self.config.unroll):
            slope = grad(loss)(critic)
            critic = {name: value - self.config.unroll_rate * slope[name] for name, value in critic.items()}
        return critic

    def generate(self, noise: Noise, label: Tensor) -> Tensor:
        """Images in [−1, 1], or unbounded vectors, from random numbers and labels (N,)."""
        return self.generator(self.inputs(noise, label))

    def score(self, x: Tensor, label: Tensor) -> Tensor:
        """The critic's raw scores, one or more for each pack; samples (N, *judged) with labels (N,) → (K · N / pack,)."""
        return self.critic(pair.packed(self.shown(x, label), self.config.pack))

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        if "critic" not in player.roles:
            return
        if self.config.clip:
            for parameter in self.critic.parameters():
                parameter.clamp_(-self.config.clip, self.config.clip)
        spectral_norm.advance(self.critic)

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        labels = data["real"].tensors[1]

        def passes() -> None:
            for _ in range(10):
                noise = self.drawn(256, generator)
                rows = torch.randint(len(labels), (256,), generator=generator, device=generator.device)
                self.generate(noise, labels[rows])

        calibrate(self.generator, passes)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Images in [−1, 1], or vectors, (count, *shape)."""
        return self.generate(self.drawn(count, generator), torch.full((count,), -1, device=generator.device))

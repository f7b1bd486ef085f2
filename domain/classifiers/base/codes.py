"""The game of an encoder whose codes are a category and a style (Makhzani et al. 2015, arXiv 1511.05644, section 5).

An encoder gives each sample a category, softmax probabilities, and a style, some numbers; a decoder rebuilds it
from the two. One critic tells the categories from drawn one-hot ones, another the styles from normal numbers, and
the encoder deceives both: so it is sure of a category and uses all equally. Labels name the categories.

    encoder, decoder:  min  λ E_x [−log p(x|y, z)] + E_x [softplus(−D(y)) + softplus(−D'(z))] + μ E_(x,y) [−log q(y|x)]
    critics:           min  E_x [softplus(D(y)) + softplus(D'(z))] + E_prior [softplus(−D(y)) + softplus(−D'(z))]
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from domain.classifiers.base.estimator import ClassifyingSystem, NetworkClassifier
from domain.config import Config, Count, NonNegative, Range
from domain.nets.batch_norm import calibrate
from domain.nets.mlp import mlp
from domain.nets.noisy import normal
from domain.objectives.adversarial import COSTS
from domain.objectives.likelihood import bernoulli
from domain.space import Space
from domain.system import Adam, Batch, Noise, Player, Stream, Terms

COST = COSTS["non_saturating"]


@dataclass(frozen=True)
class CodesConfig(Config):
    """Parameters of the networks and their game.

    Attributes:
        hidden: widths of the encoder's hidden layers; the decoder mirrors them.
        critic_hidden: widths of each critic's.
        style: numbers beside the category.
        input_noise: deviation of the Gaussian noise on the encoder's input (in [0, 1]), in training only.
        reconstruction: λ, weight of the cross-entropy of all pixels in nats.
        label_weight: weight of the labelled samples' cross-entropy, μ.
        labelled_batch: labelled samples in each step.
        batch: unlabelled samples in each step, and drawn codes.
        optimiser: of the encoder and the decoder.
        critic: of the critics.
    """

    hidden: tuple[Count, ...] = (1000, 1000)
    critic_hidden: tuple[Count, ...] = (1000, 1000)
    style: Count = 10
    input_noise: NonNegative = 0.3
    reconstruction: NonNegative = 0.01
    label_weight: NonNegative = 1.0
    labelled_batch: Count = 100
    batch: Annotated[int, Range(2)] = 100
    optimiser: Adam = Adam(rate=1e-3, beta1=0.5)
    critic: Adam = Adam(rate=1e-3, beta1=0.5)


class CodesGame(ClassifyingSystem):
    """An encoder into category and style, a decoder, and a critic of each; also samples and reconstructs."""

    Config: ClassVar[type[Config]] = CodesConfig
    averaged = ("encoder", "decoder")

    def __init__(self, config: CodesConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        inputs, codes = math.prod(space.shape), space.classes + config.style
        self.encoder = mlp((inputs, *config.hidden, codes), batch_norm=True)
        self.decoder = mlp((codes, *config.hidden[::-1], inputs))
        self.category_critic = mlp((space.classes, *config.critic_hidden, 1))
        self.style_critic = mlp((config.style, *config.critic_hidden, 1))
        self.players = (
            Player("critic", ("category_critic", "style_critic"), self.critic_terms, config.critic, streams=("unlabelled",)),
            Player("model", self.averaged, self.model_terms, config.optimiser),
        )

    def streams(self, x: Tensor, label: Tensor) -> Mapping[str, Stream]:
        return self.both(x, label, self.config.labelled_batch, self.config.batch)

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        category, style = self.drawn(self.config.batch, generator)
        hiss = normal(self.shown_to(player), math.prod(self.space.shape), generator)
        return {"input": hiss, "category": category, "style": style}

    def shown_to(self, player: Player) -> int:
        """How many samples pass through the encoder in a step of this player."""
        return self.config.batch + self.config.labelled_batch * (player.name == "model")

    def drawn(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Codes from the prior: equally likely categories, one-hot (count, K), and normal styles (count, style)."""
        category = torch.randint(self.space.classes, (count,), generator=generator, device=generator.device)
        style = torch.randn(count, self.config.style, generator=generator, device=generator.device)
        return one_hot(category, self.space.classes).float(), style

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        (x,) = batch["unlabelled"]
        with torch.no_grad():
            logits, style = self.codes(self.unit(x), noise["input"])
        return {
            "category": self.distance(self.category_critic, noise["category"], logits.softmax(1)),
            "style": self.distance(self.style_critic, noise["style"], style),
        }

    @staticmethod
    def distance(critic: nn.Module, drawn: Tensor, coded: Tensor) -> Tensor:
        """The cost of a critic that tells drawn codes from the encoder's, each (N, d)."""
        return COST.critic(critic(drawn).float(), critic(coded).float()).mean()

    def model_terms(self, batch: Batch, noise: Noise) -> Terms:
        """All views of labelled and unlabelled samples are one batch to the normalisation."""
        config, views = self.config, self.views(batch, noise)
        sizes = [len(view) for view in views.values()]
        logits, style = (dict(zip(views, part.split(sizes))) for part in self.codes(torch.cat([*views.values()]), noise["input"]))
        category, style = logits["unlabelled"].softmax(1), style["unlabelled"]
        terms = {
            "reconstruction": -config.reconstruction * bernoulli(views["unlabelled"], self.rebuilt(category, style)).mean(),
            "category": COST.generator(self.category_critic(category).float()).mean(),
            "style": COST.generator(self.style_critic(style).float()).mean(),
            "classes": config.label_weight * cross_entropy(logits["labelled"], batch["labelled"][1]),
        }
        return terms | self.further_terms(noise, views, logits)

    def views(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Samples as the encoder is shown them, but for the noise on its input, each (N, F) in [0, 1]."""
        return {name: self.unit(batch[name][0]) for name in ("labelled", "unlabelled")}

    def further_terms(self, noise: Noise, views: Mapping[str, Tensor], logits: Mapping[str, Tensor]) -> Terms:
        """The model's terms of a subclass; views: (N, F), logits: (N, K), by the views' names."""
        return {}

    def codes(self, x: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x: flat samples (N, F) in [0, 1] → logits of the category (N, K) and the style (N, style)."""
        seen = x if noise is None else torch.add(x, noise, alpha=self.config.input_noise)
        logits, style = self.encoder(seen).float().split([self.space.classes, self.config.style], 1)
        return logits, style

    def rebuilt(self, category: Tensor, style: Tensor) -> Tensor:
        """Logits of the pixels (N, F), from probabilities (N, K) and styles (N, style)."""
        return self.decoder(torch.cat([category, style], 1)).float()

    def finish(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        """Statistics without noise, as samples are classified."""
        (x,) = data["unlabelled"].tensors
        rows = torch.randint(len(x), (5000,), generator=generator, device=generator.device)
        calibrate(self.encoder, lambda: self.codes(self.unit(x[rows])))

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """x: samples (N, *shape) in [−1, 1] → class probabilities (N, K)."""
        return self.codes(self.unit(x))[0].softmax(1)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Class probabilities and style side by side; x: (N, *shape) in [−1, 1] → (N, K + style)."""
        logits, style = self.codes(self.unit(x))
        return torch.cat([logits.softmax(1), style], 1)

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Codes as :meth:`encode` gives them → samples in [−1, 1], (N, *shape)."""
        return (2 * torch.sigmoid(self.decoder(z).float()) - 1).unflatten(1, self.space.shape)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """The decoded code of the sample; x: (N, *shape) → (N, *shape), in [−1, 1]."""
        return self.decode(self.encode(x))

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Samples in [−1, 1] of codes from the prior, (count, *shape)."""
        return self.decode(torch.cat(self.drawn(count, generator), 1))


@dataclass(eq=False, repr=False)
class CodesClassifier(NetworkClassifier):
    """Base of the classifiers that play the game.

    Args:
        hidden ... labelled_batch: as in :class:`CodesConfig`.
        rate: learning rate of the encoder and the decoder.
        critic_rate: of the critics.
    """

    system: ClassVar[type[CodesGame]]
    hold: float = 0.0
    average: float = 0.999
    hidden: tuple[int, ...] = (1000, 1000)
    critic_hidden: tuple[int, ...] = (1000, 1000)
    style: int = 10
    input_noise: float = 0.3
    reconstruction: float = 0.01
    label_weight: float = 1.0
    labelled_batch: int = 100
    rate: float = 1e-3
    critic_rate: float = 1e-3

    def make(self, space: Space) -> CodesGame:
        shared = {field.name for field in dataclasses.fields(self.system.Config)} & set(self.get_params())
        options = {name: getattr(self, name) for name in shared}
        return self.system(self.system.Config(**options, optimiser=Adam(self.rate, 0.5), critic=Adam(self.critic_rate, 0.5)), space)

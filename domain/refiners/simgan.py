"""SimGAN: make simulated images look real and keep their labels (Shrivastava et al. 2016, arXiv 1612.07828).

A refiner R adds a correction to a simulated image. A local critic scores every patch as real or
refined; the refiner fools it while staying close to its input, so the annotation of the simulated
image still holds. The critic also sees images that earlier refiners made (the *history*), so that
the refiner cannot return to artefacts the critic has forgotten.

All costs are means (per patch, per pixel), so that weights do not depend on the image size. The
paper sums: its λ equals ``similarity`` × patches / pixels. It trains the refiner on similarity
alone at first; this one starts as the identity, where similarity has its minimum, and needs no such phase.

Beyond the paper, all off by default: critics of whole images, a refiner that sees far, a smooth warp
before the correction, which moves masks and points along, numbers and noise drawn for each image, so
that one has many refinements, and a reader that must still read the simulated label, or conditions such as a
direction, off the refined image. No real label is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from kornia.filters import gaussian_blur2d, spatial_gradient
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from domain.config import Config, Count, Fraction, Natural, NonNegative, Range
from domain.errors import InputError
from domain.nets import pair
from domain.nets.appearance import appearance, looks
from domain.nets.dcgan import Critic
from domain.nets.local import PatchCritic, Refiner
from domain.nets.pool import ImagePool
from domain.nets.unet import UNetRefiner
from domain.nets.warp import SmoothWarp, warped
from domain.objectives.adversarial import COSTS
from domain.refiners.base import critic_alarms, critic_first
from domain.space import Space, standard
from domain.system import Adam, Batch, Noise, Player, Stream, System, Terms

FEATURES: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "gradients": spatial_gradient,
    "blur": lambda x: gaussian_blur2d(x, (5, 5), (1.0, 1.0)),
}
"""ψ, in which refined images stay close to their input. All are linear."""

STILL = 0.005  # mean change of a pixel that raises an alarm


@dataclass(frozen=True)
class SimGANConfig(Config):
    """Parameters of SimGAN.

    Attributes:
        network: of the refiner: ``residual``, the paper's, sees neighbourhoods; ``unet`` far more, and it adds noise.
        width, blocks: its channels, and its residual blocks (64 and 4 for the paper's eyes) or how often a U-Net halves the image.
        critics: ``local`` scores patches, ``global`` whole images by convolutions, ``flat`` by a perceptron that knows every
            pixel by its place, and so what always stands there; the refiner has to fool all.
        critic_width: channels of a convolutional critic's first layer.
        flat_width: units of the flat critic's two layers.
        critic_strides, critic_kernels: of each layer of the local critic; a kernel that its stride divides, such as 4 with
            stride 2, asks the same of every pixel.
        pack: images that the global critic judges together (Lin et al. 2017, arXiv 1712.04086), so that all of one kind are
            noticed; ``batch`` is a multiple of it.
        similarity: weight of the mean absolute change of a feature, per pixel (images in [−1, 1]).
        features: what must not change: pixels (``identity``), their ``gradients``, or the ``blur``-red image.
        history: images kept from earlier refiners; 0 switches the history off.
        batch: simulated and real images in each step.
        critic_first: steps of the critic alone before the first round.
        refiner_steps, critic_steps: steps of each player in a round.
        warp: how far a warp may move a point, as in ``nets/warp.py``; 0 for no warp.
        warp_nodes: nodes of its displacement field along a side.
        smoothness: weight of the warp's mean squared strain.
        latent: numbers drawn for each image, uniform in [−1, 1].
        grain: pictures of noise drawn for each image, uniform in [−1, 1], from which the refiner can make textures and a sensor's
            noise: both networks look at them, and a U-Net says how much of each, made normal, is added to every pixel.
            Without ``latent`` and ``grain`` refining is deterministic.
        task: weight of what a reader gets wrong off refined images: the cross-entropy of simulated labels or, where there are
            none, the squares of standardised conditions.
        task_sees: what the reader learns from: ``both`` simulated and refined images (Bousmalis et al. 2016, arXiv
            1612.05424), or the ``simulated`` alone, so that it cannot follow where the refiner drifts.
        task_appearance: strength of random changes of these images' looks, see ``nets/appearance.py``; 0 for none.
        task_width: channels of the reader's first layer.
        refiner, critic, reader: the players' optimisers.
    """

    network: Literal["residual", "unet"] = "residual"
    width: Count = 64
    blocks: Count = 4
    critics: tuple[Literal["local", "global", "flat"], ...] = ("local",)
    critic_width: Count = 32
    flat_width: Count = 512
    critic_strides: tuple[Count, ...] = (2, 1, 1)
    critic_kernels: tuple[Count, ...] = (3, 3, 3)
    pack: Count = 1
    similarity: NonNegative = 1.0
    features: tuple[Literal["identity", "gradients", "blur"], ...] = ("identity",)
    history: Natural = 2048
    batch: Count = 64
    critic_first: Natural = 200
    refiner_steps: Count = 2
    critic_steps: Count = 1
    warp: Fraction = 0.0
    warp_nodes: Annotated[int, Range(2)] = 4
    smoothness: NonNegative = 1.0
    latent: Natural = 0
    grain: Natural = 0
    task: NonNegative = 0.0
    task_sees: Literal["both", "simulated"] = "both"
    task_appearance: NonNegative = 0.0
    task_width: Count = 32
    refiner: Adam = Adam(rate=5e-4)
    critic: Adam = Adam(rate=5e-4)
    reader: Adam = Adam(rate=1e-3, beta1=0.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("critics", "features"):
            if not getattr(self, name):
                raise InputError(f"SimGANConfig.{name}: is empty; name at least one")
        if len(self.critic_kernels) != len(self.critic_strides):
            raise InputError(
                f"SimGANConfig.critic_kernels: names {len(self.critic_kernels)} layers, critic_strides "
                f"{len(self.critic_strides)}; give each layer one of both"
            )
        if self.batch % self.pack:
            raise InputError(f"SimGANConfig.pack: {self.pack} do not divide a batch of {self.batch}; choose one that does")


class Refined(NamedTuple):
    """Refined images, the warped ones they correct, where their pixels came from, and the warp's strain, (N,)."""

    x: Tensor
    start: Tensor
    grid: Tensor | None
    strain: Tensor | None


class SimGAN(System):
    """A refiner and its critics at play; translates and warps."""

    Config: ClassVar[type[Config]] = SimGANConfig
    averaged = ("refiner", "warp")

    def __init__(self, config: SimGANConfig, space: Space) -> None:
        super().__init__()
        self.config, self.space = config, space
        self.cost = COSTS["non_saturating"]
        channels, *size = space.shape
        self.extra = config.latent + config.grain
        if config.network == "unet":
            self.refiner = UNetRefiner(channels, config.width, config.blocks, config.latent, config.grain)
        else:
            self.refiner = Refiner(channels, config.width, config.blocks, self.extra)
        self.critic = nn.ModuleDict({name: self._critic(name) for name in config.critics})
        players = [Player("critic", ("critic",), self.critic_terms, config.critic, config.critic_steps)]
        if config.warp:
            seen = (channels + self.extra, *size)
            self.warp = SmoothWarp(seen, config.critic_width, config.warp, config.warp_nodes)
        if config.task:
            if not space.classes and not space.condition:
                raise InputError("task needs simulated samples with labels or conditions; set it to 0")
            self.given = () if space.classes else ("condition",)
            self.reader = Critic(space.shape, config.task_width, space.classes or len(space.condition), batch_norm=False)
            players.append(Player("reader", ("reader",), self.reader_terms, config.reader, streams=("simulated",)))
        self.players = (
            *players, Player("refiner", ("refiner", "warp"), self.refiner_terms, config.refiner, config.refiner_steps)
        )
        self.history = ImagePool(config.history, space.shape)

    def _critic(self, kind: str) -> nn.Module:
        config, (channels, *size) = self.config, self.space.shape
        if kind == "global":
            return Critic((config.pack * channels, *size), config.critic_width, batch_norm=False)
        if kind == "flat":
            hidden = (config.flat_width, config.flat_width)
            return nn.Sequential(nn.Flatten(), pair.encoder((math.prod(self.space.shape),), 1, config.critic_width, hidden))
        return PatchCritic(channels, config.critic_width, config.critic_strides, config.critic_kernels)

    def streams(
        self, simulated: Tensor, real: Tensor, label: Tensor | None = None, condition: Tensor | None = None
    ) -> dict[str, Stream]:
        """Both are images (N, C, H, W) in [−1, 1]; label (N,) or else condition (N, T) of the simulated ones is for the task alone."""
        known: tuple[Tensor, ...] = (simulated,)
        if self.config.task and self.space.classes:
            if label is None or label.min() < 0:
                raise InputError("task needs a label of every simulated sample; set it to 0, or simulate with labels")
            known = (simulated, label)
        elif self.config.task:
            if condition is None:
                raise InputError("task needs the conditions of every simulated sample; set it to 0, or simulate with them")
            mean, scale = standard(condition)
            known = (simulated, ((condition - mean) / scale).float())
        return {"simulated": Stream(known, self.config.batch), "real": Stream((real,), self.config.batch)}

    def noise(self, player: Player, generator: torch.Generator) -> Noise:
        """Slots of the history that are shown, slots that are replaced, and what is drawn for each image."""
        half = self.config.batch // 2
        uniform = torch.rand(2, half, generator=generator, device=generator.device)
        drawn = {"shown": uniform[0], "replaced": uniform[1]}
        if self.extra:
            drawn["extra"] = self.draw(self.config.batch, generator)
        if player.name == "reader" and self.config.task_appearance:
            seen = self.config.batch * (2 if self.config.task_sees == "both" else 1)
            drawn |= looks(seen, self.space.shape, generator)
        return drawn

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """What is drawn for each image: channels of one number each, then of noise, (count, latent + grain, H, W)."""
        latent, grain, size = self.config.latent, self.config.grain, self.space.shape[1:]
        flat = torch.rand(count, latent + grain * math.prod(size), generator=generator, device=generator.device)
        numbers, noise = (2 * flat - 1).split([latent, grain * math.prod(size)], 1)
        return torch.cat([numbers[..., None, None].expand(-1, -1, *size), noise.unflatten(1, (grain, *size))], 1)

    def refine(self, x: Tensor, extra: Tensor | None = None) -> Refined:
        """x: images (N, C, H, W) in [−1, 1]; extra: (N, latent + grain, H, W), where there is any."""
        drawn = [] if extra is None else [extra]
        start, grid, strain = x, None, None
        if self.config.warp:
            grid, strain = self.warp(torch.cat([x, *drawn], 1))
            start = warped(x, grid)
        correction = self.refiner(torch.cat([start, *drawn], 1)).float()
        return Refined((start + correction).clamp(-1, 1), start, grid, strain)

    def scores(self, x: Tensor) -> list[Tensor]:
        """What each critic says of images (N, C, H, W), of its patches or packs; high is real."""
        packs = pair.packed(x, self.config.pack)
        return [critic(packs if name == "global" else x).float() for name, critic in self.critic.items()]

    def critic_terms(self, batch: Batch, noise: Noise) -> Terms:
        """Cross-entropy of real against refined; the share that it gets right is shown, not minimised."""
        (simulated, *_), (real,) = batch["simulated"], batch["real"]
        refined = self.history.mixed(self.refine(simulated, noise.get("extra")).x, noise["shown"])
        scores = list(zip(self.scores(real), self.scores(refined)))
        right = [((r > 0).float().mean() + (f < 0).float().mean()) / 2 for r, f in scores]
        return {
            "adversarial": torch.stack([self.cost.critic(r, f).mean() for r, f in scores]).sum(),
            "accuracy": torch.stack(right).mean().detach(),
        }

    def reader_terms(self, batch: Batch, noise: Noise) -> Terms:
        """What the reader gets wrong off simulated and, where it sees them, refined images."""
        (x, known), sees_both = batch["simulated"], self.config.task_sees == "both"
        if sees_both:
            x, known = torch.cat([x, self.refine(x, noise.get("extra")).x]), torch.cat([known, known])
        if self.config.task_appearance:
            x = appearance(x, noise["look"], noise["grain"], self.config.task_appearance)
        return {"task": self.misread(x, known)}

    def misread(self, x: Tensor, known: Tensor) -> Tensor:
        """Cross-entropy of labels (N,), or mean square of standardised conditions (N, T), that the reader reads off images."""
        read = self.reader(x).float()
        return cross_entropy(read, known) if self.space.classes else mse_loss(read, known)

    def refiner_terms(self, batch: Batch, noise: Noise) -> Terms:
        """Look real, stay close, keep the answer; the mean change of a pixel is shown, not minimised."""
        (simulated, *known), config = batch["simulated"], self.config
        refined = self.refine(simulated, noise.get("extra"))
        costs = [self.cost.generator(score).mean() for score in self.scores(refined.x)]
        change = refined.x - refined.start
        kept = torch.stack([FEATURES[name](change).float().abs().mean() for name in config.features]).mean()
        terms = {"adversarial": torch.stack(costs).sum(), "similarity": config.similarity * kept}
        if refined.strain is not None:
            terms["smoothness"] = config.smoothness * refined.strain.mean()
        if config.task:
            terms["task"] = config.task * self.misread(refined.x, known[0])
        return {**terms, "change": (refined.x - simulated).abs().mean().detach()}

    def start(self, data: Mapping[str, Stream], generator: torch.Generator) -> None:
        """The critic alone: at first it has to tell simulated from real."""
        critic_first(self, self.players[0], data, self.config.critic_first, generator)

    def after(self, player: Player, batch: Batch, noise: Noise) -> None:
        if player.name == "critic" and self.config.history:
            self.history.add(self.refine(batch["simulated"][0], noise.get("extra")).x, noise["replaced"])

    def alarms(self, history: Sequence[Mapping[str, float]]) -> list[str]:
        """A critic that won or lost for all of the last quarter, and a refiner that changes nothing."""
        what = "refined images are their input: a pixel changed by {:.4f} of 2 on average"
        return critic_alarms(history, STILL, what)

    @torch.no_grad()
    def translate(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Refine images: (N, C, H, W) in [−1, 1] → the same shape and range."""
        return self.translate_with_grid(x, generator)[0]

    @property
    def warps(self) -> bool:
        """Whether pixels move."""
        return self.config.warp > 0

    @torch.no_grad()
    def translate_with_grid(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """The same, and where the pixels came from, (N, H, W, 2) as in ``nets/warp.py``; None without a warp."""
        refined = self.refine(x, self.draw(len(x), generator) if self.extra else None)
        return refined.x, refined.grid

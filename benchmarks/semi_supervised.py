"""Training steps per second of feature matching: this project beside the same recipe written plainly.

    python -m benchmarks.semi_supervised [--steps 2000] [--threads 1] [--device cpu]

The plain one is the published recipe for MNIST, with the agreement of two noisy passes, as one would
type it: float32, one seed, torch's own weight normalisation and Adam, noise drawn layer by layer, a
pass for each kind of sample. Both use the same widths, noise, costs and batches. Turns are taken
alternately in one run.

With ``--steps`` both also train on data/prepared/mnist_official.h5 (100 labels, three seeds) for that many
steps, and the errors on the test images stand beside each other: speed is worth nothing otherwise.
On a GPU it also times ten seeds one by one against ten seeds together.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus
from torch.nn.utils.parametrizations import weight_norm

from domain.classifiers.feature_matching import FeatureMatchingConfig, FeatureMatchingGAN
from domain.metrics.speed import processor
from domain.randomness import numpy_generator, scoped_seed
from domain.samples import SampleFile, balanced_labels
from domain.space import Space
from domain.together import fit_together
from domain.training import Budget, fit

MNIST = Path("data/prepared/mnist_official.h5")
SPACE = Space("image", (1, 28, 28), (0.0, 255.0), integer=True, classes=10)
WIDTHS = (784, 1000, 500, 250, 250, 250)
RATE, BATCH, CONSISTENCY, TURNS, ROUNDS, SEEDS = 3e-3, 100, 1.0, 5, 60, 3
Errors = Callable[[Tensor, Tensor], int]


class PlainDiscriminator(nn.Module):
    """The published discriminator, 784 → 10, noise before every layer in training."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(weight_norm(nn.Linear(a, b)) for a, b in zip(WIDTHS, WIDTHS[1:]))
        self.head = weight_norm(nn.Linear(WIDTHS[-1], 10))
        for layer in [*self.hidden, self.head]:
            nn.init.normal_(layer.parametrizations.weight.original1, 0, 0.1)
        for layer in self.hidden:
            layer.parametrizations.weight.original0.requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for k, layer in enumerate(self.hidden):
            x = torch.relu(layer(x + (0.5 if k else 0.3) * torch.randn_like(x) if self.training else x))
        return self.head(x + 0.5 * torch.randn_like(x) if self.training else x), x

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Data-dependent start: zero mean and unit deviation of every unit."""
        for k, layer in enumerate([*self.hidden, self.head]):
            x = x + (0.5 if k else 0.3) * torch.randn_like(x)
            y = layer(x)
            layer.parametrizations.weight.original0.div_(y.std(0).unsqueeze(1))
            layer.bias.sub_(y.mean(0)).div_(y.std(0))
            x = torch.relu(layer(x))


def plain_generator() -> nn.Module:
    def hidden(inputs: int) -> list[nn.Module]:
        return [nn.Linear(inputs, 500), nn.Softplus(), nn.BatchNorm1d(500)]

    return nn.Sequential(*hidden(100), *hidden(500), nn.Linear(500, 784), nn.Sigmoid())


def train_plainly(x: Tensor, label: Tensor, steps: int, seed: int, device: torch.device) -> Errors:
    """The recipe as one would type it; x: (N, 1, 28, 28) in [−1, 1]. Returns what counts test errors."""
    with scoped_seed(seed, "plain"):
        x = (x.flatten(1).to(device) + 1) / 2
        label = label.to(device)
        known, y = x[label >= 0], label[label >= 0]
        critic, generator = PlainDiscriminator().to(device), plain_generator().to(device)
        critic.start(x[torch.randperm(len(x))[:500]])
        trained = [p for p in critic.parameters() if p.requires_grad]
        adam = {"lr": RATE, "betas": (0.5, 0.999), "eps": 1e-4}
        ours, theirs = torch.optim.Adam(trained, **adam), torch.optim.Adam(generator.parameters(), **adam)
        mean = [torch.zeros_like(p) for p in trained]

        def z() -> Tensor:
            return torch.rand(BATCH, 100, device=device)

        for step, (a, b, c) in zip(range(steps), windows(len(x), len(known))):
            for group in (*ours.param_groups, *theirs.param_groups):
                group["lr"] = RATE * min(1.0, 2 * (1 - step / steps))
            real, again, fake = (critic(part)[0] for part in (x[a], x[a], generator(z()).detach()))
            realness = softplus(-real.logsumexp(1)).mean() + softplus(fake.logsumexp(1)).mean()
            agreement = (real.softmax(1) - again.softmax(1)).square().sum(1).mean()
            loss = cross_entropy(critic(known[c])[0], y[c]) + 0.5 * realness + CONSISTENCY * agreement
            ours.zero_grad()
            loss.backward()
            ours.step()
            features = [critic(part)[1].mean(0) for part in (x[b], generator(z()))]
            theirs.zero_grad()
            (features[0] - features[1]).square().mean().backward()
            theirs.step()
            for average, parameter in zip(mean, trained):
                average.lerp_(parameter.data, 1e-3)
        for average, parameter in zip(mean, trained):
            parameter.data = average / (1 - 0.999**steps)

    def errors(images: Tensor, truth: Tensor) -> int:
        with torch.no_grad():
            answers = critic.eval()((images.flatten(1).to(device) + 1) / 2)[0].argmax(1)
        return int((answers != truth.to(device)).sum())

    return errors


def windows(count: int, known: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Rows for the discriminator, for the generator, and of the labelled samples, without end."""
    while True:
        orders = torch.randperm(count), torch.randperm(count)
        for first in range(0, count - BATCH + 1, BATCH):
            yield orders[0][first : first + BATCH], orders[1][first : first + BATCH], torch.randint(known, (BATCH,))


def ours(seed: int) -> FeatureMatchingGAN:
    with scoped_seed(seed, "start values"):
        return FeatureMatchingGAN(FeatureMatchingConfig(consistency=CONSISTENCY), SPACE)


def train_ours(x: Tensor, label: Tensor, steps: int, seed: int, device: torch.device) -> Errors:
    """The same by this project, in the precision that suits the processor."""
    system = ours(seed)
    fit(system, system.streams(x, label), Budget(steps=steps, average=0.999, hold=0.5), seed, device=device)
    system.cpu()
    return lambda images, truth: int((system.classify(images).argmax(1) != truth).sum())


def rate(train: Callable[..., Errors], x: Tensor, label: Tensor, device: torch.device) -> float:
    """Steps a second, start-up left out as the difference of a long and a short training."""
    times = []
    for steps in (5, 5 + ROUNDS):
        began = time.perf_counter()
        train(x, label, steps, 0, device)
        times.append(time.perf_counter() - began)
    return ROUNDS / (times[1] - times[0])


def compare_errors(steps: int, device: torch.device) -> None:
    """Errors after equal steps on equal labelled sets."""
    train, test = SampleFile(MNIST, "train").read(), SampleFile(MNIST, "test").read()
    x, images = (torch.from_numpy(s.x.astype(np.float32) / 127.5 - 1) for s in (train, test))
    print(f"errors of {len(images)} after {steps} steps with 100 labels, by seed:")
    for name, way in (("plain", train_plainly), ("this project", train_ours)):
        found = []
        for seed in range(SEEDS):
            label = balanced_labels(train.label, np.ones(len(x), bool), 100, 10, numpy_generator(seed, "labels"))
            found.append(way(x, torch.from_numpy(label), steps, seed, device)(images, torch.from_numpy(test.label)))
        print(f"  {name:14}{np.mean(found):7.0f} ± {np.std(found, ddof=1):.0f}   {found}")


def compare_seeds(x: Tensor, label: Tensor, device: torch.device) -> None:
    """Ten seeds one by one against ten together, seed-steps a second."""
    budget = Budget(steps=ROUNDS, average=0.999)
    systems = [ours(seed) for seed in range(10)]
    data = [system.streams(x, label) for system in systems]
    fit(ours(0), data[0], Budget(steps=5), 0, device=device)
    began = time.perf_counter()
    fit(ours(0), data[0], budget, 0, device=device)
    torch.cuda.synchronize()
    single = ROUNDS / (time.perf_counter() - began)
    began = time.perf_counter()
    fit_together(systems, data, budget, list(range(10)), device=device)
    torch.cuda.synchronize()
    together = 10 * ROUNDS / (time.perf_counter() - began)
    print(f"ten seeds: one by one {single:.0f} steps/s, together {together:.0f}, ratio {together / single:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=0, help="also train both for this many steps and compare errors")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (1)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    x, label = torch.rand(6000, 1, 28, 28) * 2 - 1, torch.arange(6000) % 10
    label[100:] = -1
    turns = [[rate(train, x, label, device) for train in (train_plainly, train_ours)] for _ in range(TURNS)]
    plain, project = np.median(turns, 0)
    place = torch.cuda.get_device_name() if device.type == "cuda" else processor()
    print(f"{place}, {arguments.threads} thread(s), 784-1000-500-250-250-250-10, median of {TURNS} turns")
    print(f"steps a second: plain float32 {plain:.1f}, this project {project:.1f}, ratio {project / plain:.2f}")
    if device.type == "cuda":
        compare_seeds(x, label, device)
    if arguments.steps:
        compare_errors(arguments.steps, device)


if __name__ == "__main__":
    main()

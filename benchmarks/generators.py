"""Images per second and memory of a DCGAN and a VAE: this project's loop beside a plain one over the same networks.

    python -m benchmarks.generators [--steps 1500] [--threads 1] [--device cpu]

The plain loop is as one would type it: float32, a DataLoader that shuffles, torch's own Adam by its defaults. Both
start from the same weights and minimise the same costs on images of 28×28 pixels, MNIST's defaults of this project.
Turns are taken alternately in one run, each in a process of its own, so that the memory is its own too: the most
that was resident, the interpreter and its libraries included.

With ``--steps`` both also train on data/prepared/mnist_official.h5 for that many steps, and the VAE's bound on the
test images and the GAN's terms stand beside each other: speed is worth nothing otherwise.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from domain.generators.gan import GAN, GANConfig
from domain.generators.vae import VAE, VAEConfig
from domain.metrics.speed import milliseconds_each, processor
from domain.randomness import scoped_seed, torch_generator
from domain.samples import SampleFile
from domain.space import Space
from domain.system import Adam, Noise, Player, System
from domain.training import Budget, fit

MNIST = Path("data/prepared/mnist_official.h5")
SPACE = Space("image", (1, 28, 28), (0.0, 255.0), integer=True)
WARM, ROUNDS, TURNS, SAMPLES, DRAWS = 5, 60, 5, 500, 50
MIB = 1024  # kB, the unit of a process's peak


def built(name: str) -> System:
    """A system with the start values of seed 0."""
    with scoped_seed(0, "start values"):
        return GAN(GANConfig(), SPACE) if name == "DCGAN" else VAE(VAEConfig(), SPACE)


def windows(x: Tensor, batch: int) -> Iterator[Tensor]:
    """Batches without end, on the device of the images."""
    loader = DataLoader(TensorDataset(x), batch, shuffle=True, drop_last=True)
    return (images.to(x.device) for _ in itertools.count() for (images,) in loader)


def plain_optimiser(system: System, player: Player) -> torch.optim.Adam:
    """Torch's own, by its defaults but for the rates."""
    parameters = [p for role in player.roles for p in getattr(system, role).parameters()]
    chosen: Adam = player.optimiser
    return torch.optim.Adam(parameters, chosen.rate, (chosen.beta1, chosen.beta2))


def train_plainly(system: System, x: Tensor, steps: int) -> dict[str, float]:
    """A plain loop over the system's own terms; the mean of each term over the last tenth of the steps."""
    optimisers = {player.name: plain_optimiser(system, player) for player in system.players}
    batches, seen = windows(x, system.config.batch), []
    label = torch.full((system.config.batch,), -1, device=x.device)
    for step in range(steps):
        row = {}
        for player in system.players:
            real = next(batches)
            noise = drawn(system, real)
            terms = player.terms({"real": (real, label) if isinstance(system, GAN) else (real,)}, noise)
            loss = sum(terms.values())
            system.zero_grad()
            loss.backward()
            optimisers[player.name].step()
            row |= {f"{player.name}.{name}": term.detach() for name, term in terms.items()}
        if step >= steps - max(1, steps // 10):
            seen.append(row)
    return {name: float(np.mean([float(row[name]) for row in seen])) for name in seen[0]}


def drawn(system: System, real: Tensor) -> Noise:
    """Standard normal latent vectors, from the global generator."""
    one_more = () if isinstance(system, GAN) else (1,)
    return {"z": torch.randn(*one_more, len(real), system.config.latent, device=real.device)}


def train_ours(system: System, x: Tensor, steps: int) -> dict[str, float]:
    """The same by this project, in the precision that suits the processor."""
    data = system.streams(x, torch.full((len(x),), -1, device=x.device))
    budget = Budget(steps=steps, log_every=max(1, steps // 10))
    last = fit(system, data, budget, 0, device=x.device)[-1]
    return {name: value for name, value in last.items() if name != "step"}


WAYS = {"plain": train_plainly, "this project": train_ours}


def turn(name: str, way: str, threads: int, place: str) -> tuple[float, float, float]:
    """Images a second in training and in sampling, and the peak of memory in MiB; in a process of its own."""
    torch.set_num_threads(threads)
    device = torch.device(place)
    x, times = torch.rand(6000, *SPACE.shape, device=device) * 2 - 1, []
    for steps in (WARM, WARM + ROUNDS):  # start-up is left out as their difference
        system = built(name).to(device)
        began = time.perf_counter()
        WAYS[way](system, x, steps)
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    trained = ROUNDS * system.config.batch / (times[1] - times[0])
    system, generator = system.eval(), torch_generator(0, "sample", device=device)
    sampled = 1e3 / milliseconds_each(lambda count: system.sample(count, generator).cpu(), SAMPLES)
    if device.type == "cuda":
        return trained, sampled, torch.cuda.max_memory_allocated() / MIB**2
    return trained, sampled, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


def apart(*arguments: object) -> tuple[float, float, float]:
    """:func:`turn` in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(turn, *arguments).result()


def compare_losses(name: str, steps: int, device: torch.device) -> None:
    """The terms after equal steps, and the bound of a VAE on test images."""
    parts = (SampleFile(MNIST, part).read().x for part in ("train", "test"))
    train, test = ((torch.from_numpy(x.astype(np.float32)) / 127.5 - 1).to(device) for x in parts)
    print(f"{name} after {steps} steps of {built(name).config.batch} images:")
    for way, trained in WAYS.items():
        system = built(name).to(device)
        with scoped_seed(0, "plain"):
            terms = trained(system, train, steps)
        if isinstance(system, VAE):
            system.finish(system.streams(train, train), torch_generator(0, "finish", device=device))
            rated = system.eval().density(test[:1000], torch_generator(0, "density", device=device), DRAWS)
            terms["test bound, nats"] = float(rated.value.mean())
        print(f"  {way:14}" + ", ".join(f"{key} {value:.4g}" for key, value in terms.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=0, help="also train both for this many steps and compare losses")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (1)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    place = torch.cuda.get_device_name() if device.type == "cuda" else processor()
    print(f"{place}, {arguments.threads} thread(s), 28×28 pixels, median of {TURNS} turns")
    print(f"{'':8}{'':14}{'trained/s':>11}{'sampled/s':>11}{'MiB':>7}")
    for name in ("DCGAN", "VAE"):
        turns = [[apart(name, way, arguments.threads, arguments.device) for way in WAYS] for _ in range(TURNS)]
        figures = np.median(turns, 0)
        for way, (trained, sampled, memory) in zip(WAYS, figures):
            print(f"{name:8}{way:14}{trained:11.0f}{sampled:11.0f}{memory:7.0f}")
        print(f"{name:8}{'ratio':14}{figures[1, 0] / figures[0, 0]:11.2f}", flush=True)
        if arguments.steps:
            torch.set_num_threads(arguments.threads)
            compare_losses(name, arguments.steps, device)


if __name__ == "__main__":
    main()

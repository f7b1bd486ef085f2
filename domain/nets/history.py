"""The mean of a network's parameters over its steps: for historical averaging, and for teachers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ParameterHistory(nn.Module):
    """Running mean of ``net``'s parameters, kept in buffers.

    Args:
        net: whose parameters.
        memory: decay per step; 1 for the plain mean of all steps (Salimans et al. 2016, section 3.3). The first steps
            are a plain mean in any case.
    """

    def __init__(self, net: nn.Module, memory: float = 1.0) -> None:
        super().__init__()
        self.memory = memory
        self.register_buffer("steps", torch.zeros(()))
        for name, parameter in net.named_parameters():
            self.register_buffer(self._key(name), torch.zeros_like(parameter))

    @torch.no_grad()
    def follow(self, net: nn.Module) -> None:
        """Take the present parameters into the mean."""
        self.steps += 1
        share = (1 / self.steps).clamp(min=1 - self.memory)
        for name, parameter in net.named_parameters():
            mean = self.get_buffer(self._key(name))
            mean += share * (parameter - mean)

    def values(self, net: nn.Module) -> dict[str, Tensor]:
        """The mean of each of ``net``'s parameters, by name; zeros before the first step."""
        return {name: self.get_buffer(self._key(name)) for name, _ in net.named_parameters()}

    def distance(self, net: nn.Module) -> Tensor:
        """‖θ − mean‖², a scalar; zero before the first step."""
        means = self.values(net)
        parts = [(parameter - means[name]).square().sum() for name, parameter in net.named_parameters()]
        return torch.stack(parts).sum() * (self.steps > 0)

    @staticmethod
    def _key(name: str) -> str:
        return name.replace(".", "-")

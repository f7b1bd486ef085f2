"""The mean of a network's parameters over its steps, for historical averaging."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ParameterHistory(nn.Module):
    """Running mean of ``net``'s parameters (Salimans et al. 2016, section 3.3), kept in buffers."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros(()))
        for name, parameter in net.named_parameters():
            self.register_buffer(self._key(name), torch.zeros_like(parameter))

    @torch.no_grad()
    def follow(self, net: nn.Module) -> None:
        """Take the present parameters into the mean."""
        self.steps += 1
        for name, parameter in net.named_parameters():
            mean = self.get_buffer(self._key(name))
            mean += (parameter - mean) / self.steps

    def distance(self, net: nn.Module) -> Tensor:
        """‖θ − mean‖², a scalar; zero before the first step."""
        parts = [(p - self.get_buffer(self._key(n))).square().sum() for n, p in net.named_parameters()]
        return torch.stack(parts).sum() * (self.steps > 0)

    @staticmethod
    def _key(name: str) -> str:
        return name.replace(".", "-")

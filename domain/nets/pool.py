"""Images that earlier generators made, shown to a critic again."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """A buffer of past images, so that a generator cannot return to artefacts its critic has forgotten.

    Half of each batch is shown from the pool and half of it is kept (Shrivastava et al. 2016, arXiv 1612.07828,
    section 2.3); for single images Zhu et al. 2017 (arXiv 1703.10593) swap one in two instead. Its random numbers
    are arguments.

    Args:
        size: images kept; fewer than half a batch, such as 0, switch it off.
        shape: (C, H, W) of an image.
    """

    past: Tensor
    kept: Tensor

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("past", torch.zeros(size, *shape))
        self.register_buffer("kept", torch.zeros((), dtype=torch.long))

    def mixed(self, images: Tensor, shown: Tensor) -> Tensor:
        """Replace the first part of a batch by past images, once there are as many.

        Args:
            images: (N, C, H, W), from the generator of today.
            shown: (n,) in [0, 1), which past images to take; n ≤ N.
        """
        if self.size < len(shown):
            return images
        past = self.past[(shown * self.kept).long()]
        return torch.cat([torch.where(self.kept.ge(len(shown)), past, images[: len(shown)]), images[len(shown) :]])

    @torch.no_grad()
    def add(self, images: Tensor, replaced: Tensor) -> None:
        """Put the last part of a batch into free slots, or into random ones when full.

        Args:
            images: (N, C, H, W).
            replaced: (n,) in [0, 1), the slots to overwrite when no slot is free; n ≤ N images are kept.
        """
        if not len(replaced) or self.size < len(replaced):
            return
        news = images[-len(replaced) :]
        free = self.kept + torch.arange(len(news), device=news.device)
        slots = torch.where(free < self.size, free, (replaced * self.size).long())
        self.past[slots] = news.to(self.past)
        self.kept.add_(len(news)).clamp_(max=self.size)

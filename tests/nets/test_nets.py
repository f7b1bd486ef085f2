"""Blocks against torch's own, and shapes at awkward sizes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from domain.nets.augment import affine
from domain.nets.batch_norm import BatchNorm, calibrate
from domain.nets.dcgan import Critic, Generator, ladder
from domain.nets.local import PatchCritic, Refiner
from domain.nets.mlp import mlp
from domain.nets.unet import FURTHEST, NOISIEST, UNetRefiner, bounded
from domain.nets.weight_norm import WeightNormLinear


@pytest.mark.parametrize("shape", [(32, 5), (8, 5, 4, 4)])
def test_batch_norm_is_torchs_in_both_modes(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape) * 3 + 1
    ours, theirs = BatchNorm(5), (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(5, momentum=None)
    torch.testing.assert_close(ours(x), theirs(x))
    assert (ours.mean == 0).all(), "a forward pass changes nothing"
    calibrate(ours, lambda: ours(x))
    torch.testing.assert_close(ours.mean, x.transpose(0, 1).flatten(1).mean(1))
    torch.testing.assert_close(ours.variance, x.transpose(0, 1).flatten(1).var(1, unbiased=False))
    torch.testing.assert_close(ours.eval()(x), BatchNorm(5)(x))


def test_calibration_averages_over_passes_and_keeps_the_mode() -> None:
    layer = BatchNorm(1).eval()
    calibrate(layer, lambda: [layer(torch.full((4, 1), value)) for value in (1.0, 3.0)])
    assert layer.mean == 2 and not layer.training


def test_weight_norm_is_torchs() -> None:
    layer = WeightNormLinear(6, 4, learn_scale=True)
    reference = nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))
    reference.parametrizations.weight.original0.data = layer.scale.data[:, None].clone()
    reference.parametrizations.weight.original1.data = layer.direction.data.clone()
    reference.bias.data = layer.bias.data.clone()
    x = torch.randn(3, 6)
    torch.testing.assert_close(layer(x), reference(x))


@pytest.mark.parametrize("learn", [True, False])
def test_weight_norm_starts_from_data(learn: bool) -> None:
    layer, x = WeightNormLinear(6, 4, learn_scale=learn), torch.randn(500, 6) * 5 + 2
    y = layer.start(x)
    torch.testing.assert_close(layer(x), y, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(y.mean(0), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(y.std(0, unbiased=False), torch.ones(4), atol=1e-4, rtol=0)
    assert ("scale" in dict(layer.named_parameters())) == learn


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 8, 8), (3, 32, 32), (1, 28, 20), (1, 25, 25), (1, 3, 17)])
def test_dcgan_fits_any_size(shape: tuple[int, int, int]) -> None:
    images = Generator(7, shape, width=4)(torch.randn(5, 7))
    assert images.shape == (5, *shape)
    critic = Critic(shape, width=4, outputs=3)
    assert critic(images).shape == (5, 3) and critic.features(images).shape[0] == 5


def test_ladder_halves_to_four() -> None:
    assert ladder(28, 20) == [(28, 20), (14, 10), (7, 5), (4, 3)]


def test_refiner_starts_as_the_identity_and_sees_as_far_as_it_says() -> None:
    net = Refiner(1, 4, blocks=2)
    assert (net(torch.randn(2, 1, 8, 8)) == 0).all()
    nn.init.normal_(net.head.weight)
    x = torch.randn(1, 1, 31, 31, requires_grad=True)
    net(x)[0, 0, 15, 15].backward()
    assert x.grad[0, 0].nonzero().sub(15).abs().max() == 1 + 2 * 2  # one, and two for each block


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 35, 55)])
def test_a_unet_refiner_starts_as_the_identity_sees_far_and_adds_noise_as_it_is(shape: tuple[int, int, int]) -> None:
    channels = shape[0]
    net = UNetRefiner(channels, 4, halvings=3, latent=2, grain=1)
    x = (1.8 * torch.rand(2, channels + 2, *shape[1:]) - 0.9).requires_grad_()
    noise = 2 * torch.rand(2, 1, *shape[1:]) - 1
    assert (net(torch.cat([x, noise], 1)) == 0).all()
    nn.init.normal_(net.head.weight[:channels])
    middle = [side // 2 for side in shape[1:]]
    net(torch.cat([x, 0 * noise], 1))[0, 0, *middle].backward()
    columns = x.grad[0].abs().sum((0, 1)).nonzero()
    assert columns.max() - columns.min() + 1 >= min(shape[2], 5 * 2**3)
    nn.init.zeros_(net.head.weight)
    nn.init.constant_(net.head.bias[channels:], NOISIEST * math.atanh(0.1 / NOISIEST))
    many = net(torch.cat([torch.zeros(500, *x.shape[1:]), 2 * torch.rand(500, 1, *shape[1:]) - 1], 1))
    assert many.shape == (500, *shape)
    assert many.std().item() == pytest.approx(0.1, rel=0.02)
    assert many.abs().max() < 0.6, "no infinite number"


def test_what_comes_back_up_in_a_unet_refiner_stands_where_it_stood() -> None:
    """Layers that only pass on the first channel, and no skips: a ramp that went down and up again is the ramp."""
    refiner = UNetRefiner(1, 2, 2)
    with torch.no_grad():
        for layer in refiner.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.zero_()
                layer.bias.zero_()
                layer.weight[0, 0, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = 1
    down, along = torch.meshgrid(torch.linspace(0.05, 0.15, 9), torch.linspace(0.05, 0.25, 13), indexing="ij")
    x = (down + along)[None, None]
    torch.testing.assert_close(refiner(x), bounded(x, FURTHEST))


def test_a_unet_refiner_that_overshoots_finds_back() -> None:
    net = UNetRefiner(1, 4, halvings=1)
    nn.init.constant_(net.head.bias, -4.0)
    x = 1.8 * torch.rand(2, 1, 8, 8) - 0.9
    black = x + net(x)
    torch.testing.assert_close(black, -torch.ones_like(x))
    (-black.mean()).backward()
    assert net.head.bias.grad < -0.05


def test_patch_critic_scores_patches() -> None:
    net = PatchCritic(1, 4, (2, 1, 1))
    x = torch.randn(1, 1, 32, 32, requires_grad=True)
    scores = net(x)
    assert scores.shape == (1, 16, 16)
    scores[0, 8, 8].backward()
    side = x.grad[0, 0].nonzero().max(0).values - x.grad[0, 0].nonzero().min(0).values + 1
    assert side.tolist() == [11, 11]  # 1 + 2 (1 + 2 + 2)


@pytest.mark.parametrize(("kernel", "even"), [(3, False), (4, True)])
def test_a_kernel_that_its_stride_divides_asks_the_same_of_every_pixel(kernel: int, even: bool) -> None:
    net = PatchCritic(1, 4, (2, 1, 1), (kernel, 3, 3))
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.1)
    x = torch.ones(1, 1, 32, 32, requires_grad=True)
    net(x).sum().backward()
    inside = x.grad[0, 0, 8:-8, 8:-8]
    assert torch.allclose(inside, inside[0, 0].expand_as(inside)) == even


def test_mlp_has_no_activation_at_the_end() -> None:
    net = mlp((3, 5, 2), nn.ReLU, batch_norm=True)
    assert [type(layer).__name__ for layer in net] == ["Linear", "ReLU", "BatchNorm", "Linear"]


def test_affine_of_strength_zero_is_the_identity_and_shifts_move() -> None:
    x = torch.rand(4, 1, 8, 8) * 2 - 1
    torch.testing.assert_close(affine(x, torch.rand(4, 6), 0.0), x, atol=1e-5, rtol=0)
    draw = torch.zeros(4, 6)
    draw[:, 1] = 1.25  # 10 % of 8 pixels, times 1.25: one pixel to the right
    torch.testing.assert_close(affine(x, draw, 1.0)[..., 1:], x[..., :-1], atol=1e-4, rtol=0)
    assert (affine(x, draw, 1.0)[..., 0] == -1).all(), "what enters is background"

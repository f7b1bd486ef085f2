"""GFLASH against the figures that its formulas give, and its showers against the formulas."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import gammainc
from torch import Tensor

from domain.errors import InputError
from domain.geometry import CALOGAN
from domain.matter.materials import LEAD, LEAD_TUNGSTATE, LIQUID_ARGON, element, homogeneous
from domain.randomness import torch_generator
from domain.simulators.gflash import (
    LEAD_ARGON,
    GFlash,
    Profile,
    Radial,
    average_profile,
    cell_of,
    deposit,
    individual_law,
    radial_profile,
    sampled,
    scaled_depth,
    spot_count,
    spot_profile,
)

ENERGIES = torch.tensor([1.0, 10.0, 50.0, 100.0], dtype=torch.float64)
LAYERS = torch.tensor(CALOGAN.depths, dtype=torch.float64) / LEAD_ARGON.x0
# The table of check values was computed with A = 171.5; the mean by weight is 170.87.
CRYSTAL = homogeneous(element(68.36, 171.5, LEAD_TUNGSTATE.density, LEAD_TUNGSTATE.x0, LEAD_TUNGSTATE.excitation_energy))
EXACT: dict[str, Any] = {"scoring": "total", "threshold": 0.0}


def near(values: Tensor, expected: list[float], digits: int) -> bool:
    """Whether values agree with figures printed to so many decimals, from inputs rounded themselves."""
    return np.allclose(values, expected, rtol=0, atol=0.55 * 10.0**-digits)


def layer_fractions(x: np.ndarray) -> np.ndarray:
    """Each layer's part of what all layers read, (N, 504) to (N, 3)."""
    energies = np.stack([layer.sum((1, 2), dtype=np.float64) for layer in CALOGAN.split(x)], 1)
    return energies / energies.sum(1, keepdims=True)


def test_calogan_geometry() -> None:
    assert CALOGAN.cells == 504
    assert CALOGAN.sizes == ((160, 5), (40, 40), (40, 80))
    flat = torch.arange(2 * 504).view(2, 504)
    layers = CALOGAN.split(flat)
    assert tuple(layer.shape[1:] for layer in layers) == CALOGAN.shapes
    assert torch.equal(torch.cat([layer.flatten(1) for layer in layers], 1), flat)
    for ours, theirs in zip(CALOGAN.split(flat.numpy()), layers):
        assert np.array_equal(ours, theirs)


def test_materials() -> None:
    assert LEAD.critical_energy == pytest.approx(7.36, abs=0.005)
    assert LIQUID_ARGON.critical_energy == pytest.approx(29.1, abs=0.05)
    assert CRYSTAL.critical_energy == pytest.approx(8.729, abs=0.0005)
    assert homogeneous(LEAD_TUNGSTATE).critical_energy == pytest.approx(8.765, abs=0.0005)
    assert not CRYSTAL.sampling


def test_lead_and_argon() -> None:
    assert LEAD_ARGON.sampling
    assert LEAD_ARGON.z == pytest.approx(69.41, abs=0.005)
    assert LEAD_ARGON.x0 == pytest.approx(15.593, abs=0.0005)
    assert LEAD_ARGON.critical_energy == pytest.approx(8.964, abs=0.0005)
    assert LEAD_ARGON.moliere == pytest.approx(36.88, abs=0.005)
    assert LEAD_ARGON.frequency == pytest.approx(2.599, abs=0.0005)
    assert LEAD_ARGON.e_hat == pytest.approx(0.6906, abs=0.00005)
    assert near(LAYERS.diff(), [5.77, 22.25, 2.76], 2)


def test_average_profiles() -> None:
    crystal, layered = average_profile(ENERGIES, CRYSTAL), average_profile(ENERGIES, LEAD_ARGON)
    assert near(crystal.T, [3.883, 6.186, 7.795, 8.488], 3)
    assert near(crystal.alpha, [2.708, 3.921, 4.769, 5.134], 3)
    assert near(layered.T, [3.466, 5.768, 7.378, 8.071], 3)
    assert near(layered.alpha, [2.520, 3.732, 4.579, 4.944], 3)


def test_layer_fractions_of_the_average_shower() -> None:
    fractions = average_profile(ENERGIES, LEAD_ARGON).within(LAYERS)
    assert near(fractions[:, 0], [0.587, 0.347, 0.209, 0.162], 3)
    assert near(fractions[:, 1], [0.413, 0.653, 0.790, 0.836], 3)
    assert near(fractions[:, 2], [0.0001, 0.0004, 0.0009, 0.0013], 4)


def test_radial_profile_of_a_crystal() -> None:
    radial = radial_profile(ENERGIES, torch.ones_like(ENERGIES), CRYSTAL)
    assert near(radial.core, [0.1153, 0.1226, 0.1277, 0.1299], 4)
    assert near(radial.tail, [0.6871, 0.7049, 0.7177, 0.7233], 4)
    assert near(radial.p, [0.8920, 0.8782, 0.8650, 0.8582], 4)


@pytest.mark.parametrize(("radius", "fraction"), [(0.5, 0.869), (1, 0.947), (2, 0.983), (3.5, 0.994)])
def test_enclosed_fraction(radius: float, fraction: float) -> None:
    radial = radial_profile(torch.tensor([10.0]), torch.tensor([1.0]), CRYSTAL)
    assert near(radial.enclosed(radius), [fraction], 3)


def test_radial_corrections_of_a_sampling_calorimeter() -> None:
    energy, tau = torch.tensor([10.0]), torch.tensor([0.5])
    alike = dataclasses.replace(LEAD_ARGON, frequency=math.inf, e_hat=1.0)
    plain, layered = radial_profile(energy, tau, alike), radial_profile(energy, tau, LEAD_ARGON)
    less, early = 1 - LEAD_ARGON.e_hat, math.exp(-0.5) / LEAD_ARGON.frequency
    assert (layered.core - plain.core).item() == pytest.approx(-0.0203 * less + 0.0397 * early, abs=1e-6)
    assert (layered.tail - plain.tail).item() == pytest.approx(-0.14 * less - 0.495 * early, abs=1e-6)
    dip = 0.642 * math.exp(-0.25) / LEAD_ARGON.frequency
    assert (layered.p - plain.p).item() == pytest.approx(less * (0.348 - dip), abs=1e-6)


def test_radial_profile_stays_possible_at_every_depth() -> None:
    tau = torch.linspace(0, 12, 500)
    for energy in (1.0, 100.0, 1000.0):
        radial = radial_profile(torch.tensor([energy]), tau, LEAD_ARGON)
        assert (radial.core > 0).all() and (radial.tail > 0).all()
        assert ((radial.p >= 0) & (radial.p <= 1)).all()


def test_number_of_spots() -> None:
    assert near(spot_count(ENERGIES, CRYSTAL, 0.11), [393, 2953, 12094, 22197], 0)
    assert near(spot_count(ENERGIES[:1], LEAD_ARGON, 0.11), [93.6], 1)


def test_spots_have_a_profile_of_their_own() -> None:
    one = torch.ones(1, dtype=torch.float64)
    z = LEAD_ARGON.z
    assert near(torch.cat(spot_profile(Profile(one, one), CRYSTAL)), [0.8429, 0.8673], 4)
    layered = torch.cat(spot_profile(Profile(one, one), LEAD_ARGON))
    assert np.allclose(layered, [0.813 + 0.0019 * z, 0.844 + 0.0026 * z])


@pytest.mark.parametrize("medium", [CRYSTAL, LEAD_ARGON], ids=["homogeneous", "sampling"])
def test_single_showers_scatter_by_their_law(medium: Any) -> None:
    energy = torch.full((200_000,), 20.0, dtype=torch.float64)
    law = individual_law(energy, medium)
    drawn = torch.stack(law.draw(torch_generator(1, "test"))).log()
    assert np.allclose(drawn.mean(1), [law.ln_T[0], law.ln_alpha[0]], atol=0.003)
    assert np.allclose(drawn.std(1), [law.sigma_T[0], law.sigma_alpha[0]], atol=0.003)
    assert np.corrcoef(drawn)[0, 1] == pytest.approx(law.rho[0].item(), abs=0.006)


def test_law_of_a_crystal() -> None:
    law = individual_law(ENERGIES, CRYSTAL)
    L = np.log(1000 * ENERGIES.numpy() / CRYSTAL.critical_energy)
    assert np.allclose(law.ln_T, np.log(L - 0.812))
    assert np.allclose(law.ln_alpha, np.log(0.81 + (0.458 + 2.26 / CRYSTAL.z) * L))
    assert np.allclose(law.sigma_T, 1 / (-1.4 + 1.26 * L))
    assert np.allclose(law.sigma_alpha, 1 / (-0.58 + 0.86 * L))
    assert np.allclose(law.rho, 0.705 - 0.023 * L)


def test_law_of_lead_and_argon() -> None:
    law = individual_law(ENERGIES, LEAD_ARGON)
    L = np.log(1000 * ENERGIES.numpy() / LEAD_ARGON.critical_energy)
    F, less = LEAD_ARGON.frequency, 1 - LEAD_ARGON.e_hat
    assert np.allclose(law.ln_T.exp(), L - 0.812 - 0.55 / F - 0.69 * less)
    assert np.allclose(law.ln_alpha.exp(), 0.81 + (0.458 + 2.26 / LEAD_ARGON.z) * L - 0.476 / F)
    assert np.allclose(law.sigma_T, 1 / (-2.5 + 1.25 * L))
    assert np.allclose(law.sigma_alpha, 1 / (-0.82 + 0.79 * L))
    assert np.allclose(law.rho, 0.784 - 0.023 * L)


def test_scaled_depth_is_plain_for_the_mean_shower() -> None:
    law = individual_law(ENERGIES, LEAD_ARGON)
    mean = Profile(law.ln_T.exp(), law.ln_alpha.exp())
    t = torch.tensor([1.0, 7.0], dtype=torch.float64)
    assert np.allclose(scaled_depth(t, mean, law), t / mean.T[:, None])


@pytest.mark.parametrize(
    ("energy", "mean", "spread", "count"),
    [
        (1.0, 0.599, 0.146, 6000),
        (10.0, 0.350, 0.094, 2000),
        (50.0, 0.209, 0.065, 1000),
        (100.0, 0.163, 0.054, 800),
    ],
)
def test_showers_share_their_energy_among_layers(
    energy: float, mean: float, spread: float, count: int
) -> None:
    """Layer 0's mean and spread over single showers, of the formulas and of the cells."""
    law = individual_law(torch.full((100_000,), energy, dtype=torch.float64), LEAD_ARGON)
    expected = law.draw(torch_generator(4, "test")).within(LAYERS)
    assert expected[:, 0].mean().item() == pytest.approx(mean, abs=0.003)
    assert expected[:, 0].std().item() == pytest.approx(spread, abs=0.001)

    measured = layer_fractions(GFlash(energy=(energy, energy), **EXACT).simulate(count, seed=3).x)
    expected = expected / expected.sum(1, keepdim=True)
    error = spread / math.sqrt(count)
    assert np.allclose(measured.mean(0), expected.mean(0), atol=3 * error + 0.002)
    assert measured[:, 0].std() == pytest.approx(spread, abs=3 * error)


def test_a_cell_is_where_its_centre_says() -> None:
    for layer, part in enumerate(CALOGAN.slices):
        grids = np.meshgrid(*CALOGAN.centres(layer), indexing="ij")
        x, y = (torch.from_numpy(grid).flatten() for grid in grids)
        z = torch.full_like(x, sum(CALOGAN.depths[layer : layer + 2]) / 2)
        assert cell_of(x, y, z, CALOGAN).tolist() == list(range(part.start, part.stop))


def test_points_outside_have_no_cell() -> None:
    x = torch.tensor([240.1, -240.1, 0.0, 0.0, 0.0, 1e9])
    y = torch.tensor([0.0, 0.0, 241.0, -1e6, 0.0, 0.0])
    z = torch.tensor([1.0, 100.0, 450.0, 1.0, 480.0, 2000.0])
    assert cell_of(x, y, z, CALOGAN).tolist() == [CALOGAN.cells] * 6


def test_spots_follow_the_radial_profile() -> None:
    """Seen along y, a core of radius R holds y/(2√(y² + R²)) + 1/2 of the energy below y."""
    one = torch.ones(1, 1)
    radial = Radial(0.3 * one, 1.0 * one, 0.8 * one)
    spots = torch.full((1, 1), 400_000)
    x = deposit(one, spots, radial, torch.zeros(1), LEAD_ARGON, torch_generator(5, "test"))
    slices = CALOGAN.split(x.numpy())[0][0].sum(0) / 1000
    y = CALOGAN.edges(0)[1] / LEAD_ARGON.moliere
    below = sum(p * y / (2 * np.hypot(y, r)) for p, r in ((0.8, 0.3), (0.2, 1.0)))
    assert np.allclose(slices, np.diff(below), atol=0.002)


def test_energy_is_conserved_up_to_leakage() -> None:
    samples = GFlash(**EXACT).simulate(1000, seed=6)
    kept = samples.x.sum(1, dtype=np.float64) / (1000 * samples.condition[:, 0])
    assert kept.max() <= 1 + 1e-5
    assert 0.985 < kept.mean() < 0.999


def test_sampling_fluctuation_has_the_asked_width() -> None:
    energy = torch.full((20_000, 4), 2.5)
    total = sampled(energy, 0.11, torch_generator(7, "test")).sum(1)
    assert total.mean().item() == pytest.approx(10, abs=0.01)
    assert total.std().item() == pytest.approx(0.11 * math.sqrt(10), rel=0.02)


def test_showers_read_by_argon_scatter_more() -> None:
    x = GFlash(energy=(20.0, 20.0), threshold=0.0).simulate(2000, seed=8).x.sum(1, dtype=np.float64)
    assert x.std() / 20_000 == pytest.approx(0.11 / math.sqrt(20), rel=0.06)


def test_a_photon_starts_later() -> None:
    """Its layers hold the electron's profile, shifted by an exponential of mean 9/7 X0."""
    count, energy = 2000, 20.0
    x = GFlash(particle="gamma", energy=(energy, energy), **EXACT).simulate(count, seed=9).x
    rng = np.random.default_rng(10)
    law = individual_law(torch.full((100_000,), energy, dtype=torch.float64), LEAD_ARGON)
    profile = law.draw(torch_generator(10, "test"))
    T, alpha = profile.T.numpy(), profile.alpha.numpy()
    left = np.maximum(LAYERS[1].item() - rng.exponential(9 / 7, len(T)), 0)
    expected = gammainc(alpha, (alpha - 1) / T * left)
    measured = layer_fractions(x)[:, 0]
    error = expected.std() / math.sqrt(count)
    assert measured.mean() == pytest.approx(expected.mean(), abs=3 * error + 0.002)
    electron = GFlash(energy=(energy, energy), **EXACT).simulate(count, seed=9).x
    assert measured.mean() < layer_fractions(electron)[:, 0].mean() - 0.05


def test_samples_are_flat_showers_with_their_energy() -> None:
    samples = GFlash().simulate(64, seed=11)
    assert samples.x.shape == (64, CALOGAN.cells) and samples.x.dtype == np.float32
    assert samples.condition.shape == (64, 1)
    assert samples.condition.min() >= 1 and samples.condition.max() <= 100
    about = samples.about
    assert (about.kind, about.condition, about.units) == ("shower", ("energy",), ("GeV",))


def test_cells_below_the_threshold_read_zero() -> None:
    x = GFlash(threshold=5.0).simulate(32, seed=12).x
    assert x[x > 0].min() >= 5


def test_same_seed_same_bytes() -> None:
    simulator = GFlash(particle="gamma")
    first, second, other = (simulator.simulate(200, seed) for seed in (13, 13, 14))
    assert first.x.tobytes() == second.x.tobytes()
    assert first.condition.tobytes() == second.condition.tobytes()
    assert first.x.tobytes() != other.x.tobytes()


@pytest.mark.parametrize(
    "wrong",
    [
        {"particle": "muon"},
        {"energy": (0.5, 100.0)},
        {"energy": (50.0, 10.0)},
        {"energy": (1.0, 2000.0)},
        {"resolution": 0.0},
        {"scoring": "lead"},
        {"threshold": -1.0},
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any]) -> None:
    (key,) = wrong
    with pytest.raises(InputError, match=key):
        GFlash(**wrong)

"""The cascade against the physics of showers. Its cross-sections have tests of their own, in tests/matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit
from scipy.stats import gamma

from domain.errors import InputError
from domain.matter import MASS
from domain.randomness import numpy_generator
from domain.simulators.cascade import Cascade
from domain.simulators.gflash import LEAD_ARGON, average_profile

PERIODS = 80
DEEP = {"depths": tuple(6.0 * (k + 1) for k in range(PERIODS)), "cells": ((1, 1),) * PERIODS}
DEPTH = (np.arange(PERIODS) + 0.5) * 6 / LEAD_ARGON.x0  # X0


def showers(cascade: Cascade, energy: float, count: int) -> dict[str, np.ndarray]:
    """``count`` showers of one energy in GeV: each part, (count, …)."""
    rng = numpy_generator(0, "test")
    made = [cascade.shower(1000 * energy, rng) for _ in range(count)]
    return {name: np.stack([getattr(one, name) for one in made]) for name in made[0]._fields}


@pytest.mark.parametrize(("particle", "rest"), [("eplus", 2 * MASS), ("eminus", 0.0), ("gamma", 0.0)])
@pytest.mark.parametrize("periods", [80, 10])
def test_energy_is_conserved(particle: str, rest: float, periods: int) -> None:
    """Deposits and leakage add up to what came in; a positron brings two rest masses to its annihilation."""
    thick = {"periods": periods, "depths": (6.0 * periods,), "cells": ((4, 4),)}
    parts = showers(Cascade(particle=particle, **thick), 2.0, 20)
    accounts = parts["total"].sum(1) + parts["beside"].sum(1) + parts["leaked"].sum(1)
    np.testing.assert_allclose(accounts, 2000 + rest, rtol=1e-12)
    assert (parts["leaked"].sum(1) > 300).mean() > 0.5 if periods == 10 else parts["leaked"].sum(1).mean() < 60
    assert (parts["active"] <= parts["total"] + 1e-9).all()


@pytest.mark.parametrize("energy", [2.0, 10.0])
def test_longitudinal_profile(energy: float) -> None:
    """Depth of the maximum and α against GFLASH's means: of all deposits where nothing is sampled (T + 0.59/F +
    0.53(1 − ê), α + 0.444/F), of the argon's alone with the sampling terms (hep-ex/0001020, sections 3.1, 4.1).
    """
    parts = showers(Cascade(**DEEP), energy, int(1000 / energy))  # one alone scatters by about an X0
    sampled = average_profile(torch.tensor(energy, dtype=torch.float64), LEAD_ARGON)
    more = 0.59 / LEAD_ARGON.frequency + 0.53 * (1 - LEAD_ARGON.e_hat)
    for name, top, alpha in (
        ("active", float(sampled.T), float(sampled.alpha)),
        ("total", float(sampled.T) + more, float(sampled.alpha) + 0.444 / LEAD_ARGON.frequency),
    ):
        profile = parts[name].mean(0)
        law = lambda t, a, b: gamma.pdf(t, a, scale=1 / b)  # noqa: E731
        (a, b), _ = curve_fit(law, DEPTH, profile / profile.sum() / np.diff(DEPTH)[0], p0=(4, 0.5))
        assert (a - 1) / b == pytest.approx(top, abs=0.5), name
        assert a == pytest.approx(alpha, rel=0.12), name


def test_ninety_percent_within_a_moliere_radius() -> None:
    cells = 121
    cascade = Cascade(depths=(480.0,), cells=((cells, cells),))
    deposit = showers(cascade, 5.0, 30)["total"].mean(0).reshape(cells, cells)
    x, y = cascade.calorimeter.centres(0)
    r = np.hypot(x[:, None], y[None])
    inside = [deposit[r < k * LEAD_ARGON.moliere].sum() / deposit.sum() for k in (1, 2, 3.5)]
    assert inside == pytest.approx([0.90, 0.95, 0.99], abs=0.02)  # Particle Data Group, section 34.5


def test_resolution_falls_as_the_root_of_the_energy() -> None:
    scaled = []
    for energy, count in ((1.0, 300), (9.0, 100)):
        visible = showers(Cascade(), energy, count)["active"].sum(1)
        scaled.append(visible.std() / visible.mean() * math.sqrt(energy))
    assert scaled == pytest.approx([0.075, 0.075], rel=0.25)  # the error of the second is 7 %


def test_photons_start_later() -> None:
    """A photon first travels 9/7 X0 (tests/matter), then two legs of half its energy go on: about one X0 in all."""
    means = []
    for particle in ("eplus", "gamma"):
        profiles = showers(Cascade(particle=particle, **DEEP), 5.0, 120)["total"]
        means.append((profiles * DEPTH).sum(1) / profiles.sum(1))
    later, error = means[1].mean() - means[0].mean(), math.hypot(*(m.std() / math.sqrt(len(m)) for m in means))
    assert later == pytest.approx(9 / 7 - math.log(2) / 2, abs=4 * error)
    assert means[1].std() > means[0].std()


def test_a_lower_cut_changes_little() -> None:
    """The argon sees 19–20 % of the energy, whatever the cut, if it is low enough."""
    shares = [showers(Cascade(cut=cut), 2.0, 60)["active"].sum(1).mean() / 2000 for cut in (0.3, 1.0)]
    assert shares[0] == pytest.approx(shares[1], rel=0.03)


def test_one_seed_one_set_of_bytes() -> None:
    cascade = Cascade(energy=(1.0, 3.0), threshold=0.5)
    one, other = (cascade.simulate(4, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.x, other.x)
    assert one.x.shape == (4, 504) and one.x.dtype == np.float32
    assert not ((one.x > 0) & (one.x < 0.5)).any()
    assert (cascade.simulate(4, seed=4).x != one.x).any()


def test_a_calibrated_detector_sums_to_the_incident_energy() -> None:
    """A user measures the fraction at one energy; it then serves at others, and for another seed."""
    cascade = Cascade(energy=(5.0, 5.0), scoring="active")
    fraction = cascade.simulate(60, seed=1).x.sum(1).mean() / 5000
    calibrated = Cascade(energy=(2.0, 8.0), scoring="active", fraction=float(fraction)).simulate(100, seed=2)
    response = calibrated.x.sum(1) / (1000 * calibrated.condition[:, 0])
    assert response.mean() == pytest.approx(1, abs=4 * 0.075 / math.sqrt(5) / math.sqrt(60))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stack": (("led", 2.0),)}, "no material 'led'; did you mean 'lead'"),
        ({"active": ("argon",)}, "no material 'argon'"),
        ({"periods": 79}, r"depths: .* must rise and end with the stack, at 474 mm"),
        ({"depths": (90.0, 480.0)}, "cells: has 3 layers, depths 2"),
        ({"energy": (5.0, 1.0)}, "energy: is .* must rise"),
        ({"cut": 0.01}, "cut"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Cascade(**options)

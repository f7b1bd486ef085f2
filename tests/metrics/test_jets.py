"""Observables of jet images against formulas and against FastJet."""

from __future__ import annotations

import functools
import operator

import numpy as np
import pytest

from domain.metrics import jets

PIXEL = 0.1  # side of a pixel in η and φ


@pytest.fixture
def images() -> np.ndarray:
    """40 images with 1 to 60 lit pixels and a long tail of brightness, (40, 1, 25, 25)."""
    rng = np.random.default_rng(0)
    x = np.zeros((40, 625))
    for image in x:
        lit = rng.choice(625, rng.integers(1, 61), replace=False)
        image[lit] = rng.pareto(1, len(lit))
    return x.reshape(-1, 1, 25, 25)


def two_pixels() -> np.ndarray:
    x = np.zeros((1, 1, 25, 25))
    x[0, 0, 12, 12], x[0, 0, 18, 15] = 150, 100
    return x


def test_two_pixels() -> None:
    """m² = 2 pT₁ pT₂ (cosh Δη − cos Δφ) for two massless particles."""
    x, eta, phi = two_pixels(), 3 * PIXEL, 6 * PIXEL
    np.testing.assert_allclose(jets.mass(x), np.sqrt(2 * 150 * 100 * (np.cosh(eta) - np.cos(phi))))
    np.testing.assert_allclose(jets.pt(x), np.hypot(150 + 100 * np.cos(phi), 100 * np.sin(phi)))
    assert jets.tau21(x) == 0


def test_three_equal_pixels_in_a_row() -> None:
    """At −d, 0 and 3d: one axis at 2d/3, two at −d/2 and 3d; τ2/τ1 = 1 / (5/3 + 2/3 + 7/3)."""
    x = np.zeros((1, 1, 25, 25))
    x[0, 0, 12, [11, 12, 15]] = 7
    np.testing.assert_allclose(jets.tau21(x), 3 / 14)


def test_agrees_with_fastjet(images: np.ndarray) -> None:
    fastjet = pytest.importorskip("fastjet", reason="the reference is fastjet; it is not installed")
    no_beam = fastjet.JetDefinition.max_allowable_R
    kt = fastjet.JetDefinition(fastjet.kt_algorithm, no_beam, fastjet.pt_scheme)
    pt, eta, phi = jets.constituents(images)
    mass, total, tau21 = jets.mass(images), jets.pt(images), jets.tau21(images)
    for n in range(len(images)):
        lit = pt[n] > 0
        particles = []
        for values in zip(pt[n][lit], eta[lit], phi[lit]):
            particles.append(fastjet.PseudoJet())
            particles[-1].reset_PtYPhiM(*map(float, values), 0.0)
        clusters = fastjet.ClusterSequence(particles, kt)
        tau = [
            sum(p.pt() * min(p.delta_R(axis) for axis in axes) for p in particles)
            for axes in (clusters.exclusive_jets_up_to(1), clusters.exclusive_jets_up_to(2))
        ]
        jet = functools.reduce(operator.add, particles)
        assert mass[n] == pytest.approx(jet.m(), rel=1e-6, abs=1e-5)
        assert total[n] == pytest.approx(jet.pt())
        assert tau21[n] == pytest.approx(tau[1] / tau[0] if lit.sum() > 1 else 0, rel=1e-6)
    assert tau21.std() > 0.1


def test_batches_do_not_matter(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = jets.tau21(images)
    monkeypatch.setattr(jets, "BUDGET", 5000)
    np.testing.assert_allclose(jets.tau21(images), whole, rtol=1e-12)
    np.testing.assert_allclose(jets.tau21(images[3:4]), whole[3:4], rtol=1e-12)


def test_mirror_and_scale_change_only_what_they_should(images: np.ndarray) -> None:
    for turned in (images[..., ::-1], images[..., ::-1, :]):
        np.testing.assert_allclose(jets.mass(turned), jets.mass(images), rtol=1e-7, atol=1e-5)
        np.testing.assert_allclose(jets.tau21(turned), jets.tau21(images))
    np.testing.assert_allclose(jets.mass(3 * images), 3 * jets.mass(images), rtol=1e-7, atol=1e-5)
    np.testing.assert_allclose(jets.tau21(3 * images), jets.tau21(images))


def test_dark_and_negative_images_are_zero() -> None:
    for x in (np.zeros((2, 1, 25, 25)), -np.ones((2, 1, 25, 25))):
        assert jets.mass(x).tolist() == jets.pt(x).tolist() == jets.tau21(x).tolist() == [0, 0]
    assert jets.tau21(np.zeros((0, 1, 25, 25))).shape == (0,)

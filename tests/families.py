"""Every family, built small enough for a test of all of them."""

from __future__ import annotations

import dataclasses

from domain import models
from domain.geometry import CALOGAN
from domain.randomness import scoped_seed
from domain.space import Space
from domain.system import System

IMAGES = Space("image", (1, 8, 8), (0.0, 16.0), integer=True, classes=3)
SHOWERS = Space("shower", (10,), (0.0, 2e5), condition=("energy",), units=("GeV",))
LAYERS = [[2, 3], [1, 4]]  # rows and columns of each of their layers
JETS = Space("jet", (1, 25, 25), (0.0, 600.0), classes=2, condition=("mass", "pt"), units=("GeV", "GeV"))

TURNED = Space("image", (1, 8, 8), (0.0, 16.0), condition=("yaw", "pitch"), units=("degree", "degree"))
ROLES = {"surrogate": SHOWERS, "regressor": TURNED}

SPACES = {  # where a family's samples are not its role's
    "lagan": JETS, "calogan": dataclasses.replace(SHOWERS, shape=(CALOGAN.cells,)), "shower_matching": SHOWERS,
    "shower_simgan": SHOWERS, "calibration": SHOWERS,
}
TWO_STEP = {"shapes": LAYERS, "knots": 4, "splines": 2, "splines_width": 8, "batch": 16}
PLAIN = {"latent": 4, "network": "mlp", "hidden": [16, 8], "batch": 16}
SMALL = {  # where the published networks are large; family/variant for what parameters alone make of it
    "simgan": {"width": 8, "critic_first": 2},
    "shower_matching": {"shapes": LAYERS, "knots": 4, "quantiles": 5},
    "calibration": {"sees": "shape", "shapes": LAYERS, "hidden": [16], "batch": 16},
    "shower_simgan": {
        "shapes": LAYERS, "knots": 4, "quantiles": 5, "hidden": [16], "critic_hidden": [8], "critic_first": 2, "history": 20,
        "batch": 16,
    },
    "cyclegan": {"width": 4, "blocks": 1, "critic_width": 8, "history": 20, "batch": 8},
    "unit": {"width": 4, "critic_widths": [4, 8], "hidden": 16, "batch": 8},
    "cogan": {"latent": 8, "width": 8, "critic_widths": [4, 8], "hidden": 16, "search": 3, "batch": 8},
    "pix2pix": {"width": 8, "critic_width": 8, "batch": 8},
    "vae": {"latent": 4, "width": 8},
    "iwae": {**PLAIN, "draws": 3},
    "iwae/doubly": {**PLAIN, "draws": 3, "doubly": True, "prior": "mixture"},
    "vae/sphere": {**PLAIN, "code": "sphere", "warm_up": 2},
    "vae/vamp": {**PLAIN, "prior": "vamp"},
    "vae/flow": {**PLAIN, "prior": "flow", "components": 2},
    "vae/aggregate": {**PLAIN, "prior": "aggregate", "components": 2},
    "vae/binarised": {**PLAIN, "likelihood": "bernoulli", "binarise": True},
    "ladder_vae": {"latents": [4, 3, 2], "widths": [16, 12, 8], "batch": 16},
    "autoencoder": {"latent": 3, "width": 8, "components": 2},
    "autoencoder/denoising": {
        "latent": 3, "network": "mlp", "hidden": [16, 8], "likelihood": "bernoulli", "corruption": "salt_and_pepper",
        "walk": 3, "components": 2,
    },
    "autoencoder/masking": {"latent": 3, "network": "mlp", "hidden": [8], "corruption": "masking", "components": 2},
    "autoencoder/gaussian": {"latent": 3, "network": "mlp", "hidden": [8], "corruption": "gaussian", "components": 2},
    "ali": {"latent": 3, "width": 4, "batch": 16},
    "ali/bigan": {"latent": 3, "width": 4, "batch": 16, "stochastic": False, "cost": "least_squares", "pack": 2},
    "veegan": {"latent": 3, "width": 4, "batch": 16},
    "veegan/unary": {"latent": 3, "width": 4, "batch": 16, "unary": True},
    "introvae": {"latent": 3, "width": 4, "batch": 16, "warm_up": 0},
    "smooth_autoencoder": {
        "hidden": [16], "critic_hidden": [8], "style": 3, "batch": 16, "labelled_batch": 8, "radius": 1.0, "entropy": 1.0,
    },
    "adversarial_autoencoder": {"latent": 3, "width": 8, "critic_hidden": [16], "batch": 16},
    "adversarial_autoencoder/clusters": {**PLAIN, "categories": 3, "critic_hidden": [16], "likelihood": "bernoulli"},
    "adversarial_variational_bayes": {"latent": 3, "width": 8, "critic_hidden": [16], "bases": 2, "batch": 16},
    "adversarial_variational_bayes/plain": {**PLAIN, "adaptive": False, "critic_hidden": [16], "basis_hidden": [8]},
    "vae_gan": {"latent": 3, "width": 8, "batch": 16},
    "alpha_gan": {"latent": 3, "width": 8, "code_hidden": [16], "batch": 16},
    "cvae": {"latent": 4, "hidden": [16, 8], "batch": 16},
    "cvae/quadrants": {"given": "quadrants", "latent": 4, "hidden": [16, 8], "batch": 16, "warm_up": 2},
    "pca": {"latent": 5},
    "kmeans": {"clusters": 8},
    "copula": {**TWO_STEP},
    "flow": {**TWO_STEP, "couplings": 2, "width": 16},
    "flow_matching": {**TWO_STEP, "blocks": 1, "width": 16, "steps": 2},
    "vae_flow": {**TWO_STEP, "latent": 4, "width": 16, "couplings": 1, "couplings_width": 8},
    "calogan": {
        "latent": 16, "start_width": 3, "widths": [3, 2], "critic_widths": [3, 3, 2, 2], "kernels": 3,
        "dimensions": 3, "batch": 16,
    },
    "lagan": {
        "conditional": True, "latent": 8, "start_width": 4, "widths": [4, 3, 2], "critic_widths": [3, 3, 2, 2],
        "kernels": 3, "dimensions": 3, "batch": 16,
    },
}

NAMESAKES = {  # of a family of another role, whose variants are not theirs
    ("classifier", "adversarial_autoencoder"): {"hidden": [16], "critic_hidden": [8], "style": 3, "batch": 16, "labelled_batch": 8},
}


def build(role: str, name: str, seed: int = 0) -> System:
    """An untrained system of a registered family, or of a variant of it."""
    family = models.FAMILIES[role][name.partition("/")[0]]
    space = SPACES.get(name, ROLES.get(role, IMAGES))
    with scoped_seed(seed, "start values"):
        return family(family.Config.parse(NAMESAKES.get((role, name), SMALL.get(name)), name), space)

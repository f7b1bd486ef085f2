"""Surrogates: learn a simulator's samples given their conditions, and draw new ones faster.

A family is a :class:`~domain.system.System` with ``Config`` (its parameters), a constructor
``(config, space)``, ``streams(x, condition)``, the data its players draw from, and ``sample``, which
takes conditions inside the training range and draws them uniformly from it where none are given.
Whatever ``streams`` measures on the training data is a buffer, so a saved model needs no data.
"""

from domain.surrogates.flow import Flow
from domain.surrogates.flow_matching import FlowMatching
from domain.surrogates.vae_flow import VAEFlow

SURROGATES = {
    "flow": Flow,
    "flow_matching": FlowMatching,
    "vae_flow": VAEFlow,
}

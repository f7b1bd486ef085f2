"""Surrogates: learn a simulator's samples given their conditions, and draw new ones faster.

A family is a :class:`~domain.system.System` with ``Config`` (its parameters), a constructor
``(config, space)``, ``streams(x, label=, condition=)``, the data its players draw from, and ``sample``;
both take what ``given`` names. Conditions lie inside the training range, and are drawn uniformly from
it where none are given.
Whatever ``streams`` measures on the training data is a buffer, so a saved model needs no data.
"""

from domain.system import System
from domain.table import Table

SURROGATES: Table[type[System]] = Table(
    __name__,
    calogan="calogan.CaloGAN",
    copula="copula.Copula",
    flow="flow.Flow",
    flow_matching="flow_matching.FlowMatching",
    lagan="lagan.LAGAN",
    vae_flow="vae_flow.VAEFlow",
)

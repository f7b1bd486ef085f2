"""Surrogates: learn a simulator's samples given their conditions, and draw new ones faster.

A family is a :class:`~domain.system.System` with ``Config`` (its parameters), a constructor
``(config, space)``, ``streams(x, condition)``, the data its players draw from, and ``sample``, which
takes conditions inside the training range and draws them uniformly from it where none are given.
Whatever ``streams`` measures on the training data is a buffer, so a saved model needs no data.
"""

from domain.surrogates.flow import Flow

SURROGATES = {
    "flow": Flow,
}

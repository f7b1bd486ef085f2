"""What photons, electrons and positrons do in matter: cross-sections, and single events drawn from them.

Energies are in MeV, cross-sections in cm² an atom, lengths in cm. Functions are compiled by numba and
take scalars; those that draw take a ``numpy.random.Generator``.
"""

from __future__ import annotations

MASS = 0.51099895  # MeV, of the electron
RADIUS = 2.8179403262e-13  # cm, classical, of the electron
FINE_STRUCTURE = 7.2973525693e-3
AVOGADRO = 6.02214076e23
BARN = 1e-24  # cm²

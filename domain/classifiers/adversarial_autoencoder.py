"""Semi-supervised classification with an adversarial autoencoder (Makhzani et al. 2015, arXiv 1511.05644, section 5).

The published terms, which are the game of ``base/codes.py`` and no others. The paper steps on reconstruction, deceit
and labels in turn, by gradient descent with momentum; here they are one sum, for Adam, with a batch-normalised
encoder, averaged weights and a rate that falls to zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.classifiers.base.codes import CodesClassifier, CodesGame


class AdversarialAutoencoderNetwork(CodesGame):
    """An encoder into category and style, a decoder, and a critic of each."""


@dataclass(eq=False, repr=False)
class AdversarialAutoencoderClassifier(CodesClassifier):
    """Semi-supervised classifier by an adversarial autoencoder; see the module's docstring.

    Args:
        hidden ... critic_rate: as in the base class.
    """

    system: ClassVar[type[CodesGame]] = AdversarialAutoencoderNetwork

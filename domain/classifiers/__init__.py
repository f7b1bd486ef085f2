"""Classifiers: scikit-learn estimators that learn from labelled and unlabelled samples; one method a file.

``y == -1`` is unlabelled. ``CLASSIFIERS`` names the estimators, ``NETWORKS`` the systems behind
those that are networks, as a model directory stores them.
"""

from domain.classifiers.adversarial_autoencoder import (
    AdversarialAutoencoderClassifier,
    AdversarialAutoencoderNetwork,
)
from domain.classifiers.catgan import CatGAN, CatGANClassifier
from domain.classifiers.feature_matching import FeatureMatchingGAN, FeatureMatchingGANClassifier
from domain.classifiers.floors import LabelSpreadingClassifier, NearestNeighbourClassifier
from domain.classifiers.ladder import LadderClassifier, LadderNetwork
from domain.classifiers.supervised import SelfTrainingClassifier, Supervised, SupervisedClassifier
from domain.classifiers.virtual_adversarial import VirtualAdversarialClassifier, VirtualAdversarialTraining

CLASSIFIERS = {
    "feature_matching": FeatureMatchingGANClassifier,
    "ladder": LadderClassifier,
    "supervised": SupervisedClassifier,
    "self_training": SelfTrainingClassifier,
    "catgan": CatGANClassifier,
    "adversarial_autoencoder": AdversarialAutoencoderClassifier,
    "virtual_adversarial": VirtualAdversarialClassifier,
    "label_spreading": LabelSpreadingClassifier,
    "nearest_neighbour": NearestNeighbourClassifier,
}

NETWORKS = {
    "feature_matching": FeatureMatchingGAN,
    "ladder": LadderNetwork,
    "supervised": Supervised,
    "catgan": CatGAN,
    "adversarial_autoencoder": AdversarialAutoencoderNetwork,
    "virtual_adversarial": VirtualAdversarialTraining,
}

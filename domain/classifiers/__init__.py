"""Classifiers: scikit-learn estimators that learn from labelled and unlabelled samples; one method a file.

``y == -1`` is unlabelled. ``CLASSIFIERS`` names the estimators, ``NETWORKS`` the systems behind
those that are networks, as a model directory stores them.
"""

from domain.classifiers.adversarial_autoencoder import AdversarialAutoencoderClassifier
from domain.classifiers.catgan import CatGANClassifier
from domain.classifiers.feature_matching import FeatureMatchingGANClassifier
from domain.classifiers.floors import LabelSpreadingClassifier, NearestNeighbourClassifier
from domain.classifiers.ladder import LadderClassifier
from domain.classifiers.self_ensembling import SelfEnsemblingClassifier
from domain.classifiers.smooth_autoencoder import SmoothAutoencoderClassifier
from domain.classifiers.smooth_matching import SmoothMatchingGANClassifier
from domain.classifiers.supervised import SelfTrainingClassifier, SupervisedClassifier
from domain.classifiers.virtual_adversarial import VirtualAdversarialClassifier
from domain.system import System
from domain.table import Table

CLASSIFIERS = {
    "feature_matching": FeatureMatchingGANClassifier,
    "smooth_matching": SmoothMatchingGANClassifier,
    "ladder": LadderClassifier,
    "supervised": SupervisedClassifier,
    "self_training": SelfTrainingClassifier,
    "self_ensembling": SelfEnsemblingClassifier,
    "catgan": CatGANClassifier,
    "adversarial_autoencoder": AdversarialAutoencoderClassifier,
    "smooth_autoencoder": SmoothAutoencoderClassifier,
    "virtual_adversarial": VirtualAdversarialClassifier,
    "label_spreading": LabelSpreadingClassifier,
    "nearest_neighbour": NearestNeighbourClassifier,
}

NETWORKS: Table[type[System]] = Table(
    __name__,
    feature_matching="feature_matching.FeatureMatchingGAN",
    smooth_matching="smooth_matching.SmoothMatchingGAN",
    ladder="ladder.LadderNetwork",
    supervised="supervised.Supervised",
    self_ensembling="self_ensembling.SelfEnsembling",
    catgan="catgan.CatGAN",
    adversarial_autoencoder="adversarial_autoencoder.AdversarialAutoencoderNetwork",
    smooth_autoencoder="smooth_autoencoder.SmoothAutoencoder",
    virtual_adversarial="virtual_adversarial.VirtualAdversarialTraining",
)

"""Classifiers: scikit-learn estimators that learn from labelled and unlabelled samples; one method a file.

``y == -1`` is unlabelled. ``CLASSIFIERS`` names the estimators, ``NETWORKS`` the systems behind
those that are networks, as a model directory stores them.
"""

from domain.classifiers.feature_matching import FeatureMatchingGAN, FeatureMatchingGANClassifier
from domain.classifiers.floors import LabelSpreadingClassifier, NearestNeighbourClassifier
from domain.classifiers.supervised import Supervised, SupervisedClassifier

CLASSIFIERS = {
    "feature_matching": FeatureMatchingGANClassifier,
    "supervised": SupervisedClassifier,
    "label_spreading": LabelSpreadingClassifier,
    "nearest_neighbour": NearestNeighbourClassifier,
}

NETWORKS = {
    "feature_matching": FeatureMatchingGAN,
    "supervised": Supervised,
}

"""Regressors: scikit-learn estimators that learn a sample's conditions, such as gaze or energy; one method a file.

``REGRESSORS`` names the estimators, ``NETWORKS`` the systems behind them, as a model directory stores them.
"""

from domain.regressors.supervised import SupervisedRegressor
from domain.system import System
from domain.table import Table

REGRESSORS = {
    "supervised": SupervisedRegressor,
}

NETWORKS: Table[type[System]] = Table(
    __name__,
    supervised="supervised.SupervisedRegression",
)

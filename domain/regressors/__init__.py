"""Regressors: scikit-learn estimators that learn a sample's conditions, such as gaze or energy; one method a file.

``REGRESSORS`` names the estimators, ``NETWORKS`` the systems behind them, as a model directory stores them.
"""

from domain.regressors.calibration import CalibrationRegressor
from domain.regressors.supervised import SupervisedRegressor
from domain.system import System
from domain.table import Table

REGRESSORS = {
    "supervised": SupervisedRegressor,
    "calibration": CalibrationRegressor,
}

NETWORKS: Table[type[System]] = Table(
    __name__,
    supervised="supervised.SupervisedRegression",
    calibration="calibration.Calibration",
)

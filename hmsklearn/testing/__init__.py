"""Checks for estimators on windows of signals.

scikit-learn's ``check_estimator`` skips what does not take tables.
:func:`check_signal_estimator` checks estimators on windows directly, and
:class:`WindowAdapter` lets scikit-learn's own checks reach them.
"""

from hmsklearn.testing._adapters import WeightedWindowAdapter, WindowAdapter
from hmsklearn.testing._adapters_other import RowsAdapter, StackAdapter
from hmsklearn.testing._adapters_votes import RatedWindowAdapter
from hmsklearn.testing._data import CheckData, make_check_data
from hmsklearn.testing._generator import (
    check_signal_estimator,
    parametrize_with_signal_checks,
)
from hmsklearn.testing._instances import all_estimators
from hmsklearn.testing._reference import ChannelPowerClassifier

__all__ = [
    "ChannelPowerClassifier",
    "CheckData",
    "RatedWindowAdapter",
    "RowsAdapter",
    "StackAdapter",
    "WeightedWindowAdapter",
    "WindowAdapter",
    "all_estimators",
    "check_signal_estimator",
    "make_check_data",
    "parametrize_with_signal_checks",
]

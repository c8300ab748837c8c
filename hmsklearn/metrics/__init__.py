"""The competition's score, its noise floor, and what tells whether a model earns it."""

from hmsklearn.metrics._calibration_error import (
    calibration_report,
    expected_calibration_error,
)
from hmsklearn.metrics._compare import ModelComparison, compare_models
from hmsklearn.metrics._kl import kl_divergence, kl_scorer, make_kl_scorer
from hmsklearn.metrics._noise_floor import kl_noise_floor
from hmsklearn.metrics._reliability import reliability_curve
from hmsklearn.metrics._report import kl_report
from hmsklearn.metrics._rows import EPSILON, check_weight

__all__ = [
    "EPSILON",
    "ModelComparison",
    "calibration_report",
    "check_weight",
    "compare_models",
    "expected_calibration_error",
    "kl_divergence",
    "kl_noise_floor",
    "kl_report",
    "kl_scorer",
    "make_kl_scorer",
    "reliability_curve",
]

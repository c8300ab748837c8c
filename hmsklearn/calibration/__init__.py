"""Making probabilities mean what they say."""

from hmsklearn.calibration._classifier import TemperatureScaledClassifier
from hmsklearn.calibration._temperature import (
    TemperatureFit,
    fit_temperature,
    scale_temperature,
)

__all__ = [
    "TemperatureFit",
    "TemperatureScaledClassifier",
    "fit_temperature",
    "scale_temperature",
]

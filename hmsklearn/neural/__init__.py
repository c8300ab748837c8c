"""Neural classifiers: scikit-learn outside, skorch and torch inside."""

from hmsklearn.neural._base import BaseNeuralClassifier
from hmsklearn.neural._timm import TimmClassifier
from hmsklearn.neural._waveform import WaveformClassifier

__all__ = ["BaseNeuralClassifier", "TimmClassifier", "WaveformClassifier"]

"""Neural classifiers: scikit-learn outside, skorch and torch inside."""

from hmsklearn.neural._base import BaseNeuralClassifier
from hmsklearn.neural._frontend import Frontend
from hmsklearn.neural._timm import TimmClassifier
from hmsklearn.neural._waveform import WaveformClassifier

__all__ = ["BaseNeuralClassifier", "Frontend", "TimmClassifier", "WaveformClassifier"]

"""Displays of windows and scores, in the style of scikit-learn's Display objects."""

from hmsklearn.plotting._kl_bars import KLBarDisplay
from hmsklearn.plotting._reliability import ReliabilityDisplay
from hmsklearn.plotting._spectrogram import SpectrogramDisplay
from hmsklearn.plotting._traces import TracesDisplay

__all__ = ["KLBarDisplay", "ReliabilityDisplay", "SpectrogramDisplay", "TracesDisplay"]

"""Signal to time-frequency transformers."""

from hmsklearn.spectrogram._mel import MelSpectrogramizer

__all__ = ["MelSpectrogramizer"]

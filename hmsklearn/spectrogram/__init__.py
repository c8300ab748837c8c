"""Signal to time-frequency transformers."""

from hmsklearn.spectrogram._host import HostSpectrogramizer
from hmsklearn.spectrogram._mel import MelSpectrogramizer
from hmsklearn.spectrogram._multitaper import MultitaperSpectrogramizer
from hmsklearn.spectrogram._stft import STFTSpectrogramizer
from hmsklearn.spectrogram._wavelet import WaveletScalogramizer

__all__ = [
    "HostSpectrogramizer",
    "MelSpectrogramizer",
    "MultitaperSpectrogramizer",
    "STFTSpectrogramizer",
    "WaveletScalogramizer",
]

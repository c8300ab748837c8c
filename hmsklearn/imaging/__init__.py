"""Signal or spectrogram to image transformers."""

from hmsklearn.imaging._chain_mean import ChainMean
from hmsklearn.imaging._waveform_imager import WaveformImager

__all__ = ["ChainMean", "WaveformImager"]

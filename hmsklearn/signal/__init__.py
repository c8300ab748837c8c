"""Pure functions on arrays of windows: the operations themselves, no estimators.

Every function takes windows with time last, as NumPy array or torch tensor, and gives
back the same kind: tensors stay on their device and keep their gradient. It leaves its
input alone, keeps float32 and float64, and takes ``out=`` for arrays. The transformers
of the package check their parameters and call these.
"""

from hmsklearn.signal.amplitude import clip_and_divide
from hmsklearn.signal.cropping import centre_crop, decimate
from hmsklearn.signal.decibel import power_to_db
from hmsklearn.signal.derivations import group_means, pair_differences
from hmsklearn.signal.filters import (
    butterworth_sos,
    filter_causal,
    filter_zero_phase,
)
from hmsklearn.signal.images import interleave_phases
from hmsklearn.signal.levels import power_to_levels
from hmsklearn.signal.mel import mel_decibels, mel_filterbank, mel_spectrogram
from hmsklearn.signal.missing import fill_nan

__all__ = [
    "butterworth_sos",
    "centre_crop",
    "clip_and_divide",
    "decimate",
    "fill_nan",
    "filter_causal",
    "filter_zero_phase",
    "group_means",
    "interleave_phases",
    "mel_decibels",
    "mel_filterbank",
    "mel_spectrogram",
    "pair_differences",
    "power_to_db",
    "power_to_levels",
]

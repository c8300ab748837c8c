"""Pure functions on arrays of windows: the operations themselves, no estimators.

Every function takes windows with time last, as NumPy array or torch tensor, and gives
back the same kind: tensors stay on their device and keep their gradient. It leaves its
input alone, keeps float32 and float64, and takes ``out=`` for arrays. The transformers
of the package check their parameters and call these.
"""

from hmsklearn.signal.amplitude import clip_and_divide, mu_law
from hmsklearn.signal.background import normalize_background
from hmsklearn.signal.cropping import centre_crop, decimate
from hmsklearn.signal.decibel import power_to_db
from hmsklearn.signal.derivations import derive, group_means, pair_differences
from hmsklearn.signal.exponential import exponential_mean
from hmsklearn.signal.filter_design import butterworth_sos
from hmsklearn.signal.filter_padding import default_padlen, ringing_samples
from hmsklearn.signal.filters import (
    filter_causal,
    filter_zero_phase,
    single_precision_suffices,
)
from hmsklearn.signal.fir import filter_fir
from hmsklearn.signal.fir_design import fir_kernel, fir_notch_kernel
from hmsklearn.signal.images import waveform_image
from hmsklearn.signal.levels import power_to_levels
from hmsklearn.signal.mel import mel_decibels, mel_filterbank, mel_spectrogram
from hmsklearn.signal.missing import fill_nan
from hmsklearn.signal.multitaper import multitaper_power
from hmsklearn.signal.notch_design import notch_sos
from hmsklearn.signal.panels import (
    panel_differences,
    panel_statistics,
    plane_contrasts,
)
from hmsklearn.signal.quality import channel_quality, combine_quality
from hmsklearn.signal.resize import resize_images
from hmsklearn.signal.robust import robust_scale
from hmsklearn.signal.standardize import standardize
from hmsklearn.signal.stft import stft_frequencies, stft_power
from hmsklearn.signal.superlets import superlet_power
from hmsklearn.signal.tiling import tile_planes
from hmsklearn.signal.traces import draw_traces
from hmsklearn.signal.wavelet_grid import (
    cone_of_influence,
    torrence_compo_frequencies,
    wavelet_frequencies,
)
from hmsklearn.signal.wavelets import morlet_power, morlet_transform

__all__ = [
    "butterworth_sos",
    "centre_crop",
    "channel_quality",
    "clip_and_divide",
    "combine_quality",
    "cone_of_influence",
    "decimate",
    "default_padlen",
    "derive",
    "draw_traces",
    "exponential_mean",
    "fill_nan",
    "filter_causal",
    "filter_fir",
    "filter_zero_phase",
    "fir_kernel",
    "fir_notch_kernel",
    "group_means",
    "mel_decibels",
    "mel_filterbank",
    "mel_spectrogram",
    "morlet_power",
    "morlet_transform",
    "mu_law",
    "multitaper_power",
    "normalize_background",
    "notch_sos",
    "pair_differences",
    "panel_differences",
    "panel_statistics",
    "plane_contrasts",
    "power_to_db",
    "power_to_levels",
    "resize_images",
    "ringing_samples",
    "robust_scale",
    "single_precision_suffices",
    "standardize",
    "stft_frequencies",
    "stft_power",
    "superlet_power",
    "tile_planes",
    "torrence_compo_frequencies",
    "waveform_image",
    "wavelet_frequencies",
]

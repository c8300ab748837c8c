"""Signal or spectrogram to image transformers."""

from hmsklearn.imaging._background_normalizer import BackgroundNormalizer
from hmsklearn.imaging._chain_mean import ChainMean
from hmsklearn.imaging._image_resizer import ImageResizer
from hmsklearn.imaging._image_standardizer import ImageStandardizer
from hmsklearn.imaging._image_tiler import ImageTiler
from hmsklearn.imaging._kaggle_spectrogram_imager import KaggleSpectrogramImager
from hmsklearn.imaging._panel_statistics import PanelStatistics
from hmsklearn.imaging._plane_contrast import PlaneContrast
from hmsklearn.imaging._view_union import ViewUnion
from hmsklearn.imaging._waveform_imager import WaveformImager
from hmsklearn.imaging._waveform_plotter import WaveformPlotter
from hmsklearn.imaging._window_union import WindowUnion

__all__ = [
    "BackgroundNormalizer",
    "ChainMean",
    "ImageResizer",
    "ImageStandardizer",
    "ImageTiler",
    "KaggleSpectrogramImager",
    "PanelStatistics",
    "PlaneContrast",
    "ViewUnion",
    "WaveformImager",
    "WaveformPlotter",
    "WindowUnion",
]

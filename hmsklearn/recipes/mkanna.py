"""MohammadMkanna: scalograms of a complex wavelet on scales spaced by their logarithm.

The author found that the spacing matters, that 128 linear scales only cost memory, and
that the coefficients themselves are a better input than rendered pictures.
"""

from __future__ import annotations

from sklearn.pipeline import make_pipeline

from hmsklearn.datasets import HMSReader
from hmsklearn.imaging import ChainMean, ImageResizer
from hmsklearn.neural import TimmClassifier
from hmsklearn.pipeline import RowPipeline
from hmsklearn.preprocessing import ButterworthFilter, MontageTransformer, NaNImputer
from hmsklearn.recipes._registry import register_recipe
from hmsklearn.recipes._scale import Scale
from hmsklearn.spectrogram import WaveletScalogramizer

__all__ = ["mkanna"]


@register_recipe(
    "mkanna",
    inputs="scalograms of the four chains",
    nets="EfficientNetV2-B2",
    public=0.40,
    source="https://github.com/MohammadMkanna/HMS_Kaggle_Competition",
    family="single images",
)
def mkanna(s: Scale) -> RowPipeline:
    """Build the scalograms in front of one net.

    Published are the wavelets, their logarithmic scales, the net and the score. Sizes,
    montage and training are ours.

    Parameters
    ----------
    s : Scale
        The scale.

    Returns
    -------
    RowPipeline
        The unfitted system.

    References
    ----------
    https://github.com/MohammadMkanna/HMS_Kaggle_Competition.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("mkanna", "small")).__name__
    'RowPipeline'
    """
    net = TimmClassifier(
        s("tf_efficientnetv2_b2", "test_efficientnet"),
        # Signals first, then their spectra: a chain's four scalograms are averaged.
        frontend=make_pipeline(
            WaveletScalogramizer(
                fmin=0.5,
                fmax=20.0,
                n_freqs=s(64, 16),
                spacing="log",  # equal ratios of scales, as Torrence and Compo have it
                n_columns=s(256, 64),
            ),
            ChainMean("double_banana_16"),
            ImageResizer(s((128, 256), (64, 64))),
        ),
        lr=1e-3,
        max_epochs=s(10, 4),
        batch_size=s(32, 8),
        sampling="eeg",
        target="eeg_votes",
        random_state=s.seed(),
    )
    return RowPipeline(
        [
            ("read", HMSReader()),
            ("impute", NaNImputer()),
            ("montage", MontageTransformer("double_banana_16")),
            ("filter", ButterworthFilter(0.5, 20.0)),
            ("net", net),
        ]
    )

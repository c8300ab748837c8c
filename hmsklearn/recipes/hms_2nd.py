"""2nd place: spectra as the frames of a film, signals as images, and both at once.

X3D-L sees the spectra of 16 derivations, of the central 10 s and of all 50 s, one after
the other; image nets see the samples of 50 s folded into 160 x 1000 pixels, or the
spectra on top of each other; one net has a branch of either kind. Two of the six see
signals behind SciPy's filter, four behind MNE's.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline

from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import AveragingKLClassifier, TestTimeAugmenter
from hmsklearn.imaging import ImageResizer, ImageTiler, WaveformImager, WindowUnion
from hmsklearn.neural import MultiViewClassifier, TimmClassifier, VideoClassifier
from hmsklearn.pipeline import RowPipeline
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    ButterworthFilter,
    CentreCrop,
    FIRFilter,
    MontageTransformer,
    NaNImputer,
)
from hmsklearn.recipes._registry import register_recipe
from hmsklearn.recipes._scale import Scale
from hmsklearn.spectrogram import STFTSpectrogramizer

__all__ = ["hms_2nd"]

# Both from 0.5 to 20 Hz: of zero phase, as MNE makes it, and SciPy's lfilter.
MNE = FIRFilter(0.5, 20.0)
BUTTER = ButterworthFilter(0.5, 20.0, order=2, phase="causal")


def twentieths(votes: np.ndarray) -> np.ndarray:
    """Weigh windows by their number of votes over 20."""
    return votes / 20


def magnitudes(hop_length: int) -> STFTSpectrogramizer:
    """Make magnitudes of 61 frequencies up to 23 Hz, in thousands of microvolts."""
    return STFTSpectrogramizer(
        n_fft=512,
        win_length=128,
        hop_length=hop_length,
        exponent=1.0,
        n_bins=61,
        clip=(0.0, 10_000.0),
        scale=1000.0,
    )


def logarithms() -> STFTSpectrogramizer:
    """Make decadic logarithms of magnitudes, 56 frequencies, none below zero."""
    return STFTSpectrogramizer(
        n_fft=512,
        win_length=512,
        hop_length=50,
        exponent=1.0,
        n_bins=56,
        output="log10",
        clip=(0.0, None),
    )


@register_recipe(
    "hms_2nd",
    rank="2",
    inputs="spectra as frames of a film and in one image, samples as an image",
    nets="X3D-L, EfficientNet-B5, HGNetV2-B5",
    source="https://www.kaggle.com/competitions/"
    "hms-harmful-brain-activity-classification/discussion/492254",
    family="ensembles",
)
def hms_2nd(s: Scale) -> AveragingKLClassifier:
    """Average six nets with the published weights.

    Parameters
    ----------
    s : Scale
        The scale.

    Returns
    -------
    AveragingKLClassifier
        The unfitted system.

    References
    ----------
    Place 2 of HMS, Kaggle discussion 492254.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("hms_2nd", "small")).__name__
    'AveragingKLClassifier'
    """
    seeds = count()

    def frames(spectra: Any) -> Any:
        """Make each spectrum a frame of a colour film."""
        return make_pipeline(
            spectra,
            *s([], [ImageResizer(32)]),
            ImageTiler("planes", n_planes=3, frames=True),
        )

    film = WindowUnion(
        [
            ("10", make_pipeline(CentreCrop(10), frames(magnitudes(10)))),
            ("50", frames(magnitudes(50))),
        ],
        join="frames",
    )
    one_image = make_pipeline(
        magnitudes(50), ImageTiler("column", n_planes=3), *s([], [ImageResizer(64)])
    )
    samples = make_pipeline(
        WaveformImager(10, n_planes=3), *s([], [ImageResizer((32, 64))])
    )

    def training() -> Mapping[str, Any]:
        return {
            # How many windows a batch had in training is not published: as many as in
            # their predictions.
            "batch_size": s(32, 8),
            "optimizer": "adamw",
            "schedule": "cosine",
            # A random window of each EEG in each epoch learns the mean of all of them.
            "sampling": "eeg",
            "target": "eeg",
            "augment": [
                ("left_right_mirror", {"montage": "double_banana_16", "p": 0.5})
            ],
            "stages": [
                {"max_epochs": s(15, 1), "lr": 1e-3, "vote_weight": twentieths},
                {"max_epochs": s(5, 1), "lr": 1e-4, "min_votes": 6},
            ],
            "random_state": s.seed(next(seeds)),
        }

    def x3d(frontend: Any, drop_rate: float, **params: Any) -> VideoClassifier:
        small = {"depth_factor": 0.4, "width_factor": 0.4, "head_width": 64}
        return VideoClassifier(
            "x3d_l",
            architecture_params={"drop_rate": drop_rate, **s({}, small)},
            frontend=frontend,
            **params,
        )

    efficientnet = s("efficientnet_b5", "test_efficientnet")
    hgnet = s("hgnetv2_b5", "test_resnet")

    def image(backbone: str, frontend: Any) -> TimmClassifier:
        return TimmClassifier(backbone, drop_rate=0.5, frontend=frontend, **training())

    def member(band_pass: Any, net: Any) -> TestTimeAugmenter:
        pipe = RowPipeline(
            [
                ("read", HMSReader()),
                ("impute", NaNImputer("mean")),
                ("montage", MontageTransformer("2nd")),
                ("clip", AmplitudeScaler(1024.0, 1.0)),
                ("filter", band_pass),
                ("net", net),
            ]
        )
        return TestTimeAugmenter(pipe, "second", step="net")

    def branch() -> Mapping[str, Any]:
        return {"random_state": s.seed(next(seeds))}

    both = MultiViewClassifier(
        [
            ("raw", TimmClassifier(efficientnet, frontend=samples, **branch())),
            ("x3d", x3d(frames(logarithms()), drop_rate=0.0, **branch())),
        ],
        aux=False,
        head={"drop_rate": 0.5},
        **training(),
    )
    return AveragingKLClassifier(
        [
            ("x3d", member(MNE, x3d(film, drop_rate=0.5, **training()))),
            ("oneimage", member(MNE, image(hgnet, one_image))),
            ("raw_mne", member(MNE, image(efficientnet, samples))),
            ("raw_butter", member(BUTTER, image(efficientnet, samples))),
            ("doublehead", member(BUTTER, both)),
            ("hgnet", member(MNE, image(hgnet, samples))),
        ],
        weights=[0.1, 0.1, 0.2, 0.2, 0.2, 0.2],
    )

"""10th place: one image that holds all there is to see of a window.

Spectra of the fifty seconds, spectra of the ten that were rated, and the samples, side
by side, under EfficientViT-B2 and MixNet-XL. Windows of few votes have a head of their
own. Some twenty nets that differ little are weighed by Optuna.
"""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import make_pipeline

from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import KLBlender, StackingKLClassifier
from hmsklearn.imaging import ImageResizer, ImageTiler, WaveformImager, WindowUnion
from hmsklearn.neural import TimmClassifier, TwoLevelVoteWeight
from hmsklearn.pipeline import RowPipeline
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    CentreCrop,
    MontageTransformer,
    NaNImputer,
)
from hmsklearn.recipes._registry import register_recipe
from hmsklearn.recipes._scale import Scale
from hmsklearn.spectrogram import STFTSpectrogramizer

__all__ = ["hms_10th"]


def spectrum(nperseg: int, noverlap: int) -> STFTSpectrogramizer:
    """Make SciPy's spectrogram up to 20 Hz, which did better than torchaudio's."""
    return STFTSpectrogramizer(
        convention="scipy",
        n_fft=256,
        win_length=nperseg,
        noverlap=noverlap,
        n_bins=26,
        output="log1p",
    )


@register_recipe(
    "hms_10th",
    rank="10",
    inputs="one image: spectra of 50 s and 10 s, raw samples of 19 channels",
    nets="EfficientViT-B2, MixNet-XL",
    source="https://www.kaggle.com/competitions/"
    "hms-harmful-brain-activity-classification/discussion/492207",
    family="single images",
)
def hms_10th(s: Scale) -> StackingKLClassifier:
    """Weigh twenty nets on the one image, every second one of each kind.

    Parameters
    ----------
    s : Scale
        The scale.

    Returns
    -------
    StackingKLClassifier
        The unfitted system.

    References
    ----------
    Place 10 of HMS, Kaggle discussion 492207.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("hms_10th", "small")).__name__
    'StackingKLClassifier'
    """
    # What the spectra are made of, and the sizes of the parts, are not published.
    part, raw = s(((512, 256), (512, 512)), ((96, 32), (96, 64)))
    column = ImageTiler("column")
    views = [
        ("50", [spectrum(78, 0), column, ImageResizer(part)]),
        ("10", [CentreCrop(10), spectrum(64, 56), column, ImageResizer(part)]),
        ("raw", [AmplitudeScaler(), WaveformImager(), ImageResizer(raw)]),
    ]
    image = WindowUnion([(name, make_pipeline(*steps)) for name, steps in views])

    def member(backbone: str, number: int) -> RowPipeline:
        net = TimmClassifier(
            backbone,
            frontend=image,
            head={"vote_threshold": 10},  # few and many votes have a head each
            optimizer="adan",
            # One stage. Rate, epochs and how much less few votes count are not
            # published; nor is any augmentation, and mirroring is what most shared.
            lr=1e-3,
            max_epochs=s(15, 3),
            batch_size=s(32, 8),
            vote_weight=TwoLevelVoteWeight(max_few=9, few=0.25),
            # A random window of each EEG, those of many votes more often.
            sampling="eeg_by_votes",
            augment=[("left_right_mirror", {"montage": "double_banana_ekg", "p": 0.5})],
            random_state=s.seed(number),
        )
        return RowPipeline(
            [
                ("read", HMSReader()),
                ("impute", NaNImputer()),
                ("montage", MontageTransformer("double_banana_ekg")),
                ("net", net),
            ]
        )

    backbones = {
        "efficientvit": s("efficientvit_b2", "test_resnet"),
        "mixnet": s("mixnet_xl", "test_efficientnet"),
    }
    members: list[tuple[str, Any]] = [
        (f"{name}_{run}", member(backbone, 2 * run + number))
        for run in range(s(10, 1))
        for number, (name, backbone) in enumerate(backbones.items())
    ]
    return StackingKLClassifier(
        members,
        final_estimator=KLBlender(
            solver="optuna",
            solver_params={"n_trials": s(1000, 30)},
            random_state=s.seed(),
        ),
        cv=s(5, 2),
    )

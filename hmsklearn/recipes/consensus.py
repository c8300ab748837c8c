"""The safe defaults: what the winning systems have in common, in one small stack.

Sixteen bipolar derivations from 0.5 to 20 Hz, seen as a signal image and as mel
spectra with the central ten seconds magnified; all windows first, then those of many
votes; mirrored and averaged at prediction; blended over folds of patients.
"""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import make_pipeline

from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import KLBlender, StackingKLClassifier, TestTimeAugmenter
from hmsklearn.imaging import ImageResizer, ImageTiler, WaveformImager, WindowUnion
from hmsklearn.model_selection import VoteStratifiedGroupKFold
from hmsklearn.neural import TimmClassifier, WaveformClassifier
from hmsklearn.pipeline import RowPipeline
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    ButterworthFilter,
    CentreCrop,
    Decimator,
    MontageTransformer,
    NaNImputer,
)
from hmsklearn.recipes._registry import register_recipe
from hmsklearn.recipes._scale import Scale
from hmsklearn.spectrogram import MelSpectrogramizer

__all__ = ["consensus"]

MONTAGE = "double_banana_16"


def clean() -> list[tuple[str, Any]]:
    """Make the steps that all members begin with."""
    return [
        ("read", HMSReader()),
        ("impute", NaNImputer()),
        ("montage", MontageTransformer(MONTAGE)),
        ("clip", AmplitudeScaler(clip=1024, scale=1)),  # before a filter rings
        ("filter", ButterworthFilter(0.5, 20.0, order=2)),
        ("scale", AmplitudeScaler(clip=1024, scale=32)),
    ]


def mel(n_mels: int, hop_length: int) -> MelSpectrogramizer:
    """Make decibels over a fixed level: how strong a signal is can be seen."""
    return MelSpectrogramizer(
        n_mels=n_mels,
        hop_length=hop_length,
        ref=1.0,
        offset=0,
        scale=20,
        width_multiple=1,  # nothing is cut off at the end
    )


@register_recipe(
    "consensus",
    inputs="raw image 160 x 1000, mel spectra of 50 s and 10 s, raw signal",
    nets="EfficientNetV2-S, ResNet1D-GRU",
    source="what the published systems share",
    family="start here",
)
def consensus(s: Scale) -> StackingKLClassifier:
    """Stack a raw image, mel spectra and a 1-D net over folds of patients.

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
    What the published systems share.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("consensus", "small")).__name__
    'StackingKLClassifier'
    """
    # Numbers of epochs in the two stages are, of small nets, what a minute allows.

    def training(number: int, epochs: tuple[int, int]) -> dict[str, Any]:
        return {
            "optimizer": "adamw",
            "lr": s(1e-3, 3e-3),
            "min_lr": 1e-4,
            "schedule": "cosine",
            "loss": "kl",
            "sampling": "eeg",  # one random window of each EEG in an epoch
            "batch_size": s(32, 8),
            "ema": s(0.998, {"decay": 0.9, "warmup": True}),
            "augment": [
                ("left_right_mirror", {"montage": MONTAGE, "p": 0.5}),
                ("time_reverse", {"p": 0.5}),
                ("channel_drop", {"n_channels": (1, 8), "p": 0.3}),
                ("mixup", {"alpha": 1.0, "p": 0.5}),
            ],
            "stages": [
                # Votes of few count less: a third of theirs are seizures, experts
                # see one in twenty.
                {"max_epochs": s(15, epochs[0]), "vote_weight": "linear"},
                {"max_epochs": s(10, epochs[1]), "min_votes": 10, "lr": s(2e-4, 1e-3)},
            ],
            "random_state": s.seed(number),
        }

    raw = TimmClassifier(
        s("tf_efficientnetv2_s", "test_efficientnet"),
        drop_rate=0.3,
        drop_path_rate=0.2,
        # Of ten seconds it is a small image, and nothing has to be shrunk.
        frontend=make_pipeline(CentreCrop(s(50, 10)), WaveformImager(10)),
        **training(0, (8, 4)),
    )
    views = [
        ("50", mel(s(128, 32), s(39, 156))),
        ("10", make_pipeline(CentreCrop(10), mel(s(128, 32), s(8, 31)))),
    ]
    image = TimmClassifier(
        s("tf_efficientnetv2_s", "test_efficientnet"),
        drop_rate=0.3,
        drop_path_rate=0.2,
        # The channels stay apart in space: below one another, 50 s and 10 s abreast.
        frontend=make_pipeline(
            WindowUnion(views), ImageTiler((8, 2)), ImageResizer(s((512, 512), 96))
        ),
        **training(1, (10, 5)),
    )
    signal = WaveformClassifier(
        "resnet1d_gru",
        architecture_params=s({}, {"width": 8, "gru_hidden": 16, "gru_stride": 4}),
        frontend=make_pipeline(CentreCrop(10), Decimator(s(1, 4))),
        **training(2, (10, 5)),
    )

    def member(net: Any) -> TestTimeAugmenter:
        pipe = RowPipeline([*clean(), ("net", net)])
        return TestTimeAugmenter(
            pipe, ["identity", "left_right_mirror"], step="net", montage=MONTAGE
        )

    return StackingKLClassifier(
        [("raw", member(raw)), ("mel", member(image)), ("signal", member(signal))],
        final_estimator=KLBlender(alpha="cv", group_balance=0.5),
        cv=VoteStratifiedGroupKFold(s(5, 2)),
    )

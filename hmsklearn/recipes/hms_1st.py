"""1st place: mel spectra, wavelets, superlets and samples, four authors' nets.

Known from digests alone: images of mel spectra, of wavelets, of superlets and of
samples for small and large backbones of timm, WaveNet and LSTM on the samples, all
windows first and then those of many votes, pseudo-labels, a weighted average.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline

from hmsklearn.augmentation import CutMix, Mixup, TimeCutMix
from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import AveragingKLClassifier, KLBlender, StackingKLClassifier
from hmsklearn.imaging import ImageResizer, ImageTiler, WaveformImager, WindowUnion
from hmsklearn.model_selection import VoteStratifiedGroupKFold
from hmsklearn.neural import MultiViewClassifier, TimmClassifier, WaveformClassifier
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
from hmsklearn.semi_supervised import PseudoLabelClassifier
from hmsklearn.spectrogram import MelSpectrogramizer, WaveletScalogramizer

__all__ = ["hms_1st"]

EIGHTEEN, SIXTEEN = "double_banana", "double_banana_16"
# Four bands for four seeds; that they differed is published, not in what.
BANDS = [(0.5, 40.0), (0.5, 30.0), (0.5, 20.0), (1.0, 40.0)]
SMALL_SWIN = {
    "img_size": 64,
    "window_size": 4,
    "embed_dim": 16,
    "depths": (1, 1, 1),
    "num_heads": (1, 2, 4),
}


# ------------------------------------------------------------------- images


def mel(size: int, n_mels: int, hop_length: int) -> Pipeline:
    """Make mel spectra of fifty seconds, and beside them of the central ten."""

    def spectra(hop: int) -> MelSpectrogramizer:
        return MelSpectrogramizer(n_mels=n_mels, hop_length=hop, fmin=0.5, fmax=40.0)

    views = [
        ("50", spectra(hop_length)),
        ("10", make_pipeline(CentreCrop(10), spectra(hop_length // 5))),
    ]
    return make_pipeline(WindowUnion(views), ImageTiler((9, 2)), ImageResizer(size))


def wavelets(size: int, n_freqs: int, hop_length: int) -> Pipeline:
    """Make the magnitudes of Morlet wavelets of width 7, on top of each other."""
    morlet = WaveletScalogramizer(
        fmin=0.5,
        fmax=40.0,
        n_freqs=n_freqs,
        n_cycles=11.755,
        hop_length=hop_length,
        output="linear",
        exponent=1.0,
    )
    return make_pipeline(morlet, ImageTiler("column"), ImageResizer(size))


def superlets(size: int, n_freqs: int, n_columns: int) -> Pipeline:
    """Make superlets of order 1 to 16, and of these the middle half."""
    superlet = WaveletScalogramizer(
        freqs=np.linspace(0.5, 20.0, n_freqs).tolist(),
        n_cycles=1.0,
        order=(1, 16),
        fractional=False,
        n_columns=n_columns,
        output="log1p",
    )
    return make_pipeline(
        superlet,
        # 512 of 1000 columns: a window that was shifted still fills them.
        ImageTiler("planes", trim=round(0.244 * n_columns)),
        ImageResizer((size // 16, size)),
        ImageTiler("column"),
    )


def samples(size: int) -> Pipeline:
    """Make an image of 10, 25 and 50 s, each derivation a band in each part."""

    def part(seconds: float, height: int) -> Pipeline:
        return make_pipeline(
            CentreCrop(seconds), WaveformImager(1), ImageResizer((height, size))
        )

    third = size // 3
    views = [
        ("10", part(10, third)),
        ("25", part(25, third)),
        ("50", part(50, size - 2 * third)),
    ]
    return WindowUnion(views, join="height")


# ----------------------------------------------------------------- training


def of_signals(montage: str, *, band: bool = False) -> list[tuple[str, Any]]:
    """Make the augmentations of the signals: flips, shifts and, for samples, bands."""
    steps: list[tuple[str, Any]] = [
        ("left_right_mirror", {"montage": montage, "p": 0.5}),
        ("polarity_flip", {"p": 0.5}),
        ("time_shift", {"max_shift": 1000, "p": 0.5}),  # five seconds either way
    ]
    bands = {"low": (0.0, 1.0), "high": (30.0, 40.0), "n_channels": None, "p": 0.2}
    return [*steps, ("random_band_pass", bands)] if band else steps


def of_images(s: Scale) -> list[tuple[str, Any]]:
    """Make the augmentations of the images: masks, and mixup or cutmix."""
    masks = {"size_x": s((10, 20), (1, 3)), "size_y": s(8, 1), "fill": "mean"}
    either = [Mixup(p=1.0, after_frontend=True), CutMix(p=1.0)]
    return [
        ("xy_masking", {**masks, "p": 0.5}),
        ("one_of", {"augmentations": either, "p": 0.5}),
    ]


def of_waves(montage: str) -> list[tuple[str, Any]]:
    """Make the augmentations of the nets that see no image."""
    # Behind the frontend, where LSTM sees ten seconds of the fifty: a stretch that it
    # does not see would change nothing but the target.
    either = [Mixup(p=1.0, after_frontend=True), TimeCutMix(p=1.0, after_frontend=True)]
    return [
        *of_signals(montage, band=True),
        ("time_mask", {"p": 0.5, "after_frontend": True}),
        ("one_of", {"augmentations": either, "p": 0.5}),
    ]


def smoothed(augment: list[Any], epsilon: float) -> dict[str, Any]:
    """Add to the targets what 0.02 votes more for each class are."""
    return {"augment": [*augment, ("label_smoothing", {"epsilon": epsilon})]}


def pipeline(
    net: Any, montage: str, band: tuple[float, float] = (0.5, 40.0)
) -> RowPipeline:
    """Make what all members have in common, with a net at the end."""
    return RowPipeline(
        [
            ("read", HMSReader()),
            ("impute", NaNImputer()),
            ("montage", MontageTransformer(montage)),
            ("scale", AmplitudeScaler(clip=1024.0, scale=32.0)),
            ("filter", ButterworthFilter(*band)),
            ("net", net),
        ]
    )


@register_recipe(
    "hms_1st",
    rank="1",
    inputs="mel spectra, wavelets, superlets and samples of 50, 25 and 10 s",
    nets="EfficientNet, MaxViT, ConvNeXt, Swin, InceptionNeXt, WaveNet, LSTM",
    private=0.272332,
    source="https://www.kaggle.com/competitions/"
    "hms-harmful-brain-activity-classification/discussion/492560",
    family="ensembles",
)
def hms_1st(s: Scale) -> StackingKLClassifier:
    """Stack nets on five kinds of input, with weights found over folds of patients.

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
    Place 1 of HMS, Kaggle discussion 492560.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("hms_1st", "small")).__name__
    'StackingKLClassifier'
    """
    seeds = count()

    # Backbones and sizes for wavelets, superlets and samples are published; for mel
    # spectra only the families are, and the sizes are ours.
    efficientnet = TimmClassifier(s("tf_efficientnet_b2", "test_efficientnet"))
    maxvit_tiny = TimmClassifier(s("maxvit_tiny_tf_512", "test_maxvit"))
    maxvit_base = TimmClassifier(s("maxvit_base_tf_512", "test_maxvit"))
    convnext = TimmClassifier(s("convnext_atto", "test_convnext"))
    inception = TimmClassifier(s("inception_next_tiny", "test_convnext2"))
    swin = TimmClassifier(
        "swinv2_tiny_window16_256", backbone_params=s(None, SMALL_SWIN)
    )
    mel_512 = mel(s(512, 64), s(128, 16), s(39, 320))
    mel_256 = mel(s(256, 64), s(128, 16), s(39, 320))
    of_wavelets = wavelets(s(512, 64), s(40, 8), s(16, 160))
    of_superlets = superlets(s(256, 64), s(32, 8), s(1000, 100))
    of_samples = samples(s(512, 64))

    def trained(net: Any, **training: Any) -> Any:
        # Batches are not published.
        return clone(net).set_params(
            batch_size=s(32, 8), random_state=s.seed(next(seeds)), **training
        )

    def two_stages(lr: float = 1e-3) -> dict[str, Any]:
        return {
            "lr": 1e-3,
            "stages": [
                {"max_epochs": s(5, 1)},
                {"max_epochs": s(15, 1), "min_votes": 10, "lr": lr},
            ],
            "sampling": "eeg",  # one random window of each EEG in an epoch
            "target": "eeg_votes",  # and the votes about all of its windows
        }

    def on_mel(net: TimmClassifier, image: Any = mel_512) -> RowPipeline:
        augment = [*of_signals(EIGHTEEN), *of_images(s)]
        net = trained(net, frontend=image, augment=augment, **two_stages())
        return pipeline(net, EIGHTEEN)

    def on_wavelets() -> RowPipeline:
        net = trained(
            maxvit_base,
            frontend=of_wavelets,
            optimizer="adan",
            augment=[*of_signals(EIGHTEEN), *of_images(s)],
            **two_stages(),
        )
        return pipeline(net, EIGHTEEN)

    def on_wavelets_and_samples() -> RowPipeline:
        joined = MultiViewClassifier(
            [
                ("wavelets", trained(maxvit_base, frontend=of_wavelets)),
                ("samples", trained(convnext, frontend=of_samples)),
            ],
            aux=False,
        )
        net = trained(
            joined,
            optimizer="adan",
            augment=[*of_signals(EIGHTEEN), *of_images(s)],
            **two_stages(),
        )
        return pipeline(net, EIGHTEEN)

    def on_samples(net: TimmClassifier, band: tuple[float, float]) -> RowPipeline:
        net = trained(
            net,
            frontend=of_samples,
            augment=[*of_signals(EIGHTEEN, band=True), *of_images(s)],
            **two_stages(),
        )
        return pipeline(net, EIGHTEEN, band)

    def on_superlets() -> RowPipeline:
        augment = [*of_signals(SIXTEEN), *of_images(s)]
        first, second = two_stages(lr=1e-4)["stages"]
        net = trained(
            swin,
            **{
                **two_stages(),
                "stages": [
                    # 0.12 votes beside three, and beside fourteen.
                    {**first, "min_votes": 2, **smoothed(augment, 0.04)},
                    {**second, **smoothed(augment, 0.01)},
                ],
            },
            frontend=of_superlets,
            optimizer="adan",
        )
        return pipeline(net, SIXTEEN)

    def on_waves(net: WaveformClassifier) -> RowPipeline:
        net = trained(net, augment=of_waves(SIXTEEN), **two_stages(lr=1e-4))
        return pipeline(net, SIXTEEN)

    def pseudo_labelled() -> PseudoLabelClassifier:
        # What is published of it is that there were pseudo-labels. Here the best
        # single net labels the windows of few votes for the like of it.
        augment = [*of_signals(SIXTEEN), *of_images(s)]
        student = trained(
            swin,
            frontend=of_superlets,
            optimizer="adan",
            lr=1e-3,
            max_epochs=s(15, 1),
            sampling="eeg",
            **smoothed(augment, 0.01),
        )
        return PseudoLabelClassifier(
            pipeline(student, SIXTEEN),
            teachers=on_superlets(),
            teacher_cv="all",
            labeled_copies=1,
        )

    wavenet = WaveformClassifier(
        "wavenet",
        architecture_params={
            "group_size": 4,  # the derivations of a chain
            **s({}, {"widths": (4, 8), "n_dilations": (4, 2)}),
        },
        frontend=Decimator(s(5, 20), method="mean"),  # fifty seconds at 40 Hz
    )
    lstm = WaveformClassifier(
        "lstm",
        architecture_params=s({}, {"width": 8, "hidden_size": 8, "stride": 40}),
        frontend=CentreCrop(10),
    )
    return StackingKLClassifier(
        [
            ("mel_efficientnet", on_mel(efficientnet)),
            ("mel_maxvit", on_mel(maxvit_tiny)),
            ("mel_convnext", on_mel(convnext)),
            ("mel_swin", on_mel(swin, mel_256)),
            ("wavelets", average(on_wavelets() for _ in s(range(4), range(1)))),
            (
                "wavelets_samples",
                average(on_wavelets_and_samples() for _ in s(range(4), range(1))),
            ),
            ("superlets", on_superlets()),
            (
                "samples",
                average(on_samples(convnext, band) for band in s(BANDS, BANDS[:1])),
            ),
            ("samples_inception", on_samples(inception, BANDS[0])),
            ("wavenet", on_waves(wavenet)),
            ("lstm", on_waves(lstm)),
            ("pseudo", pseudo_labelled()),
        ],
        # The temperature is in the place of an entmax of 1.03 at prediction: a little
        # surer of everything.
        final_estimator=KLBlender(temperature=True, alpha="cv"),
        # Whole patients, and as many windows of many votes in each fold.
        cv=VoteStratifiedGroupKFold(s(5, 2)),
    )


def average(members: Iterable[Any]) -> AveragingKLClassifier:
    """Average members that differ in their seeds, or in that and their bands."""
    return AveragingKLClassifier(
        [(f"seed{number}", member) for number, member in enumerate(members)]
    )

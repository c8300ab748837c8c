"""6th place: four vision transformers look at four images of one window.

The organisers' spectrogram, a spectrogram of the EEG, the samples of fifty seconds and
those of ten have a branch each, and heads of their own beside the joint one. Five such
nets that differ in backbones and in the spectrogram of the EEG are averaged.
"""

from __future__ import annotations

from itertools import count
from operator import itemgetter
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import AveragingKLClassifier, TestTimeAugmenter
from hmsklearn.imaging import (
    ChainMean,
    ImageResizer,
    ImageStandardizer,
    ImageTiler,
    KaggleSpectrogramImager,
    ViewUnion,
    WaveformImager,
)
from hmsklearn.neural import MultiViewClassifier, TimmClassifier
from hmsklearn.pipeline import RowPipeline
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    ButterworthFilter,
    CentreCrop,
    MontageTransformer,
    NaNImputer,
)
from hmsklearn.recipes._registry import register_recipe
from hmsklearn.recipes._scale import Scale
from hmsklearn.spectrogram import STFTSpectrogramizer

__all__ = ["hms_6th"]

CHAINS = ("LL", "LP", "RL", "RP")


def take(view: str) -> FunctionTransformer:
    """Take one of the views that were read."""
    return FunctionTransformer(itemgetter(view))


def waves(*more: tuple[str, Any]) -> Pipeline:
    """Make what the images of samples are made of."""
    return Pipeline(
        [
            ("take", take("eeg")),
            ("montage", MontageTransformer("6th_raw")),
            ("filter", ButterworthFilter(0.5, 40.0, order=3)),
            ("scale", AmplitudeScaler(clip=1024.0, scale=104.0)),
            *more,
        ]
    )


# Signals; what makes images of them stands in front of the branches.
READ = ViewUnion(
    [
        ("spec", HMSReader(view="spectrogram")),
        ("eeg", make_pipeline(HMSReader(), NaNImputer())),
    ]
)
VIEWS = ViewUnion(
    [
        ("spec", take("spec")),
        ("eeg_spec", make_pipeline(take("eeg"), MontageTransformer("6th_spectrogram"))),
        ("raw_50s", waves()),
        ("raw_10s", waves(("crop", CentreCrop(10)))),
    ]
)


def stft(win_length: int, **more: Any) -> STFTSpectrogramizer:
    """Make logarithms of spectra whose windows do not overlap."""
    return STFTSpectrogramizer(
        n_fft=256,
        win_length=win_length,
        noverlap=0,
        n_bins=128,
        output="log1p",
        **{"convention": "scipy", **more},
    )


def eeg_spectrogram(version: str, size: int) -> Pipeline:
    """Make one of the three spectrograms of the EEG."""
    if version == "ver1":  # 512 x 568
        steps = [stft(70, scale=2.0), ImageTiler((4, 4)), ImageResizer(size)]
    elif version == "ver2":  # 512 x 1024
        steps = [stft(39), ImageTiler((4, 4)), ImageResizer(size)]
    else:  # the means of the chains on top of each other, 512 x 258
        steps = [
            stft(39, convention="scipy_stft", exponent=1.0),
            ChainMean("6th_spectrogram", CHAINS),
            ImageTiler("column"),
            ImageResizer(size),
            ImageStandardizer(),
        ]
    return make_pipeline(*steps)


def images_of(version: str, sizes: tuple[int, ...]) -> list[tuple[str, Pipeline]]:
    """Make the image of each branch."""
    spec, eeg_spec, raw_50s, raw_10s = sizes
    samples = WaveformImager(200, "contiguous", columns=16)
    kaggle = make_pipeline(
        KaggleSpectrogramImager(width=None, standardize=None),
        ImageTiler("column"),
        ImageResizer(spec),
        ImageStandardizer(),
    )
    return [
        ("spec", kaggle),
        ("eeg_spec", eeg_spectrogram(version, eeg_spec)),
        ("raw_50s", make_pipeline(samples, ImageResizer(raw_50s))),
        ("raw_10s", make_pipeline(samples, ImageResizer(raw_10s))),
    ]


@register_recipe(
    "hms_6th",
    rank="6",
    inputs="Kaggle spectrogram, EEG spectrogram, samples of 50 s and of 10 s",
    nets="four DINOv2 (ViT-S, B, L) in one net, ConvNeXt in one of five",
    source="https://www.kaggle.com/competitions/"
    "hms-harmful-brain-activity-classification/discussion/492619",
    family="multi-view",
)
def hms_6th(s: Scale) -> AveragingKLClassifier:
    """Average five nets of four branches.

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
    Place 6 of HMS, Kaggle discussion 492619.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("hms_6th", "small")).__name__
    'AveragingKLClassifier'
    """
    seeds = count()

    def vit(size: str, small: str) -> TimmClassifier:
        # The nets were trained for 518 x 518; the small ones are told their size.
        return TimmClassifier(
            s(f"vit_{size}_patch14_reg4_dinov2.lvd142m", small),
            backbone_params=s(None, {"img_size": 64}),
        )

    vit_s = vit("small", "test_vit")
    vit_b = vit("base", "test_vit2")
    vit_l = vit("large", "test_vit3")
    convnext_n = TimmClassifier(s("convnextv2_nano", "test_convnext"))
    convnext_s = TimmClassifier(s("convnext_small", "test_convnext2"))

    augment = [
        # All four images of a window are mixed with those of the same other one.
        ("mixup", {"alpha": 1.0, "p": 0.5, "after_frontend": True}),
        (
            "xy_masking",
            {
                "n_masks_x": (2, 4),
                "n_masks_y": (2, 4),
                "size_x": s((10, 20), (1, 3)),
                "size_y": s(8, 1),
                "p": 0.5,
                "views": ["spec", "eeg_spec"],
            },
        ),
        # Columns of samples are blanked, up to sixteen of the 160 of ten seconds. Of
        # fifty seconds as much is blanked as by the authors, whose columns are shorter.
        ("xy_masking", blanked("raw_10s", n_columns=(0, 16), width=s(3, 1))),
        ("xy_masking", blanked("raw_50s", n_columns=(0, 2), width=1)),
    ]

    def member(
        *backbones: TimmClassifier,
        version: str,
        sizes: tuple[int, ...] = (518, 518, 518, 518),
    ) -> TestTimeAugmenter:
        images = images_of(version, s(sizes, (64, 64, 64, 64)))
        branches = [
            (
                name,
                clone(backbone).set_params(
                    frontend=image, random_state=s.seed(next(seeds))
                ),
            )
            for (name, image), backbone in zip(images, backbones, strict=True)
        ]
        net = MultiViewClassifier(
            branches,
            aux=True,
            optimizer="adan",
            lr=1.7e-4,
            weight_decay=0.02,
            schedule="one_cycle",
            batch_size=s(16, 8),
            accumulate=2,
            ema=0.995,
            grad_checkpointing=True,
            sampling="eeg",
            augment=augment,
            stages=[
                {"max_epochs": s(6, 1), "max_votes": 9},
                {"max_epochs": s(7, 1), "min_votes": 10, "start": "ema"},
            ],
            random_state=s.seed(next(seeds)),
        )
        pipe = RowPipeline([("read", READ), ("views", VIEWS), ("net", net)])
        # The ten seconds alone are moved, by two seconds either way.
        return TestTimeAugmenter(pipe, "sixth", step="views__raw_10s__crop")

    # Four sets of backbones and three spectrograms are published, not which of them
    # were the five; the pairs are ours.
    return AveragingKLClassifier(
        [
            ("small", member(vit_s, vit_s, vit_s, vit_s, version="ver1")),
            ("small_ver2", member(vit_s, vit_s, vit_s, vit_s, version="ver2")),
            ("base", member(vit_s, vit_s, vit_b, vit_b, version="ver1")),
            ("large", member(vit_s, vit_s, vit_s, vit_l, version="ver3")),
            (
                "mix",
                member(
                    *(convnext_n, convnext_s, vit_b, vit_s),
                    version="ver1",
                    sizes=(384, 384, 518, 518),
                ),
            ),
        ]
    )


def blanked(view: str, *, n_columns: Any, width: int) -> dict[str, Any]:
    """Make parameters of stripes that blank columns of samples."""
    return {
        "n_masks_x": n_columns,
        "n_masks_y": 0,
        "size_x": width,
        "p": 0.5,
        "views": [view],
    }

"""7th place: samples, STFT and multitaper spectra as images of 18 derivations.

Nine images, each under ConvNeXt-Base and MaxViT-Tiny, of the fifty seconds and of the
thirty and the ten in their middle. Soft labels are learned with binary cross-entropy,
all windows first, then those of ten votes and more.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import count
from typing import Any

from sklearn.pipeline import make_pipeline

from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import AveragingKLClassifier, TestTimeAugmenter
from hmsklearn.imaging import (
    ImageResizer,
    ImageStandardizer,
    ImageTiler,
    WaveformImager,
    WindowUnion,
)
from hmsklearn.neural import TimmClassifier
from hmsklearn.pipeline import RowPipeline
from hmsklearn.preprocessing import (
    ButterworthFilter,
    CentreCrop,
    MontageTransformer,
    NaNImputer,
)
from hmsklearn.recipes._registry import register_recipe
from hmsklearn.recipes._scale import Scale
from hmsklearn.spectrogram import MultitaperSpectrogramizer, STFTSpectrogramizer

__all__ = ["hms_7th"]

FLIPS = [
    "identity",
    "horizontal_flip",
    "vertical_flip",
    ["horizontal_flip", "vertical_flip"],
]


def spectrum(nperseg: int, noverlap: int, trim: Any = 0) -> Any:
    """Make log power from 0.5 to 20 Hz, some columns cut off on both sides."""
    stft = STFTSpectrogramizer(
        convention="cusignal",
        win_length=nperseg,
        noverlap=noverlap,
        fmin=0.5,
        fmax=20.0,
        output="log1p",
    )
    return make_pipeline(stft, ImageTiler("planes", trim=trim)) if trim else stft


def last(seconds: float, image: Any) -> Any:
    """Make an image of the central seconds alone."""
    return make_pipeline(CentreCrop(seconds), image)


def stacked(*views: Any) -> WindowUnion:
    """Put the views of a derivation on top of each other."""
    return WindowUnion(
        [(f"view{number}", view) for number, view in enumerate(views)], join="height"
    )


def tapers() -> MultitaperSpectrogramizer:
    """Make multitaper spectra of 4 s windows, every half second."""
    return MultitaperSpectrogramizer(
        window_seconds=4.0, step_seconds=0.5, fmin=0.5, fmax=20.0
    )


def canvas(height: int, width: int, layout: Any = "planes") -> ImageTiler:
    """Lay out the derivations and centre them on a canvas."""
    return ImageTiler(layout, size=(height, width))


# Each image with its canvas. The derivations are on top of each other, and the fifty,
# thirty and ten seconds of one derivation stay together.
RAW: dict[str, list[Any]] = {
    "50": [WaveformImager(20), canvas(384, 512)],
    "50_10": [
        stacked(WaveformImager(20), last(10, WaveformImager(4))),
        canvas(448, 512),
    ],
    "50_30_10": [
        stacked(
            WaveformImager(20),
            last(30, WaveformImager(12)),
            last(10, WaveformImager(4)),
        ),
        canvas(672, 512),
    ],
}
STFT: dict[str, list[Any]] = {
    # The last of 513 columns does not fit onto the canvas.
    "50": [spectrum(270, 251, trim=(0, 1)), canvas(512, 512, "column")],
    "50_10": [
        stacked(spectrum(145, 124, trim=3), last(10, spectrum(145, 141))),
        canvas(512, 512, "column"),
    ],
    "30_10": [
        stacked(last(30, spectrum(145, 133, trim=12)), last(10, spectrum(145, 141))),
        canvas(512, 512, "column"),
    ],
    "50_30_10": [
        stacked(
            spectrum(99, 79, trim=10),
            last(30, spectrum(99, 87, trim=8)),
            last(10, spectrum(100, 96)),
        ),
        canvas(512, 512, "column"),
    ],
}
MULTITAPER: dict[str, list[Any]] = {
    "50": [tapers(), canvas(512, 384, (5, 4))],
    "50_10": [
        # Ten seconds give 13 columns: four derivations in a row are 52 wide.
        WindowUnion(
            [
                ("50", make_pipeline(tapers(), ImageTiler((5, 4)))),
                ("10", last(10, make_pipeline(tapers(), ImageTiler((5, 4))))),
            ]
        ),
        canvas(512, 448),
    ],
}


def cosine_of(step: int, n_steps: int, *, t_max: int) -> float:
    """Give the factor of a cosine whose length is not the training's."""
    return 0.5 * (1 + math.cos(math.pi * step / t_max))


@register_recipe(
    "hms_7th",
    rank="7",
    inputs="raw, STFT and multitaper images of 50, 30 and 10 s",
    nets="ConvNeXt-Base, MaxViT-Tiny",
    source="https://www.kaggle.com/competitions/"
    "hms-harmful-brain-activity-classification/discussion/492281",
    family="ensembles",
)
def hms_7th(s: Scale) -> AveragingKLClassifier:
    """Average 18 nets on three kinds of images with weights .2, .65 and .15.

    Within a kind the nets count alike: their own weights are not published.

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
    Place 7 of HMS, Kaggle discussion 492281.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("hms_7th", "small")).__name__
    'AveragingKLClassifier'
    """
    seeds = count()
    backbones = {
        "convnext": s("convnext_base", "test_convnext"),
        "maxvit": s("maxvit_tiny_tf_512", "test_maxvit"),
    }

    def member(image: list[Any], backbone: str) -> TestTimeAugmenter:
        pipe = RowPipeline(
            [
                ("read", HMSReader()),
                ("impute", NaNImputer("linear")),
                ("montage", MontageTransformer("7th")),
                ("filter", ButterworthFilter(None, 20.5, order=1)),
                ("image", image[0]),
                ("canvas", image[1]),
                *s([], [("shrink", ImageResizer(64))]),
                ("standardize", ImageStandardizer()),
                (
                    "net",
                    TimmClassifier(
                        backbone,
                        drop_rate=0.1,
                        drop_path_rate=0.1,
                        loss="bce",
                        weight_decay=1e-4,
                        batch_size=16,
                        sampling="period",  # a random window of each stationary period
                        early_stopping=True,
                        validation_fraction=s(0.1, 0.34),
                        validation_min_votes=10,
                        augment=[
                            ("horizontal_flip", {"p": 0.5}),
                            ("vertical_flip", {"p": 0.5}),
                            ("mixup", {"lam_range": (0.4, 0.6), "p": 0.05}),
                        ],
                        stages=[
                            {
                                "max_epochs": s(5, 1),
                                "lr": 2.5e-4,
                                "schedule": partial(cosine_of, t_max=4000),
                            },
                            {
                                "max_epochs": s(10, 1),
                                "min_votes": 10,
                                "lr": 1e-4,
                                "min_lr": 1e-5,
                                "schedule": partial(cosine_of, t_max=2000),
                            },
                        ],
                        random_state=s.seed(next(seeds)),
                    ),
                ),
            ]
        )
        return TestTimeAugmenter(pipe, FLIPS, step="net")

    def family(images: dict[str, list[Any]]) -> AveragingKLClassifier:
        members = [
            (f"{net}_{seconds}", member(image, backbone))
            for seconds, image in images.items()
            for net, backbone in backbones.items()
        ]
        # At the small scale every image is seen by one net, the two of them in turn.
        in_turn = [members[2 * i + i % 2] for i in range(len(images))]
        return AveragingKLClassifier(s(members, in_turn))

    return AveragingKLClassifier(
        [
            ("raw", family(RAW)),
            ("stft", family(STFT)),
            ("multitaper", family(MULTITAPER)),
        ],
        weights=[0.2, 0.65, 0.15],
    )

"""A student team's eight models: EfficientNets and a 1-D CNN with a GRU.

Spectrograms of several durations out of the ten minutes, spectra and differences of the
EEG, two stages, masks in time and frequency, ten folds and a weighted average. The
report names these parts and gives no numbers, so those are ours.
"""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline, make_pipeline

from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import KLBlender, StackingKLClassifier
from hmsklearn.imaging import (
    ChainMean,
    ImageResizer,
    ImageTiler,
    KaggleSpectrogramImager,
    ViewUnion,
    WindowUnion,
)
from hmsklearn.model_selection import VoteStratifiedGroupKFold
from hmsklearn.neural import MultiViewClassifier, TimmClassifier, WaveformClassifier
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
from hmsklearn.spectrogram import MelSpectrogramizer

__all__ = ["eight_models"]

MASKS = ("xy_masking", {"n_masks_x": (1, 3), "n_masks_y": (1, 3), "p": 0.5})
# Two seconds a column: ten minutes, four, one.
DURATIONS = (300, 120, 30)


@register_recipe(
    "eight_models",
    inputs="Kaggle spectrograms of several durations, mel spectra, differences",
    nets="EfficientNetV2-S, EfficientNet-B4, ResNet1D-GRU",
    source="a student team's report; eight models, ten folds",
    family="ensembles",
)
def eight_models(s: Scale, missing: str = "filled") -> StackingKLClassifier:
    """Weigh eight models over ten folds of patients.

    Parameters
    ----------
    s : Scale
        The scale.
    missing : {"filled", "dropped"}, default="filled"
        Whether missing samples are filled in, or windows that have some are not learned
        from, as the team had it. The rows then need their share of NaN in columns
        ``eeg_nan_share`` and ``spectrogram_nan_share``.

    Returns
    -------
    StackingKLClassifier
        The unfitted system.

    References
    ----------
    A student team's report; eight models, ten folds.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("eight_models", "small")).__name__
    'StackingKLClassifier'
    """
    if missing not in ("filled", "dropped"):
        raise ValueError(
            f"make_recipe: eight_models has no missing={missing!r}. Choose 'filled' or "
            "'dropped'."
        )
    # Copies of a window, and of much the same one, are left out.
    rows: dict[str, Any] = {"recipe": "lhwcv"}
    if missing == "dropped":
        for table in ("eeg", "spectrogram"):
            rows[f"{table}_nan_share"] = f"{table}_nan_share"
            rows[f"max_{table}_nan_share"] = 0.0

    def rows_to(views: Any, net: Any) -> RowPipeline:
        return RowPipeline([("views", views), ("net", net)], deduplicate=rows)

    v2 = s("tf_efficientnetv2_s", "test_efficientnet")
    b4 = s("efficientnet_b4", "test_resnet")

    def training(number: int, augment: list[Any]) -> dict[str, Any]:
        return {
            "lr": 1e-3,
            "batch_size": s(32, 8),
            "augment": augment,
            # First a part of the data, then the rest: those of few and of many votes.
            "stages": [
                {"max_epochs": s(8, 2), "max_votes": 9},
                {"max_epochs": s(8, 2), "min_votes": 10, "lr": 3e-4},
            ],
            "random_state": s.seed(number),
        }

    def durations() -> WindowUnion:
        size = s((128, 128), (24, 32))
        return WindowUnion(
            [
                (
                    f"{2 * columns}s",
                    make_pipeline(
                        KaggleSpectrogramImager(width=columns), ImageResizer(size)
                    ),
                )
                for columns in DURATIONS
            ]
        )

    def differences() -> Pipeline:
        return make_pipeline(
            HMSReader(),
            NaNImputer(),
            MontageTransformer("half_8"),
            ButterworthFilter(0.5, 20.0),
            AmplitudeScaler(clip=1024, scale=32),
            CentreCrop(10),
        )

    def kaggle_image() -> Pipeline:
        return make_pipeline(
            HMSReader(view="spectrogram"), durations(), ImageTiler("column")
        )

    def eeg_image() -> Pipeline:
        return make_pipeline(
            HMSReader(),
            NaNImputer(),
            MontageTransformer("double_banana_16"),
            MelSpectrogramizer(),
            ChainMean("double_banana_16"),
            ImageTiler("column"),
            ImageResizer(s((512, 384), (96, 96))),
        )

    images = {
        "kaggle": kaggle_image,
        "eeg": eeg_image,
        "both": lambda: WindowUnion(
            [("kaggle", kaggle_image()), ("eeg", eeg_image())], join="width"
        ),
    }
    members: list[tuple[str, Any]] = []
    for image in images:
        for name, backbone in (("v2", v2), ("b4", b4)):
            net = TimmClassifier(backbone, **training(len(members), [MASKS]))
            members.append((f"{name}_{image}", rows_to(images[image](), net)))
    small = s({}, {"width": 8, "gru_hidden": 16, "gru_stride": 4})
    signal = WaveformClassifier(
        "resnet1d_gru",
        architecture_params=small,
        **training(6, [("time_mask", {"p": 0.5}), ("channel_drop", {"p": 0.5})]),
    )
    members.append(("eegnet", rows_to(differences(), signal)))
    # The 1-D net and an EfficientNet trained as one.
    both = MultiViewClassifier(
        [
            ("signal", WaveformClassifier("resnet1d_gru", architecture_params=small)),
            ("image", TimmClassifier(v2)),
        ],
        aux=False,
        **training(7, [(MASKS[0], {**MASKS[1], "views": ["image"]})]),
    )
    views = ViewUnion([("signal", differences()), ("image", kaggle_image())])
    members.append(("eegnet_v2", rows_to(views, both)))
    return StackingKLClassifier(
        members, final_estimator=KLBlender(), cv=VoteStratifiedGroupKFold(s(10, 2))
    )

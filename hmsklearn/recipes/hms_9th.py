"""9th place: encoders of signals and spectrograms, pooled by attention.

The nets of three people: GRUs on the samples beside image nets on a spectrogram of the
EEG and that of the organisers, with losses that draw samples and spectrogram together
and that ask what was missing; and LSTM and WaveNet beside ResNet18d. Three stages, the
last one with pseudo-labels. Of about 150 nets L-BFGS-B keeps 30.
"""

from __future__ import annotations

from itertools import count, product
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline

from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import KLBlender, StackingKLClassifier
from hmsklearn.imaging import (
    ImageResizer,
    ImageTiler,
    KaggleSpectrogramImager,
    ViewUnion,
)
from hmsklearn.model_selection import VoteStratifiedGroupKFold
from hmsklearn.montage import MONTAGES, Montage
from hmsklearn.neural import MultiViewClassifier, TimmClassifier, WaveformClassifier
from hmsklearn.pipeline import RowPipeline
from hmsklearn.preprocessing import (
    CentreCrop,
    Decimator,
    FIRFilter,
    MontageTransformer,
    NaNImputer,
    NotchFilter,
    RobustChannelScaler,
)
from hmsklearn.recipes._registry import register_recipe
from hmsklearn.recipes._scale import Scale
from hmsklearn.semi_supervised import PseudoLabelClassifier
from hmsklearn.spectrogram import MelSpectrogramizer

__all__ = ["hms_9th"]

# Up to fifty channels, EKG among them, are published, but not which: the electrodes,
# their 18 differences along the chains, and 12 over two electrodes of a chain.
FIFTY = Montage(
    "fifty",
    tuple(
        derivation
        for name in ("referential_ekg", "double_banana", "long_12")
        for derivation in MONTAGES[name].derivations
    ),
)

# Every fifth of them, for a quick try.
TEN = FIFTY.take(range(4, 50, 5), "ten")

READ = ViewUnion(
    [("eeg", HMSReader()), ("kaggle", HMSReader(view="spectrogram"))],
)


def signals(montage: Any, *more: Any) -> Pipeline:
    """Fill what is missing, derive, filter, scale each channel by its quartiles."""
    return make_pipeline(
        NaNImputer(),
        MontageTransformer(montage),
        NotchFilter(60.0, method="fir"),
        FIRFilter(0.4, None),
        RobustChannelScaler(),
        *more,
    )


@register_recipe(
    "hms_9th",
    rank="9",
    inputs="50 channels of 50, 40 and 10 s, EEG spectrogram, Kaggle spectrogram",
    nets="GRU, EfficientNetV2-S and M, ResNet34d in one net; LSTM, WaveNet, ResNet18d",
    source="https://www.kaggle.com/competitions/"
    "hms-harmful-brain-activity-classification/discussion/492429",
    family="multi-view",
)
def hms_9th(s: Scale, n_seeds: int | None = None) -> StackingKLClassifier:
    """Choose among nets of two kinds in ten configurations.

    About 150 nets were chosen from. How they differed is not published: here they are
    ten configurations with fifteen seeds each.

    Parameters
    ----------
    s : Scale
        The scale.
    n_seeds : int, optional
        Nets of each configuration; 15 by default, one at the small scale.

    Returns
    -------
    StackingKLClassifier
        The unfitted system.

    References
    ----------
    Place 9 of HMS, Kaggle discussion 492429.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("hms_9th", "small")).__name__
    'StackingKLClassifier'
    """
    seeds = count()
    channels = s(FIFTY, TEN)

    # Sizes of images, widths of nets, rates and epochs are not published; ours.
    def spectrogram(seconds: float) -> Pipeline:
        """Make mel spectra on a grid, of the same size for every duration."""
        spectra = MelSpectrogramizer(
            n_mels=s(128, 16), hop_length=round(seconds * s(0.78, 6.24)), fmax=40.0
        )
        return signals(
            s("double_banana_16", "half_8"),
            CentreCrop(seconds),
            spectra,
            ImageTiler(s((4, 4), (2, 4))),
            ImageResizer(s(512, 64)),
        )

    kaggle = make_pipeline(
        KaggleSpectrogramImager(), ImageTiler("column"), *s([], [ImageResizer(64)])
    )

    def augment(eeg: list[str] | None, samples: list[str]) -> list[Any]:
        """Mix windows, spoil signals and votes; p and sizes are ours."""
        return [
            ("mixup", {"alpha": 1.0, "p": 0.5}),
            ("polarity_flip", {"p": 0.5, "views": eeg}),
            ("random_nan_blocks", {"p": 0.3, "views": eeg}),
            # Behind the scaler a channel's median is zero.
            (
                "channel_shuffle",
                {"p": 0.1, "after_frontend": True, "views": samples},
            ),
            (
                "channel_drop",
                {
                    "n_channels": s((1, 12), (1, 3)),
                    "p": 0.3,
                    "after_frontend": True,
                    "views": samples,
                },
            ),
            # Pseudo-labels have no number of votes: the mean of the experts' windows.
            ("vote_jitter", {"n_votes": 14, "p": 0.3}),
        ]

    training: dict[str, Any] = {
        "batch_size": s(32, 8),
        # A random window of each EEG, so that no two of one EEG are drawn apart.
        "sampling": "eeg",
        "lr": 5e-4,
        "warmup": 0.05,
    }

    def encoders(backbone: str, seconds: float) -> MultiViewClassifier:
        """Make the first kind: samples of two durations and both spectrograms."""
        gru = WaveformClassifier(
            "gru",
            architecture_params=s(
                None, {"width": 8, "hidden_size": 8, "n_layers": 1, "stride": 40}
            ),
        )

        def samples(crop: float) -> WaveformClassifier:
            frontend = signals(channels, CentreCrop(crop))
            return clone(gru).set_params(frontend=frontend)

        return MultiViewClassifier(
            [
                ("raw", samples(seconds)),
                ("raw_10s", samples(10)),
                (
                    "spectrogram",
                    TimmClassifier(
                        s(backbone, "test_efficientnet"), frontend=spectrogram(seconds)
                    ),
                ),
                (
                    "kaggle",
                    TimmClassifier(s("resnet34d", "test_resnet"), frontend=kaggle),
                ),
            ],
            views={"raw": "eeg", "raw_10s": "eeg", "spectrogram": "eeg"},
            fusion="attention",
            fusion_width=s(512, 16),
            aux=False,
            contrastive=("raw", "spectrogram"),
            contrastive_width=s(128, 16),
            nan_loss=["raw", "raw_10s"],
            augment=augment(["eeg"], ["raw", "raw_10s"]),
            **training,
        )

    def drawn(backbone: str, seconds: float) -> MultiViewClassifier:
        """Make the second kind: LSTM, a drawing by WaveNet, a spectrogram."""
        wavenet = WaveformClassifier(
            "wavenet_image",
            architecture_params={
                "backbone": s(backbone, "test_efficientnet"),
                # The fifty channels' maps are 400 columns.
                "group_size": 10,
                "width": s(8, 4),
                "n_last": 1,
                **s({}, {"n_blocks": 2, "max_dilations": 2}),
            },
            frontend=signals(
                channels, CentreCrop(seconds), Decimator(s(5, 20), method="mean")
            ),
        )
        lstm = WaveformClassifier(
            "lstm",
            architecture_params=s(
                None, {"width": 8, "hidden_size": 8, "n_layers": 1, "stride": 40}
            ),
            frontend=signals(channels, CentreCrop(10)),
        )
        resnet = TimmClassifier(
            s("resnet18d", "test_resnet"), frontend=spectrogram(seconds)
        )
        return MultiViewClassifier(
            [("lstm", lstm), ("wavenet", wavenet), ("spectrogram", resnet)],
            views=dict.fromkeys(("lstm", "wavenet", "spectrogram"), "eeg"),
            aux=False,
            nan_loss=["lstm", "wavenet"],
            augment=augment(["eeg"], ["lstm", "wavenet"]),
            **training,
        )

    def member(net: MultiViewClassifier) -> PseudoLabelClassifier:
        def pipe(**stages: Any) -> RowPipeline:
            seeded = clone(net).set_params(random_state=s.seed(next(seeds)), **stages)
            return RowPipeline([("views", READ), ("net", seeded)])

        first_two = pipe(
            stages=[
                {"max_epochs": s(15, 1), "min_votes": 4},
                {"max_epochs": s(10, 1), "min_votes": 10, "lr": 1e-4},
            ]
        )
        # The third stage is the student, which starts anew: a pseudo-label has no
        # number of votes to ask for. How much old labels count is ours.
        return PseudoLabelClassifier(
            pipe(max_epochs=s(15, 1)),
            teachers=first_two,
            min_votes=4,
            labeled_copies=1,  # one window of each EEG an epoch, however many copies
            # Patients who are labelled are not learned from. A fold of a fold of a
            # small try has too few of them.
            teacher_cv=s(VoteStratifiedGroupKFold(5), "all"),
        )

    # Ours: nets and durations that are published, each with each.
    configurations = [
        *product(
            [encoders],
            ["tf_efficientnetv2_s", "tf_efficientnetv2_m", "resnet34d"],
            [50, 40],
        ),
        *product([drawn], ["tf_efficientnetv2_s", "tf_efficientnet_b0"], [50, 40]),
    ]
    members = [
        (
            f"{kind.__name__}_{backbone}_{seconds}s_seed{run}",
            member(kind(backbone, seconds)),
        )
        for run in range(s(15, 1) if n_seeds is None else n_seeds)
        for kind, backbone, seconds in s(configurations, configurations[::9])
    ]
    return StackingKLClassifier(
        members,
        final_estimator=KLBlender(solver="l-bfgs-b", max_models=30),
        cv=VoteStratifiedGroupKFold(s(5, 2)),
    )

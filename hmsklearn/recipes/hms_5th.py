"""5th place: five people's nets on signals, spectra and scalograms, and a stack.

WaveNet maps of the raw signals that a 2-D net reads (T.H.), an encoder on the spectrum
of every derivation and convolutions of several lengths with a second net behind them
(UEMU), tiles and maps of mel spectrograms (kazumax), samples and both spectrograms in
one image (MaxChen), scalograms. A small net on what all of them predict, and on how
they differ, is the end.

The team had two ends: this one, and weights of the logits that Optuna found. For the
other one set ``final_estimator=KLBlender("log", solver="optuna", solver_params=
{"n_trials": 8000})`` and ``prediction_features=None``.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import (
    SoftLabelClassifier,
    StackingKLClassifier,
    TestTimeAugmenter,
)
from hmsklearn.imaging import (
    ChainMean,
    ImageResizer,
    ImageTiler,
    KaggleSpectrogramImager,
    ViewUnion,
    WaveformImager,
    WindowUnion,
)
from hmsklearn.model_selection import VoteStratifiedGroupKFold
from hmsklearn.montage import Montage, get_montage
from hmsklearn.neural import (
    ImageClassifier,
    MultiViewClassifier,
    TimmClassifier,
    TwoLevelVoteWeight,
    WaveformClassifier,
)
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
from hmsklearn.spectrogram import (
    MelSpectrogramizer,
    STFTSpectrogramizer,
    WaveletScalogramizer,
)

__all__ = ["hms_5th"]

CHAINS = ("LL", "LP", "RL", "RP")
BY_SIDE = get_montage("by_side_16")
# Few voters do not tell the distribution of many.
FEW_VOTERS = ("label_smoothing", {"epsilon": 0.05, "max_votes": 3})


def mirror(**more: Any) -> tuple[str, dict[str, Any]]:
    """Exchange left and right."""
    return ("left_right_mirror", {"montage": "by_side_16", "p": 0.5, **more})


def derivations(*steps: Any) -> Any:
    """Make the sixteen derivations of 50 s, and what follows of them."""
    return make_pipeline(
        HMSReader(), NaNImputer(), MontageTransformer("by_side_16"), *steps
    )


def two_stages(
    epochs: tuple[int, int], rates: tuple[float, float], min_votes: int
) -> dict[str, Any]:
    """Train on all windows, then on those with many votes."""
    return {
        "lr": rates[0],
        "stages": [
            {"max_epochs": epochs[0]},
            {"max_epochs": epochs[1], "min_votes": min_votes, "lr": rates[1]},
        ],
    }


# ------------------------------------------------------------------------------ UEMU

# Each derivation as a chain of its own, so that those of one chain can trade places.
SINGLES = Montage(
    "by_side_16_singles",
    BY_SIDE.derivations,
    {name: (i,) for i, name in enumerate(BY_SIDE.names)},
)


def shuffled_chains(*, after_frontend: bool) -> list[Any]:
    """Let the derivations of a chain trade places."""
    return [
        (
            "chain_permutation",
            {
                "montage": SINGLES,
                "chains": [BY_SIDE.names[i] for i in BY_SIDE.chains[chain]],
                "p": 0.5,
                "after_frontend": after_frontend,
            },
        )
        for chain in CHAINS
    ]


# Logarithms of magnitudes below 40 Hz: 102 x 84 for 10 s.
STFT = STFTSpectrogramizer(
    convention="librosa",
    n_fft=512,
    hop_length=24,
    n_bins=102,
    exponent=1.0,
    output="log",
    clip=(-6.5, 7.0),
    offset=-0.25,
    scale=13.5,
)
KAGGLE = KaggleSpectrogramImager(CHAINS, offset=-2.0, scale=12.0, standardize=None)

# --------------------------------------------------------------------------- kazumax

# Four means of chains, the sixteen derivations, four panels of the organisers.
PLANES = WindowUnion(
    [
        (
            "eeg",
            derivations(
                MelSpectrogramizer(),
                WindowUnion(
                    [
                        ("chains", ChainMean("by_side_16", CHAINS)),
                        ("all", "passthrough"),
                    ],
                    join="planes",
                ),
            ),
        ),
        (
            "kaggle",
            make_pipeline(
                HMSReader(view="spectrogram"),
                KaggleSpectrogramImager(CHAINS, height=128),
            ),
        ),
    ],
    join="planes",
)
SHOWN = [*CHAINS, *BY_SIDE.names, *CHAINS]

# -------------------------------------------------------------------------- MaxChen


def one_image(height: int, width: int) -> WindowUnion:
    """Put ten seconds of samples above the spectrograms of EEG and organisers."""
    samples, spectrogram = height // 4, (3 * height // 8, width)
    # Zero-phase, since a shift of phases changes what the raters saw.
    band = ButterworthFilter(0.5, 20.0)
    montage = MontageTransformer("2nd")
    return WindowUnion(
        [
            (
                "samples",
                make_pipeline(
                    HMSReader(),
                    NaNImputer(),
                    montage,
                    band,
                    CentreCrop(10),
                    Decimator(4, method="mean"),  # 500 samples
                    AmplitudeScaler(clip=1024.0, scale=32.0),
                    WaveformImager(samples // 16, "repeated"),
                    ImageResizer((samples, width)),
                ),
            ),
            (
                "eeg",
                make_pipeline(
                    HMSReader(),
                    NaNImputer(),
                    montage,
                    MelSpectrogramizer(),
                    ChainMean("2nd"),
                    ImageTiler((2, 2)),
                    ImageResizer(spectrogram),
                ),
            ),
            (
                "kaggle",
                make_pipeline(
                    HMSReader(view="spectrogram"),
                    KaggleSpectrogramImager(),
                    ImageTiler((2, 2)),
                    ImageResizer(spectrogram),
                ),
            ),
        ],
        join="height",
    )


# What the halves of a sixty-fourth of that image show, row by row: so a mirror finds
# the sixteen signals and the panels of both spectrograms.
HALVES = [[name, name] for name in get_montage("2nd").names] + 2 * (
    12 * [["LL", "RL"]] + 12 * [["LP", "RP"]]
)


@register_recipe(
    "hms_5th",
    rank="5",
    inputs="signals, STFT, mel spectrograms, scalograms, Kaggle spectrograms",
    nets="WaveNet + MaxxViT, EfficientNet + MaxxViT, MaxViT, ConvNeXt, EfficientNet-B3",
    source="https://www.kaggle.com/competitions/"
    "hms-harmful-brain-activity-classification/discussion/492652",
    family="ensembles",
)
def hms_5th(s: Scale) -> StackingKLClassifier:
    """Stack fifteen nets of four people by a small net on their predictions.

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
    Place 5 of HMS, Kaggle discussion 492652.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("hms_5th", "small")).__name__
    'StackingKLClassifier'
    """
    seeds = count()
    maxxvit = s("maxxvitv2_nano_rw_256", "test_resnet")
    b0 = s("tf_efficientnet_b0.ns_jft_in1k", "test_efficientnet")

    def classifier(cls: Any, net: Any, **params: Any) -> Any:
        return cls(net, random_state=s.seed(next(seeds)), **params)

    # ------------------------------------------------------------------------- T.H.

    def wavenet(backbone: str, n_steps: int = 256, **params: Any) -> RowPipeline:
        net = classifier(
            WaveformClassifier,
            "wavenet_2d",
            architecture_params={
                "backbone": s(backbone, "test_resnet"),
                "n_steps": s(n_steps, 32),
                **s({}, {"widths": (4, 8), "n_dilations": (3, 1)}),
                **params,
            },
            weight_decay=1e-2,
            warmup=s(3, 0.1),
            min_lr=1e-6,
            clip_grad=0.1,
            batch_size=s(32, 16),
            sampling="eeg",  # one window of each EEG in an epoch
            augment=[
                FEW_VOTERS,
                mirror(),
                ("polarity_flip", {"p": 0.5}),
                ("time_mask", {"p": 0.2}),
                ("time_reverse", {"p": 0.5}),
            ],
            **two_stages(s((50, 30), (1, 1)), (1e-3, 1e-4), 10),
        )
        return RowPipeline(
            [
                ("read", HMSReader()),
                ("impute", NaNImputer()),
                ("montage", MontageTransformer("by_side_16")),
                ("filter", ButterworthFilter(None, 20.0, order=4, phase="causal")),
                ("clip", AmplitudeScaler(clip=1024.0, scale=1.0)),
                *s([], [("decimate", Decimator(10))]),
                ("net", net),
            ]
        )

    # ------------------------------------------------------------------------- UEMU

    # Both see ten seconds: in training any of the fifty but those at the ends, at
    # prediction all five parts. An epoch has one window of each EEG.
    ten_seconds = {"n_times": 2000, "max_shift": 3000}
    kernels = {
        "architecture_params": s(
            {"backbone": maxxvit},
            {
                "backbone": maxxvit,
                "kernels": (5, 9),
                "kernel_maps": 2,
                "widths": (4, 8),
                "n_blocks": 1,
                "image_size": (32, 32),
            },
        ),
        "batch_size": 16,
        "weight_decay": 1e-9,
        "sampling": "eeg",
    }
    of_signals = [
        ("window_jitter", ten_seconds),
        FEW_VOTERS,
        ("polarity_flip", {"p": 0.5}),
        *shuffled_chains(after_frontend=False),
        mirror(),
        ("time_cut_mix", {"alpha": 1.0, "p": 0.5}),
    ]
    neck = {"backbone": b0, "neck": maxxvit, **s({}, {"neck_size": (32, 32)})}
    chain_maps = {
        "architecture_params": neck,
        "batch_size": s(20, 16),
        "weight_decay": 2.25e-10,
        "sampling": "eeg",
    }
    masks = (
        "xy_masking",
        {"n_masks_x": 2, "n_masks_y": 0, "size_x": (1, 6), "fill": "mean", "p": 0.5},
    )
    of_spectra = [
        FEW_VOTERS,
        masks,
        ("horizontal_flip", {"p": 0.5}),
        *shuffled_chains(after_frontend=True),
        mirror(after_frontend=True),
        ("mixup", {"alpha": 1.0, "p": 0.5, "after_frontend": True}),
        ("time_cut_mix", {"alpha": 1.0, "p": 0.25, "after_frontend": True}),
    ]
    of_panels = [
        FEW_VOTERS,
        (
            "xy_masking",
            {
                "n_masks_x": 2,
                "n_masks_y": 2,
                "size_x": (1, 32),
                "size_y": (1, 4),
                "fill": "mean",
                "p": 0.5,
            },
        ),
        ("horizontal_flip", {"p": 0.5}),
        mirror(panels=list(CHAINS), after_frontend=True),
        ("mixup", {"alpha": 1.0, "p": 0.5, "after_frontend": True}),
        ("time_cut_mix", {"alpha": 1.0, "p": 0.25, "after_frontend": True}),
    ]
    panel_maps = {
        "architecture_params": {**neck, "group_size": 1},
        "batch_size": s(32, 16),
        "weight_decay": 2.25e-10,
        "sampling": "eeg",
    }
    signals = [
        ("read", HMSReader()),
        ("impute", NaNImputer()),
        ("montage", MontageTransformer("by_side_16")),
        # Which band the model of signals had is not published: the usual one.
        ("filter", ButterworthFilter(0.5, 20.0, phase="causal")),
        ("scale", AmplitudeScaler(clip=1024.0, scale=32.0)),
    ]
    unfiltered = [*signals[:3], signals[4]]
    shrink = s([], [ImageResizer((32, 32))])

    def five_parts(pipe: RowPipeline, **views: Any) -> TestTimeAugmenter:
        """Let each part stand in the middle, out of which the net cuts ten seconds."""
        parts = [
            ("segment", {"index": index, "ends": "edge", **views}) for index in range(5)
        ]
        return TestTimeAugmenter(
            pipe,
            parts,
            weights=(0.05, 0.2, 0.5, 0.2, 0.05),
            average="log",
            step="net",
        )

    multi_kernel = RowPipeline(
        [
            *signals,
            (
                "net",
                classifier(
                    WaveformClassifier,
                    "multi_kernel_2d",
                    augment=of_signals,
                    **kernels,
                    **two_stages(s((50, 30), (1, 1)), (1e-3, 1e-4), 8),
                ),
            ),
        ]
    )
    stft = RowPipeline(
        [
            *unfiltered,
            (
                "net",
                classifier(
                    ImageClassifier,
                    "chain_neck",
                    frontend=make_pipeline(STFT, *shrink),
                    augment=[("window_jitter", ten_seconds), *of_spectra],
                    **chain_maps,
                    **two_stages(s((50, 50), (1, 1)), (1e-3, 3e-4), 8),
                ),
            ),
        ]
    )
    spec = RowPipeline(
        [
            ("read", HMSReader(view="spectrogram")),
            ("image", make_pipeline(KAGGLE, *shrink)),
            (
                "net",
                classifier(
                    ImageClassifier,
                    "chain_neck",
                    augment=of_panels,
                    **panel_maps,
                    **two_stages(s((50, 50), (1, 1)), (1e-3, 3e-4), 8),
                ),
            ),
        ]
    )

    def branch(cls: Any, net: str, **params: Any) -> Any:
        """Make a net that learns alone from all windows before it is joined."""
        return classifier(cls, net, lr=1e-3, max_epochs=s(50, 1), **params)

    # Signals and spectra are of one view here, so that both see the same part of it.
    multi = RowPipeline(
        [
            (
                "views",
                ViewUnion(
                    [
                        (
                            "spec",
                            make_pipeline(
                                HMSReader(view="spectrogram"), KAGGLE, *shrink
                            ),
                        ),
                        (
                            "eeg",
                            Pipeline(
                                [
                                    *signals[:3],
                                    (
                                        "filter",
                                        ButterworthFilter(0.5, 40.0, phase="causal"),
                                    ),
                                    *signals[4:],
                                ]
                            ),
                        ),
                    ]
                ),
            ),
            (
                "net",
                classifier(
                    MultiViewClassifier,
                    [
                        (
                            "spec",
                            branch(
                                ImageClassifier,
                                "chain_neck",
                                augment=of_panels,
                                **panel_maps,
                            ),
                        ),
                        (
                            "wave",
                            branch(
                                WaveformClassifier,
                                "multi_kernel_2d",
                                augment=of_signals,
                                **kernels,
                            ),
                        ),
                        (
                            "img",
                            branch(
                                ImageClassifier,
                                "chain_neck",
                                frontend=make_pipeline(STFT, *shrink),
                                augment=[("window_jitter", ten_seconds), *of_spectra],
                                **chain_maps,
                            ),
                        ),
                    ],
                    views={"wave": "eeg", "img": "eeg"},
                    pretrain=True,
                    aux=False,
                    # Theirs reads the 18 logits of the three, this one their features.
                    head={"hidden": s(128, 16)},
                    batch_size=16,
                    weight_decay=2.25e-10,
                    sampling="eeg",
                    augment=[
                        ("window_jitter", {**ten_seconds, "views": ["eeg"]}),
                        FEW_VOTERS,
                        mirror(
                            montage=dict.fromkeys(("spec", "eeg"), "by_side_16"),
                            panels={"spec": list(CHAINS)},
                        ),
                        ("mixup", {"alpha": 1.0, "p": 0.5}),
                    ],
                    **two_stages(s((25, 30), (1, 1)), (5e-4, 2e-4), 8),
                ),
            ),
        ]
    )

    # ---------------------------------------------------------------------- kazumax

    def kazumax(cls: Any, net: str, epochs: int, **params: Any) -> RowPipeline:
        return RowPipeline(
            [
                ("planes", PLANES),
                *s([], [("shrink", ImageResizer((32, 32)))]),
                (
                    "net",
                    classifier(
                        cls,
                        net,
                        head={"hidden": s(256, 16), "drop_rate": 0.2},
                        weight_decay=0.0,
                        min_lr=1e-6,
                        augment=[
                            ("label_smoothing", {"epsilon": 0.1, "max_votes": 3}),
                            mirror(panels=SHOWN),
                            ("manifold_mixup", {"alpha": 0.4, "p": 0.5}),
                        ],
                        **params,
                        **two_stages(s((epochs, epochs), (1, 1)), (1e-3, 1e-3), 10),
                    ),
                ),
            ]
        )

    def maps(n_rows: int) -> RowPipeline:
        """Make a net behind the maps of all planes."""
        return kazumax(
            ImageClassifier,
            "chain_neck",
            20,
            architecture_params={
                **neck,
                "group_size": 1,
                "n_rows": n_rows,
                "drop_path_rate": s(0.2, 0.0),
            },
            backbone_lr={"neck": 5e-5},
            batch_size=s(32, 16),
        )

    tiles = kazumax(
        TimmClassifier,
        s("tf_efficientnet_b3.ns_jft_in1k", "test_efficientnet"),
        10,
        # 24 tiles in four rows on 3 x 512 x 1536.
        frontend=make_pipeline(ImageTiler((4, 6), n_planes=3)),
        pool="gem",
        drop_rate=0.1,
        drop_path_rate=s(0.2, 0.0),
        batch_size=16,
        accumulate=s(2, 1),
    )

    # ---------------------------------------------------------------------- MaxChen

    def maxchen(backbone: str, small: str) -> TestTimeAugmenter:
        two_sides = ("left_right_mirror", {"montage": "2nd", "tiles": HALVES})
        pipe = RowPipeline(
            [
                ("image", one_image(*s((512, 512), (64, 64)))),
                (
                    "net",
                    classifier(
                        TimmClassifier,
                        s(backbone, small),
                        vote_weight=TwoLevelVoteWeight(max_few=7, few=0.25),
                        # Rates, epochs, sizes of masks, dropout and decay are not
                        # published; ours.
                        head={"drop_rate": 0.5},
                        ema=0.999,
                        lr=s(2e-4, 1e-3),
                        max_epochs=s(20, 1),
                        batch_size=16,
                        # The parts are one image by then, so that all of it is
                        # turned, masked and of another contrast. Theirs masked whole
                        # channels, moved and negated the samples too.
                        augment=[
                            (two_sides[0], {**two_sides[1], "p": 0.5}),
                            ("horizontal_flip", {"p": 0.5}),
                            (
                                "xy_masking",
                                {
                                    "size_x": (0.02, 0.06),
                                    "size_y": (0.01, 0.03),
                                    "fill": "mean",
                                },
                            ),
                            ("brightness_contrast", {"brightness": 0.0}),
                        ],
                    ),
                ),
            ]
        )
        return TestTimeAugmenter(pipe, ["identity", two_sides], step="net")

    # ------------------------------------------------------------------- scalograms

    # Which net read them is not published: that of the other spectra.
    scalogram = RowPipeline(
        [
            *signals[:5],
            (
                "cwt",
                WaveletScalogramizer(
                    n_freqs=s(64, 16), n_columns=s(256, 32), output="log"
                ),
            ),
            *s([], [("shrink", ImageResizer((32, 32)))]),
            (
                "net",
                classifier(
                    ImageClassifier,
                    "chain_neck",
                    augment=of_spectra,
                    **chain_maps,
                    **two_stages(s((50, 50), (1, 1)), (1e-3, 3e-4), 10),
                ),
            ),
        ]
    )

    members = [
        ("wavenet", wavenet("maxxvitv2_nano_rw_256")),
        ("wavenet_down", wavenet("maxxvitv2_nano_rw_256", downsample=True)),
        ("wavenet_small", wavenet("maxxvit_rmlp_small_rw_256", downsample=True)),
        ("wavenet_b4", wavenet("tf_efficientnet_b4.ns_jft_in1k", 320, downsample=True)),
        ("kernels", five_parts(multi_kernel)),
        ("stft", five_parts(stft)),
        ("spec", spec),
        ("multi", five_parts(multi, views=["eeg"])),
        ("tiles", tiles),
        ("mean_maps", maps(1)),
        ("all_maps", maps(64)),
        ("maxvit_small", maxchen("maxvit_small_tf_512", "test_convnext")),
        ("maxvit_tiny", maxchen("maxvit_tiny_tf_512", "test_convnext")),
        ("convnext", maxchen("convnext_small", "test_convnext")),
        ("scalogram", scalogram),
    ]
    # At the small scale backbones do not differ, so that one net of a kind is enough.
    alike = {"wavenet_small", "wavenet_b4", "all_maps", "maxvit_small", "maxvit_tiny"}
    return StackingKLClassifier(
        s(members, [member for member in members if member[0] not in alike]),
        # Three layers. Theirs had no activations in between.
        final_estimator=SoftLabelClassifier(
            MLPClassifier(
                (64, 64),
                learning_rate_init=2e-4,
                max_iter=200,
                # Two hundred epochs, whatever the loss does; two go uncounted.
                tol=np.finfo(float).max,
                n_iter_no_change=198,
                random_state=s.seed(next(seeds)),
            ),
            repeats=s(20, 5),
            min_proba=1e-4,
        ),
        prediction_features=["mean", "max", "min", "std", "count", "delta"],
        cv=VoteStratifiedGroupKFold(s(4, 2)),
        # The nets of the folds are what the submission averages.
        refit=False,
    )

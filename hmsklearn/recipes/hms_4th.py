"""4th place: nets of signals that know the head's symmetry, and images of two sources.

Three people's nets: chains of signals that trade places and meet in channel mixers
(yu4u), left and right in one encoder, with the quality of every electrode beside its
signal (bilzard), spectrograms of the EEG next to those of the organisers (tattaka,
yu4u). A linear layer over the logits of all eight joins them, fitted with the rarer
patterns up-sampled.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import (
    SoftLabelClassifier,
    StackingKLClassifier,
    TestTimeAugmenter,
)
from hmsklearn.imaging import (
    ImageResizer,
    ImageTiler,
    KaggleSpectrogramImager,
    WindowUnion,
)
from hmsklearn.model_selection import VoteStratifiedGroupKFold
from hmsklearn.montage import Derivation, Montage, get_montage
from hmsklearn.neural import (
    ImageClassifier,
    MinimumVoteWeight,
    TimmClassifier,
    VideoClassifier,
    WaveformClassifier,
)
from hmsklearn.pipeline import RowPipeline
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    ButterworthFilter,
    CentreCrop,
    ChannelQuality,
    Decimator,
    MontageTransformer,
    NaNImputer,
    RobustChannelScaler,
)
from hmsklearn.recipes._registry import register_recipe
from hmsklearn.recipes._scale import Scale
from hmsklearn.spectrogram import MelSpectrogramizer

__all__ = ["hms_4th"]

CHAINS = ("LL", "LP", "RL", "RP")


def many_votes_from(
    total_votes: np.ndarray, epoch: int, n_epochs: int, *, first: int
) -> np.ndarray:
    """Weigh all windows alike, from some epoch on only those of more than 7 votes."""
    if epoch < first:
        return np.ones(len(total_votes))
    return (total_votes > 7).astype(float)


def causal(*edges: float | None, **more: Any) -> ButterworthFilter:
    """Make a filter of order 2 that runs forward."""
    return ButterworthFilter(*edges, order=2, phase="causal", **more)


# ------------------------------------------------------------- signals: yu4u, bilzard

# 40 Hz. The published crop of 48 s is cut at a random place in training.
CHAINS_OF_SIGNALS = [
    ("read", HMSReader()),
    ("impute", NaNImputer()),
    ("montage", MontageTransformer("double_banana_16")),
    ("filter", causal(0.5, 20.0)),
    ("decimate", Decimator(5)),
    ("centre", RobustChannelScaler(center="mean", quantile_range=None)),
]

SCALP = get_montage("referential").names
SIDES = get_montage("left_right_20")

# 12.8 s of either side, then how far each electrode pair can be believed.
SIDES_AND_QUALITIES = [
    ("read", HMSReader()),
    ("impute", NaNImputer("linear")),
    ("decimate", Decimator(5, method="mean")),
    ("montage", MontageTransformer("referential")),
    (
        "reference",
        RobustChannelScaler(center="median", quantile_range=None, across="electrodes"),
    ),
    (
        "sides",
        WindowUnion(
            [
                (
                    "signals",
                    make_pipeline(
                        AmplitudeScaler(clip=65_504.0, scale=1000.0),
                        MontageTransformer(SIDES, ch_names=SCALP),
                        causal(0.5, None, sfreq=40.0),
                        CentreCrop(n_times=512),
                    ),
                ),
                (
                    "qualities",
                    make_pipeline(
                        ChannelQuality(SIDES, ch_names=SCALP, sfreq=40.0),
                        CentreCrop(n_times=512),
                    ),
                ),
            ],
            join="planes",
        ),
    ),
]
# Left, right, quality of left, quality of right: ten rows of four that belong together.
ROWS = Montage(
    "sides_and_qualities",
    SIDES.derivations * 2,
    {f"row{i}": tuple(range(i, 40, 10)) for i in range(10)},
)
OTHER_SIDE = [block * 20 + (i + 10) % 20 for block in range(2) for i in range(20)]

# --------------------------------------------------------------- images: both sources

# Panels of the organisers' spectrogram are planes like those of derivations; what they
# show lies between the ends of a chain.
PANELS = tuple(
    Derivation(f"panel {chain}", ((front, 1.0), (back, -1.0)))
    for chain, (front, back) in zip(
        CHAINS, 2 * [("Fp1", "O1")] + 2 * [("Fp2", "O2")], strict=True
    )
)


def planes_of(n_of_a_chain: int, *chains: str) -> Montage:
    """Describe planes: so many of each chain, then a panel each."""
    by_side = get_montage("by_side_16")
    places = [i for chain in chains for i in by_side.chains[chain][:n_of_a_chain]]
    ends = n_of_a_chain * len(chains)
    return Montage(
        f"{n_of_a_chain}_and_panels",
        tuple(by_side.derivations[i] for i in places) + PANELS,
        {
            chain: tuple(range(n_of_a_chain * i, n_of_a_chain * (i + 1)))
            for i, chain in enumerate(chains)
        }
        | {f"panel {chain}": (ends + i,) for i, chain in enumerate(CHAINS)},
    )


def traded(planes: Montage, *chains: str, p: float = 0.5) -> list[Any]:
    """Let chains trade places, and panels for themselves."""
    return [
        (
            "chain_permutation",
            {"montage": planes, "chains": names, "p": p, "after_frontend": True},
        )
        for names in (list(chains), [f"panel {chain}" for chain in CHAINS])
    ]


def mel(
    height: int, width: int, seconds: int, band: tuple[float, float], win_length: int
) -> Pipeline:
    """Make tattaka's spectrograms of the 16 derivations, in decibels."""
    return make_pipeline(
        HMSReader(),
        NaNImputer(),
        MontageTransformer("4th_tattaka"),
        causal(*band),
        CentreCrop(seconds),
        MelSpectrogramizer(
            n_fft=1024 * height // 128,
            win_length=win_length,
            hop_length=seconds * 200 // width,
            n_mels=height,
            fmin=band[0],
            fmax=band[1],
            mel_scale="htk",
            norm=None,
            pad_mode="reflect",
            ref=1.0,
            top_db=None,
            width_multiple=width,
        ),
    )


def panels(height: int, width: int) -> Pipeline:
    """Make the organisers' panels, in decibels, of the size of the spectrograms."""
    return make_pipeline(
        HMSReader(view="spectrogram"),
        KaggleSpectrogramImager(
            CHAINS, width=None, output="db", offset=40.0, scale=40.0, standardize=None
        ),
        ImageResizer((height, width), mode="nearest"),
    )


def both(eeg: Any, kaggle: Any, join: str) -> WindowUnion:
    """Put spectrograms of the EEG and of the organisers together."""
    return WindowUnion([("eeg", eeg), ("kaggle", kaggle)], join=join)


# Pairs of derivations of one place, left beside right: 8 planes.
LEFT_BESIDE_RIGHT = ImageTiler([[[i, i + 8]] for i in range(8)])
# A film of the chains. Either the four derivations are on top of each other ...
STACKS = ImageTiler([[[4 * c + i] for i in range(4)] for c in range(4)], frames=True)
# ... or each place in the chain is a plane.
PLACES = WindowUnion(
    [
        (f"place{i}", ImageTiler([[[4 * c + i]] for c in range(4)], frames=True))
        for i in range(4)
    ],
    join="planes",
)


@register_recipe(
    "hms_4th",
    rank="4",
    inputs="signals with their quality, EEG spectrograms beside Kaggle spectrograms",
    nets="1-D MobileNet, symmetric 1-D net, TinyViT, CAFormer 2.5-D, ConvNeXt, Swin v2",
    source="https://www.kaggle.com/competitions/"
    "hms-harmful-brain-activity-classification/discussion/492240",
    family="ensembles",
)
def hms_4th(s: Scale) -> StackingKLClassifier:
    """Join eight nets of three people by a linear layer.

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
    Place 4 of HMS, Kaggle discussion 492240.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("hms_4th", "small")).__name__
    'StackingKLClassifier'
    """
    seeds = count()

    def classifier(cls: Any, net: str, **params: Any) -> Any:
        return cls(net, random_state=s.seed(next(seeds)), **params)

    # ------------------------------------------------------------------------ yu4u

    two_stages = {
        "max_epochs": s(64, 2),
        # Under one schedule, from the middle on with many votes.
        "vote_weight": partial(many_votes_from, first=s(31, 1)),
        "sampling": "eeg",
    }
    chains = RowPipeline(
        [
            *CHAINS_OF_SIGNALS,
            (
                "net",
                classifier(
                    WaveformClassifier,
                    "mobilenet1d",
                    architecture_params=s(
                        None, {"width": 8, "kernels": (3, 5), "n_blocks": 1}
                    ),
                    head={"hidden": s(384, 16)},
                    batch_size=s(96, 8),
                    lr=2e-3,
                    weight_decay=1e-5,
                    augment=[
                        ("window_jitter", {"n_times": 1920}),
                        ("time_reverse", {"p": 0.5}),
                        ("cutout_1d", {"n_holes": 4, "size": (1, 128), "p": 0.5}),
                        (
                            "chain_permutation",
                            {"montage": "double_banana_16", "p": 1.0},
                        ),
                        ("mixup", {"alpha": 1.0, "p": 0.5}),
                    ],
                    **two_stages,
                ),
            ),
        ]
    )
    # Time runs to the right and frequencies down; theirs is turned on its diagonal.
    # Each chain is a strip of 64 x 512, its four derivations side by side, and so is
    # each panel.
    strips = WindowUnion(
        [
            (
                "eeg",
                make_pipeline(
                    HMSReader(),
                    NaNImputer(),
                    MontageTransformer("by_side_16"),
                    MelSpectrogramizer(hop_length=64, width_multiple=1),
                    ImageResizer(s((64, 128), (8, 16))),
                    ImageTiler(np.arange(16).reshape(4, 1, 4).tolist()),
                ),
            ),
            (
                "kaggle",
                make_pipeline(
                    HMSReader(view="spectrogram"),
                    KaggleSpectrogramImager(
                        CHAINS,
                        width=100,
                        output="db",
                        offset=40.0,
                        scale=40.0,
                        standardize=None,
                    ),
                    ImageResizer(s((64, 512), (8, 64))),
                ),
            ),
        ],
        join="planes",
    )
    swin = RowPipeline(
        [
            ("images", strips),
            (
                "net",
                classifier(
                    TimmClassifier,
                    s("swinv2_large_window12to16_192to256", "test_vit"),
                    backbone_params=s(None, {"img_size": 64}),
                    frontend=make_pipeline(ImageTiler("column")),
                    # The command that trained it is not published: these are the
                    # defaults of their configuration.
                    lr=1e-4,
                    weight_decay=1e-2,
                    batch_size=s(32, 8),
                    augment=[
                        *(
                            (name, {**params, "after_frontend": False})
                            for name, params in traded(
                                planes_of(1, *CHAINS), *CHAINS, p=1.0
                            )
                        ),
                        # Theirs turns every derivation in its place; this turns their
                        # order in the chain too.
                        ("horizontal_flip", {"p": 0.5}),
                        (
                            "xy_masking",
                            {
                                "n_masks_x": (1, 4),
                                "n_masks_y": (1, 4),
                                "size_x": s((1, 32), (1, 4)),
                                "size_y": s((1, 32), (1, 4)),
                                "fill": -1.0,
                                "p": 0.5,
                            },
                        ),
                        ("mixup", {"alpha": 1.0, "p": 0.5, "after_frontend": True}),
                    ],
                    **two_stages,
                ),
            ),
        ]
    )

    # --------------------------------------------------------------------- bilzard

    sides = RowPipeline(
        [
            *SIDES_AND_QUALITIES,
            (
                "net",
                classifier(
                    WaveformClassifier,
                    "symmetric_net",
                    architecture_params=s(
                        None,
                        {
                            "width": 8,
                            "kernels": (3, 5),
                            "n_blocks": 1,
                            "similarity_width": 8,
                        },
                    ),
                    # Planes of signals and of qualities have scales of their own.
                    input_norm=None,
                    optimizer_params={"eps": 1e-4},
                    lr=1e-3,
                    weight_decay=1e-5,
                    max_epochs=s(24, 2),
                    batch_size=s(32, 8),
                    vote_weight=MinimumVoteWeight(
                        epoch=s(16, 1), minimum=0.3, full_votes=28
                    ),
                    sampling="eeg",
                    augment=[
                        ("time_cut_mix", {"alpha": 0.2, "p": 0.5}),
                        ("left_right_mirror", {"montage": OTHER_SIDE, "p": 0.5}),
                        ("chain_permutation", {"montage": ROWS, "p": 0.3}),
                        ("cutout_1d", {"n_holes": 4, "size": (1, 128), "p": 0.3}),
                    ],
                ),
            ),
        ]
    )

    # --------------------------------------------------------------------- tattaka

    def tattaka(
        images: Any, cls: Any, net: str, trades: list[Any], masks: int, **params: Any
    ) -> RowPipeline:
        at_most = 1.0 / (2 * masks)
        return RowPipeline(
            [
                ("images", images),
                (
                    "net",
                    classifier(
                        cls,
                        net,
                        lr=1e-3,
                        backbone_lr={"encoder": 5e-4},
                        weight_decay=1e-4,
                        optimizer_params={"eps": 1e-6},
                        warmup=0.02,
                        clip_grad=1.0,
                        ema=0.998,
                        sampling="eeg",
                        # Both sources are images by then, and one draw turns, mixes
                        # and masks both. Theirs mixes the signals, turns each source
                        # for itself and masks it where its chains are stacked.
                        augment=[
                            ("horizontal_flip", {"p": 0.5}),
                            *trades,
                            (
                                "random_resized_crop",
                                {"zoom": (0.75, 1.25), "axes": ["time"], "p": 0.5},
                            ),
                            (
                                "mixup",
                                {"alpha": 0.2, "p": 0.5, "after_frontend": True},
                            ),
                            (
                                "xy_masking",
                                {
                                    "n_masks_x": (0, masks - 1),
                                    "n_masks_y": (0, masks - 1),
                                    "size_x": (0.0, at_most),
                                    "size_y": (0.0, at_most),
                                    "fill": "mean",
                                    "p": 0.5,
                                },
                            ),
                        ],
                        **params,
                    ),
                ),
            ]
        )

    def many_votes(epochs: int) -> list[dict[str, Any]]:
        return [{"max_epochs": s(epochs, 1), "min_votes": 8}]

    def body(backbone: str, small: str, drop_path: float, **params: Any) -> dict:
        return {
            "architecture_params": {
                "backbone": s(backbone, small),
                **s({"drop_path_rate": drop_path}, {"width": 16}),
                **params,
            }
        }

    whole = planes_of(4, *CHAINS)
    usual = (0.5, 30.0)

    # 4 x 384 x 384: the place in the chain is the plane, the chains lie on top of each
    # other, what the stem makes of the panels on the right.
    tiny_vit = tattaka(
        both(
            mel(*s((96, 192), (16, 32)), 30, usual, 128),
            panels(*s((96, 192), (16, 32))),
            "planes",
        ),
        ImageClassifier,
        "stem_merge",
        traded(whole, *CHAINS),
        8,
        batch_size=s(64, 8),
        stages=many_votes(50),
        **body("tiny_vit_21m_384", "test_efficientnet", 0.2),
    )
    convnext = tattaka(
        both(
            mel(*s((96, 192), (16, 32)), 40, (0.1, 40.0), s(256, 128)),
            panels(*s((96, 192), (16, 32))),
            "planes",
        ),
        ImageClassifier,
        "stem_merge",
        traded(whole, *CHAINS),
        8,
        batch_size=s(32, 8),
        # The only one that begins with all windows, and learns the means of the EEGs.
        stages=[
            {"max_epochs": s(25, 1), "target": "eeg"},
            {
                **many_votes(50)[0],
                "lr": 5e-4,
                "backbone_lr": {"encoder": 2e-4},
            },
        ],
        **body("convnext_large", "test_convnext", 0.2),
    )
    # 1 x 512 x 512: all derivations below one another, the right side beside the left.
    full_tiling = tattaka(
        both(
            make_pipeline(
                mel(*s((64, 128), (16, 32)), 30, usual, 128), LEFT_BESIDE_RIGHT
            ),
            panels(*s((64, 256), (16, 64))),
            "planes",
        ),
        ImageClassifier,
        "stem_merge",
        # A plane holds both sides, so that lateral and parasagittal chains trade.
        traded(planes_of(4, "LL", "LP"), "LL", "LP"),
        16,
        batch_size=s(32, 8),
        stages=many_votes(50),
        **body("tiny_vit_21m_384", "test_resnet", 0.3, group_size=1),
    )

    # A slice for each chain: 4 x 256 x 256, the panel below, four times; and
    # 1 x 384 x 384, the panel on the right.
    turned = ("left_right_mirror", {"montage": [3, 2, 1, 0], "axis": 2, "p": 0.5})
    after = [(turned[0], {**turned[1], "after_frontend": True})]
    slices = tattaka(
        both(
            make_pipeline(mel(*s((128, 256), (16, 32)), 30, usual, 128), PLACES),
            make_pipeline(
                panels(*s((128, 256), (16, 32))),
                ImageTiler("planes", n_planes=4, frames=True),
            ),
            "height",
        ),
        VideoClassifier,
        "encoder_2_5d",
        after,
        8,
        batch_size=s(32, 8),
        stages=many_votes(100),
        **body("caformer_s18", "test_convnext", 0.3),
    )
    tall_slices = tattaka(
        both(
            make_pipeline(mel(*s((96, 192), (16, 64)), 40, usual, 128), STACKS),
            make_pipeline(
                panels(*s((384, 192), (64, 64))), ImageTiler("planes", frames=True)
            ),
            "width",
        ),
        VideoClassifier,
        "encoder_2_5d",
        after,
        8,
        batch_size=s(32, 8),
        stages=many_votes(100),
        **body("caformer_s18", "test_resnet", 0.3),
    )

    return StackingKLClassifier(
        [
            (
                "chains",
                TestTimeAugmenter(chains, "fourth_yu4u", average="log", step="net"),
            ),
            ("swin", swin),
            ("sides", sides),
            ("tiny_vit", tiny_vit),
            ("convnext", convnext),
            ("full_tiling", full_tiling),
            ("slices", slices),
            ("tall_slices", tall_slices),
        ],
        # A linear layer from the logits of all nets to those of the classes. How
        # strongly its weights are held back is ours.
        final_estimator=SoftLabelClassifier(LogisticRegression(C=1.0, max_iter=1000)),
        # Which classes is published; by how much is ours.
        upsample={"Seizure": 2.0, "LRDA": 2.0, "GRDA": 2.0},
        cv=VoteStratifiedGroupKFold(s(5, 2)),
        # The nets of the folds are what the submission averages.
        refit=False,
    )

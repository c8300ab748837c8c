"""The nets and trainings of the published solutions, expressed by parameters alone.

Each entry is an estimator as its authors' numbers make it, with the shape of what its
net takes. Nets are built at their full size, on torch's meta device: shapes without
numbers. What the numbers do is tested with the parts; here it is that they are accepted
together, that the net has the published width, and that every stage of the training
finds its windows.
"""

import math
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from hmsklearn.nets.layers import GeM
from hmsklearn.neural import (
    DecayingVoteWeight,
    ImageClassifier,
    MinimumVoteWeight,
    MultiViewClassifier,
    TimmClassifier,
    TwoLevelVoteWeight,
    VideoClassifier,
    WaveformClassifier,
)
from hmsklearn.neural._checking import check_parameters
from hmsklearn.neural._losses import make_loss
from hmsklearn.neural._optimizers import make_optimizer
from hmsklearn.neural._plan import plan_stages
from hmsklearn.neural._prepare import FitData

# Sixty windows are fewer than a batch of some.
pytestmark = pytest.mark.filterwarnings("ignore:.*is larger than the data")


@dataclass(frozen=True)
class Published:
    """One model of a solution."""

    solution: str
    estimator: Any
    shape: Any
    num_features: int | None = None


def several(**views):
    return dict(views)


# ------------------------------------------------------------------- 2nd place

MIRROR = ("left_right_mirror", {"montage": "double_banana_16", "p": 0.5})

SECOND = {
    "lr": 1e-3,
    "min_lr": 1e-4,
    "sampling": "eeg",
    "target": "eeg",
    "augment": [MIRROR],
    "stages": [
        {"max_epochs": 15, "vote_weight": lambda votes: votes / 20},
        {"max_epochs": 5, "min_votes": 6},
    ],
}
X3D_L = VideoClassifier("x3d_l")
RAW_B5 = TimmClassifier("efficientnet_b5", drop_rate=0.5)
SECOND_PLACE = [
    Published("2nd: x3d-l", clone(X3D_L).set_params(**SECOND), (3, 32, 61, 201), 2048),
    Published("2nd: raw", clone(RAW_B5).set_params(**SECOND), (3, 160, 1000), 2048),
    Published(
        "2nd: raw hgnetb5",
        TimmClassifier("hgnetv2_b5", drop_rate=0.5, **SECOND),
        (3, 160, 1000),
        2048,
    ),
    Published(
        "2nd: oneimage",
        TimmClassifier("hgnetv2_b5", drop_rate=0.5, **SECOND),
        (3, 16 * 61, 201),
        2048,
    ),
    Published(
        "2nd: doublehead",
        MultiViewClassifier(
            [("x3d", X3D_L), ("raw", RAW_B5)],
            aux=False,
            head={"drop_rate": 0.5},
            **{**SECOND, "augment": None},
        ),
        several(x3d=(3, 16, 56, 201), raw=(3, 160, 1000)),
        4096,
    ),
]

# ------------------------------------------------------------------- 3rd place

BANDS = ("random_band_pass", {"low": (0, 2), "high": (10, 20), "p": 0.2})
THIRD_2D = {
    "optimizer": "adam",
    "lr": 1.2e-3,
    "weight_decay": 0.0,
    "batch_size": 32,
    "clip_grad": 20.0,
    "augment": [
        ("channel_drop", {"n_channels": (1, 8), "p": 0.5}),
        BANDS,
        "centre_shift",
        ("left_right_mirror", {"montage": "interleaved_16"}),
    ],
}


def mixnet(name, drop_rate=0.2, n_epochs=12):
    return TimmClassifier(
        name,
        stem="fresh",
        pool="gem_trainable",
        drop_rate=drop_rate,
        drop_path_rate=0.2,
        stages=[{"max_epochs": n_epochs, "min_votes": 9}],
        **THIRD_2D,
    )


THIRD_PLACE = [
    Published("3rd: cfg_1", mixnet("mixnet_xl"), (1, 2048, 257), 1536),
    Published("3rd: cfg_3", mixnet("mixnet_xl"), (3, 1024, 313), 1536),
    Published("3rd: cfg_4", mixnet("mixnet_l"), (3, 1024, 602), 1536),
    Published("3rd: cfg_5a", mixnet("mixnet_xl", n_epochs=16), (3, 1024, 852), 1536),
    Published("3rd: cfg_5b", mixnet("mixnet_l", 0.3, 16), (3, 1024, 852), 1536),
    Published("3rd: cfg_5d", mixnet("mixnet_l", n_epochs=16), (3, 1024, 1452), 1536),
    Published(
        "3rd: cfg_2",
        WaveformClassifier(
            "squeezeformer",
            optimizer="adam",
            lr=1e-3,
            weight_decay=0.0,
            max_epochs=30,
            batch_size=64,
            accumulate=3,
            clip_grad=4.0,
            vote_weight=DecayingVoteWeight(n_epochs=30),
            augment=[
                ("time_reverse", {"p": 0.5}),
                ("left_right_mirror", {"montage": "interleaved_16", "p": 0.5}),
                ("time_shift", {"max_shift": 3333}),
                BANDS,
                ("channel_drop", {"n_channels": (1, 8), "p": 0.5}),
            ],
        ),
        (16, 10_000),
        128,
    ),
]

# ------------------------------------------------------------------- 4th place


def many_votes_after_epoch_31(total_votes, epoch, n_epochs):
    """All windows, later those with more than 7 votes, under one schedule."""
    return np.ones(len(total_votes)) if epoch < 31 else (total_votes > 7).astype(float)


YU4U = {
    "lr": 2e-3,
    "weight_decay": 1e-5,
    "max_epochs": 64,
    "batch_size": 96,
    "amp": "bf16",
    "vote_weight": many_votes_after_epoch_31,
}
TATTAKA = {
    "lr": 1e-3,
    "backbone_lr": 5e-4,
    "weight_decay": 1e-4,
    "warmup": 0.02,
    "ema": 0.998,
    "clip_grad": 1.0,
    "augment": [
        ("mixup", {"alpha": 0.2, "p": 0.5}),
        ("random_resized_crop", {"zoom": (0.75, 1.25), "axes": ["time"], "p": 0.5}),
        (
            "xy_masking",
            {
                **{"n_masks_x": (1, 16), "n_masks_y": (1, 16)},
                **{"size_x": 1 / 32, "size_y": 1 / 32},
            },
        ),
    ],
    "stages": [{"max_epochs": 50, "min_votes": 8}],
}
FOURTH_PLACE = [
    Published(
        "4y: 1-D",
        WaveformClassifier(
            "mobilenet1d",
            head={"hidden": 384},
            augment=[
                ("mixup", {"alpha": 1.0, "p": 0.5}),
                ("cutout_1d", {"n_holes": 4, "size": (1, 128)}),
                ("chain_permutation", {"montage": "double_banana_16"}),
                "time_reverse",
            ],
            **YU4U,
        ),
        (16, 1920),
        384,
    ),
    Published(
        "4y: 1-D with similarities",
        WaveformClassifier(
            "mobilenet1d", architecture_params={"similarity": True}, **YU4U
        ),
        (16, 1920),
        384 + 360,
    ),
    Published(
        "4y: 2-D",
        TimmClassifier("swinv2_large_window12to16_192to256", **YU4U),
        (3, 512, 512),
        1536,
    ),
    Published(
        "4t: 2.5-D",
        VideoClassifier(
            "encoder_2_5d", architecture_params={"drop_path_rate": 0.2}, **TATTAKA
        ),
        (1, 4, 384, 384),
        1024,
    ),
    Published(
        "4t: tiny_vit",
        ImageClassifier(
            "stem_merge", architecture_params={"drop_path_rate": 0.2}, **TATTAKA
        ),
        (20, 96, 192),
        1024,
    ),
    Published(
        "4t: convnext_large",
        TimmClassifier(
            "convnext_large",
            pool="avgmax",
            drop_rate=0.5,
            drop_path_rate=0.3,
            **{
                **TATTAKA,
                "stages": [
                    {"max_epochs": 25, "target": "eeg"},
                    {
                        **{"max_epochs": 50, "min_votes": 8},
                        **{"lr": 5e-4, "backbone_lr": 2e-4},
                    },
                ],
            },
        ),
        (1, 512, 512),
        3072,
    ),
    Published(
        "4b",
        WaveformClassifier(
            "symmetric_net",
            optimizer_params={"eps": 1e-4},
            lr=1e-3,
            weight_decay=1e-5,
            max_epochs=24,
            batch_size=32,
            vote_weight=MinimumVoteWeight(epoch=16, minimum=0.3, full_votes=28),
            augment=[
                ("time_cut_mix", {"alpha": 0.2, "p": 0.5}),
                ("channel_shuffle", {"p": 0.3}),
                ("cutout_1d", {"n_holes": 4, "size": (1, 128), "p": 0.3}),
            ],
        ),
        (40, 512),
        192,
    ),
]

# ------------------------------------------------------------------- 5th place

UEMU = {
    "lr": 1e-3,
    "augment": [
        ("label_smoothing", {"epsilon": 0.05, "max_votes": 3}),
        ("mixup", {"alpha": 1.0, "p": 0.5}),
        ("time_cut_mix", {"p": 0.25}),
    ],
    "stages": [{"max_epochs": 50}, {"max_epochs": 30, "min_votes": 8, "lr": 1e-4}],
}
UEMU_OF_IMAGES = {**UEMU, "augment": UEMU["augment"][:2]}
TH = {
    "lr": 1e-3,
    "weight_decay": 1e-2,
    "warmup": 3,
    "clip_grad": 0.1,
    "augment": [
        "label_smoothing",
        MIRROR,
        "polarity_flip",
        "time_mask",
        "time_reverse",
    ],
    "stages": [{"max_epochs": 50}, {"max_epochs": 30, "min_votes": 10, "lr": 1e-4}],
}
FIFTH_PLACE = [
    Published(
        "5u: chain map",
        ImageClassifier("chain_neck", **UEMU_OF_IMAGES),
        (16, 102, 84),
        768,
    ),
    Published(
        "5u: kernels", WaveformClassifier("multi_kernel_2d", **UEMU), (16, 2000), 768
    ),
    Published("5h", WaveformClassifier("wavenet_2d", **TH), (16, 10_000), 768),
    Published(
        "5h: downsampling, other neck",
        WaveformClassifier(
            "wavenet_2d",
            architecture_params={"downsample": True, "backbone": "efficientnet_b4"},
            **TH,
        ),
        (16, 10_000),
        1792,
    ),
    *[
        Published(
            f"5m: {backbone}",
            TimmClassifier(
                backbone,
                ema=0.999,
                vote_weight=TwoLevelVoteWeight(max_few=7, few=0.25),
                head={"drop_rate": 0.5},
                augment=["horizontal_flip", "xy_masking", "brightness_contrast"],
            ),
            (1, 512, 512),
            num_features,
        )
        for backbone, num_features in (
            ("maxvit_small_tf_512", 768),
            ("maxvit_tiny_tf_512", 512),
            ("convnext_small", 768),
        )
    ],
    Published(
        "5k: tiles",
        TimmClassifier(
            "tf_efficientnet_b3.ns_jft_in1k",
            pool="gem",
            head={"hidden": 256, "drop_rate": 0.2},
            drop_rate=0.1,
            drop_path_rate=0.2,
            weight_decay=0.0,
            lr=1e-3,
            augment=[
                ("label_smoothing", {"epsilon": 0.1}),
                ("manifold_mixup", {"alpha": 0.4, "p": 0.5}),
            ],
            stages=[{"max_epochs": 20}, {"max_epochs": 10, "min_votes": 10}],
        ),
        (1, 512, 1536),
        1536,
    ),
    Published(
        "5k: neck",
        ImageClassifier(
            "chain_neck",
            weight_decay=0.0,
            lr=1e-3,
            backbone_lr={"neck": 5e-5},
            augment=[
                ("label_smoothing", {"epsilon": 0.1}),
                ("mixup", {"p": 0.5}),
            ],
            stages=[{"max_epochs": 20}, {"max_epochs": 10, "min_votes": 10}],
        ),
        (16, 128, 256),
        768,
    ),
]

# ------------------------------------------------------------------- 6th place

DINO = "vit_{}_patch14_reg4_dinov2.lvd142m"
SIXTH = {
    "aux": True,
    "aux_weight": 1.0,
    "optimizer": "adan",
    "lr": 1.7e-4,
    "weight_decay": 0.02,
    "schedule": "one_cycle",
    "batch_size": 16,
    "accumulate": 2,
    "ema": 0.995,
    "grad_checkpointing": True,
    "sampling": "eeg",
    "augment": [
        ("mixup", {"alpha": 1.0, "p": 0.5}),
        (
            "xy_masking",
            {
                **{"n_masks_x": (2, 4), "n_masks_y": (2, 4)},
                **{"size_x": (10, 20), "size_y": 8},
                "views": ["spec", "eeg_spec"],
            },
        ),
        ("frequency_dropout", {"views": ["raw_50s", "raw_10s"]}),
    ],
    "stages": [
        {"max_epochs": 6, "max_votes": 9},
        {"max_epochs": 7, "min_votes": 10, "start": "ema"},
    ],
}


def four_branches(*backbones, size=(518, 518, 518, 518), num_features):
    names = ("spec", "eeg_spec", "raw_50s", "raw_10s")
    return Published(
        f"6th: {num_features} features",
        MultiViewClassifier(
            [
                (name, TimmClassifier(backbone))
                for name, backbone in zip(names, backbones, strict=True)
            ],
            **SIXTH,
        ),
        {name: (1, one, one) for name, one in zip(names, size, strict=True)},
        num_features,
    )


SMALL, BASE, LARGE = (DINO.format(size) for size in ("small", "base", "large"))
SIXTH_PLACE = [
    four_branches(SMALL, SMALL, SMALL, SMALL, num_features=1536),
    four_branches(SMALL, SMALL, BASE, BASE, num_features=2304),
    four_branches(SMALL, SMALL, SMALL, LARGE, num_features=2176),
    four_branches(
        *("convnextv2_nano", "convnext_small", BASE, SMALL),
        size=(384, 384, 518, 518),
        num_features=2560,
    ),
]

# ------------------------------------------------------------------- 7th place


def cosine_of(step, n_steps, *, t_max):
    """A cosine of a length that is not the training's."""
    return 0.5 * (1 + math.cos(math.pi * step / t_max))


SEVENTH = {
    "drop_rate": 0.1,
    "drop_path_rate": 0.1,
    "loss": "bce",
    "weight_decay": 1e-4,
    "batch_size": 16,
    "amp": "fp16",
    "sampling": "period",
    "early_stopping": True,
    "validation_min_votes": 10,
    "augment": [
        ("horizontal_flip", {"p": 0.5}),
        ("vertical_flip", {"p": 0.5}),
        ("mixup", {"lam_range": (0.4, 0.6), "p": 0.05}),
    ],
    "stages": [
        {
            **{"max_epochs": 5, "lr": 2.5e-4},
            "schedule": partial(cosine_of, t_max=4000),
        },
        {
            **{"max_epochs": 10, "lr": 1e-4, "min_lr": 1e-5, "min_votes": 10},
            "schedule": partial(cosine_of, t_max=2000),
        },
    ],
}
SEVENTH_PLACE = [
    Published(
        "7th: raw", TimmClassifier("convnext_base", **SEVENTH), (1, 384, 512), 1024
    ),
    Published(
        "7th: STFT", TimmClassifier("convnext_base", **SEVENTH), (1, 512, 512), 1024
    ),
    Published(
        "7th: STFT, maxvit",
        TimmClassifier("maxvit_tiny_tf_512", **SEVENTH),
        (1, 512, 512),
        512,
    ),
    Published(
        "7th: multitaper",
        TimmClassifier("convnext_base", **SEVENTH),
        (1, 512, 384),
        1024,
    ),
]

# ------------------------------------------------------------------ 8th to 16th

EIGHTH_TO_TENTH = [
    Published(
        "8th: mega",
        MultiViewClassifier(
            [
                ("spec", TimmClassifier("tiny_vit_21m_512")),
                ("waves", TimmClassifier("tiny_vit_21m_224")),
                ("raw", WaveformClassifier("resnet1d_gru")),
            ],
            aux=False,
            augment=[
                ("horizontal_flip", {"views": ["spec"]}),
                (
                    "random_resized_crop",
                    {"axes": ["time"], "after_frontend": False, "views": ["raw"]},
                ),
                ("frequency_dropout", {"views": ["spec"]}),
            ],
            stages=[{"max_epochs": 10, "min_votes": 10}],
        ),
        several(spec=(3, 512, 512), waves=(3, 224, 224), raw=(16, 10_000)),
        576 + 576 + 448,
    ),
    Published(
        "9th",
        MultiViewClassifier(
            [
                ("raw", WaveformClassifier("gru")),
                ("eeg_spec", TimmClassifier("tf_efficientnetv2_s")),
                ("kaggle_spec", TimmClassifier("resnet34d")),
            ],
            fusion="attention",
            contrastive=("raw", "eeg_spec"),
            nan_loss=["raw"],
            augment=["mixup", ("channel_drop", {"views": ["raw"]}), "vote_jitter"],
            stages=[
                {"max_epochs": 10, "min_votes": 4},
                {"max_epochs": 10, "min_votes": 10},
            ],
        ),
        several(raw=(50, 10_000), eeg_spec=(1, 512, 512), kaggle_spec=(1, 128, 256)),
        512,
    ),
    *[
        Published(
            f"10th: {backbone}",
            TimmClassifier(
                backbone,
                head={"vote_threshold": 10},
                optimizer="adan",
                sampling="eeg_by_votes",
            ),
            (1, 512, 512),
            num_features,
        )
        for backbone, num_features in (("efficientvit_b2", 2560), ("mixnet_xl", 1536))
    ],
]

FIFTEENTH = {
    "lr": 1e-4,
    "weight_decay": 1e-4,
    "max_epochs": 14,
    "batch_size": 16,
    "clip_grad": 1.0,
    "amp": "fp16",
    "vote_weight": "log",
    "sampling": "eeg",
}
WAVENET_IMAGE = WaveformClassifier("wavenet_image")
STFT_15TH = TimmClassifier("hgnetv2_b4")
MIL = ImageClassifier("mil_attention")
ELEVENTH_TO_SIXTEENTH = [
    Published(
        "11th",
        WaveformClassifier(
            "resnet1d_gru",
            architecture_params={"kernels": (*range(1, 30, 2), 35, 63, 127)},
        ),
        (16, 10_000),
    ),
    Published(
        "15th: WaveNet",
        clone(WAVENET_IMAGE).set_params(
            **FIFTEENTH,
            augment=[
                ("gaussian_noise", {"std": 0.015}),
                ("amplitude_scale", {"scale": 0.075}),
            ],
        ),
        (24, 10_000),
        2048,
    ),
    Published(
        "15th: stride (1, 2)",
        WaveformClassifier(
            "wavenet_image",
            architecture_params={
                **{"backbone": "tf_efficientnetv2_s", "stem_stride": (1, 2)},
                **{"width": 28, "n_blocks": 8},
            },
            **FIFTEENTH,
        ),
        (24, 10_000),
        1280,
    ),
    Published(
        "15th: three branches",
        MultiViewClassifier(
            [("raw", WAVENET_IMAGE), ("stft", STFT_15TH), ("mil", MIL)],
            aux=True,
            augment=[("edge_dropout", {"share": (0.0, 0.95), "views": ["mil"]})],
            **FIFTEENTH,
        ),
        several(raw=(24, 10_000), stft=(1, 672, 862), mil=(10, 100, 300)),
        3 * 2048,
    ),
    Published(
        "16th",
        TimmClassifier(
            "tiny_vit_21m_384.dist_in22k_ft_in1k",
            lr=3e-4,
            warmup=0.1,
            ema={"decay": 0.8, "per": "epoch"},
            augment=["xy_masking", "brightness_contrast"],
            stages=[{"max_epochs": 16, "min_votes": 8}],
        ),
        (1, 640, 1920),
        576,
    ),
]

# ------------------------------------------------- public notebooks and other teams

ONE_CYCLE = {"max_epochs": 6, "schedule": "one_cycle"}
SAME_CLASS = [("cut_mix", {"same_class": True})]
TEN_RATES = [1e-3] * 4 + [5e-4] * 2 + [1e-4] * 2 + [5e-5, 1e-5]
FINE_RATES = [1e-4] * 3 + [1e-5, 1e-6]


def lh(rule):
    return ImageClassifier(
        "multi_kernel_stem",
        augment=["mixup"],
        stages=[
            {"max_epochs": 10, "schedule": TEN_RATES, "weight_decay": 1e-5},
            {
                **{"rows": rule, "augment": None, "weight_decay": 0.0},
                **{"max_epochs": 5, "schedule": FINE_RATES, "lr": 1e-4},
            },
        ],
    )


def gru(**params):
    return WaveformClassifier("resnet1d_gru", architecture_params=params)


OTHERS = [
    Published("public ResNet1D-GRU", gru(), (8, 2000), 304),
    Published("public ResNet1D-GRU, 50 s", gru(), (8, 10_000), 448),
    Published(
        "public ResNet1D-GRU, 4 kernels", gru(kernels=(3, 5, 7, 9)), (8, 10_000), 424
    ),
    Published("public WaveNet", WaveformClassifier("wavenet"), (8, 2000), 4 * 64),
    Published(
        "RY",
        WaveformClassifier("node_attention", architecture_params={"ekg": True}),
        (19, 2500),
    ),
    Published("LH", lh("agreed_or_many"), (3, 12 * 128, 304), 1280),
    Published("LH, hard samples", lh("several_classes"), (3, 16 * 128, 304), 1280),
    Published(
        "CR: EfficientNet-B2",
        TimmClassifier("tf_efficientnet_b2", lr=1e-3, augment=SAME_CLASS, **ONE_CYCLE),
        (1, 400, 300),
        1408,
    ),
    Published(
        "CR: AST",
        ImageClassifier("ast_base", lr=1e-4, augment=SAME_CLASS, **ONE_CYCLE),
        (1, 128, 256),
        768,
    ),
    Published("MK", TimmClassifier("tf_efficientnetv2_b2"), (4, 128, 256), 1408),
    Published(
        "SETI 1st: stride (1, 2)",
        TimmClassifier("eca_nfnet_l2", stem_stride=(1, 2), pool="gem"),
        (1, 512, 512),
        3072,
    ),
    Published(
        "SETI 2nd: OR-mixup",
        TimmClassifier(
            "tf_efficientnet_b0",
            loss="bce",
            augment=[("mixup", {"mode": "or", "alpha": 1.0})],
        ),
        (1, 512, 512),
        1280,
    ),
    *[
        Published(
            f"SETI 3rd: {backbone}",
            TimmClassifier(
                backbone,
                attention="triplet",
                pool="gem",
                pool_params={"p": 4.0},
                optimizer="madgrad",
                weight_decay=0.0,
                lr=1e-4,
                warmup=5,
                max_epochs=30,
                loss="focal",
                loss_params={"gamma": 0.5},
            ),
            (1, 512, 512),
            num_features,
        )
        for backbone, num_features in (
            ("tf_efficientnet_b1", 1280),
            ("tf_efficientnet_b2", 1408),
            ("tf_efficientnet_b3", 1536),
            ("tf_efficientnet_b4", 1792),
        )
    ],
    Published(
        "SETI 4th",
        TimmClassifier(
            "nf_regnet_b1",
            loss="focal",
            loss_params={"gamma": 2.0, "alpha": 0.7},
            ema=0.999,
        ),
        (1, 512, 512),
        None,
    ),
]

PUBLISHED = [
    *SECOND_PLACE,
    *THIRD_PLACE,
    *FOURTH_PLACE,
    *FIFTH_PLACE,
    *SIXTH_PLACE,
    *SEVENTH_PLACE,
    *EIGHTH_TO_TENTH,
    *ELEVENTH_TO_SIXTEENTH,
    *OTHERS,
]
each_entry = pytest.mark.parametrize(
    "entry", [pytest.param(entry, id=entry.solution) for entry in PUBLISHED]
)


def zeros(shape):
    """One window without memory."""
    if isinstance(shape, dict):
        return {name: zeros(one) for name, one in shape.items()}
    return np.broadcast_to(np.float32(0), (1, *shape))


def body_on_meta(entry):
    # Mixed precision is for the GPU that this machine may lack.
    clf = clone(entry.estimator).set_params(amp="auto", device="cpu")
    X = clf._check_X(zeros(entry.shape))
    net = clf._new_net(
        X, SimpleNamespace(classes=np.arange(6), given={"y": None}, parts={}), "cpu"
    )
    with torch.device("meta"):
        return net.factory(**net.factory_params)


@pytest.fixture(scope="module")
def votes():
    """Sixty windows of 20 EEGs: few and many votes, agreement and none."""
    rng = np.random.default_rng(0)
    total = rng.choice([1, 3, 5, 6, 11, 14, 20], 60)
    chances = np.where(
        np.arange(60)[:, None] % 2,
        1 / 6,
        0.9 * np.eye(6)[rng.integers(0, 6, 60)] + 0.1 / 6,
    )
    return np.stack(
        [rng.multinomial(n, p) for n, p in zip(total, chances, strict=True)]
    )


@each_entry
def test_parameters(entry):
    check_parameters(entry.estimator)
    # Numbers and names alone: what a user writes into a file.
    copy = clone(entry.estimator)
    assert repr(copy) == repr(entry.estimator)


@each_entry
def test_net(entry):
    body = body_on_meta(entry)
    if entry.num_features is not None:
        assert body.num_features == entry.num_features
    if entry.estimator.head:
        with torch.device("meta"):
            body.reset_head(6, **entry.estimator.head)
    if entry.estimator.grad_checkpointing:
        body.set_grad_checkpointing()
    assert all(parameter.is_meta for parameter in body.parameters())
    # The optimizer too: rates of backbones and heads are found in this very net.
    clf = entry.estimator
    net = torch.nn.Sequential()
    net.body = body
    made = make_optimizer(
        net,
        clf.optimizer,
        lr=clf.lr,
        weight_decay=clf.weight_decay,
        optimizer_params=clf.optimizer_params,
        backbone_lr=clf.backbone_lr,
        layer_decay=clf.layer_decay,
        caller="test",
    )
    rates = sorted({group["lr"] for group in made.param_groups})
    own = clf.backbone_lr or clf.lr
    own = set(own.values()) if isinstance(own, dict) else {own}
    assert rates == pytest.approx(sorted({clf.lr, *own}))
    learned = sum(len(group["params"]) for group in made.param_groups)
    assert learned == sum(1 for _ in body.parameters())


@each_entry
def test_training(entry, votes):
    total = votes.sum(axis=1)
    data = FitData(
        X=np.zeros((60, 1, 4), np.float32),
        fractions=votes / total[:, None],
        total_votes=total.astype(float),
        sample_weight=None,
        eeg_id=np.arange(60) // 3,
        rows=np.arange(60),
        valid=None,
        classes=np.arange(6),
    )
    clf = entry.estimator
    runs = plan_stages(clf, data)
    assert len(runs) == len(clf.stages or [None])
    for run, stage in zip(runs, clf.stages or [{}], strict=True):
        votes_of_rows = total[run.train.rows]
        assert votes_of_rows.min() >= stage.get("min_votes", 0)
        assert votes_of_rows.max() <= stage.get("max_votes", np.inf)
        assert run.settings["max_epochs"] == stage.get("max_epochs", clf.max_epochs)
    loss = make_loss(clf.loss, clf.loss_params, caller="test")
    fractions = torch.tensor(data.fractions, dtype=torch.float32)
    assert torch.isfinite(loss(torch.zeros(60, 6), fractions))


def named(solution):
    [entry] = [entry for entry in PUBLISHED if entry.solution == solution]
    return entry


def test_symmetric_net_has_the_published_number_of_weights():
    body = body_on_meta(named("4b"))
    n_params = sum(parameter.numel() for parameter in body.encoder.parameters())
    assert n_params == 863_504


@pytest.mark.parametrize(
    ("solution", "dropout", "drop_path"),
    [
        ("2nd: x3d-l", {0.5}, 0.0),
        ("2nd: raw hgnetb5", {0.5}, 0.0),
        ("2nd: doublehead", {0.5}, 0.0),
        ("3rd: cfg_1", {0.2}, 0.2 * 22 / 23),
        ("3rd: cfg_5b", {0.3}, 0.2 * 18 / 19),
        ("4t: 2.5-D", {0.5}, 0.2),
        ("4t: tiny_vit", {0.5}, 0.2),
        ("4t: convnext_large", {0.5}, 0.3),
        ("5m: convnext_small", {0.5}, 0.0),
        ("5k: tiles", {0.1, 0.2}, 0.2 * 25 / 26),
    ],
)
def test_rates_reach_the_net(solution, dropout, drop_path):
    entry = named(solution)
    body = body_on_meta(entry)
    if entry.estimator.head:
        with torch.device("meta"):
            body.reset_head(6, **entry.estimator.head)
    found = {part.p for part in body.modules() if isinstance(part, torch.nn.Dropout)}
    assert found - {0.0} == dropout
    rates = [
        part.drop_prob or 0.0
        for part in body.modules()
        if type(part).__name__.startswith("DropPath")
    ]
    # They rise from block to block; in timm the EfficientNets end one block too early.
    assert max(rates, default=0.0) == pytest.approx(drop_path)


@pytest.mark.parametrize(
    ("solution", "exponent", "learns"),
    [
        ("3rd: cfg_1", 3.0, True),
        ("5k: tiles", 3.0, False),
        ("SETI 3rd: tf_efficientnet_b1", 4.0, False),
    ],
)
def test_exponent_of_the_pooling(solution, exponent, learns):
    # A small net in the place of the large one, with the pooling of that one.
    clf = clone(named(solution).estimator)
    clf.set_params(backbone="test_efficientnet", attention=None, stem=None)
    net = clf._new_net(
        np.zeros((1, 3, 64, 64), np.float32),
        SimpleNamespace(classes=np.arange(6), given={"y": None}, parts={}),
        "cpu",
    )
    body = net.factory(**net.factory_params)
    [pool] = [part for part in body.modules() if isinstance(part, GeM)]
    assert pool.p.item() == exponent
    assert isinstance(pool.p, torch.nn.Parameter) == learns


def test_widths_of_the_4th_place():
    entry = named("4y: 1-D")
    body = body_on_meta(entry)
    with torch.device("meta"):
        body.reset_head(6, **entry.estimator.head)
    maps = []
    for stage in [body.encoder.stem, *body.encoder.stages]:
        stage.register_forward_hook(lambda part, args, out: maps.append(out.shape[1]))
    body.eval()(torch.zeros(1, 16, 1920, device="meta"))
    assert maps == [64, 96, 128, 192, 256, 384]
    assert body.head.hidden[0].out_features == 384


def test_heads_of_two_populations():
    entry = named("10th: mixnet_xl")
    body = body_on_meta(entry)
    with torch.device("meta"):
        body.reset_head(6, **entry.estimator.head)
    assert body.head.vote_threshold == 10
    assert body.head.linear_few.weight.shape == body.head.linear.weight.shape

"""3rd place: mel spectra with a closer look at the centre, and a 1-D Squeezeformer.

Eighteen MixNets see the mel spectra of 16 derivations on top of each other, most of
them in three planes (as they are, less the mean of the others, less the mean of their
neighbours) and with the central seconds magnified. Five nets of convolutions and
Squeezeformer blocks see the signals. A linear layer over the logits and a bias for each
class blend the 23.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from sklearn.pipeline import make_pipeline

from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import KLBlender, StackingKLClassifier
from hmsklearn.imaging import ImageResizer, ImageTiler, PlaneContrast, WindowUnion
from hmsklearn.montage import get_montage
from hmsklearn.neural import DecayingVoteWeight, TimmClassifier, WaveformClassifier
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

__all__ = ["hms_3rd"]

# Left and right take turns: Fp1-F7, Fp2-F8, F7-T3, F8-T4 and so on.
MONTAGE = get_montage("3rd")

# Windows are moved by up to a third of their length, but within the record.
LONG = 83.33
JITTER = ("window_jitter", {"n_times": 10_000, "max_shift": 3333})
MIRROR = ("left_right_mirror", {"montage": "3rd", "p": 0.5})


def clean(low: float, high: float, order: int) -> list[Any]:
    """Make what signals go through before they are looked at, batch by batch."""
    return [
        NaNImputer("zero"),
        ButterworthFilter(low, high, order=order, phase="causal"),
        AmplitudeScaler(clip=1024, scale=32),
    ]


def mel(**params: Any) -> MelSpectrogramizer:
    """Make plain decibels of torchaudio's mel spectra."""
    return MelSpectrogramizer(
        fmin=0.53,
        mel_scale="htk",
        norm=None,
        pad_mode="reflect",
        ref=1.0,
        per="window",
        offset=0.0,
        scale=1.0,
        width_multiple=1,
        **params,
    )


def band(low: tuple[float, float], high: tuple[float, float], order: int) -> Any:
    """Narrow the band of one to eight channels."""
    return (
        "random_band_pass",
        {"low": low, "high": high, "order": order, "n_channels": (1, 8), "p": 0.2},
    )


def three_planes(spectra: Any, layout: Any = "column") -> list[Any]:
    """Put spectra beside what sets them apart from the others, and from neighbours."""
    stack = ImageTiler(layout)
    ring = MontageTransformer(MONTAGE.minus_neighbours(), ch_names=MONTAGE.names)
    planes = WindowUnion(
        [
            ("plain", stack),
            ("others", make_pipeline(PlaneContrast(), stack)),
            ("ring", make_pipeline(ring, stack)),
        ],
        join="planes",
    )
    return [spectra, planes]


def moved(image: str) -> Any:
    """Move an image with its magnified centre by up to a third of a window."""
    columns = {"cfg_4": 602, "cfg_5a": 852, "cfg_5d": 1452}[image]
    # A third of a window are 104 columns outside of the centre. 37 % of the records
    # are no longer than a window and stay where they are; of the others a window takes
    # in what is there, which the mirrored end stands for.
    params = {"max_shift": 104 / columns, "ends": "reflect", "p": 0.63}
    return ("time_shift", {**params, "after_frontend": True})


@register_recipe(
    "hms_3rd",
    rank="3",
    inputs="mel spectra in three planes, the centre magnified; raw signals",
    nets="MixNet-L, MixNet-XL, 1-D Squeezeformer",
    source="https://www.kaggle.com/competitions/"
    "hms-harmful-brain-activity-classification/discussion/492471",
    family="ensembles",
)
def hms_3rd(s: Scale) -> RowPipeline:
    """Blend 23 nets by a linear layer over their logits, with a bias for each class.

    Parameters
    ----------
    s : Scale
        The scale.

    Returns
    -------
    RowPipeline
        The unfitted system.

    References
    ----------
    Place 3 of HMS, Kaggle discussion 492471.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("hms_3rd", "small")).__name__
    'RowPipeline'
    """
    seeds = count()
    shrink = s([], [ImageResizer(64)])

    def wide(top_db: float | None) -> MelSpectrogramizer:
        return mel(
            n_fft=512,
            win_length=128,
            hop_length=s(32, 128),
            n_mels=s(64, 16),
            fmax=30.0,
            top_db=top_db,
        )

    def magnified(n_times: int, win_length: int, hop_length: int) -> list[Any]:
        """Give the central 62 of 313 columns to a closer look at the centre."""
        close = mel(
            n_fft=2048,
            win_length=win_length,
            hop_length=s(hop_length, 16 * hop_length),
            n_mels=s(64, 16),
            fmax=30.0,
            top_db=100.0,
        )
        views = [
            ("wide", wide(100.0)),
            ("close", make_pipeline(CentreCrop(n_times=n_times), close)),
        ]
        return three_planes(WindowUnion(views, join="centre", replace=s(62, 0.2)))

    # All left derivations, then all right ones.
    by_side = [[row] for row in (*range(0, 16, 2), *range(1, 16, 2))]
    images = {
        "cfg_1": [
            mel(
                n_fft=1024,
                win_length=128,
                hop_length=s(39, 156),
                n_mels=s(128, 32),
                fmax=40.0,
                top_db=None,
            ),
            ImageTiler("column"),
        ],
        "cfg_3": three_planes(wide(None), by_side),
        "cfg_4": magnified(2800, 32, 8),
        "cfg_5a": magnified(2400, 16, 4),
        "cfg_5d": magnified(2400, 8, 2),
    }
    # The magnified centre is not quite the labelled one.
    off_centre = ("centre_shift", {"max_shift": 800, "p": 0.7})

    def net_2d(
        image: str,
        backbone: str = "mixnet_xl",
        *,
        max_epochs: int = 12,
        batch_size: int = 16,
        drop_rate: float = 0.2,
        masked: float = 0.5,
        **params: Any,
    ) -> RowPipeline:
        close = image not in ("cfg_1", "cfg_3")
        augment: list[Any] = [] if close else [JITTER]
        augment += [MIRROR, band((0.0, 2.0), (10.0, 20.0), 2)]
        if close:
            augment += [] if image == "cfg_4" else [off_centre]
            augment.append(moved(image))
        # Zero decibels in the place of a derivation, in all planes.
        silent = {"n_channels": (1, 8), "p": masked}
        augment.append(
            ("channel_drop", {**silent, "stacked": 16, "after_frontend": True})
        )
        net = TimmClassifier(
            s(backbone, "test_efficientnet"),
            pool="gem_trainable",
            drop_rate=drop_rate,
            drop_path_rate=0.2,
            frontend=make_pipeline(*clean(0.5, 20.0, 2), *images[image], *shrink),
            optimizer="adam",
            lr=1.2e-3,
            weight_decay=0.0,
            max_epochs=s(max_epochs, 1),
            batch_size=s(batch_size, 8),
            accumulate=s(32 // batch_size, 1),
            clip_grad=20.0,
            augment=augment,
            random_state=s.seed(next(seeds)),
            **params,
        )
        return RowPipeline(
            [
                ("read", HMSReader(window_seconds=None if close else LONG)),
                ("montage", MontageTransformer(MONTAGE)),
                ("net", net),
            ],
            deduplicate="3rd",  # windows of more than 8 votes
        )

    def net_1d(order: int) -> RowPipeline:
        small = {"width": 16, "n_blocks": 1, "n_heads": 2, "kernel_size": 5}
        net = WaveformClassifier(
            "squeezeformer",
            architecture_params=s({}, small),
            frontend=make_pipeline(
                *clean(1.6, 30.0, order), *s([], [Decimator(5, method="mean")])
            ),
            optimizer="adam",
            lr=1e-3,
            weight_decay=0.0,
            max_epochs=s(30, 2),
            batch_size=s(64, 8),
            accumulate=s(3, 1),
            clip_grad=4.0,
            vote_weight=DecayingVoteWeight(),
            augment=[
                JITTER,
                ("time_reverse", {"p": 0.5}),
                MIRROR,
                band((1.6, 2.0), (10.0, 30.0), order),
                ("channel_drop", {"n_channels": (1, 8), "p": 0.5}),
            ],
            random_state=s.seed(next(seeds)),
        )
        return RowPipeline(
            [
                ("read", HMSReader(window_seconds=LONG)),
                ("montage", MontageTransformer(MONTAGE)),
                ("net", net),
            ],
            deduplicate="3rd_all",
        )

    def configuration(name: str) -> RowPipeline:
        later: dict[str, Any] = {"max_epochs": 16, "stem": "fresh"}
        match name:
            case "cfg_1":
                # Mixed precision is left off in this one.
                return net_2d("cfg_1", batch_size=8, amp=None)
            case "cfg_2a":
                return net_1d(order=1)
            case "cfg_2b":
                return net_1d(order=2)
            case "cfg_3":
                return net_2d("cfg_3", "mixnet_l", batch_size=32, stem="fresh")
            case "cfg_4":
                return net_2d("cfg_4", stem="fresh")
            case "cfg_5b":
                return net_2d("cfg_5a", drop_rate=0.3, **later)
            case "cfg_5c":
                return net_2d("cfg_5a", masked=0.7, **later)
            case "cfg_5d":
                return net_2d("cfg_5d", batch_size=8, **later)
        return net_2d("cfg_5a", **later)

    # How the 18 and the 5 are shared out is not published.
    shares = {
        "cfg_1": 2,
        "cfg_3": 2,
        "cfg_4": 2,
        "cfg_5a": 3,
        "cfg_5b": 3,
        "cfg_5c": 3,
        "cfg_5d": 3,
        "cfg_2a": 3,
        "cfg_2b": 2,
    }
    stack = StackingKLClassifier(
        [
            (f"{name}_{number}", configuration(name))
            for name, share in shares.items()
            for number in range(1, s(share, 1) + 1)
        ],
        final_estimator=KLBlender(
            "log",
            bias=True,
            solver="linear-net",
            solver_params={
                "n_epochs": s(801, 100),
                "lr": 0.1,
                "step_size": 10,
                "gamma": 0.95,
                "batch_size": 1024,
                "n_folds": 5,
            },
            random_state=s.seed(next(seeds)),
        ),
        cv=s(4, 2),
    )
    # Windows that are copies of each other would count as often in the blend. Theirs
    # was fitted on those of more than 8 votes; here those of few count as well, since
    # the nets of signals need them and the blend sees what its members see.
    return RowPipeline([("stack", stack)], deduplicate="3rd_all")

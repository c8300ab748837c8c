"""8th place: three nets alone, their pseudo-labels, and one net made of all three.

TinyViT sees mel spectra, another TinyViT the waves as they are plotted, EEGNet-1D the
samples. They learn from windows of many votes and say what the others show; the mega
model, which has all three as branches, learns from both.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline

from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import AveragingKLClassifier
from hmsklearn.imaging import ImageResizer, ImageTiler, WaveformPlotter, WindowUnion
from hmsklearn.neural import MultiViewClassifier, TimmClassifier, WaveformClassifier
from hmsklearn.pipeline import RowPipeline
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    CentreCrop,
    FIRFilter,
    MontageTransformer,
    NaNImputer,
    NotchFilter,
)
from hmsklearn.recipes._registry import register_recipe
from hmsklearn.recipes._scale import Scale
from hmsklearn.semi_supervised import PseudoLabelClassifier
from hmsklearn.spectrogram import MelSpectrogramizer

__all__ = ["hms_8th"]

# Which derivations they took is not published; ours.
MONTAGE = "double_banana_16"

# Their kinds are published, the numbers are ours. All act on the signal, from which
# each branch makes its own input.
AUGMENT = [
    ("left_right_mirror", {"montage": MONTAGE, "p": 0.5}),
    ("polarity_flip", {"p": 0.5}),
    (
        "random_resized_crop",
        {"zoom": (1.0, 1.25), "axes": ["time"], "after_frontend": False, "p": 0.5},
    ),
    # Bins up to 100 Hz; all that is left of them lies below 40.
    ("frequency_dropout", {"size": (0.0, 0.05), "after_frontend": False, "p": 0.5}),
]


def rows_to(net: Any) -> RowPipeline:
    """Filter as MNE does, clip, and hand microvolts to a net."""
    return RowPipeline(
        [
            ("read", HMSReader()),
            ("impute", NaNImputer()),
            ("montage", MontageTransformer(MONTAGE)),
            ("notch", NotchFilter(60.0, method="fir")),
            ("band", FIRFilter(0.5, 40.0)),
            ("clip", AmplitudeScaler(clip=500.0, scale=1.0)),
            ("net", net),
        ]
    )


def mel(n_mels: int, hop_length: int) -> Pipeline:
    """Make mel spectra as torchaudio does, the derivations on a grid of 4 x 4."""
    spectra = MelSpectrogramizer(
        n_mels=n_mels,
        hop_length=hop_length,
        fmin=0.5,
        fmax=40.0,
        mel_scale="htk",
        norm=None,
        pad_mode="reflect",
        ref=1.0,
        top_db=None,
        offset=0.0,
        scale=20.0,
        width_multiple=1,
    )
    return make_pipeline(spectra, ImageTiler((4, 4)))


@register_recipe(
    "hms_8th",
    rank="8",
    inputs="mel spectra of 50 s and 10 s, plotted waves, samples",
    nets="TinyViT-21M-512, TinyViT-21M-224, EEGNet-1D; all three in one net",
    source="https://www.kaggle.com/competitions/"
    "hms-harmful-brain-activity-classification/discussion/492482",
    family="multi-view",
)
def hms_8th(
    s: Scale, mega_alone: bool = False
) -> AveragingKLClassifier | PseudoLabelClassifier:
    """Average the mega model and three nets of the kind that taught it.

    The three are trained anew, with seeds of their own: the teachers see a part of the
    patients each.

    Parameters
    ----------
    s : Scale
        The scale.
    mega_alone : bool, default=False
        Whether the three are left out of the average: KL .246 in the team's own
        cross-validation, .243 on the public and .290 on the private part of the test
        set, which would have been 14th.

    Returns
    -------
    AveragingKLClassifier or PseudoLabelClassifier
        The unfitted system.

    References
    ----------
    Place 8 of HMS, Kaggle discussion 492482.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> type(make_recipe("hms_8th", "small")).__name__
    'AveragingKLClassifier'
    """
    seeds = count()

    # Fifty seconds above the ten that were rated, in three equal planes.
    spectra = make_pipeline(
        WindowUnion(
            [
                ("50", mel(s(128, 16), s(40, 320))),
                ("10", make_pipeline(CentreCrop(10), mel(s(128, 16), s(8, 64)))),
            ],
            join="height",
        ),
        ImageResizer(s(512, 64)),
        ImageTiler(n_planes=3),
    )
    # How many seconds were plotted is not published. In 224 columns ten can be read:
    # nine samples each.
    plot = make_pipeline(
        CentreCrop(10), WaveformPlotter(*s((224, 224), (64, 64)), n_planes=3)
    )
    size = s(None, {"img_size": 64})
    nets = {
        "spectrogram": TimmClassifier(
            s("tiny_vit_21m_512", "test_vit"), backbone_params=size, frontend=spectra
        ),
        "waves": TimmClassifier(
            s("tiny_vit_21m_224", "test_vit2"), backbone_params=size, frontend=plot
        ),
        "raw": WaveformClassifier(
            "resnet1d_gru",
            architecture_params=s(
                None, {"width": 8, "gru_hidden": 16, "gru_stride": 40}
            ),
        ),
    }

    # Rates and epochs are not published; ours.
    def trained(name: str, **stage: Any) -> Any:
        return clone(nets[name]).set_params(
            batch_size=s(32, 8),
            stages=[{"max_epochs": s(15, 1), "lr": 5e-4, **stage}],
            warmup=0.05,
            augment=AUGMENT,
            random_state=s.seed(next(seeds)),
        )

    def singles() -> list[tuple[str, RowPipeline]]:
        return [
            (name, rows_to(trained(name, min_votes=10)).set_params(net__sampling="eeg"))
            for name in nets
        ]

    mega = MultiViewClassifier(
        # Nobody knows how many votes a pseudo-label stands for. So the branches are
        # trained alone on all of the student's rows, and not on those of many votes.
        [(name, trained(name)) for name in nets],
        pretrain=True,
        aux=False,
        batch_size=s(32, 8),
        max_epochs=s(5, 1),
        lr=1e-4,
        augment=AUGMENT,
        random_state=s.seed(next(seeds)),
    )
    student = PseudoLabelClassifier(
        rows_to(mega),
        teachers=singles(),
        min_votes=10,
        old_weight=0.1,
        teacher_weight=0.9,
        labeled_copies=2,
        pseudo_copies=1,
        teacher_cv="all",
    )
    if mega_alone:
        return student
    # The weights are not published; ours.
    return AveragingKLClassifier(
        [("mega", student), *singles()], weights=[0.55, 0.15, 0.15, 0.15]
    )

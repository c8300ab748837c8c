"""The images of the published solutions, built of public parts, at their sizes.

Every entry starts from 20 electrodes x 10,000 samples (50 s), or from rows of a table
where the organisers' spectrogram is in the picture too. What the numbers in them are is
tested with the parts; here it is that they fit together.
"""

import numpy as np
import pytest
from sklearn.pipeline import Pipeline, make_pipeline

from hmsklearn.datasets import HMSReader, load_hms
from hmsklearn.imaging import (
    ChainMean,
    ImageResizer,
    ImageStandardizer,
    ImageTiler,
    KaggleSpectrogramImager,
    PanelStatistics,
    PlaneContrast,
    WaveformImager,
    WaveformPlotter,
    WindowUnion,
)
from hmsklearn.montage import get_montage
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    ButterworthFilter,
    CentreCrop,
    Decimator,
    MontageTransformer,
    NaNImputer,
)
from hmsklearn.spectrogram import (
    HostSpectrogramizer,
    MelSpectrogramizer,
    MultitaperSpectrogramizer,
    STFTSpectrogramizer,
    WaveletScalogramizer,
)

CHAINS = ("LL", "LP", "RL", "RP")  # the order of the public notebooks
# Kaggle's panels are LL, RL, LP, RP.
KAGGLE_BY_SIDE = ("LL", "LP", "RL", "RP")


def eeg(montage, *steps):
    return make_pipeline(NaNImputer(), MontageTransformer(montage), *steps)


def seconds(duration, *steps):
    return make_pipeline(CentreCrop(duration), *steps)


def both_tables(eeg_steps, kaggle_steps, join="width"):
    """EEG and the organisers' spectrogram, from the rows of train.csv."""
    return WindowUnion(
        [
            ("eeg", make_pipeline(HMSReader(), *eeg_steps)),
            ("kaggle", make_pipeline(HMSReader(view="spectrogram"), *kaggle_steps)),
        ],
        join=join,
    )


# ------------------------------------------------------------------ 3rd place

MEL_3RD = {
    "n_fft": 1024,
    "fmin": 0.53,
    "fmax": 40.0,
    "mel_scale": "htk",
    "norm": None,
    "pad_mode": "reflect",
    "ref": 1.0,
    "offset": 0.0,
    "scale": 1.0,
    "width_multiple": 1,
}


def three_contrasts(mel):
    """Three planes: the stack, less the mean of the others, less the neighbours."""
    stack = ImageTiler("column")
    montage = get_montage("3rd")
    ring = MontageTransformer(montage.minus_neighbours(), ch_names=montage.names)
    return make_pipeline(
        mel,
        WindowUnion(
            [
                ("plain", stack),
                ("others", make_pipeline(PlaneContrast(), stack)),
                ("ring", make_pipeline(ring, stack)),
            ],
            join="planes",
        ),
    )


def zoomed(samples, win_length, hop_length):
    wide = MelSpectrogramizer(
        **{**MEL_3RD, "n_fft": 512, "n_mels": 64, "fmax": 30.0, "hop_length": 32}
    )
    zoom = MelSpectrogramizer(
        **{
            **MEL_3RD,
            "n_fft": 2048,
            "n_mels": 64,
            "fmax": 30.0,
            "win_length": win_length,
            "hop_length": hop_length,
            "top_db": 100.0,
        }
    )
    views = [("wide", wide), ("zoom", make_pipeline(CentreCrop(n_times=samples), zoom))]
    return eeg("3rd", three_contrasts(WindowUnion(views, join="centre", replace=62)))


# ------------------------------------------------------------------- the table


def stft(**params):
    return STFTSpectrogramizer(**params)


X3D = {"n_fft": 512, "win_length": 128, "exponent": 1.0, "n_bins": 61, "clip": (0, 1e4)}


def frames(hop):
    return make_pipeline(
        stft(hop_length=hop, scale=1000.0, **X3D),
        ImageTiler("planes", n_planes=3, frames=True),
    )


def nn_audio(n_fft, win_length, hop_length, window):
    return eeg(
        "15th",
        stft(
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            window=window,
            center=False,
            grid="linear",
            fmin=0.0,
            fmax=40.0,
            n_bins=56,
            output="log1p",
            clip=(0.0, 20.0),
            offset=-7.5,
            scale=7.5,
        ),
    )


def cusignal(nperseg, noverlap):
    return stft(
        convention="cusignal",
        win_length=nperseg,
        noverlap=noverlap,
        fmin=0.5,
        fmax=20.0,
        output="log1p",
    )


def trimmed(spectrogram, columns):
    return make_pipeline(spectrogram, ImageTiler("planes", trim=columns))


def stack_7th(*views):
    """Bands of one channel on top of each other, then all channels."""
    return eeg(
        "7th",
        WindowUnion(
            [(f"view{i}", view) for i, view in enumerate(views)], join="height"
        ),
        ImageTiler("column"),
    )


def chris(**params):
    return MelSpectrogramizer(**params)


def mel_4t(height, width, duration=50, low=0.5, high=30.0):
    return make_pipeline(
        CentreCrop(duration),
        MelSpectrogramizer(
            n_fft=1024 * height // 128,
            n_mels=height,
            hop_length=duration * 200 // width,
            fmin=low,
            fmax=high,
            mel_scale="htk",
            norm=None,
            pad_mode="reflect",
            width_multiple=width,
        ),
    )


def narai(freqs):
    return WaveletScalogramizer(
        freqs=freqs, n_cycles=7, hop_length=14, scaling="mne", output="log", eps=1e-30
    )


def lhwcv(fmin, fmax):
    return make_pipeline(
        MelSpectrogramizer(
            hop_length=33,
            fmin=fmin,
            fmax=fmax,
            output="log",
            eps=1e-6,
            offset=0.0,
            scale=1.0,
            width_multiple=1,
        ),
        ImageTiler("column"),
    )


POSITIONS = np.arange(16).reshape(4, 4).T[:, :, None]  # 4 planes of 4 stacked chains
CHAIN_STACKS = np.arange(16).reshape(4, 4)[:, :, None]

EEG_IMAGES = {
    # 4.1
    "public mel": (eeg("chris", chris(), ChainMean("chris", CHAINS)), (4, 128, 256)),
    # 4.3
    "2nd x3d": (
        eeg(
            "2nd",
            WindowUnion(
                [("10", seconds(10, frames(10))), ("50", frames(50))], join="frames"
            ),
        ),
        (3, 32, 61, 201),
    ),
    "2nd doublehead": (
        eeg(
            "2nd",
            stft(hop_length=50, n_bins=56, output="log10", clip=(0.0, None), eps=1e-6),
        ),
        (16, 56, 201),
    ),
    "2nd oneimage": (
        eeg("2nd", stft(hop_length=50, scale=1000.0, **X3D), ImageTiler("column")),
        (1, 16 * 61, 201),
    ),
    "3rd cfg_1": (
        eeg("3rd", MelSpectrogramizer(**MEL_3RD), ImageTiler("column")),
        (1, 2048, 257),
    ),
    "3rd cfg_3": (
        eeg(
            "3rd",
            three_contrasts(
                MelSpectrogramizer(
                    **{
                        **MEL_3RD,
                        "n_fft": 512,
                        "n_mels": 64,
                        "fmax": 30.0,
                        "hop_length": 32,
                    }
                )
            ),
        ),
        (3, 1024, 313),
    ),
    "3rd cfg_4": (zoomed(2800, 32, 8), (3, 1024, 602)),
    "3rd cfg_5a": (zoomed(2400, 16, 4), (3, 1024, 852)),
    "3rd cfg_5d": (zoomed(2400, 8, 2), (3, 1024, 1452)),
    "4t exp092, EEG": (
        eeg("4th_tattaka", mel_4t(96, 192), ImageTiler(POSITIONS)),
        (4, 384, 192),
    ),
    "4t exp146, EEG": (
        eeg("4th_tattaka", mel_4t(96, 192, 40), ImageTiler(CHAIN_STACKS)),
        (4, 384, 192),
    ),
    "4t exp147, EEG, 64 x 128": (
        eeg("4th_tattaka", mel_4t(64, 128, 30), ImageTiler((8, 2), order="columns")),
        (1, 512, 256),
    ),
    "4t exp147, EEG, 96 x 192": (
        eeg("4th_tattaka", mel_4t(96, 192), ImageTiler((8, 2), order="columns")),
        (1, 768, 384),
    ),
    "5u": (
        eeg(
            "2nd",
            seconds(
                10,
                stft(
                    convention="librosa",
                    hop_length=24,
                    n_bins=102,
                    exponent=1.0,
                    output="log",
                    clip=(-6.5, 7.0),
                    offset=-0.25,
                    scale=6.75,
                ),
            ),
        ),
        (16, 102, 84),
    ),
    "8th, spectrograms": (
        eeg(
            "double_banana_16",
            WindowUnion(
                [
                    ("50", make_pipeline(MelSpectrogramizer(), ImageTiler((4, 4)))),
                    ("10", seconds(10, MelSpectrogramizer(), ImageTiler((4, 4)))),
                ],
                join="height",
            ),
            ImageResizer(512),
        ),
        (1, 512, 512),
    ),
    "8th, waves": (eeg("double_banana", WaveformPlotter(224, 224)), (1, 224, 224)),
    "15th, cosine": (
        make_pipeline(nn_audio(110, 64, 23, "cosine"), ImageTiler("column", fold=2)),
        (1, 672, 862),
    ),
    "15th, hann": (nn_audio(190, 96, 24, "hann"), (24, 56, 409)),
    "LH": (
        eeg(
            "lhwcv_3",
            WindowUnion(
                [
                    ("0-100", lhwcv(0.0, 100.0)),
                    ("0.5-20", lhwcv(0.5, 20.0)),
                    ("0-30", lhwcv(0.0, 30.0)),
                ],
                join="planes",
            ),
        ),
        (3, 16 * 128, 304),
    ),
    # 4.4
    "6th, ver1": (
        eeg(
            "6th_spectrogram",
            stft(
                convention="scipy",
                n_fft=256,
                win_length=70,
                noverlap=0,
                n_bins=128,
                output="log1p",
                scale=2.0,
            ),
            ImageTiler((4, 4)),
        ),
        (1, 512, 568),
    ),
    "6th, ver1, 518": (
        eeg(
            "6th_spectrogram",
            stft(
                convention="scipy",
                n_fft=256,
                win_length=70,
                noverlap=0,
                n_bins=128,
                output="log1p",
                scale=2.0,
            ),
            ImageTiler((4, 4)),
            ImageResizer(518),
        ),
        (1, 518, 518),
    ),
    "6th, ver2": (
        eeg(
            "6th_spectrogram",
            stft(
                convention="scipy",
                n_fft=256,
                win_length=39,
                noverlap=0,
                n_bins=128,
                output="log1p",
            ),
            ImageTiler((4, 4)),
        ),
        (1, 512, 1024),
    ),
    "6th, ver3": (
        eeg(
            "6th_spectrogram",
            stft(
                convention="scipy_stft",
                n_fft=256,
                win_length=39,
                noverlap=0,
                n_bins=128,
                exponent=1.0,
                output="log1p",
            ),
            ChainMean("6th_spectrogram", CHAINS),
            ImageStandardizer(),
        ),
        (4, 128, 258),
    ),
    "7th, 50": (
        eeg("7th", cusignal(270, 251), ImageTiler("column")),
        (1, 486, 513),
    ),
    "7th, 50/10": (
        stack_7th(
            trimmed(cusignal(145, 124), 3),
            seconds(10, cusignal(145, 141)),
        ),
        (1, 504, 464),
    ),
    "7th, 30/10": (
        stack_7th(
            seconds(30, trimmed(cusignal(145, 133), 12)),
            seconds(10, cusignal(145, 141)),
        ),
        (1, 504, 464),
    ),
    "7th, 50/30/10": (
        stack_7th(
            trimmed(cusignal(99, 79), 10),
            seconds(30, trimmed(cusignal(99, 87), 8)),
            seconds(10, cusignal(100, 96)),
        ),
        (1, 504, 476),
    ),
    "7th, 50/10 on its canvas": (
        make_pipeline(
            stack_7th(trimmed(cusignal(145, 124), 3), seconds(10, cusignal(145, 141))),
            ImageTiler("planes", size=512),
            ImageStandardizer(),
        ),
        (1, 512, 512),
    ),
    "10th": (
        make_pipeline(
            NaNImputer(),
            MontageTransformer("double_banana_ekg"),
            WindowUnion(
                [
                    (
                        "50",
                        make_pipeline(
                            stft(
                                convention="scipy",
                                n_fft=256,
                                win_length=78,
                                noverlap=0,
                                n_bins=26,
                                output="log1p",
                            ),
                            ImageTiler("column"),
                            ImageResizer((512, 256)),
                        ),
                    ),
                    (
                        "10",
                        seconds(
                            10,
                            stft(
                                convention="scipy",
                                n_fft=256,
                                win_length=64,
                                noverlap=56,
                                n_bins=26,
                                output="log1p",
                            ),
                            ImageTiler("column"),
                            ImageResizer((512, 256)),
                        ),
                    ),
                    (
                        "raw",
                        make_pipeline(
                            AmplitudeScaler(),
                            WaveformImager(),
                            ImageResizer((512, 512)),
                        ),
                    ),
                ],
            ),
        ),
        (1, 512, 1024),
    ),
    # 4.5
    "7th, multitaper": (
        eeg(
            "7th",
            MultitaperSpectrogramizer(
                window_seconds=4.0, step_seconds=0.5, fmin=0.5, fmax=20.0
            ),
        ),
        (18, 100, 93),
    ),
    "7th, multitaper, on its canvas": (
        eeg(
            "7th",
            MultitaperSpectrogramizer(
                window_seconds=4.0, step_seconds=0.5, fmin=0.5, fmax=20.0
            ),
            ImageTiler((5, 4), size=(512, 384)),
        ),
        (1, 512, 384),
    ),
    "host": (HostSpectrogramizer(), (4, 100, 24)),
    # 4.6
    "MK": (eeg("double_banana", WaveletScalogramizer(n_freqs=64)), (18, 64, 256)),
    "1st, superlets": (
        eeg("double_banana", WaveletScalogramizer(n_freqs=32, order=(1, 8))),
        (18, 32, 256),
    ),
    "AN": (
        eeg(
            "double_banana_ekg",
            narai(np.arange(0.5, 20.0, 0.7)),
            ImageStandardizer(per=[range(18), [18]]),
        ),
        (19, 28, 715),
    ),
    "AN, bundles": (
        eeg(
            "double_banana_ekg",
            narai(np.arange(0.5, 20.1, 0.25)),
            WindowUnion(
                [
                    ("chains", ChainMean("double_banana_ekg", chains=None)),
                    ("ekg", ImageTiler([[18]])),
                ],
                join="planes",
            ),
            ImageStandardizer(per=[range(5), [5]]),
        ),
        (6, 79, 715),
    ),
    # 4.7
    "2nd raw": (
        eeg("2nd", AmplitudeScaler(), WaveformImager(10, n_planes=3)),
        (3, 160, 1000),
    ),
    "7th raw 50": (
        eeg("7th", WaveformImager(20), ImageTiler("planes", size=(384, 512))),
        (1, 384, 512),
    ),
    "7th raw 50/10": (
        eeg(
            "7th",
            WindowUnion(
                [("50", WaveformImager(20)), ("10", seconds(10, WaveformImager(4)))],
                join="height",
            ),
            ImageTiler("planes", size=(448, 512)),
        ),
        (1, 448, 512),
    ),
    "7th raw 50/30/10": (
        eeg(
            "7th",
            WindowUnion(
                [
                    ("50", WaveformImager(20)),
                    ("30", seconds(30, WaveformImager(12))),
                    ("10", seconds(10, WaveformImager(4))),
                ],
                join="height",
            ),
            ImageTiler("planes", size=(672, 512)),
        ),
        (1, 672, 512),
    ),
    "6th raw 50": (
        eeg("6th_raw", WaveformImager(200, "contiguous", columns=16)),
        (1, 200, 800),
    ),
    "6th raw 10": (
        eeg("6th_raw", seconds(10, WaveformImager(200, "contiguous", columns=16))),
        (1, 200, 160),
    ),
    "6th raw 20": (
        eeg(
            "6th_raw",
            seconds(
                20, WaveformImager(200, "contiguous", columns=16), ImageResizer(518)
            ),
        ),
        (1, 518, 518),
    ),
    "16th plot": (
        make_pipeline(
            NaNImputer(),
            ButterworthFilter(1.0, 70.0),
            CentreCrop(20),
            WaveformPlotter(640, 1600),
        ),
        (1, 640, 1600),
    ),
}

KAGGLE_IMAGES = {
    "public": (make_pipeline(KaggleSpectrogramImager(height=128)), (4, 128, 256)),
    "15th": (
        KaggleSpectrogramImager(
            differences="power", clip=(-7, 10), width=None, standardize="window"
        ),
        (10, 100, 300),
    ),
    "5th": (
        KaggleSpectrogramImager(offset=-2.0, scale=12.0, standardize=None),
        (4, 100, 256),
    ),
    "6th": (
        make_pipeline(
            KaggleSpectrogramImager(width=None, standardize=None),
            ImageTiler("column"),
            ImageResizer(518),
            ImageStandardizer(),
        ),
        (1, 518, 518),
    ),
    "4b": (
        KaggleSpectrogramImager(
            output="log10", eps=1e-4, offset=-3, scale=0.1, standardize=None
        ),
        (4, 100, 256),
    ),
    "CR global features": (
        make_pipeline(KaggleSpectrogramImager(), PanelStatistics()),
        (4, 100, 256),
    ),
    "CR percentiles": (
        make_pipeline(
            KaggleSpectrogramImager(),
            PanelStatistics((20, 40, 60, 80), over="time", output="appended"),
        ),
        (4, 100, 260),
    ),
    "gradient boosting": (
        make_pipeline(
            KaggleSpectrogramImager(width=None, standardize=None),
            PanelStatistics(("mean", "min"), over="time", output="table"),
        ),
        (800,),
    ),
}

TABLE_IMAGES = {
    "4t exp092": (
        both_tables(
            [EEG_IMAGES["4t exp092, EEG"][0]],
            [
                KaggleSpectrogramImager(KAGGLE_BY_SIDE, width=None),
                ImageResizer((96, 192), mode="nearest"),
                ImageTiler([[[0], [1], [2], [3]]] * 4),
            ],
        ),
        (4, 384, 384),
    ),
    "4t exp147": (
        both_tables(
            [EEG_IMAGES["4t exp147, EEG, 64 x 128"][0]],
            [
                KaggleSpectrogramImager(KAGGLE_BY_SIDE, width=None),
                ImageResizer((256, 128), mode="nearest"),
                ImageTiler((2, 2), order="columns"),
            ],
        ),
        (1, 512, 512),
    ),
    "4y": (
        both_tables(
            [
                eeg(
                    "4th_yu4u",
                    MelSpectrogramizer(hop_length=64, width_multiple=1),
                    ChainMean("4th_yu4u"),
                    ImageTiler("column"),
                    ImageResizer((512, 256)),
                )
            ],
            [
                KaggleSpectrogramImager(width=100, output="db", standardize=None),
                ImageTiler("column"),
                ImageResizer((512, 256)),
            ],
        ),
        (1, 512, 512),
    ),
    "5k": (
        both_tables(
            [
                eeg(
                    "5th_kazumax",
                    MelSpectrogramizer(),
                    WindowUnion(
                        [
                            ("chains", ChainMean("5th_kazumax", CHAINS)),
                            ("all", "passthrough"),
                        ],
                        join="planes",
                    ),
                )
            ],
            [KaggleSpectrogramImager(KAGGLE_BY_SIDE, height=128)],
            join="planes",
        ),
        (24, 128, 256),
    ),
    "5k in tiles": (
        make_pipeline(
            both_tables(
                [
                    eeg(
                        "5th_kazumax",
                        MelSpectrogramizer(),
                        WindowUnion(
                            [
                                ("chains", ChainMean("5th_kazumax", CHAINS)),
                                ("all", "passthrough"),
                            ],
                            join="planes",
                        ),
                    )
                ],
                [KaggleSpectrogramImager(KAGGLE_BY_SIDE, height=128)],
                join="planes",
            ),
            ImageTiler((4, 6)),
        ),
        (1, 512, 1536),
    ),
    "5m": (
        WindowUnion(
            [
                (
                    "raw",
                    make_pipeline(
                        HMSReader(window_seconds=10),
                        eeg(
                            "2nd",
                            Decimator(4, method="mean"),
                            AmplitudeScaler(),
                            WaveformImager(8, "repeated"),
                        ),
                        ImageResizer((128, 512)),
                    ),
                ),
                (
                    "eeg",
                    make_pipeline(
                        HMSReader(),
                        eeg(
                            "2nd",
                            MelSpectrogramizer(),
                            ChainMean("2nd"),
                            ImageTiler((2, 2)),
                        ),
                        ImageResizer((192, 512)),
                    ),
                ),
                (
                    "kaggle",
                    make_pipeline(
                        HMSReader(view="spectrogram"),
                        KaggleSpectrogramImager(),
                        ImageTiler((2, 2)),
                        ImageResizer((192, 512)),
                    ),
                ),
            ],
            join="height",
        ),
        (1, 512, 512),
    ),
    "16th": (
        WindowUnion(
            [
                (
                    "plot",
                    make_pipeline(
                        HMSReader(window_seconds=20),
                        NaNImputer(),
                        ButterworthFilter(1.0, 70.0),
                        WaveformPlotter(640, 1600),
                    ),
                ),
                (
                    "spectrograms",
                    both_tables(
                        [
                            eeg(
                                "2nd",
                                MelSpectrogramizer(),
                                ImageTiler("column"),
                                ImageResizer(320),
                            )
                        ],
                        [
                            KaggleSpectrogramImager(
                                output="log10",
                                eps=1e-6,
                                standardize=ImageStandardizer("quantile"),
                            ),
                            ImageTiler("column"),
                            ImageResizer(320),
                        ],
                        join="height",
                    ),
                ),
            ]
        ),
        (1, 640, 1920),
    ),
}


@pytest.fixture(scope="module")
def windows():
    rng = np.random.default_rng(0)
    X = rng.normal(0, 30, (2, 20, 10_000)).cumsum(axis=-1) / 10
    X += rng.normal(0, 10, X.shape)
    X[0, 3, 100:400] = np.nan
    return X.astype(np.float32)


@pytest.fixture(scope="module")
def panels():
    power = np.random.default_rng(1).gamma(0.5, 2.0, (2, 4, 100, 300))
    power[1, 2, :, 50:60] = np.nan
    return power.astype(np.float32)


@pytest.fixture(scope="module")
def rows(hms_root):
    return load_hms(hms_root, "train").data.iloc[:2]


def check(images, X, shape):
    result = images.fit_transform(X)
    assert result.shape == (2, *shape)
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert result.std() > 0


@pytest.mark.parametrize("name", EEG_IMAGES)
def test_eeg(name, windows):
    images, shape = EEG_IMAGES[name]
    assert isinstance(images, (Pipeline, HostSpectrogramizer))
    check(images, windows, shape)


@pytest.mark.parametrize("name", KAGGLE_IMAGES)
def test_kaggle(name, panels):
    images, shape = KAGGLE_IMAGES[name]
    check(images, panels, shape)


@pytest.mark.parametrize("name", TABLE_IMAGES)
def test_rows_of_the_table(name, rows):
    images, shape = TABLE_IMAGES[name]
    check(images, rows, shape)

"""What the published solutions did to the EEG, each as a short pipeline of our parts.

Beside every pipeline stands the same computation in plain NumPy, SciPy or MNE, for one
window and in float64. Where a solution has a choice (which band, which montage), the
one that is written here is one of those that were published.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.signal import butter, filtfilt, lfilter, sosfiltfilt
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import RobustScaler

from hmsklearn.imaging import WindowUnion
from hmsklearn.montage import CH_NAMES
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    ButterworthFilter,
    CentreCrop,
    ChannelQuality,
    Decimator,
    FIRFilter,
    MontageTransformer,
    NaNImputer,
    NotchFilter,
    RobustChannelScaler,
)

LL = "Fp1-F7 F7-T3 T3-T5 T5-O1"
RL = "Fp2-F8 F8-T4 T4-T6 T6-O2"
LP = "Fp1-F3 F3-C3 C3-P3 P3-O1"
RP = "Fp2-F4 F4-C4 C4-P4 P4-O2"
Z = "Fz-Cz Cz-Pz"
SIXTEEN = f"{LL} {RL} {LP} {RP}"
EIGHTEEN = f"{SIXTEEN} {Z}"
BY_SIDE = f"{LL} {LP} {RL} {RP}"

#: Recipe -> shape of one window of its output, pipeline, direct computation.
RECIPES = {}


def recipe(name, shape, *steps):
    """Register a pipeline together with the function that it must equal."""

    def register(function):
        RECIPES[name] = pytest.param(shape, make_pipeline(*steps), function, id=name)
        return function

    return register


def causal(*edges, order=2, **params):
    return ButterworthFilter(*edges, order=order, phase="causal", **params)


# ---------------------------------------------------------------- direct computation


def filled(window, value="mean"):
    """Gaps filled channel by channel."""
    window = window.copy()
    for x in window:
        there = x[~np.isnan(x)]
        mean = there.mean() if value == "mean" and len(there) else 0.0
        x[np.isnan(x)] = mean
    return window


def interpolated(window):
    table = pd.DataFrame(window.T).interpolate("linear", limit_area="inside")
    return table.fillna(0.0).to_numpy().T


def pairs(window, names, electrodes=CH_NAMES):
    channel = dict(zip(electrodes, window, strict=True))
    return np.stack(
        [
            channel[anode] - channel[cathode]
            for anode, cathode in (name.split("-") for name in names.split())
        ]
    )


def clipped(x, bound=1024):
    return np.clip(x, -bound, bound)


def forward(x, order, edges, btype="bandpass", sfreq=200):
    b, a = butter(order, edges, btype, fs=sfreq)
    return lfilter(b, a, x)


def there_and_back(x, order, edges, btype="bandpass"):
    b, a = butter(order, edges, btype, fs=200)
    return filtfilt(b, a, x)


# --------------------------------------------------------------------------- recipes


@recipe(
    "host",
    (18, 10_000),
    NaNImputer("zero"),
    ButterworthFilter(0.5, 40.0, order=3),
    ButterworthFilter(57.5, 62.5, order=3, btype="bandstop"),
    MontageTransformer("host"),
)
def host(window):
    x = there_and_back(filled(window, 0), 3, [0.5, 40])
    return pairs(there_and_back(x, 3, [57.5, 62.5], "bandstop"), EIGHTEEN)


@recipe(
    "2nd, Butterworth",
    (16, 10_000),
    NaNImputer("mean"),
    MontageTransformer("2nd"),
    AmplitudeScaler(1024, 1),
    causal(0.5, 20.0),
)
def second_butterworth(window):
    return forward(clipped(pairs(filled(window), SIXTEEN)), 2, [0.5, 20])


@recipe(
    "2nd, MNE",
    (16, 10_000),
    NaNImputer("mean"),
    MontageTransformer("2nd"),
    AmplitudeScaler(1024, 1),
    FIRFilter(0.5, 20.0),
)
def second_mne(window):
    mne = pytest.importorskip("mne")
    x = clipped(pairs(filled(window), SIXTEEN))
    return mne.filter.filter_data(x, 200, 0.5, 20, verbose="error")


INTERLEAVED = (
    "Fp1-F7 Fp2-F8 F7-T3 F8-T4 T3-T5 T4-T6 T5-O1 T6-O2 "
    "Fp1-F3 Fp2-F4 F3-C3 F4-C4 C3-P3 C4-P4 P3-O1 P4-O2"
)


@recipe(
    "3rd, 2D",
    (16, 10_000),
    MontageTransformer("3rd"),
    NaNImputer("zero"),
    causal(0.5, 20.0),
    AmplitudeScaler(1024, 32),
)
def third_2d(window):
    x = np.nan_to_num(pairs(window, INTERLEAVED))
    return clipped(forward(x, 2, [0.5, 20])) / 32


@recipe(
    "3rd, 1D, cfg_2a",
    (16, 10_000),
    MontageTransformer("3rd"),
    NaNImputer("zero"),
    causal(1.6, 30.0, order=1),
    AmplitudeScaler(1024, 32),
)
def third_1d_a(window):
    x = np.nan_to_num(pairs(window, INTERLEAVED))
    return clipped(forward(x, 1, [1.6, 30])) / 32


@recipe(
    "3rd, 1D, cfg_2b",
    (16, 10_000),
    MontageTransformer("3rd"),
    NaNImputer("zero"),
    causal(1.6, 30.0),
    AmplitudeScaler(1024, 32),
)
def third_1d_b(window):
    x = np.nan_to_num(pairs(window, INTERLEAVED))
    return clipped(forward(x, 2, [1.6, 30])) / 32


@recipe(
    "4th, yu4u, 1D",
    (16, 1920),
    NaNImputer("mean"),
    MontageTransformer("double_banana_16"),
    causal(0.5, 20.0),
    CentreCrop(n_times=9600),
    Decimator(5),
    RobustChannelScaler(center="mean", quantile_range=None),
)
def fourth_yu4u(window):
    x = forward(pairs(filled(window), SIXTEEN), 2, [0.5, 20])
    x = x[:, 200:9800:5]
    return x - x.mean(axis=1, keepdims=True)


@recipe(
    "4th, tattaka, 30 s",
    (16, 6000),
    NaNImputer("mean"),
    MontageTransformer("4th_tattaka"),
    causal(0.5, 30.0),
    CentreCrop(30),
)
def fourth_tattaka_30(window):
    return forward(pairs(filled(window), BY_SIDE), 2, [0.5, 30])[:, 2000:8000]


@recipe(
    "4th, tattaka, 40 s",
    (16, 8000),
    NaNImputer("mean"),
    MontageTransformer("4th_tattaka"),
    causal(0.5, 30.0),
    CentreCrop(40),
)
def fourth_tattaka_40(window):
    return forward(pairs(filled(window), BY_SIDE), 2, [0.5, 30])[:, 1000:9000]


TWENTY = f"{LL} {LP} {Z} {RL} {RP} {Z}"
SCALP = CH_NAMES[:19]


@recipe(
    "4th, bilzard",
    (40, 512),
    NaNImputer("linear"),
    Decimator(5, method="mean"),
    MontageTransformer("referential"),
    RobustChannelScaler(center="median", quantile_range=None, across="electrodes"),
    WindowUnion(
        [
            (
                "signals",
                make_pipeline(
                    AmplitudeScaler(65_504, 1000),
                    MontageTransformer("4th_bilzard_20", ch_names=SCALP),
                    causal(0.5, None, sfreq=40.0),
                    CentreCrop(n_times=512),
                ),
            ),
            (
                "qualities",
                make_pipeline(
                    ChannelQuality("4th_bilzard_20", ch_names=SCALP, sfreq=40.0),
                    CentreCrop(n_times=512),
                ),
            ),
        ],
        join="planes",
    ),
)
def fourth_bilzard(window):
    x = interpolated(window)[:19].reshape(19, 2000, 5).mean(axis=2)
    # They continue the end to 2,048 samples and take 744 to 1255 of those.
    x = np.pad(x - np.median(x, axis=0), ((0, 0), (0, 48)), mode="reflect") / 1000
    signals = pairs(clipped(x, 65.504), TWENTY, SCALP)
    signals = forward(signals, 2, 0.5, "highpass", 40)
    # The millivolt that they compute in make their 1e-4 our 100.
    difference = (x[:, None] - x[None]) ** 2
    rows = pd.DataFrame(difference.reshape(361, -1).T)
    distance = rows.ewm(halflife=13).mean().to_numpy().T.reshape(19, 19, -1) + 1e-4
    nearest = np.sort(distance, axis=1)[:, 1:4].mean(axis=1)
    gof = nearest / (np.sort(nearest, axis=0)[:3].mean(axis=0) + 1e-4)
    quality = dict(zip(SCALP, 1 / (gof / 10 + 1), strict=True))
    both = (name.split("-") for name in TWENTY.split())
    planes = np.stack([quality[anode] * quality[cathode] for anode, cathode in both])
    return np.concatenate([signals, planes])[:, 744:1256]


@recipe(
    "5th, UEMU",
    (16, 10_000),
    NaNImputer("mean"),
    MontageTransformer("double_banana_16"),
    causal(0.5, 20.0),
    AmplitudeScaler(1024, 32),
)
def fifth_uemu(window):
    return clipped(forward(pairs(filled(window), SIXTEEN), 2, [0.5, 20])) / 32


@recipe(
    "5th, T.H.",
    (8, 10_000),
    NaNImputer("mean"),
    MontageTransformer("5th_half"),
    causal(None, 20.0, order=4),
    AmplitudeScaler(1024, 1),
)
def fifth_th(window):
    half = "Fp1-T3 T3-O1 Fp1-C3 C3-O1 Fp2-T4 T4-O2 Fp2-C4 C4-O2"
    return clipped(forward(pairs(filled(window), half), 4, 20, "lowpass"))


@recipe(
    "5th, MaxChen",
    (16, 10_000),
    NaNImputer("zero"),
    MontageTransformer("double_banana_16"),
    ButterworthFilter(0.5, 20.0, order=2),
)
def fifth_maxchen(window):
    sos = butter(2, [0.5, 20], "bandpass", fs=200, output="sos")
    return sosfiltfilt(sos, pairs(filled(window, 0), SIXTEEN))


@recipe(
    "6th",
    (16, 10_000),
    NaNImputer("mean"),
    MontageTransformer("6th_raw"),
    ButterworthFilter(0.5, 40.0, order=3),
    AmplitudeScaler(1024, 104),
)
def sixth(window):
    x = there_and_back(pairs(filled(window), SIXTEEN), 3, [0.5, 40])
    return clipped(x) / 104


@recipe(
    "7th",
    (18, 10_000),
    NaNImputer("linear"),
    MontageTransformer("7th"),
    ButterworthFilter(None, 20.5, order=1),
)
def seventh(window):
    sos = butter(1, 20.5, "lowpass", fs=200, output="sos")
    return sosfiltfilt(sos, pairs(interpolated(window), EIGHTEEN))


@recipe(
    "8th",
    (18, 10_000),
    NaNImputer("mean"),
    MontageTransformer("double_banana"),
    NotchFilter(60.0, method="fir"),
    FIRFilter(0.5, 40.0),
    AmplitudeScaler(500, 1),
)
def eighth(window):
    mne = pytest.importorskip("mne")
    x = pairs(filled(window), EIGHTEEN)
    x = mne.filter.notch_filter(x, 200, 60, verbose="error")
    return clipped(mne.filter.filter_data(x, 200, 0.5, 40, verbose="error"), 500)


@recipe(
    "9th",
    (19, 10_000),
    NaNImputer("mean"),
    MontageTransformer("double_banana_ekg"),
    NotchFilter(60.0, method="fir"),
    FIRFilter(0.4, None),
    RobustChannelScaler(),
)
def ninth(window):
    mne = pytest.importorskip("mne")
    x = filled(window)
    x = np.concatenate([pairs(x, EIGHTEEN), x[19:]])
    x = mne.filter.notch_filter(x, 200, 60, verbose="error")
    x = mne.filter.filter_data(x, 200, 0.4, None, verbose="error")
    return RobustScaler().fit_transform(x.T).T


@recipe(
    "15th",
    (24, 10_000),
    NaNImputer("mean"),
    causal(None, 50.0, order=4),
    AmplitudeScaler(1024, 32),
    MontageTransformer("15th"),
)
def fifteenth(window):
    x = clipped(forward(filled(window), 4, 50, "lowpass")) / 32
    backwards = (
        "O1-T5 T5-T3 T3-F7 F7-Fp1 O2-T6 T6-T4 T4-F8 F8-Fp2 "
        "O1-P3 P3-C3 C3-F3 F3-Fp1 O2-P4 P4-C4 C4-F4 F4-Fp2"
    )
    across = "Fz-F7 Fz-F8 Cz-T3 Cz-T4 Pz-T5 Pz-T6 P3-P4 F3-F4"
    return pairs(x, f"{backwards} {across}")


# Between 88 and 123 microvolt for the derivations, 576 for EKG.
LIMITS = [*np.linspace(88, 123, 18), 576.0]


@recipe(
    "16th",
    (19, 10_000),
    NaNImputer("zero"),
    MontageTransformer("double_banana_ekg"),
    causal(59.0, 61.0, order=5, btype="bandstop"),
    causal(1.0, 70.0, order=5),
    AmplitudeScaler(LIMITS, 2 * np.array(LIMITS), offset=LIMITS),
)
def sixteenth(window):
    x = filled(window, 0)
    x = np.concatenate([pairs(x, EIGHTEEN), x[19:]])
    for edges, btype in [([59, 61], "bandstop"), ([1, 70], "bandpass")]:
        x = forward(x, 5, edges, btype)
    limits = np.array(LIMITS)[:, None]
    return np.clip((x + limits) / (2 * limits), 0, 1)


@recipe(
    "public ResNet1D-GRU",
    (8, 2000),
    MontageTransformer("resnet1d_gru"),
    NaNImputer("zero"),
    AmplitudeScaler(1024, 32),
    causal(0.5, 20.0),
    causal(None, 20.0),
    CentreCrop(10),
)
def resnet1d_gru(window):
    names = "Fp1-T3 T3-O1 Fp1-C3 C3-O1 Fp2-C4 C4-O2 Fp2-T4 T4-O2"
    x = clipped(np.nan_to_num(pairs(window, names))) / 32
    return forward(forward(x, 2, [0.5, 20]), 2, 20, "lowpass")[:, 4000:6000]


@recipe(
    "Team Epoch",
    (8, 2000),
    MontageTransformer("half_8"),
    NaNImputer("zero"),
    AmplitudeScaler(1024, 32),
    causal(0.5, 20.0),
    AmplitudeScaler(None, 1, mu=1),
    Decimator(5),
)
def team_epoch(window):
    names = "Fp1-T3 T3-O1 Fp1-C3 C3-O1 Fp2-T4 T4-O2 Fp2-C4 C4-O2"
    x = clipped(np.nan_to_num(pairs(window, names))) / 32
    x = forward(x, 2, [0.5, 20])
    return (np.sign(x) * np.log(1 + np.abs(x)) / np.log(2))[:, ::5]


@recipe(
    "lhwcv",
    (12, 10_000),
    NaNImputer("mean"),
    MontageTransformer("lhwcv_1"),
    AmplitudeScaler(1024, 32),
    causal(0.5, 20.0),
)
def lhwcv(window):
    left = "Fp1-T3 T3-O1 F7-T5 Fp1-C3 C3-O1 F3-P3"
    right = "Fp2-T4 T4-O2 F8-T6 Fp2-C4 C4-O2 F4-P4"
    x = clipped(pairs(filled(window), f"{left} {right}")) / 32
    return forward(x, 2, [0.5, 20])


@recipe(
    "adamnarai",
    (19, 10_000),
    NaNImputer("zero"),
    MontageTransformer("double_banana_ekg"),
)
def adamnarai(window):
    x = filled(window, 0)
    return np.concatenate([pairs(x, EIGHTEEN), x[19:]])


# ------------------------------------------------------------------------------ tests


@pytest.fixture(scope="module")
def windows():
    """Two windows as they come: drift, mains, offsets, artefacts, gaps, NaN only."""
    rng = np.random.default_rng(5)
    spectrum = rng.normal(size=(2, 20, 5001, 2)) @ [1, 1j]
    X = np.fft.irfft(spectrum / np.maximum(np.arange(5001), 4.0), 10_000)
    X *= 40 / X.std()
    t = np.arange(10_000) / 200
    X += rng.normal(0, 20, (2, 20, 1))
    X += rng.uniform(0, 30, (2, 20, 1)) * np.sin(2 * np.pi * 60 * t)
    X[0, 2, 4200:4400] += 9000 * np.hanning(200)
    X[:, 19] *= 10
    X[0, 5, 4500:4900] = np.nan
    X[0, :, 9900:] = np.nan
    X[1, 8, :50] = np.nan
    X[1, 12] = np.nan
    X[1, 19] = 0.0
    X = X.astype(np.float32)
    X.setflags(write=False)
    return X


def assert_close(result, expected, tolerance):
    """Agree, relative to the largest value of each channel."""
    assert result.shape == expected.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    peak = np.abs(expected).max(axis=2, keepdims=True)
    error = np.abs(result - expected) / np.maximum(peak, 1e-6)
    assert error.max() <= tolerance, error.max()


each = pytest.mark.parametrize(("shape", "pipeline", "direct"), RECIPES.values())


@each
def test_pipeline_is_the_direct_computation(windows, shape, pipeline, direct):
    expected = np.stack([direct(window) for window in windows.astype(np.float64)])
    assert expected.shape == (2, *shape)
    assert (expected.std(axis=-1) > 0).any(axis=0).all()
    assert_close(pipeline.fit_transform(windows), expected, 2e-5)


@each
def test_pipeline_takes_tensors(windows, shape, pipeline, direct):
    expected = pipeline.fit_transform(windows)
    result = pipeline.fit_transform(torch.tensor(windows))
    assert isinstance(result, torch.Tensor)
    assert_close(result.numpy(), expected, 1e-4)


def test_nobody_is_left_out():
    places = {f"{place}th" for place in (*range(4, 10), 15, 16)} | {"2nd", "3rd"}
    others = {"host", "public ResNet1D-GRU", "Team Epoch", "lhwcv", "adamnarai"}
    assert {name.partition(",")[0] for name in RECIPES} == places | others


def test_fourth_place_s_padding_is_not_seen(windows):
    """Samples 744 to 1255 of what is continued at its end are the middle 512."""
    x = np.arange(2000.0)[None, None]
    continued = np.pad(x, ((0, 0), (0, 0), (0, 48)), mode="reflect")
    np.testing.assert_array_equal(
        CentreCrop(n_times=512).fit_transform(x), continued[..., 744:1256]
    )


def test_fourth_place_s_biquad_is_a_butterworth_filter():
    """Their high-pass is torchaudio's, with a Q of 0.707 for the square root of 1/2."""
    torchaudio = pytest.importorskip("torchaudio")
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.05, (1, 1, 2000)).cumsum(axis=-1)
    biquad = torchaudio.functional.highpass_biquad(torch.from_numpy(x), 40, 0.5)
    result = causal(0.5, None, sfreq=40.0).fit_transform(x)
    assert np.abs(result - np.clip(biquad.numpy(), -1, 1)).max() < 2e-4


def test_recipes_are_pipelines_that_can_be_named_and_cloned(windows):
    for parameter in RECIPES.values():
        shape, pipeline, _ = parameter.values
        assert isinstance(pipeline, Pipeline)
        names = pipeline.fit(windows[:1]).get_feature_names_out(CH_NAMES)
        assert len(names) == shape[0]

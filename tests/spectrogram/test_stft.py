"""STFTSpectrogramizer: the libraries' defaults and the published recipes."""

import pickle
from functools import partial

import numpy as np
import pytest
import scipy.signal
import torch
import torchaudio
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from hmsklearn.preprocessing import CentreCrop, MontageTransformer, NaNImputer
from hmsklearn.spectrogram import STFTSpectrogramizer


@pytest.fixture
def long_signals(rng):
    return rng.normal(0, 30, (2, 3, 10_000)).cumsum(axis=-1).astype(np.float32) / 10


@pytest.fixture
def bipolar(real_windows):
    steps = make_pipeline(MontageTransformer("double_banana_16"), NaNImputer())
    return steps.fit_transform(real_windows[::9])


def assert_close(result, expected, back=np.sqrt, share=0.999):
    """Amplitudes to 2e-6 of the loudest of their image, most cells to 1e-4.

    `back` gives the amplitudes of values, where values are not power. A share of the
    largest power would leave most cells unchecked.
    """
    assert result.shape == expected.shape
    assert result.dtype == np.float32
    close = np.abs(result - expected) <= 1e-4 * np.abs(expected)
    assert close.mean() >= share
    ours, theirs = back(result.astype(np.float64)), back(expected)
    largest = theirs.max(axis=(-2, -1), keepdims=True)
    assert (np.abs(ours - theirs) <= 2e-6 * largest).all()


def plain(values):
    return values


# Random walks are louder in the lowest frequencies, and more cells near nothing.
assert_walk_close = partial(assert_close, share=0.995)


def from_log1p(values, scale=1.0):
    return np.sqrt(np.expm1(values * scale))


def assert_logarithms(result, expected, power):
    """1e-4, and what an error of 1e-6 of the loudest amplitude makes of a quiet one.

    Near a zero of the spectrum the logarithm asks for more than float32 has.
    """
    amplitude = np.sqrt(power)
    loudest = amplitude.max(axis=(-2, -1), keepdims=True)
    limit = 1e-4 + 2e-6 * loudest / np.maximum(amplitude, 1e-30)
    assert result.dtype == np.float32
    assert (np.abs(result - expected) <= limit).all()
    assert (limit < 1e-3).mean() > 0.75


def by_torch(X, n_fft, win_length, hop_length, **kwargs):
    window = torch.hann_window(win_length, dtype=torch.float64)
    flat = torch.from_numpy(np.ascontiguousarray(X)).double().flatten(0, 1)
    result = torch.stft(
        flat, n_fft, hop_length, win_length, window, return_complex=True, **kwargs
    )
    return result.abs().unflatten(0, X.shape[:2]).numpy()


def by_scipy(X, nperseg, noverlap, **kwargs):
    X = X.astype(np.float64)
    return scipy.signal.spectrogram(
        X, 200.0, nperseg=nperseg, noverlap=noverlap, **kwargs
    )[2]


def test_defaults_are_those_of_the_libraries(long_signals):
    X = long_signals[..., :3000]
    exact = X.astype(np.float64)
    torch_like = STFTSpectrogramizer().fit(X)
    assert (torch_like.n_fft_, torch_like.win_length_) == (512, 512)
    assert torch_like.hop_length_ == 128
    assert_walk_close(torch_like.transform(X), by_torch(X, 512, 512, 128) ** 2)
    librosa = pytest.importorskip("librosa")
    assert_walk_close(
        STFTSpectrogramizer(convention="librosa", n_fft=256).fit_transform(X),
        np.abs(librosa.stft(exact, n_fft=256)) ** 2,
    )
    scipy_like = STFTSpectrogramizer(convention="scipy").fit(X)
    assert_walk_close(
        scipy_like.transform(X), scipy.signal.spectrogram(exact, 200.0)[2]
    )
    assert (scipy_like.n_fft_, scipy_like.hop_length_) == (256, 224)
    assert_walk_close(
        STFTSpectrogramizer(convention="scipy_stft").fit_transform(X),
        np.abs(scipy.signal.stft(exact, 200.0)[2]) ** 2,
    )
    np.testing.assert_array_equal(
        STFTSpectrogramizer(convention="cusignal").fit_transform(X),
        scipy_like.transform(X),
    )
    short = {"sfreq": 30.0, "win_length": 145}
    assert_walk_close(
        STFTSpectrogramizer(convention="cusignal", **short).fit_transform(X),
        scipy.signal.spectrogram(exact, 30.0, nperseg=145)[2],
    )
    shorter = STFTSpectrogramizer(win_length=128).fit(X)
    assert_walk_close(
        shorter.transform(X), by_torch(X, 512, 128, None, center=True) ** 2
    )
    assert shorter.hop_length_ == 128
    librosa_like = STFTSpectrogramizer(convention="librosa", win_length=128).fit(X)
    assert_walk_close(
        librosa_like.transform(X),
        np.abs(librosa.stft(exact, n_fft=512, win_length=128)) ** 2,
    )
    assert librosa_like.hop_length_ == 32


def test_false_windows_with_lists_and_no_bounds(long_signals):
    X = long_signals[..., :3000]
    exact = X.astype(np.float64)
    expected = STFTSpectrogramizer(detrend=None).fit_transform(exact)
    for coefficients in ([0.5, 0.5], np.array([0.5, 0.5])):
        step = STFTSpectrogramizer(
            detrend=False,
            window=("general_cosine", coefficients),
            clip=(None, None),
        ).fit(X)
        assert_walk_close(step.transform(X), expected)
        tensor = step.transform(torch.from_numpy(X))
        assert_walk_close(tensor.numpy(), expected)


def test_magnitude_mode_of_scipy(long_signals):
    step = STFTSpectrogramizer(
        convention="scipy", scaling="spectrum", doubled=False, exponent=1
    )
    expected = by_scipy(long_signals, 256, 32, mode="magnitude", scaling="spectrum")
    assert_close(step.fit_transform(long_signals), expected, plain)


# Published recipes, on real EEG ----------------------------------------------------


def test_second_place_video(bipolar):
    params = {"n_fft": 512, "win_length": 128, "n_bins": 61, "exponent": 1}
    params |= {"clip": (0, 10_000), "scale": 1000.0}
    whole = STFTSpectrogramizer(hop_length=50, **params).fit_transform(bipolar)
    assert whole.shape == (len(bipolar), 16, 61, 201)
    spectrogram = torchaudio.transforms.Spectrogram(
        n_fft=512, win_length=128, hop_length=50, power=1
    )
    expected = spectrogram.double()(torch.from_numpy(bipolar).double()).numpy()
    assert_close(whole, np.clip(expected[..., :61, :], 0, 10_000) / 1000, plain)
    centre = make_pipeline(
        CentreCrop(n_times=2000), STFTSpectrogramizer(hop_length=10, **params)
    )
    result = centre.fit_transform(bipolar)
    assert result.shape == (len(bipolar), 16, 61, 201)
    expected = by_torch(bipolar[..., 4000:6000], 512, 128, 10)[..., :61, :]
    assert_close(result, np.clip(expected, 0, 10_000) / 1000, plain)


def test_second_place_two_heads(bipolar):
    step = STFTSpectrogramizer(
        n_fft=512, hop_length=50, n_bins=56, output="log10", eps=1e-10, clip=(0, None)
    )
    power = by_torch(bipolar, 512, 512, 50)[..., :56, :] ** 2
    result = step.fit_transform(bipolar)
    assert result.shape == (len(bipolar), 16, 56, 201)
    assert_logarithms(result, np.maximum(np.log10(power + 1e-10), 0), power)
    double = step.fit_transform(bipolar.astype(np.float64))
    assert np.abs(double - np.maximum(np.log10(power + 1e-10), 0)).max() < 1e-6


def test_fifth_place(bipolar):
    step = STFTSpectrogramizer(
        convention="librosa",
        n_fft=512,
        hop_length=24,
        n_bins=102,
        output="log",
        exponent=1,
        clip=(-6.5, 7.0),
    )
    crops = bipolar[..., :2000]
    result = step.fit_transform(crops)
    assert result.shape == (len(bipolar), 16, 102, 84)
    assert step.fit(crops).frequencies_[-1] < 40
    amplitude = by_torch(crops, 512, 512, 24, pad_mode="constant")[..., :102, :]
    expected = np.clip(np.log(amplitude + 1e-6), -6.5, 7)
    assert result.min() >= -6.5
    assert result.max() <= 7
    assert_logarithms(result, expected, amplitude**2)
    double = step.fit_transform(crops.astype(np.float64))
    assert np.abs(double - expected).max() < 1e-6


@pytest.mark.parametrize(("win_length", "columns"), [(70, 142), (39, 256)])
def test_sixth_place(bipolar, win_length, columns):
    step = STFTSpectrogramizer(
        convention="scipy",
        win_length=win_length,
        noverlap=0,
        n_fft=256,
        n_bins=128,
        output="log1p",
        scale=2.0,
    )
    result = step.fit_transform(bipolar)
    assert result.shape == (len(bipolar), 16, 128, columns)
    expected = by_scipy(bipolar, win_length, 0, nfft=256)[..., :128, :]
    assert_close(result, np.log1p(expected) / 2, partial(from_log1p, scale=2.0))


def test_sixth_place_stft(bipolar):
    step = STFTSpectrogramizer(convention="scipy_stft", win_length=39, exponent=1)
    _, _, expected = scipy.signal.stft(bipolar.astype(np.float64), 200.0, nperseg=39)
    assert_close(step.fit_transform(bipolar), np.abs(expected), plain)


@pytest.mark.parametrize(
    ("win_length", "noverlap", "crop", "n_bins", "columns"),
    [
        (270, 251, None, 27, 513),
        (145, 124, None, 14, 470),
        (145, 141, 2000, 14, 464),
        (145, 133, 6000, 14, 488),
        (99, 79, None, 9, 496),
        (99, 87, 6000, 9, 492),
        (100, 96, 2000, 10, 476),
        (1040, 1022, None, 102, 498),
    ],
)
def test_seventh_place(bipolar, win_length, noverlap, crop, n_bins, columns):
    X = bipolar if crop is None else CentreCrop(n_times=crop).fit_transform(bipolar)
    step = STFTSpectrogramizer(
        convention="cusignal",
        win_length=win_length,
        noverlap=noverlap,
        fmin=0.5,
        fmax=20.0,
        output="log1p",
    ).fit(X)
    result = step.transform(X)
    assert result.shape == (len(bipolar), 16, n_bins, columns)
    assert step.frequencies_[0] >= 0.5
    assert step.frequencies_[-1] <= 20 + 1e-9
    first = int(np.ceil(0.5 * win_length / 200))
    power = by_scipy(X, win_length, noverlap)[..., first : first + n_bins, :]
    assert_close(result, np.log1p(power), from_log1p)


@pytest.mark.parametrize(
    ("n_fft", "win_length", "hop_length", "window", "n_bins", "columns"),
    [(110, 64, 23, "cosine", 56, 431), (190, 96, 24, "hann", None, 409)],
)
def test_fifteenth_place(
    bipolar, n_fft, win_length, hop_length, window, n_bins, columns
):
    step = STFTSpectrogramizer(
        n_fft=n_fft,
        win_length=win_length,
        hop_length=hop_length,
        window=window,
        center=False,
        grid="linear",
        n_bins=n_bins,
        fmax=40.0,
        output="log1p",
        clip=(0, 20),
        offset=-7.5,
        scale=7.5,
    )
    result = step.fit_transform(bipolar)
    n_bins = n_fft // 2 + 1 if n_bins is None else n_bins
    assert result.shape == (len(bipolar), 16, n_bins, columns)
    kernel = np.zeros(n_fft)
    left = (n_fft - win_length) // 2
    kernel[left : left + win_length] = scipy.signal.get_window(window, win_length)
    angles = (
        2 * np.pi * 40 / n_bins / 200 * np.outer(np.arange(n_bins), np.arange(n_fft))
    )
    frames = np.lib.stride_tricks.sliding_window_view(
        bipolar[0].astype(np.float64), n_fft, axis=-1
    )[:, ::hop_length]
    power = sum((frames @ (f(angles) * kernel).T) ** 2 for f in (np.cos, np.sin))
    expected = (np.clip(np.log1p(power.swapaxes(1, 2)), 0, 20) - 7.5) / 7.5
    # Where the scale passes through zero there is no relative error.
    half = np.float32(7.5)
    assert_close(result[0] * half + half, expected * 7.5 + 7.5, from_log1p)


# The estimator ---------------------------------------------------------------------


def test_frequency_goes_up_with_the_row_and_time_with_the_column():
    t = np.arange(10_000) / 200
    for hertz in (2.0, 10.0, 18.0):
        X = np.sin(2 * np.pi * hertz * t)[None, None]
        step = STFTSpectrogramizer(hop_length=39, fmax=20.0).fit(X)
        image = step.transform(X)[0, 0]
        assert step.frequencies_[image[:, 128].argmax()] == pytest.approx(
            hertz, abs=0.2
        )
    burst = np.sin(2 * np.pi * 5 * t) * (np.abs(t - 40) < 1)
    image = STFTSpectrogramizer(hop_length=39).fit_transform(burst[None, None])[0, 0]
    assert image.max(axis=0).argmax() == pytest.approx(40 * 200 / 39, abs=5)


def test_tensors_names_and_copies(long_signals):
    step = STFTSpectrogramizer(fmax=20.0, output="db").fit(long_signals)
    expected = step.transform(long_signals)
    result = step.transform(torch.from_numpy(long_signals))
    assert isinstance(result, torch.Tensor)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=8e-3)
    assert step.get_feature_names_out(["a", "b", "c"]).tolist() == ["a", "b", "c"]
    restored = pickle.loads(pickle.dumps(step))
    np.testing.assert_array_equal(restored.transform(long_signals), expected)
    np.testing.assert_array_equal(clone(step).fit_transform(long_signals), expected)
    assert len(pickle.dumps(step)) < 3000


def test_other_lengths_after_fit(long_signals):
    step = STFTSpectrogramizer(n_fft=256, hop_length=50).fit(long_signals)
    assert step.transform(long_signals[..., :5000]).shape == (2, 3, 129, 101)
    with pytest.raises(ValueError, match=r"100 samples .*at least 129 are needed"):
        step.transform(long_signals[..., :100])


def test_constant_channels_are_finite():
    X = np.zeros((1, 2, 1000), dtype=np.float32)
    X[0, 1] = 45_000.0
    for convention in ("torch", "librosa", "scipy", "scipy_stft", "cusignal"):
        for output in ("linear", "db", "log", "log10", "log1p"):
            step = STFTSpectrogramizer(convention=convention, output=output)
            assert np.isfinite(step.fit_transform(X)).all()


def test_nan_names_the_imputer(long_signals):
    long_signals[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match=r"STFTSpectrogramizer: .*NaN.*NaNImputer"):
        STFTSpectrogramizer().fit(long_signals)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"convention": "tourch"}, "convention must be one of .*Did you mean 'torch'"),
        ({"sfreq": -1}, "sfreq must be .*above 0"),
        ({"n_fft": 512.0}, "n_fft must be an integer"),
        ({"n_fft": 64, "win_length": 65}, "win_length must be .*at most 64, got 65"),
        ({"convention": "scipy", "n_fft": 100}, "win_length must be .*at most 100"),
        ({"hop_length": 0}, "hop_length must be an integer at least 1"),
        ({"hop_length": 10, "noverlap": 20}, "Give one of them"),
        ({"noverlap": 512}, "noverlap must be .*at most 511"),
        ({"noverlap": -1}, "noverlap must be .*at least 0"),
        ({"window": "bell"}, "window='bell' is no window of scipy.signal"),
        ({"window": None}, "window=None is no window"),
        ({"center": "yes"}, "center must be True, False or 'auto', got 'yes'"),
        ({"doubled": None}, "doubled must be True, False or 'auto', got None"),
        ({"pad_mode": "edge"}, "pad_mode must be one of"),
        ({"output": "log", "eps": 0}, "power that is 0 is infinite"),
        ({"detrend": True}, "detrend must be one of None, 'constant', 'linear'"),
        ({"scaling": "psd"}, "scaling must be one of None, 'density'"),
        ({"fmin": 30, "fmax": 20}, "fmin=30 must be below fmax=20"),
        ({"fmax": 101}, "fmax must be .*at most 100"),
        ({"n_bins": 258}, "n_bins=258 is more than the 257 bins"),
        ({"n_bins": 2.5}, "n_bins must be an integer"),
        ({"grid": "mel"}, "grid must be one of 'bins', 'linear'"),
        ({"output": "dB"}, "output must be one of .*Did you mean 'db'"),
        ({"exponent": 0}, "exponent must be .*above 0"),
        ({"ref": "mean"}, "ref must be .*Or give 'max'"),
        ({"amin": 0}, "amin must be"),
        ({"top_db": -1}, "top_db must be"),
        ({"per": "batch"}, "per must be one of 'plane', 'window'"),
        ({"eps": -1}, "eps must be"),
        ({"clip": (1, 0)}, "the lower bound must be below"),
        ({"offset": np.nan}, "offset must be"),
        ({"scale": 0}, "scale must be"),
    ],
)
def test_errors_come_in_fit(long_signals, params, text):
    with pytest.raises(ValueError, match=f"^STFTSpectrogramizer: .*{text}"):
        STFTSpectrogramizer(**params).fit(long_signals)


def test_windows_too_short(long_signals):
    with pytest.raises(ValueError, match=r"255 samples .*at least 256 are needed"):
        STFTSpectrogramizer(convention="scipy").fit(long_signals[..., :255])
    STFTSpectrogramizer(convention="scipy").fit(long_signals[..., :256])
    with pytest.raises(
        ValueError, match=r"256 samples .*at least 257 .* to mirror 256"
    ):
        STFTSpectrogramizer().fit(long_signals[..., :256])
    STFTSpectrogramizer().fit(long_signals[..., :257])
    STFTSpectrogramizer(convention="librosa").fit(long_signals[..., :1])
    # SciPy would shorten the window, and with it the number of rows.
    step = STFTSpectrogramizer(convention="scipy_stft")
    with pytest.raises(ValueError, match=r"255 samples .*at least 256 are needed"):
        step.fit(long_signals[..., :255])
    step.fit(long_signals[..., :256])

"""Short-time power against torch, torchaudio, librosa and SciPy."""

import warnings

import numpy as np
import pytest
import scipy.signal
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.montage import MONTAGES
from hmsklearn.signal import pair_differences, stft_frequencies, stft_power

librosa = pytest.importorskip("librosa")

SCIPY = {
    "framing": "scipy",
    "center": False,
    "detrend": "constant",
    "scaling": "density",
    "doubled": True,
}


#: Cells that are right to 1e-4 in float32; the rest is near a zero of the spectrum.
SHARE = 0.99


def assert_equal(result, expected, dtype=np.float64):
    """1e-6 of each cell in float64; in float32, a share of the largest amplitude."""
    result = np.asarray(result)
    expected = np.asarray(expected, dtype=np.float64)
    assert result.shape == expected.shape
    assert result.dtype == dtype
    largest = expected.max(axis=(-2, -1), keepdims=True)
    if dtype == np.float64:
        assert (np.abs(result - expected) <= 1e-6 * expected + 1e-14 * largest).all()
    else:
        # Of the power, a share of the largest would leave most cells unchecked.
        error = np.abs(np.sqrt(result) - np.sqrt(expected))
        assert (error <= 2e-6 * np.sqrt(largest)).all()
        close = np.abs(result - expected) <= 1e-4 * expected
        assert close.mean() >= SHARE


def check(X, expected, **kwargs):
    """Check arrays and tensors of both types."""
    assert_equal(stft_power(X, **kwargs), expected)
    assert_equal(stft_power(torch.from_numpy(X), **kwargs), expected)
    single = X.astype(np.float32)
    assert_equal(stft_power(single, **kwargs), expected, np.float32)
    assert_equal(stft_power(torch.from_numpy(single), **kwargs), expected, np.float32)


@pytest.fixture
def eeg(rng):
    X = rng.normal(0, 30, (2, 3, 2000))
    return (X + X.cumsum(axis=-1) / 10).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize(
    ("n_fft", "win_length", "hop_length", "window"),
    [
        (512, 128, 50, torch.hann_window),
        (512, 512, 24, torch.hann_window),
        (110, 64, 23, torch.hamming_window),
        (257, 101, 40, torch.blackman_window),
    ],
)
def test_equals_torch(eeg, n_fft, win_length, hop_length, window, center, pad_mode):
    expected = torch.stft(
        torch.from_numpy(eeg).flatten(0, 1),
        n_fft,
        hop_length,
        win_length,
        window(win_length, dtype=torch.float64),
        center=center,
        pad_mode=pad_mode,
        return_complex=True,
    )
    expected = expected.abs().square().unflatten(0, (2, 3)).numpy()
    kwargs = {
        "n_fft": n_fft,
        "win_length": win_length,
        "hop_length": hop_length,
        "window": window.__name__.removesuffix("_window"),
        "center": center,
        "pad_mode": pad_mode,
    }
    check(eeg, expected, **kwargs)
    few = stft_frequencies(n_fft=n_fft, fmin=1.0, fmax=20.0)
    start = int(np.ceil(n_fft / 200))
    rows = slice(start, start + len(few))
    check(eeg, expected[..., rows, :], fmin=1.0, fmax=20.0, **kwargs)
    check(eeg, expected[..., :7, :], n_bins=7, **kwargs)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(
    ("normalized", "scaling"),
    [(False, None), ("window", "window"), ("frame_length", "frame_length")],
)
def test_equals_torchaudio(eeg, power, normalized, scaling):
    spectrogram = torchaudio.transforms.Spectrogram(
        n_fft=400,
        win_length=128,
        hop_length=50,
        power=power,
        normalized=normalized,
        window_fn=lambda n: torch.hann_window(n, dtype=torch.float64),
    )
    expected = spectrogram(torch.from_numpy(eeg)).numpy()
    result = stft_power(
        eeg,
        n_fft=400,
        win_length=128,
        hop_length=50,
        scaling=scaling,
        levels={"output": "linear", "exponent": power},
    )
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("n_fft", [512, 255])
def test_equals_librosa(eeg, n_fft):
    expected = librosa.stft(eeg, n_fft=n_fft, hop_length=24, win_length=200)
    kwargs = {"n_fft": n_fft, "hop_length": 24, "win_length": 200}
    check(eeg, np.abs(expected) ** 2, pad_mode="constant", **kwargs)
    check(
        eeg,
        np.abs(expected[..., :40, :]) ** 2,
        n_bins=40,
        pad_mode="constant",
        **kwargs,
    )


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_equals_scipys_spectrogram(data):
    nperseg = data.draw(st.integers(2, 120))
    noverlap = data.draw(st.integers(0, nperseg - 1))
    n_fft = data.draw(st.integers(nperseg, 300))
    window = data.draw(
        st.sampled_from(["hann", "boxcar", "cosine", ("tukey", 0.25), ("kaiser", 5.0)])
    )
    detrend = data.draw(st.sampled_from([None, "constant", "linear"]))
    scaling = data.draw(st.sampled_from(["density", "spectrum"]))
    start = data.draw(st.integers(0, n_fft // 2))
    stop = data.draw(st.integers(start + 1, n_fft // 2 + 1))
    rng = np.random.default_rng(n_fft)
    x = rng.normal(10, 30, (1, 1, data.draw(st.integers(nperseg, 600))))
    frequencies, times, expected = scipy.signal.spectrogram(
        x,
        200.0,
        window,
        nperseg=nperseg,
        noverlap=noverlap,
        nfft=n_fft,
        detrend=detrend or False,
        scaling=scaling,
    )
    low, high = np.minimum(frequencies[[start, stop - 1]], 100.0)
    kwargs = {"n_fft": n_fft, "fmin": low - 1e-6 * (low == high), "fmax": high}
    if high == 0:
        kwargs |= {"fmin": 0.0, "fmax": 1e-6}
    frames = {
        "win_length": nperseg,
        "hop_length": nperseg - noverlap,
        "window": window,
        **SCIPY,
        "detrend": detrend,
        "scaling": scaling,
    }
    kept = stft_frequencies(**kwargs)
    np.testing.assert_allclose(kept, frequencies[start:stop], rtol=1e-12)
    expected = expected[:, :, start:stop]
    largest = max(np.abs(expected).max(), 1e-3)
    for signals, limit in ((x, 1e-12), (torch.tensor(x), 1e-12)):
        result = np.asarray(stft_power(signals, **kwargs, **frames))
        assert result.shape == (1, 1, stop - start, len(times))
        # Rounding goes with the whole spectrum, of which a part is kept.
        scale = max(largest, 30.0**2)
        np.testing.assert_allclose(result, expected, rtol=1e-6, atol=limit * scale)


@pytest.mark.parametrize("boundary", ["zeros", "even"])
@pytest.mark.parametrize(("nperseg", "noverlap"), [(39, 19), (100, 61), (70, 0)])
def test_equals_scipys_stft(eeg, nperseg, noverlap, boundary):
    X = eeg[..., :1999]
    _, _, Z = scipy.signal.stft(
        X, 200.0, nperseg=nperseg, noverlap=noverlap, nfft=128, boundary=boundary
    )
    check(
        X,
        np.abs(Z) ** 2,
        n_fft=128,
        win_length=nperseg,
        hop_length=nperseg - noverlap,
        framing="scipy",
        pad_mode={"zeros": "constant", "even": "reflect"}[boundary],
        scaling="spectrum",
    )


def test_equals_the_definition_on_a_linear_grid(eeg):
    """nnAudio's kernels: sines and cosines at any frequency, times the window."""
    n_fft, length, hop = 110, 64, 23
    frequencies = 2.0 + 38.0 / 30 * np.arange(30)
    np.testing.assert_allclose(
        stft_frequencies(n_fft=n_fft, fmin=2, fmax=40, n_bins=30, grid="linear"),
        frequencies,
    )
    window = np.zeros(n_fft)
    window[23 : 23 + length] = scipy.signal.get_window("cosine", length)
    waves = np.exp(-2j * np.pi * frequencies[:, None] / 200 * np.arange(n_fft))
    frames = np.lib.stride_tricks.sliding_window_view(eeg, n_fft, axis=-1)[
        ..., ::hop, :
    ]
    expected = np.abs(frames @ (waves * window).T).swapaxes(-1, -2) ** 2
    check(
        eeg,
        expected,
        n_fft=n_fft,
        win_length=length,
        hop_length=hop,
        window="cosine",
        center=False,
        fmin=2,
        fmax=40,
        n_bins=30,
        grid="linear",
    )
    default = stft_frequencies(n_fft=110, fmax=40, grid="linear")
    np.testing.assert_allclose(default, 40 / 56 * np.arange(56))


def test_real_eeg(real_windows):
    X = pair_differences(
        np.nan_to_num(real_windows[::9]), *MONTAGES["double_banana"].indices()
    ).astype(np.float64)
    _, _, expected = scipy.signal.spectrogram(X, 200.0, nperseg=270, noverlap=251)
    check(
        X,
        expected[..., 1:28, :],
        n_fft=270,
        hop_length=19,
        window=("tukey", 0.25),
        fmin=0.5,
        fmax=20.0,
        **SCIPY,
    )


KINDS = pytest.mark.parametrize(
    "kwargs",
    [
        {"n_fft": 128, "hop_length": 32, "fmax": 20.0},
        {"n_fft": 128, "hop_length": 32},
        {"n_fft": 128, "hop_length": 32, "detrend": "linear", "center": False},
        {"n_fft": 256, "win_length": 40, "hop_length": 10, **SCIPY},
    ],
)


@KINDS
@settings(deadline=None, max_examples=5)
@given(gain=st.floats(-1e3, 1e3), seed=st.integers(0, 2**16))
def test_power_goes_with_the_square(kwargs, gain, seed):
    x = np.random.default_rng(seed).normal(0, 30, (1, 1, 500))
    expected = gain**2 * stft_power(x, **kwargs)
    result = stft_power(gain * x, **kwargs)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-12 * expected.max())


@KINDS
def test_columns_move_with_the_signal(kwargs, rng):
    kwargs = {**kwargs, "center": False}
    x = rng.normal(0, 30, (1, 1, 1000))
    hop = kwargs["hop_length"]
    power, later = stft_power(x, **kwargs), stft_power(x[..., 5 * hop :], **kwargs)
    kept = min(power.shape[-1] - 5, later.shape[-1])
    np.testing.assert_allclose(
        later[..., :kept], power[..., 5 : 5 + kept], rtol=1e-6, atol=1e-12 * power.max()
    )


@KINDS
@pytest.mark.parametrize("value", [0.0, 1.0, -45_000.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("output", ["linear", "db", "log", "log10", "log1p"])
def test_constant_channels_are_finite(kwargs, value, dtype, output):
    X = np.full((1, 1, 500), value, dtype=dtype)
    levels = {"output": output}
    for signals in (X, torch.from_numpy(X)):
        assert np.isfinite(np.asarray(stft_power(signals, **kwargs))).all()
        image = stft_power(signals, levels=levels, **kwargs)
        assert np.isfinite(np.asarray(image)).all()


@KINDS
def test_windows_do_not_know_of_each_other(kwargs, rng):
    X = rng.normal(0, 30, (5, 3, 500)).astype(np.float32)
    whole = stft_power(X, **kwargs)
    for window in range(5):
        one = stft_power(X[window : window + 1], **kwargs)
        np.testing.assert_array_equal(one[0], whole[window])
    reverse = stft_power(X[::-1, ::-1], **kwargs)
    np.testing.assert_array_equal(reverse, whole[::-1, ::-1])
    out = np.empty_like(whole)
    assert stft_power(X, out=out, **kwargs) is out
    np.testing.assert_array_equal(out, whole)


def test_decibels_are_exact_where_mains_are_loud(rng):
    t = np.arange(4000) / 200
    x = rng.normal(0, 1, t.size) + 3000 * np.sin(2 * np.pi * 60 * t)
    X = x[None, None].astype(np.float32)
    kwargs = {"n_fft": 512, "win_length": 128, "hop_length": 20, "fmax": 20.0}
    power = stft_power(X.astype(np.float64), **kwargs)[0, 0]
    decibel = stft_power(X, levels={"output": "db"}, **kwargs)[0, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = librosa.power_to_db(power, ref=np.max)
    assert np.abs(decibel - expected).max() < 5e-3


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"n_fft": 1}, "n_fft must be an integer at least 2"),
        (
            {"win_length": 513},
            "win_length must be an integer at least 1 and at most 512",
        ),
        ({"hop_length": 0}, "hop_length must be an integer at least 1"),
        ({"window": "bell"}, "window='bell' is no window"),
        ({"pad_mode": "edge"}, "pad_mode must be one of"),
        ({"framing": "matlab"}, "framing must be one of 'torch', 'scipy'"),
        ({"detrend": "cubic"}, "detrend must be one of None, 'constant', 'linear'"),
        ({"scaling": "psd"}, "scaling must be one of None, 'density'"),
        ({"grid": "mel"}, "grid must be one of 'bins', 'linear'"),
        ({"sfreq": 0}, "sfreq must be a finite number above 0"),
        ({"fmin": -1}, "fmin must be a finite number at least 0"),
        ({"fmax": 101}, "fmax must be a finite number at most 100"),
        ({"fmin": 20, "fmax": 20}, "fmin=20 must be below fmax=20.*Swap them"),
        ({"fmin": 100}, "fmin=100 must be below fmax=None, and both at most 100 Hz"),
        ({"fmin": 0.1, "fmax": 0.2}, "0.390625 Hz apart and none is between 0.1 and"),
        ({"n_bins": 0}, "n_bins must be an integer at least 1"),
        ({"n_bins": 258}, "n_bins=258 is more than the 257 bins"),
        ({"fmax": 20, "n_bins": 53}, "n_bins=53 is more than the 52 bins"),
        ({"framing": "scipy", "n_fft": 600}, "X has 500 .*at least 600 are needed"),
        ({"center": None}, "center must be True or False, got None"),
        ({"doubled": 1}, "doubled must be True or False, got 1"),
        ({"detrend": True}, "detrend must be one of None, 'constant', 'linear'"),
        ({"fmin": [1]}, "fmin must be a finite number"),
        ({"n_fft": 512.0}, "n_fft must be an integer"),
        ({"levels": {"clip": 3}}, "clip must be a pair"),
        ({"levels": {"width": 3}}, "the name of a level must be one of 'output'"),
        ({"center": False}, "X has 500 samples .*at least 512 are needed"),
    ],
)
def test_errors(kwargs, text):
    for X in (np.zeros((1, 1, 500)), torch.zeros(1, 1, 500)):
        with pytest.raises(ValueError, match=f"^stft_power: .*{text}"):
            stft_power(X, **kwargs)


@pytest.mark.parametrize(
    ("X", "text"),
    [
        (np.zeros(500), "X has 1 dimensions and shape"),
        (torch.zeros(1, 500), "X has 2 dimensions and shape"),
        (torch.zeros((1, 1, 500), dtype=torch.int32), "float32 or float64, .*int32"),
        (np.zeros((1, 1, 500), dtype=complex), "real numbers, got complex128"),
    ],
)
def test_signals_that_are_none(X, text):
    with pytest.raises(ValueError, match=f"^stft_power: .*{text}"):
        stft_power(X)


def test_integers_become_float32(rng):
    X = rng.integers(-300, 300, (2, 3, 1000)).astype(np.int16)
    result = stft_power(X)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, stft_power(X.astype(np.float32)))


def test_default_hop_is_that_of_torch(eeg):
    window = torch.hann_window(128, dtype=torch.float64)
    for n_fft in (512, 200):
        expected = torch.stft(
            torch.from_numpy(eeg).flatten(0, 1),
            n_fft,
            win_length=128,
            window=window,
            return_complex=True,
        )
        expected = expected.abs().square().unflatten(0, (2, 3)).numpy()
        check(eeg, expected, n_fft=n_fft, win_length=128)


def test_false_is_no_detrending(eeg):
    X = eeg[..., :600]
    expected = stft_power(X, detrend=None)
    np.testing.assert_array_equal(stft_power(X, detrend=False), expected)
    np.testing.assert_array_equal(stft_power(X, detrend=np.False_), expected)


@pytest.mark.parametrize("coefficients", [[0.5, 0.5], np.array([0.5, 0.5])])
def test_windows_with_lists_of_parameters(eeg, coefficients):
    expected = stft_power(eeg, window="hann")
    for X in (eeg, torch.from_numpy(eeg)):
        result = stft_power(X, window=("general_cosine", coefficients))
        assert_equal(result, expected)


def test_out_is_for_arrays():
    X = torch.zeros(1, 1, 500)
    with pytest.raises(ValueError, match=r"stft_power: out= is for NumPy arrays"):
        stft_power(X, out=np.zeros((1, 1, 257, 4)))

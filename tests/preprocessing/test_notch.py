"""NotchFilter."""

import numpy as np
import pytest
import torch
from scipy.signal import butter, iirnotch, lfilter, sosfilt, sosfiltfilt, tf2sos

from hmsklearn.preprocessing import NaNImputer, NotchFilter


@pytest.fixture
def mains(rng):
    """Noise and mains with a harmonic, on offsets: (3, 4, 4000) float32 microvolt."""
    t = np.arange(4000) / 200
    X = rng.normal(0, 10, (3, 4, 4000)) + 50 * np.sin(2 * np.pi * 50 * t)
    X += 20 * np.sin(2 * np.pi * 75 * t) + rng.normal(0, 500, (3, 4, 1))
    return X.astype(np.float32)


def close(actual, expected, limit=2e-5):
    peak = np.abs(expected).max(axis=-1, keepdims=True)
    assert (np.abs(actual - expected) <= limit * peak).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_organisers_notch(mains, dtype):
    X = mains.astype(dtype)
    sos = butter(3, [57.5, 62.5], "bandstop", fs=200, output="sos")
    step = NotchFilter()
    result = step.fit_transform(X)
    assert result.dtype == dtype
    close(result, sosfiltfilt(sos, X.astype(np.float64)))
    np.testing.assert_array_equal(step.sos_, sos)
    assert step.padlen_ == 21
    assert not hasattr(step, "kernel_")


def test_16th_place(mains):
    step = NotchFilter(width=2.0, order=5, phase="causal")
    sos = butter(5, [59, 61], "bandstop", fs=200, output="sos")
    close(step.fit_transform(mains), sosfilt(sos, mains.astype(np.float64)))


def test_resonator(mains):
    step = NotchFilter(50.0, method="resonator", phase="causal")
    expected = lfilter(*iirnotch(50.0, 30.0, fs=200), mains.astype(np.float64))
    close(step.fit_transform(mains), expected)
    step = NotchFilter(50.0, method="resonator", width=1.0)
    sos = tf2sos(*iirnotch(50.0, 50.0, fs=200))
    close(step.fit_transform(mains), sosfiltfilt(sos, mains.astype("f8"), padlen=9))


@pytest.mark.parametrize("freqs", [60.0, (50.0, 75.0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mnes_notch(mains, freqs, dtype):
    mne = pytest.importorskip("mne")
    X = mains.astype(dtype)
    step = NotchFilter(freqs, method="fir")
    expected = mne.filter.notch_filter(
        X.astype(np.float64), 200.0, freqs, verbose="error"
    )
    result = step.fit_transform(X)
    assert result.dtype == dtype
    close(result, expected, 2e-5 if dtype == np.float32 else 1e-10)
    assert step.kernel_.shape == (1321,)
    assert not hasattr(step, "sos_")


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"method": "resonator", "width": 2.0},
        {"method": "fir", "width": 1.0},
        {"phase": "causal"},
        {"padlen": "mne"},
        {"padlen": 500},
    ],
)
def test_harmonics_are_removed_and_the_rest_is_left(mains, params):
    X = mains - mains.mean(axis=-1, keepdims=True)
    result = NotchFilter((50.0, 75.0), **params).fit_transform(X)
    before, after = (np.abs(np.fft.rfft(x[..., 1000:3000])) for x in (X, result))
    mains_bins = [500, 750]
    assert (after[..., mains_bins] < 0.02 * before[..., mains_bins]).all()
    # At distance from both notches.
    np.testing.assert_allclose(after[..., 5:300], before[..., 5:300], atol=30)


@pytest.mark.parametrize("method", ["butterworth", "resonator", "fir"])
def test_tensors(mains, method):
    step = NotchFilter(50.0, method=method)
    tensor = step.fit_transform(torch.from_numpy(mains))
    close(tensor.numpy(), step.fit_transform(mains), 1e-5)


@pytest.mark.parametrize("method", ["butterworth", "fir"])
def test_nan_names_the_imputer(mains, method):
    X = mains.copy()
    X[1, 2, 3] = np.nan
    step = NotchFilter(method=method)
    with pytest.raises(ValueError, match=r"NotchFilter: X contains NaN.*NaNImputer"):
        step.fit(X)
    step.fit(NaNImputer().fit_transform(X))


@pytest.mark.parametrize("method", ["butterworth", "resonator", "fir"])
def test_constant_channels(method):
    X = np.full((1, 2, 2000), -300.0, dtype=np.float32)
    np.testing.assert_allclose(NotchFilter(method=method).fit_transform(X), X, 1e-6)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"freqs": 100}, "freqs=100 Hz must be below the Nyquist"),
        ({"freqs": []}, "freqs is empty"),
        ({"freqs": 60, "sfreq": 100}, "below the Nyquist frequency, 50 Hz at"),
        ({"freqs": (60, 62)}, "notch at 62 Hz overlaps"),
        ({"freqs": 1}, "beyond 0 or the Nyquist"),
        ({"width": -1}, "width must be .*above 0"),
        ({"method": "fir", "width": -1}, "width must be .*above 0"),
        ({"width": (1, 2)}, "width has 2 entries for 1 freqs"),
        ({"method": "firr"}, "method must be one of.*Did you mean 'fir'"),
        ({"order": 0}, "order must be an integer at least 1"),
        ({"phase": "minimum"}, "phase must be one of 'zero', 'causal'"),
        ({"method": "fir", "phase": "minimum"}, "phase must be one of"),
        ({"method": "fir", "phase": "causal"}, "method='fir' has phase='zero'"),
        ({"method": "fir", "padlen": 20}, "method='fir' has .*padlen=None, got"),
        ({"phase": "causal", "padlen": 20}, "no meaning with phase='causal'"),
        ({"padlen": 4000}, "4000 samples in time.*at least 4001"),
        ({"method": "fir", "trans_bandwidth": 0}, "trans_bandwidth must be"),
        ({"method": "fir", "trans_bandwidth": 0.1}, "fewer than the 13201 taps"),
    ],
)
def test_errors_come_in_fit(mains, params, text):
    with pytest.raises(ValueError, match=f"^NotchFilter: .*{text}"):
        NotchFilter(**params).fit(mains)


def test_too_few_samples(mains):
    with pytest.raises(ValueError, match=r"21 samples.*at least 22 are needed"):
        NotchFilter().fit(mains[..., :21])
    step = NotchFilter(method="fir").fit(mains[..., :1321])
    with pytest.raises(ValueError, match=r"1320 samples.*fewer than the 1321 taps"):
        step.transform(mains[..., :1320])

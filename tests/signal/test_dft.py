"""The truncated transform against the FFT of the padded frames."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import get_window

from hmsklearn.signal.dft import TruncatedDFT, n_frames


def by_fft(x, window, win_length, n_fft, hop, bins):
    """Centred frames, windowed and zero-padded on both sides, one after the other."""
    weights = np.zeros(n_fft)
    start = (n_fft - win_length) // 2
    weights[start : start + win_length] = get_window(window, win_length)
    padded = np.pad(x, n_fft // 2)
    columns = [
        np.fft.rfft(padded[at : at + n_fft] * weights)[bins]
        for at in range(0, len(padded) - n_fft + 1, hop)
    ]
    return np.abs(np.transpose(columns)) ** 2


@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_equals_the_fft(data):
    n_fft = data.draw(st.integers(2, 70))
    win_length = data.draw(st.integers(2, n_fft))
    n_times = data.draw(st.integers(1, 200))
    hop = data.draw(st.integers(1, 40))
    window = data.draw(st.sampled_from(["hann", "hamming", "boxcar", "cosine"]))
    bins = np.arange(data.draw(st.integers(0, n_fft // 2)), n_fft // 2 + 1)
    x = np.random.default_rng(n_times).normal(0, 30, n_times)
    expected = by_fft(x, window, win_length, n_fft, hop, bins)
    dft = TruncatedDFT.make(window, win_length, n_fft, bins)
    frames = dft.plan(n_times, hop, np.float64)
    assert n_frames(n_times, n_fft, hop) == expected.shape[1] == frames.n_frames
    scale = max(expected.max(), 1e-30)
    np.testing.assert_allclose(frames(x) / scale, expected / scale, atol=1e-12)
    single = dft.plan(n_times, hop, np.float32)(x.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single / scale, expected / scale, atol=1e-5)


def test_memory_of_the_last_call_does_not_leak(rng):
    dft = TruncatedDFT.make("hann", 16, 32, np.arange(10))
    frames = dft.plan(100, 7, np.float64)
    a, b = rng.normal(size=(2, 100))
    first = frames(a).copy()
    frames(b)
    np.testing.assert_array_equal(frames(a), first)


def test_asymmetric_windows_are_refused():
    with pytest.raises(ValueError, match=r"not symmetric"):
        TruncatedDFT.make(("exponential", 2.0, 3.0), 16, 32, np.arange(3))

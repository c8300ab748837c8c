"""Windowed-sinc filters against MNE."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import filter_fir, fir, fir_kernel, fir_notch_kernel

BANDS = [
    (0.5, 20.0),
    (0.5, 40.0),
    (None, 20.0),
    (0.4, None),
    (1.0, 70.0),
    (None, 95.0),
    (8.0, 13.0),
    (3.0, 99.5),
]


def mne_filter(X, band):
    mne = pytest.importorskip("mne")
    with warnings.catch_warnings():
        # Short signals: that they are distorted is the point of the comparison.
        warnings.simplefilter("ignore", RuntimeWarning)
        return mne.filter.filter_data(
            X.astype(np.float64), 200.0, *band, verbose="error"
        )


def close_to_peak(actual, expected, limit):
    peak = np.abs(expected).max(axis=-1, keepdims=True)
    assert (np.abs(actual - expected) <= limit * peak).all()


def awkward(rng, n_times):
    """Random walks, and noise on an offset, a drift and a slow wave."""
    t = np.arange(n_times) / 200
    noise = 20 * rng.normal(size=(4, n_times))
    noise[0] = noise[0].cumsum()
    return noise + [0 * t, 5000 + 0 * t, -8000 + 100 * t, 500 * np.sin(0.3 * t)]


@pytest.mark.parametrize("band", BANDS)
def test_kernel_is_mnes(band):
    mne = pytest.importorskip("mne")
    kernel = fir_kernel(*band)
    expected = mne.filter.create_filter(None, 200.0, *band, verbose="error")
    np.testing.assert_allclose(kernel, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("sfreq", [100.0, 256.0, 200.0])
def test_transitions_are_mnes(sfreq):
    mne = pytest.importorskip("mne")
    kernel = fir_kernel(
        5.0, 30.0, l_trans_bandwidth=1.3, h_trans_bandwidth=4.0, sfreq=sfreq
    )
    expected = mne.filter.create_filter(
        None,
        sfreq,
        5.0,
        30.0,
        l_trans_bandwidth=1.3,
        h_trans_bandwidth=4.0,
        verbose="error",
    )
    np.testing.assert_allclose(kernel, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("n_times", [1, 2, 50, 133, 500, 1321, 2000, 3001])
def test_filtered_is_mnes(rng, band, n_times):
    """At any length, those included at which MNE warns of distortion."""
    X = awkward(rng, n_times)
    expected = mne_filter(X, band)
    kernel = fir_kernel(*band)
    close_to_peak(filter_fir(X, kernel), expected, 1e-10)
    close_to_peak(filter_fir(torch.from_numpy(X), kernel).numpy(), expected, 1e-10)


@pytest.mark.parametrize("freqs", [60.0, (50.0, 75.0)])
@pytest.mark.parametrize(("width", "trans"), [(None, 1.0), (2.0, 1.0), (3.0, 0.7)])
def test_notches_are_mnes(rng, freqs, width, trans):
    mne = pytest.importorskip("mne")
    X = awkward(rng, 3000)
    expected = mne.filter.notch_filter(
        X, 200.0, freqs, notch_widths=width, trans_bandwidth=trans, verbose="error"
    )
    kernel = fir_notch_kernel(freqs, width=width, trans_bandwidth=trans)
    close_to_peak(filter_fir(X, kernel), expected, 1e-10)


@pytest.mark.parametrize("band", BANDS[:5])
def test_single_precision(rng, band):
    kernel = fir_kernel(*band)
    for n_times in (500, 10_000):
        X = awkward(rng, n_times).astype(np.float32)
        expected = filter_fir(X.astype(np.float64), kernel)
        result = filter_fir(X, kernel)
        tensor = filter_fir(torch.from_numpy(X), kernel)
        assert result.dtype == np.float32
        assert tensor.dtype == torch.float32
        close_to_peak(result, expected, 2e-5)
        close_to_peak(tensor.numpy(), expected, 2e-5)


@pytest.mark.parametrize("band", [(0.4, None), (3.0, 99.5), (0.5, 20.0)])
@pytest.mark.parametrize("n_times", [2, 20, 133, 300])
def test_single_precision_of_signals_that_the_kernel_reaches_beyond(rng, band, n_times):
    kernel = fir_kernel(*band)
    X = awkward(rng, n_times)
    X[1] += 1e5
    X = X.astype(np.float32)
    expected = filter_fir(X.astype(np.float64), kernel)
    close_to_peak(filter_fir(X, kernel), expected, 2e-6)
    close_to_peak(filter_fir(torch.from_numpy(X), kernel).numpy(), expected, 2e-6)


@pytest.mark.parametrize("dtype", ["int16", "uint8", "int64", "float16", "bool"])
def test_other_numbers_are_filtered_in_single_precision(rng, dtype):
    X = (100 * rng.random(size=(2, 3, 700))).astype(dtype)
    kernel = fir_kernel(2.0, 20.0)
    result = filter_fir(X, kernel)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, filter_fir(X.astype(np.float32), kernel))
    assert filter_fir(X[:0], kernel).dtype == np.float32


@pytest.mark.parametrize("X", [[[1.0] * 9], torch.ones(1, 9, dtype=torch.int16)])
def test_signals_that_are_no_numbers(X):
    with pytest.raises(ValueError, match=r"^filter_fir: .*Convert it"):
        filter_fir(X, np.ones(3))


def test_on_real_eeg(real_windows):
    X = np.nan_to_num(real_windows[::4])
    kernel = fir_kernel(0.5, 20.0)
    expected = mne_filter(X, (0.5, 20.0))
    close_to_peak(filter_fir(X, kernel), expected, 2e-5)
    close_to_peak(filter_fir(X.astype(np.float64), kernel), expected, 1e-10)


def test_symmetric_kernels_of_any_length(rng):
    X = rng.normal(size=(2, 3, 100))
    for n_taps in (1, 3, 99, 199, 201, 399):
        kernel = rng.normal(size=n_taps)
        kernel += kernel[::-1]
        half = n_taps // 2
        mirrored = min(half, 99)
        inner = np.concatenate(
            [
                2 * X[..., :1] - X[..., mirrored:0:-1],
                X,
                2 * X[..., -1:] - X[..., -2 : -mirrored - 2 : -1],
            ],
            axis=-1,
        )
        padded = np.pad(inner, ((0, 0), (0, 0), 2 * (half - mirrored,)))
        expected = [[np.convolve(x, kernel, "valid") for x in rows] for rows in padded]
        np.testing.assert_allclose(filter_fir(X, kernel), expected, atol=1e-10)


@settings(deadline=None, max_examples=25)
@given(
    band=st.sampled_from(BANDS),
    seed=st.integers(0, 2**16),
    a=st.floats(-5, 5),
    b=st.floats(-5, 5),
)
def test_linear(band, seed, a, b):
    A, B = np.random.default_rng(seed).normal(size=(2, 1, 2, 700))
    kernel = fir_kernel(*band)
    np.testing.assert_allclose(
        filter_fir(a * A + b * B, kernel),
        a * filter_fir(A, kernel) + b * filter_fir(B, kernel),
        atol=1e-10,
    )


@settings(deadline=None, max_examples=25)
@given(band=st.sampled_from(BANDS), seed=st.integers(0, 2**16))
def test_time_may_run_backward(band, seed):
    x = np.random.default_rng(seed).normal(size=(1, 2, 700))
    kernel = fir_kernel(*band)
    np.testing.assert_allclose(
        filter_fir(x[..., ::-1], kernel)[..., ::-1], filter_fir(x, kernel), atol=1e-10
    )


@settings(deadline=None, max_examples=25)
@given(shift=st.integers(1, 99), seed=st.integers(0, 2**16))
def test_moves_with_the_signal_far_from_the_ends(shift, seed):
    x = np.random.default_rng(seed).normal(size=(1, 1, 1100))
    kernel = fir_kernel(2.0, 20.0)
    half = len(kernel) // 2
    early = filter_fir(x[..., :1000], kernel)[..., shift + half : 1000 - half]
    late = filter_fir(x[..., shift:], kernel)[..., half : 1000 - half - shift]
    np.testing.assert_allclose(early, late, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_windows_do_not_know_of_each_other(rng, dtype):
    X = rng.normal(size=(5, 3, 2000)).astype(dtype)
    kernel = fir_kernel(0.5, 20.0)
    whole = filter_fir(X, kernel)
    for window in range(5):
        np.testing.assert_array_equal(
            filter_fir(X[window : window + 1], kernel)[0], whole[window]
        )


def test_layout_of_memory_changes_nothing(rng):
    X = rng.normal(size=(2, 3, 700)).astype(np.float32)
    X.setflags(write=False)
    kernel = fir_kernel(2.0, 20.0)
    expected = filter_fir(X, kernel)
    wide = np.zeros((4, 6, 1400), np.float32)
    wide[::2, ::2, ::2] = X
    swapped = X.astype(X.dtype.newbyteorder())
    for other in (wide[::2, ::2, ::2], np.asfortranarray(X), swapped):
        np.testing.assert_array_equal(filter_fir(other, kernel), expected)
    filter_fir(X, kernel, out=wide[::2, ::2, ::2])
    np.testing.assert_array_equal(wide[::2, ::2, ::2], expected)
    copy = X.copy()
    assert filter_fir(copy, kernel, out=copy) is copy
    np.testing.assert_array_equal(copy, expected)


def test_many_rows_take_turns(rng):
    X = rng.normal(size=(1, 5, 90_000))
    kernel = fir_kernel(0.5, 20.0)
    whole = filter_fir(X, kernel)
    for row in range(5):
        alone = filter_fir(X[:, row : row + 1], kernel)
        np.testing.assert_allclose(whole[:, row], alone[:, 0], atol=1e-12)


def test_recordings_of_many_lengths_do_not_pile_up():
    for n_times in range(100, 120):
        filter_fir(np.zeros((1, n_times)), np.ones(3))
    assert fir._plan.cache_info().currsize <= 8


def test_nothing_to_filter():
    kernel = fir_kernel(0.5, 20.0)
    for shape in [(0, 3, 50), (2, 0, 50), (2, 3, 0)]:
        assert filter_fir(np.zeros(shape), kernel).shape == shape
        assert filter_fir(torch.zeros(shape), kernel).shape == shape


def test_a_constant_goes_as_the_kernel_says():
    X = np.full((1, 1, 2000), 1000.0, dtype=np.float32)
    assert (filter_fir(X, fir_kernel(0.5, 20.0)) == 0).all()
    np.testing.assert_allclose(filter_fir(X, fir_kernel(None, 20.0)), X, rtol=1e-6)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"l_freq": None, "h_freq": None}, "both None"),
        ({"l_freq": 20, "h_freq": 0.5}, "l_freq=20 must be below h_freq=0.5.*Swap"),
        ({"l_freq": 0, "h_freq": 20}, "l_freq must be .*above 0.*l_freq=None"),
        ({"l_freq": 1, "h_freq": 100}, "h_freq=100 Hz must be below .*Nyquist"),
        (
            {"l_freq": 1, "h_freq": 20, "l_trans_bandwidth": 2},
            "l_trans_bandwidth must be .*at most 1.0, got 2. A transition ends at 0",
        ),
        (
            {"l_freq": 1, "h_freq": 99, "h_trans_bandwidth": 2},
            "h_trans_bandwidth must be .*at most 1.0, got 2",
        ),
        ({"l_freq": 1, "h_freq": 20, "h_trans_bandwidth": 0}, "above 0"),
        ({"l_freq": 1, "h_freq": 20, "sfreq": -1}, "sfreq must be"),
    ],
)
def test_errors(kwargs, text):
    with pytest.raises(ValueError, match=f"^Name: .*{text}"):
        fir_kernel(**kwargs, caller="Name")


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"freqs": 99.5}, "reaches from 98.75.* beyond 0 or the Nyquist"),
        ({"freqs": (60, 61)}, "notch at 61 Hz overlaps"),
        ({"trans_bandwidth": 0}, "trans_bandwidth must be .*above 0"),
    ],
)
def test_notch_errors(kwargs, text):
    with pytest.raises(ValueError, match=f"^Name: .*{text}"):
        fir_notch_kernel(**kwargs, caller="Name")


def test_errors_of_the_kernel():
    X = np.zeros((1, 1, 100))
    for kernel in (np.ones(4), np.ones((3, 3)), np.ones(0)):
        with pytest.raises(ValueError, match=r"^filter_fir: kernel must have one axis"):
            filter_fir(X, kernel)
    with pytest.raises(ValueError, match=r"^filter_fir: kernel must be symmetric"):
        filter_fir(X, np.arange(3.0))
    with pytest.raises(ValueError, match="out= is for NumPy arrays"):
        filter_fir(torch.zeros(1, 1, 9), np.ones(3), out=torch.zeros(1))

"""Filters against SciPy in double precision, edges included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt, sosfiltfilt, sosfreqz

from hmsklearn.signal import butterworth_sos, filter_causal, filter_zero_phase
from hmsklearn.signal.filters import MAX_ORDER, default_padlen

BANDS = [(0.5, 20.0), (None, 20.0), (0.5, None), (1.6, 30.0), (0.5, 40.0)]
ORDERS = range(1, MAX_ORDER + 1)


def assert_close_to_peak(actual, expected, limit=2e-5):
    """Within a share of each channel's largest value, everywhere."""
    peak = np.abs(expected).max(axis=-1, keepdims=True)
    assert (np.abs(actual - expected) <= limit * peak).all()


def eeg_like(rng, *shape):
    """Pink noise, a drift, an offset, mains and an electrode that jumps."""
    t = np.arange(shape[-1]) / 200
    X = 5 * rng.normal(size=shape).cumsum(axis=-1) + 40 * np.sin(2 * np.pi * 60 * t)
    X += rng.normal(0, 300, (*shape[:-1], 1)) + 10 * t
    X[..., shape[-1] // 3 :] += rng.normal(0, 1000, (*shape[:-1], 1))
    return X.astype(np.float32)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("band", BANDS)
def test_design_is_scipys_and_stable(band, order):
    sos = butterworth_sos(*band, order=order)
    kind = {(True, True): "band", (False, True): "low", (True, False): "high"}
    edges = [edge for edge in band if edge is not None]
    expected = butter(
        order,
        edges if len(edges) > 1 else edges[0],
        kind[band[0] is not None, band[1] is not None],
        fs=200,
        output="sos",
    )
    np.testing.assert_array_equal(sos, expected)
    assert sos.dtype == np.float64
    for section in sos:
        assert (np.abs(np.roots(section[3:])) < 1).all()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("band", BANDS)
def test_edges_are_three_decibels_down(band, order):
    edges = [edge for edge in band if edge is not None]
    _, response = sosfreqz(butterworth_sos(*band, order=order), worN=edges, fs=200)
    np.testing.assert_allclose(np.abs(response), np.sqrt(0.5), rtol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_to_scipy_in_double_precision(rng, band, order, dtype):
    X = eeg_like(rng, 2, 2, 1000).astype(dtype)
    exact = X.astype(np.float64)
    sos = butterworth_sos(*band, order=order)
    limit = 2e-5 if dtype == np.float32 else 1e-12
    zero = filter_zero_phase(X, sos)
    causal = filter_causal(X, sos)
    assert zero.dtype == causal.dtype == dtype
    assert_close_to_peak(zero, sosfiltfilt(sos, exact), limit)
    assert_close_to_peak(causal, sosfilt(sos, exact), limit)


@pytest.mark.parametrize("padlen", [0, 1, 27, 632, 999])
def test_paddings(rng, padlen):
    X = eeg_like(rng, 2, 2, 1000)
    sos = butterworth_sos(0.5, 20.0)
    assert_close_to_peak(
        filter_zero_phase(X, sos, padlen=padlen),
        sosfiltfilt(sos, X.astype(np.float64), padlen=padlen),
    )


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_default_padding_is_scipys(rng, band, order):
    X = eeg_like(rng, 1, 1, 200).astype(np.float64)
    sos = butterworth_sos(*band, order=order)
    np.testing.assert_array_equal(
        sosfiltfilt(sos, X), sosfiltfilt(sos, X, padlen=default_padlen(sos))
    )


def test_on_real_eeg(real_windows):
    X = np.nan_to_num(real_windows)
    sos = butterworth_sos(0.5, 20.0)
    exact = X.astype(np.float64)
    assert_close_to_peak(filter_zero_phase(X, sos), sosfiltfilt(sos, exact))
    assert_close_to_peak(filter_causal(X, sos), sosfilt(sos, exact))


filters = st.sampled_from([filter_zero_phase, filter_causal])


@settings(deadline=None, max_examples=25)
@given(
    run=filters,
    band=st.sampled_from(BANDS),
    order=st.integers(1, 6),
    seed=st.integers(0, 2**16),
    a=st.floats(-5, 5),
    b=st.floats(-5, 5),
)
def test_linear(run, band, order, seed, a, b):
    A, B = np.random.default_rng(seed).normal(size=(2, 1, 2, 300))
    sos = butterworth_sos(*band, order=order)
    np.testing.assert_allclose(
        run(a * A + b * B, sos), a * run(A, sos) + b * run(B, sos), atol=1e-8
    )


@settings(deadline=None, max_examples=25)
@given(shift=st.integers(1, 100), order=st.integers(1, 6), seed=st.integers(0, 2**16))
def test_causal_filters_move_with_the_signal(shift, order, seed):
    x = np.random.default_rng(seed).normal(size=(1, 1, 300))
    later = np.concatenate([np.zeros((1, 1, shift)), x], axis=-1)
    sos = butterworth_sos(0.5, 20.0, order=order)
    result = filter_causal(later, sos)
    assert (result[..., :shift] == 0).all()
    np.testing.assert_allclose(result[..., shift:], filter_causal(x, sos), atol=1e-10)


def test_zero_phase_does_not_move_peaks_and_causal_does():
    t = np.arange(8000) / 200
    X = np.sin(2 * np.pi * 10 * t)[None, None]
    sos = butterworth_sos(0.5, 20.0)
    middle = slice(3000, 5000)
    zero = filter_zero_phase(X, sos)[..., middle]
    causal = filter_causal(X, sos)[..., middle]
    np.testing.assert_allclose(zero, X[..., middle], atol=0.01)
    assert np.abs(causal - X[..., middle]).max() > 0.5


@pytest.mark.parametrize("run", [filter_zero_phase, filter_causal])
def test_windows_do_not_know_of_each_other(rng, run):
    X = eeg_like(rng, 5, 3, 400)
    sos = butterworth_sos(0.5, 20.0)
    whole = run(X, sos)
    for window in range(5):
        np.testing.assert_array_equal(
            run(X[window : window + 1], sos)[0], whole[window]
        )
    np.testing.assert_array_equal(run(X[::-1, ::-1], sos), whole[::-1, ::-1])


@pytest.mark.parametrize("run", [filter_zero_phase, filter_causal])
def test_out_may_be_the_input(rng, run):
    X = eeg_like(rng, 2, 3, 400)
    X.setflags(write=False)
    sos = butterworth_sos(0.5, 20.0)
    expected = run(X, sos)
    copy = X.copy()
    assert run(copy, sos, out=copy) is copy
    np.testing.assert_array_equal(copy, expected)


@pytest.mark.parametrize("run", [filter_zero_phase, filter_causal])
def test_silence_stays_silent(run):
    X = np.zeros((1, 2, 400), dtype=np.float32)
    assert (run(X, butterworth_sos(0.5, 20.0)) == 0).all()


def test_a_constant_is_removed_by_zero_phase_high_passes():
    X = np.full((1, 1, 400), 1000.0, dtype=np.float32)
    assert np.abs(filter_zero_phase(X, butterworth_sos(0.5, 20.0))).max() < 1e-6


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"l_freq": 20.0, "h_freq": 0.5}, "l_freq=20.0 must be below h_freq=0.5.*Swap"),
        ({"l_freq": 5, "h_freq": 5}, "must be below"),
        ({"l_freq": None, "h_freq": None}, "both None"),
        ({"l_freq": 0, "h_freq": 20}, "l_freq must be .*above 0.*l_freq=None"),
        ({"l_freq": -1, "h_freq": 20}, "l_freq must be .*above 0, got -1"),
        ({"l_freq": 1, "h_freq": 0}, "h_freq must be .*h_freq=None"),
        ({"l_freq": 1, "h_freq": 100}, "h_freq=100 Hz must be below .*Nyquist.*100 Hz"),
        ({"l_freq": 150, "h_freq": None}, "l_freq=150 Hz must be below .*Nyquist"),
        ({"l_freq": 1, "h_freq": 30, "sfreq": 50}, "25 Hz at sfreq=50"),
        ({"l_freq": "1", "h_freq": 30}, "l_freq must be a finite number"),
        ({"l_freq": 1, "h_freq": np.nan}, "h_freq must be a finite number"),
        ({"l_freq": 1, "h_freq": 30, "sfreq": 0}, "sfreq must be .*above 0"),
        (
            {"l_freq": 1, "h_freq": 30, "order": 0},
            "order must be an integer at least 1",
        ),
        ({"l_freq": 1, "h_freq": 30, "order": 9}, "at most 8, got 9. Put two filters"),
        ({"l_freq": 1, "h_freq": 30, "order": 2.0}, "order must be an integer"),
    ],
)
def test_errors(kwargs, text):
    with pytest.raises(ValueError, match=f"^Name: .*{text}"):
        butterworth_sos(**kwargs, caller="Name")

"""FIRFilter."""

import numpy as np
import pytest
import torch

from hmsklearn.preprocessing import FIRFilter, NaNImputer


@pytest.fixture
def long_signals(rng):
    """Random walks: (3, 4, 3000) float32 microvolt."""
    return rng.normal(0, 5, (3, 4, 3000)).cumsum(axis=-1).astype(np.float32)


def mne_filter(X, *args, **kwargs):
    mne = pytest.importorskip("mne")
    return mne.filter.filter_data(
        X.astype(np.float64), *args, verbose="error", **kwargs
    )


def close(actual, expected, limit):
    peak = np.abs(expected).max(axis=-1, keepdims=True)
    assert (np.abs(actual - expected) <= limit * peak).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "band", [(0.5, 20.0), (0.5, 40.0), (None, 20.0), (0.5, None), (1.0, 70.0)]
)
def test_equal_to_mne(long_signals, band, dtype):
    X = long_signals.astype(dtype)
    step = FIRFilter(*band)
    result = step.fit_transform(X)
    assert result.dtype == dtype
    assert step.kernel_.dtype == np.float64
    expected = mne_filter(X, 200.0, *band)
    close(result, expected, 2e-5 if dtype == np.float32 else 1e-10)


def test_parameters_are_mnes(long_signals):
    widths = {"l_trans_bandwidth": 1.5, "h_trans_bandwidth": 8.0}
    step = FIRFilter(3.0, 30.0, sfreq=250.0, **widths)
    expected = mne_filter(long_signals, 250.0, 3.0, 30.0, **widths)
    close(step.fit_transform(long_signals), expected, 2e-5)


def test_defaults_are_those_of_the_2nd_place():
    step = FIRFilter()
    assert (step.l_freq, step.h_freq, step.sfreq) == (0.5, 20.0, 200.0)
    assert step.fit(np.zeros((1, 1, 2000))).kernel_.shape == (1321,)


def test_tensors(long_signals):
    step = FIRFilter()
    tensor = step.fit_transform(torch.from_numpy(long_signals))
    close(tensor.numpy(), step.fit_transform(long_signals), 1e-5)


def test_threads_change_nothing(rng):
    X = rng.normal(0, 30, (13, 18, 10_000)).astype(np.float32)
    step = FIRFilter().fit(X)
    expected = step.transform(X)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        np.testing.assert_array_equal(step.transform(X), expected)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(step.transform(X[7:9]), expected[7:9])


def test_nan_names_the_imputer(long_signals):
    X = long_signals.copy()
    X[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match=r"FIRFilter: X contains NaN.*NaNImputer"):
        FIRFilter().fit(X)
    FIRFilter().fit(NaNImputer().fit_transform(X))


def test_constant_channels():
    X = np.full((1, 2, 2000), -300.0, dtype=np.float32)
    assert (FIRFilter().fit_transform(X) == 0).all()


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"l_freq": 20, "h_freq": 0.5}, "l_freq=20 must be below h_freq=0.5"),
        ({"h_freq": 100}, "below the Nyquist frequency"),
        ({"l_freq": 0}, "above 0, got 0. Without this edge give l_freq=None"),
        ({"l_freq": None, "h_freq": None}, "both None"),
        ({"l_trans_bandwidth": 0.6}, "l_trans_bandwidth must be .*at most 0.5"),
        ({"h_trans_bandwidth": -1}, "h_trans_bandwidth must be .*above 0"),
        ({"sfreq": 0}, "sfreq must be"),
        (
            {"l_freq": 0.2},
            "3000 samples in time.*fewer than the 3301 taps.*wider transitions, or use "
            "ButterworthFilter",
        ),
    ],
)
def test_errors_come_in_fit(long_signals, params, text):
    with pytest.raises(ValueError, match=f"^FIRFilter: .*{text}"):
        FIRFilter(**params).fit(long_signals)


def test_too_few_samples(long_signals):
    step = FIRFilter().fit(long_signals[..., :1321])
    with pytest.raises(ValueError, match=r"1320 samples.*fewer than the 1321 taps"):
        step.transform(long_signals[..., :1320])

"""ButterworthFilter."""

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfilt, sosfiltfilt

from hmsklearn.preprocessing import ButterworthFilter, NaNImputer


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", [1, 2, 3, 4, 8])
def test_equal_to_scipy(signals, order, dtype):
    X = (signals + 200).astype(dtype)
    sos = butter(order, [0.5, 20], "bandpass", fs=200, output="sos")
    exact = X.astype(np.float64)
    for phase, expected in [
        ("zero", sosfiltfilt(sos, exact)),
        ("causal", sosfilt(sos, exact)),
    ]:
        step = ButterworthFilter(0.5, 20.0, order=order, phase=phase)
        result = step.fit_transform(X)
        assert result.dtype == dtype
        peak = np.abs(expected).max(axis=-1, keepdims=True)
        assert (np.abs(result - expected) <= 2e-5 * peak).all()
        np.testing.assert_array_equal(step.sos_, sos)


def test_defaults():
    step = ButterworthFilter()
    assert (step.l_freq, step.h_freq, step.order, step.phase) == (0.5, 20.0, 4, "zero")


def test_low_and_high_pass(signals):
    exact = signals.astype(np.float64)
    low = butter(4, 20, "lowpass", fs=200, output="sos")
    high = butter(4, 0.5, "highpass", fs=200, output="sos")
    for params, sos in [((None, 20.0), low), ((0.5, None), high)]:
        np.testing.assert_allclose(
            ButterworthFilter(*params).fit_transform(signals),
            sosfiltfilt(sos, exact),
            atol=1e-3,
        )


def test_band_stop(signals):
    step = ButterworthFilter(57.5, 62.5, order=3, btype="bandstop")
    sos = butter(3, [57.5, 62.5], "bandstop", fs=200, output="sos")
    expected = sosfiltfilt(sos, signals.astype(np.float64))
    np.testing.assert_allclose(step.fit_transform(signals), expected, atol=1e-3)


@pytest.mark.parametrize("n_times", [50, 400, 3000])
@pytest.mark.parametrize("band", [(0.5, 20.0), (0.4, None), (None, 20.0)])
def test_equal_to_mne(rng, n_times, band):
    """Windows shorter than MNE's padding included."""
    mne = pytest.importorskip("mne")
    X = rng.normal(200, 30, (2, 3, n_times))
    for phase, theirs in (("zero", "zero"), ("causal", "forward")):
        padlen = "mne" if phase == "zero" else None
        step = ButterworthFilter(*band, phase=phase, padlen=padlen)
        expected = mne.filter.filter_data(
            X, 200.0, *band, method="iir", phase=theirs, verbose="error"
        )
        peak = np.abs(expected).max(axis=-1, keepdims=True)
        assert (np.abs(step.fit_transform(X) - expected) <= 1e-9 * peak).all()


def test_shorter_windows_than_in_fit(signals):
    step = ButterworthFilter(padlen="mne").fit(signals)
    expected = sosfiltfilt(step.sos_, signals[..., :99].astype("f8"), padlen=98)
    np.testing.assert_allclose(step.transform(signals[..., :99]), expected, atol=1e-3)


@pytest.mark.parametrize("phase", ["zero", "causal"])
def test_tensors(signals, phase):
    step = ButterworthFilter(phase=phase)
    tensor = step.fit_transform(torch.from_numpy(signals))
    np.testing.assert_allclose(
        tensor.numpy(), step.fit_transform(signals), atol=2e-5 * np.abs(signals).max()
    )


@pytest.mark.parametrize("phase", ["zero", "causal"])
def test_threads_change_nothing(rng, phase):
    """More chunks than one, and products that torch or BLAS might share out."""
    X = rng.normal(0, 30, (13, 18, 10_000)).astype(np.float32)
    step = ButterworthFilter(phase=phase).fit(X)
    expected = step.transform(X)
    before = torch.get_num_threads()
    try:
        for n_threads in (2, 3):
            torch.set_num_threads(n_threads)
            np.testing.assert_array_equal(step.transform(X), expected)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(step.transform(X[7:9]), expected[7:9])


def test_organisers_filter(signals):
    step = ButterworthFilter(0.5, 40.0, order=3)
    sos = butter(3, [0.5, 40], "bandpass", fs=200, output="sos")
    expected = sosfiltfilt(sos, signals.astype(np.float64))
    np.testing.assert_allclose(step.fit_transform(signals), expected, atol=1e-3)


def test_sampling_frequency_scales_the_edges(signals):
    np.testing.assert_array_equal(
        ButterworthFilter(1.0, 40.0, sfreq=400.0).fit_transform(signals),
        ButterworthFilter(0.5, 20.0, sfreq=200.0).fit_transform(signals),
    )


@pytest.mark.parametrize("padlen", [0, 100, 399])
def test_padlen(signals, padlen):
    step = ButterworthFilter(0.5, 20.0, padlen=padlen).fit(signals)
    assert step.padlen_ == padlen
    expected = sosfiltfilt(step.sos_, signals.astype(np.float64), padlen=padlen)
    np.testing.assert_allclose(step.transform(signals), expected, atol=1e-3)


def test_padlen_that_was_used():
    X = np.zeros((1, 1, 100))
    assert ButterworthFilter(0.5, 20.0).fit(X).padlen_ == 27
    assert ButterworthFilter(0.5, 20.0, padlen="mne").fit(X).padlen_ == 632
    assert ButterworthFilter(0.5, 20.0, phase="causal").fit(X).padlen_ == 0


def test_nan_names_the_imputer(signals):
    X = signals.copy()
    X[1, 2, 3] = np.nan
    step = ButterworthFilter()
    with pytest.raises(
        ValueError, match=r"ButterworthFilter: X contains NaN.*NaNImputer"
    ):
        step.fit(X)
    with pytest.raises(
        ValueError, match=r"ButterworthFilter: X contains NaN.*NaNImputer"
    ):
        step.fit(signals).transform(X)
    step.fit(NaNImputer().fit_transform(X))


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"l_freq": 20, "h_freq": 0.5}, "l_freq=20 must be below h_freq=0.5"),
        ({"h_freq": 100}, "below the Nyquist frequency"),
        ({"l_freq": 0}, "above 0, got 0. Without this edge give l_freq=None"),
        ({"h_freq": -3}, "above 0, got -3"),
        ({"l_freq": None, "h_freq": None}, "both None"),
        ({"order": 0}, "order must be an integer"),
        ({"order": 9}, "order must be an integer"),
        ({"sfreq": -200}, "sfreq must be"),
        ({"phase": "forward"}, "phase must be one of 'zero', 'causal'"),
        ({"padlen": -1}, "padlen must be an integer at least 0"),
        ({"padlen": 2.5}, "padlen must be an integer"),
        ({"padlen": "mme"}, "padlen must be one of .*'mne'.*Did you mean 'mne'"),
        ({"padlen": "mne", "phase": "causal"}, "no meaning with phase='causal'"),
        ({"btype": "bandstopp"}, "btype must be one of .*Did you mean 'bandstop'"),
        ({"btype": "lowpass"}, "btype='lowpass' takes h_freq, and l_freq=None"),
        ({"btype": "bandstop", "h_freq": None}, "takes l_freq and h_freq"),
        ({"btype": "bandstop", "h_freq": 0.5}, "must be below .*what stops"),
        ({"padlen": 3, "phase": "causal"}, "no meaning with phase='causal'"),
        ({"l_freq": 1e-9}, "the filter is unstable"),
        ({"l_freq": 1e-4, "h_freq": None}, "rings for more than 8388608 samples"),
        ({"h_freq": 99.999999, "order": 8}, "rings for more than .* from Nyquist"),
        ({"padlen": 400}, "400 samples in time.*at least 401 .*smaller padlen"),
    ],
)
def test_errors_come_in_fit(signals, params, text):
    with pytest.raises(ValueError, match=f"^ButterworthFilter: .*{text}"):
        ButterworthFilter(**params).fit(signals)


def test_too_few_samples(signals):
    with pytest.raises(ValueError, match=r"27 samples.*at least 28 are needed"):
        ButterworthFilter().fit(signals[..., :27])
    ButterworthFilter().fit(signals[..., :28])
    with pytest.raises(ValueError, match=r"27 samples.*at least 28 are needed"):
        ButterworthFilter().fit(signals).transform(signals[..., :27])
    ButterworthFilter(phase="causal").fit_transform(signals[..., :1])

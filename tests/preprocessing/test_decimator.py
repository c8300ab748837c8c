"""Decimator."""

import numpy as np
import pytest

from hmsklearn.preprocessing import ButterworthFilter, Decimator


@pytest.mark.parametrize("factor", [1, 2, 5, 7])
def test_stride_and_mean(signals, factor):
    n = 400 // factor
    blocks = signals[..., : n * factor].reshape(6, 20, n, factor)
    stride = Decimator(factor).fit_transform(signals)
    mean = Decimator(factor, method="mean").fit_transform(signals)
    np.testing.assert_array_equal(stride, blocks[..., 0])
    np.testing.assert_allclose(mean, blocks.mean(axis=-1), atol=1e-4)
    assert stride.dtype == mean.dtype == np.float32


def test_centre_of_the_fourth_place():
    X = np.arange(9600.0)[None, None]
    np.testing.assert_array_equal(
        Decimator(5).fit_transform(X)[0, 0], np.arange(0, 9600, 5)
    )


def test_after_a_low_pass_nothing_is_lost():
    """Up to 20 Hz at 40 samples a second: interpolation gives the signal back."""
    t = np.arange(10_000) / 200
    X = np.sin(2 * np.pi * 7 * t)[None, None]
    slow = Decimator(5).fit_transform(ButterworthFilter(None, 20.0).fit_transform(X))
    spectrum = np.abs(np.fft.rfft(slow[0, 0]))
    frequency = np.fft.rfftfreq(slow.shape[-1], 1 / 40)[spectrum.argmax()]
    assert frequency == pytest.approx(7, abs=0.02)


def test_names_pass_through(signals):
    step = Decimator().fit(signals[:, :2])
    assert step.get_feature_names_out(["a", "b"]).tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"factor": 0}, "factor must be an integer at least 1"),
        ({"factor": 2.0}, "factor must be an integer"),
        ({"factor": 401}, "400 samples.*at least 401 .*smaller factor"),
        ({"method": "median"}, "method must be one of 'stride', 'mean'"),
    ],
)
def test_errors_come_in_fit(signals, params, text):
    with pytest.raises(ValueError, match=f"^Decimator: .*{text}"):
        Decimator(**params).fit(signals)


def test_shorter_windows_later(signals):
    with pytest.raises(ValueError, match=r"4 samples"):
        Decimator(5).fit(signals).transform(signals[..., :4])

"""AmplitudeScaler."""

import numpy as np
import pytest

from hmsklearn.preprocessing import AmplitudeScaler


def test_defaults_clip_at_1024_and_divide_by_32(signals):
    X = 30 * signals
    result = AmplitudeScaler().fit_transform(X)
    np.testing.assert_array_equal(result, np.clip(X, -1024, 1024) / 32)
    assert np.abs(result).max() == 32


@pytest.mark.parametrize("clip", [None, 1, 104.5, np.float32(50)])
@pytest.mark.parametrize("scale", [1, 104.0])
def test_parameters(signals, clip, scale):
    result = AmplitudeScaler(clip, scale).fit_transform(signals)
    bounded = signals if clip is None else np.clip(signals, -clip, clip)
    np.testing.assert_allclose(result, bounded / scale, rtol=1e-6)
    assert result.dtype == np.float32


def test_nan_passes(signals):
    X = signals.copy()
    X[0, 0, 5] = np.nan
    result = AmplitudeScaler().fit_transform(X)
    assert np.argwhere(np.isnan(result)).tolist() == [[0, 0, 5]]


@pytest.mark.parametrize("name", ["clip", "scale"])
@pytest.mark.parametrize("value", [0, -32.0, np.nan, np.inf, "32", True, 1e300, 1e-300])
def test_unusable_magnitudes(signals, name, value):
    with pytest.raises(ValueError, match=f"AmplitudeScaler: {name} must be a finite"):
        AmplitudeScaler(**{name: value}).fit(signals)


def test_scale_has_to_be_given(signals):
    with pytest.raises(ValueError, match=r"scale must be"):
        AmplitudeScaler(scale=None).fit(signals)


def test_sixteenth_place_maps_each_channel_to_the_unit_interval(signals):
    limits = np.linspace(88, 123, 20)
    limits[19] = 576
    step = AmplitudeScaler(limits, 2 * limits, offset=limits)
    result = step.fit_transform(10 * signals)
    expected = np.clip(10 * signals / limits[:, None], -1, 1) / 2 + 0.5
    np.testing.assert_allclose(result, expected, atol=1e-6)
    assert (result.min(), result.max()) == (0, 1)


def test_mu_law_comes_last(signals):
    X = 30 * signals
    result = AmplitudeScaler(800, 100, offset=50.0, mu=1).fit_transform(X)
    scaled = (np.clip(X, -800, 800) + 50) / 100
    expected = np.sign(scaled) * np.log2(1 + np.abs(scaled))
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert result.dtype == np.float32


@pytest.mark.parametrize("kind", [list, tuple, np.asarray])
def test_one_number_for_each_channel(signals, kind):
    numbers = kind([float(i + 1) for i in range(20)])
    result = AmplitudeScaler(None, numbers).fit_transform(signals)
    expected = signals / np.arange(1, 21, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("name", ["clip", "scale", "offset"])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1.0] * 19, "{0} has 19 numbers, but X has 20 channels .* one for each"),
        ([], "{0} has 0 numbers"),
        ([1.0] * 19 + [np.nan], r"{0}\[19\] must be a finite number"),
        ([[1.0]] * 20, r"{0}\[0\] must be a finite number"),
        (np.ones((20, 1)), r"{0}\[0\] must be a finite number"),
        (np.array("x"), "{0} must be a finite number"),
        (np.nan, "{0} must be a finite number"),
    ],
)
def test_unusable_numbers(signals, name, value, text):
    text = text.format(name)
    with pytest.raises(ValueError, match=f"^AmplitudeScaler: {text}"):
        AmplitudeScaler(**{name: value}).fit(signals)


def test_offset_has_any_sign(signals):
    result = AmplitudeScaler(None, 1, offset=-7).fit_transform(signals)
    np.testing.assert_array_equal(result, signals - np.float32(7))


@pytest.mark.parametrize("mu", [0, -1, np.nan, "1", True, 1e-9, 1e9])
def test_unusable_mu(signals, mu):
    with pytest.raises(
        ValueError, match=r"AmplitudeScaler: mu must be a finite .* None"
    ):
        AmplitudeScaler(mu=mu).fit(signals)

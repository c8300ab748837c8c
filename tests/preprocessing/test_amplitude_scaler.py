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

"""RobustChannelScaler."""

import numpy as np
import pytest
import torch
from sklearn.preprocessing import RobustScaler

from hmsklearn.preprocessing import RobustChannelScaler


def test_defaults_are_the_interquartile_range_of_each_channel(signals):
    X = 10 * signals + 50
    result = RobustChannelScaler().fit_transform(X)
    low, middle, high = np.percentile(X, [25, 50, 75], axis=-1, keepdims=True)
    np.testing.assert_allclose(result, (X - middle) / (high - low), atol=1e-5)
    assert result.dtype == np.float32


def test_nothing_is_learned(signals):
    """Where scikit-learn's scaler remembers the first window, this one does not."""
    quiet, loud = signals[:1], 100 * signals[:1] + 7
    step = RobustChannelScaler().fit(quiet)
    np.testing.assert_allclose(step.transform(loud), step.transform(quiet), atol=1e-4)
    learned = RobustScaler().fit(quiet[0].T)
    assert np.abs(learned.transform(loud[0].T).T - step.transform(quiet)[0]).max() > 10


@pytest.mark.parametrize(
    ("across", "axis"), [("channel", 2), ("window", (1, 2)), ("electrodes", 1)]
)
@pytest.mark.parametrize("center", ["mean", "median"])
def test_centring_only(signals, across, axis, center):
    X = signals + np.arange(20, dtype=np.float32)[:, None]
    step = RobustChannelScaler(center=center, quantile_range=None, across=across)
    expected = X - getattr(np, center)(X, axis=axis, keepdims=True)
    np.testing.assert_allclose(step.fit_transform(X), expected, atol=1e-4)


def test_scaling_only(signals):
    step = RobustChannelScaler(center=None, quantile_range=[10, 90], across="window")
    low, high = np.percentile(signals, [10, 90], axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(
        step.fit_transform(signals), signals / (high - low), atol=1e-5
    )


@pytest.mark.parametrize("across", ["channel", "window", "electrodes"])
def test_constant_channels_and_windows(signals, across):
    X = signals.copy()
    X[0, 3] = 123.456
    X[1] = -7.0
    result = RobustChannelScaler(across=across).fit_transform(X)
    assert np.isfinite(result).all()
    assert (result[1] == 0).all()
    if across == "channel":
        assert (result[0, 3] == 0).all()


def test_real_windows(real_windows):
    X = real_windows[:4]
    result = RobustChannelScaler().fit_transform(X)
    assert np.isfinite(result).all()
    np.testing.assert_allclose(np.median(result, axis=-1), 0, atol=1e-5)
    tensor = RobustChannelScaler().fit_transform(torch.tensor(X))
    np.testing.assert_allclose(tensor, result, rtol=1e-5, atol=1e-5)


def test_nan_names_the_imputer(signals):
    X = signals.copy()
    X[1, 2, 3] = np.nan
    with pytest.raises(
        ValueError, match=r"RobustChannelScaler: X contains NaN.*NaNImp"
    ):
        RobustChannelScaler().fit(X)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"center": "mode"}, "center must be one of 'median', 'mean', None"),
        ({"center": True}, "center must be one of"),
        ({"across": "channels"}, "across must be one of .* Did you mean 'channel'"),
        ({"across": None}, "across must be one of"),
        ({"quantile_range": 50}, "quantile_range must be a pair of percentiles"),
        ({"quantile_range": (5, 50, 95)}, "quantile_range must be a pair"),
        ({"quantile_range": (75, 25)}, "the first percentile must be below .* Swap"),
        ({"quantile_range": (25, 25)}, "the first percentile must be below"),
        ({"quantile_range": (-1, 25)}, r"quantile_range\[0\] must be a finite number"),
        ({"quantile_range": (1, 101)}, r"quantile_range\[1\] must be .* at most 100"),
        ({"center": None, "quantile_range": None}, "both None, there is nothing to do"),
    ],
)
def test_errors_come_in_fit(signals, params, text):
    with pytest.raises(ValueError, match=f"^RobustChannelScaler: .*{text}"):
        RobustChannelScaler(**params).fit(signals)

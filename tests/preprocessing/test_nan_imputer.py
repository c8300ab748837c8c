"""NaNImputer."""

import numpy as np
import pytest
import torch

from hmsklearn.preprocessing import NaNImputer
from hmsklearn.signal import fill_nan


@pytest.mark.parametrize("strategy", ["mean", "zero", "linear"])
def test_each_window_and_channel_from_itself(signals, rng, strategy):
    X = signals.copy()
    X[rng.random(X.shape) < 0.1] = np.nan
    X[3, 4] = np.nan
    there = ~np.isnan(X)
    imputer = NaNImputer(strategy).fit(X)
    result = imputer.transform(X)
    np.testing.assert_array_equal(result, fill_nan(X, strategy))
    np.testing.assert_array_equal(result[there], signals[there])
    assert (result[3, 4] == 0).all()
    assert np.isfinite(result).all()
    assert result.dtype == np.float32
    other = np.concatenate([X[:1], 1000 * X[1:]])
    np.testing.assert_array_equal(imputer.transform(other)[0], result[0])


def test_mean_is_the_default(signals):
    X = signals.copy()
    X[0, 0, :100] = np.nan
    result = NaNImputer().fit_transform(X)
    np.testing.assert_allclose(result[0, 0, :100], X[0, 0, 100:].mean(), rtol=1e-5)


def test_names_pass_through(signals):
    imputer = NaNImputer().fit(signals[:, :2])
    assert imputer.get_feature_names_out(["a", "b"]).tolist() == ["a", "b"]


def test_no_nan_is_a_copy(signals):
    result = NaNImputer().fit_transform(signals)
    np.testing.assert_array_equal(result, signals)
    assert not np.shares_memory(result, signals)


@pytest.mark.parametrize("strategy", ["median", None, 0])
def test_unknown_strategy(signals, strategy):
    with pytest.raises(ValueError, match=r"NaNImputer: strategy must be one of 'mean'"):
        NaNImputer(strategy).fit(signals)


@pytest.mark.parametrize("strategy", ["mean", "zero", "linear"])
def test_real_windows_with_gaps(real_windows, strategy):
    X = real_windows[:3].copy()
    X[0, 3, 2000:2500] = np.nan
    X[1, :, :7] = np.nan
    X[2, 19] = np.nan
    result = NaNImputer(strategy).fit_transform(X)
    there = ~np.isnan(X)
    np.testing.assert_array_equal(result[there], X[there])
    assert np.isfinite(result).all()
    tensor = NaNImputer(strategy).fit_transform(torch.from_numpy(X))
    np.testing.assert_allclose(tensor, result, rtol=1e-5, atol=1e-3)

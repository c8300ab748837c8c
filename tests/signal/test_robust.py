"""Centring and scaling by quantiles."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import RobustScaler

from hmsklearn.signal import robust_scale
from hmsklearn.signal.robust import ACROSS, CENTRES

#: The axes of (n_channels, n_times) that share one median.
AXES = {"channel": 1, "window": (0, 1), "electrodes": 0}

windows = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 9)),
    elements=st.integers(-1000, 1000).map(float),
)


def by_numpy(window, across, center, quantile_range):
    window, axis = window.astype(np.float64), AXES[across]
    result = window
    if center is not None:
        result = window - getattr(np, center)(window, axis=axis, keepdims=True)
    if quantile_range is not None:
        low, high = np.percentile(window, quantile_range, axis=axis, keepdims=True)
        result = result / np.where(high - low < 1e-12, 1, high - low)
    return result


@settings(deadline=None, max_examples=25)
@given(
    X=windows,
    across=st.sampled_from(ACROSS),
    center=st.sampled_from(CENTRES),
    quantile_range=st.sampled_from([None, (25.0, 75.0), (0, 100), (5.0, 95.0)]),
)
def test_equals_numpy(X, across, center, quantile_range):
    before = X.copy()
    params = {"across": across, "center": center, "quantile_range": quantile_range}
    expected = np.stack([by_numpy(window, **params) for window in X])
    array = robust_scale(X, **params)
    tensor = robust_scale(torch.from_numpy(X), **params)
    assert array.dtype == X.dtype
    np.testing.assert_array_equal(X, before)
    for result in (array, tensor.numpy()):
        assert np.isfinite(result).all()
        error = np.abs(result - expected).max()
        assert (
            error <= (1e-3 if X.dtype == np.float32 else 1e-9) * np.abs(expected).max()
        )


@pytest.mark.parametrize("quantile_range", [(25.0, 75.0), (10.0, 90.0)])
def test_is_scikit_learns_scaler_fitted_to_each_window(rng, quantile_range):
    X = rng.normal(5, 30, (3, 4, 101))
    X[1, 2] = 7.0
    X[2, 3, :90] = -3.0
    result = robust_scale(X, quantile_range=quantile_range)
    for window, scaled in zip(X, result, strict=True):
        neighbour = RobustScaler(quantile_range=quantile_range)
        np.testing.assert_allclose(
            scaled, neighbour.fit_transform(window.T).T, atol=1e-12
        )


@pytest.mark.parametrize("across", ACROSS)
@pytest.mark.parametrize("module", ["numpy", "torch"])
def test_constant_is_zero(across, module):
    X = np.full((2, 3, 50), 1234.5678, dtype=np.float32)
    X = torch.from_numpy(X) if module == "torch" else X
    assert (np.asarray(robust_scale(X, across=across)) == 0).all()


def test_flat_with_a_spike_keeps_its_unit():
    X = np.full((1, 100), 5.0)
    X[0, 3] = 205.0
    result = robust_scale(X)
    assert result[0, 3] == 200
    assert (np.delete(result, 3) == 0).all()


@pytest.mark.parametrize("across", ACROSS)
def test_neither_offset_nor_gain_matter(rng, across):
    X = rng.normal(0, 30, (2, 5, 80))
    expected = robust_scale(X, across=across)
    np.testing.assert_allclose(robust_scale(3 * X + 50, across=across), expected)
    np.testing.assert_allclose(robust_scale(-X, across=across), -expected, atol=1e-12)
    again = robust_scale(expected, across=across)
    np.testing.assert_allclose(again, expected, atol=1e-12)


def test_artefacts_hardly_move_it(rng):
    X = rng.normal(0, 30, (1, 1, 2000))
    spoiled = X.copy()
    spoiled[..., :50] = 1e5
    difference = robust_scale(spoiled)[..., 50:] - robust_scale(X)[..., 50:]
    assert np.abs(difference).max() < 0.2
    by_mean = robust_scale(spoiled, center="mean")[..., 50:]
    assert np.abs(by_mean - robust_scale(X, center="mean")[..., 50:]).max() > 10


def test_reference_cancels_in_differences(rng):
    X = rng.normal(0, 30, (2, 5, 80))
    centred = robust_scale(X, across="electrodes", quantile_range=None)
    np.testing.assert_allclose(np.median(centred, axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.diff(centred, axis=1), np.diff(X, axis=1), atol=1e-12)


@pytest.mark.parametrize("module", ["numpy", "torch"])
@pytest.mark.parametrize("center", ["median", "mean"])
@pytest.mark.parametrize("across", ACROSS)
def test_nan_spoils_what_shares_its_median(rng, across, center, module):
    X = rng.normal(size=(2, 3, 10)).astype(np.float32)
    X[1, 2, 4] = np.nan
    spoiled = np.zeros(X.shape, dtype=bool)
    spoiled[{"channel": (1, 2), "window": 1, "electrodes": np.s_[1, :, 4]}[across]] = 1
    X = torch.from_numpy(X) if module == "torch" else X
    result = robust_scale(X, across=across, center=center)
    np.testing.assert_array_equal(np.isnan(np.asarray(result)), spoiled)


def test_more_values_than_torch_quantile_takes():
    X = torch.linspace(0, 1, 2**24 + 1)[None]
    with pytest.raises(RuntimeError, match="too large"):
        torch.quantile(X, 0.5)
    result = robust_scale(X)
    np.testing.assert_allclose(result[0, [0, 2**23, -1]], [-1, 0, 1], atol=1e-5)


@pytest.mark.parametrize("across", ACROSS)
@pytest.mark.parametrize("center", CENTRES)
@pytest.mark.parametrize("quantile_range", [None, (25, 75)])
def test_out_in_place_and_views(rng, across, center, quantile_range):
    params = {"across": across, "center": center, "quantile_range": quantile_range}
    X = rng.normal(size=(2, 3, 20)).astype(np.float32)
    expected = robust_scale(X[..., ::2].copy(), **params)
    assert not np.shares_memory(expected, X)
    np.testing.assert_array_equal(robust_scale(X[..., ::2], **params), expected)
    one = robust_scale(X[1, :, ::2], **params)
    np.testing.assert_array_equal(one, expected[1])
    out = X[..., ::2].copy()
    assert robust_scale(out, **params, out=out) is out
    np.testing.assert_array_equal(out, expected)


def test_what_is_refused():
    X = np.zeros((2, 5))
    with pytest.raises(ValueError, match="robust_scale: across must be one of channel"):
        robust_scale(X, across="time")
    with pytest.raises(ValueError, match="robust_scale: center must be 'median', 'mea"):
        robust_scale(X, center="mode")
    with pytest.raises(ValueError, match="robust_scale: out= is for NumPy arrays"):
        robust_scale(torch.zeros(2, 5), out=X)

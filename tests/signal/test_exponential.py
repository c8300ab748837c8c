"""The exponentially weighted mean."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import exponential_mean


def by_pandas(X, half_life):
    rows = pd.DataFrame(X.reshape(-1, X.shape[-1]).T.astype(np.float64))
    return (
        rows.ewm(halflife=half_life, adjust=True).mean().to_numpy().T.reshape(X.shape)
    )


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(1, 130),
    half_life=st.sampled_from([0.01, 0.5, 1.0, 13.0, 65.0, 1e4, 1e9]),
    dtype=st.sampled_from(["f4", "f8"]),
)
def test_equals_pandas(n, half_life, dtype):
    X = np.random.default_rng(n).normal(20, 50, (2, 3, n)).astype(dtype)
    before = X.copy()
    expected = by_pandas(X, half_life)
    array = exponential_mean(X, half_life)
    tensor = exponential_mean(torch.from_numpy(X), half_life)
    assert array.dtype == X.dtype
    np.testing.assert_array_equal(X, before)
    tolerance = 1e-4 if dtype == "f4" else 1e-10
    np.testing.assert_allclose(array, expected, rtol=1e-5, atol=tolerance)
    np.testing.assert_allclose(tensor, expected, rtol=1e-5, atol=tolerance)


def test_half_after_a_half_life():
    """What a single sample weighs halves, but for the growing sum of the weights."""
    X = np.zeros(4001)
    X[2000] = 1.0
    result = exponential_mean(X, 13.0)
    assert result[2013] / result[2000] == pytest.approx(0.5, rel=1e-12)
    assert result[2026] / result[2000] == pytest.approx(0.25, rel=1e-12)


def test_constant_stays_and_the_future_is_not_known(rng):
    np.testing.assert_allclose(exponential_mean(np.full((2, 500), 7.0), 13.0), 7.0)
    X = rng.normal(size=(2, 3, 100))
    whole = exponential_mean(X, 13.0)
    np.testing.assert_array_equal(exponential_mean(X[..., :40], 13.0), whole[..., :40])
    np.testing.assert_array_equal(whole[..., 0], X[..., 0])


def test_linear(rng):
    A, B = rng.normal(size=(2, 3, 200))
    np.testing.assert_allclose(
        exponential_mean(2 * A - 3 * B, 5.0),
        2 * exponential_mean(A, 5.0) - 3 * exponential_mean(B, 5.0),
        atol=1e-12,
    )


def test_out_in_place_and_views(rng):
    X = rng.normal(size=(2, 3, 40)).astype(np.float32)
    expected = exponential_mean(X[..., ::2].copy(), 3.0)
    np.testing.assert_array_equal(exponential_mean(X[..., ::2], 3.0), expected)
    out = X[..., ::2].copy()
    assert exponential_mean(out, 3.0, out=out) is out
    np.testing.assert_array_equal(out, expected)


def test_what_is_refused():
    for half_life in (0, -1.0, np.nan):
        with pytest.raises(ValueError, match="half_life must be above 0, got"):
            exponential_mean(np.zeros(5), half_life)
    with pytest.raises(ValueError, match="exponential_mean: out= is for NumPy arrays"):
        exponential_mean(torch.zeros(5), 1.0, out=np.zeros(5))

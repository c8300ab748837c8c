"""Filling gaps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hmsklearn.signal import fill_nan
from hmsklearn.signal.missing import FILL_STRATEGIES

gappy = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 12)),
    elements=st.floats(-1000, 1000, width=32) | st.just(np.nan),
)


def by_pandas(row, strategy):
    """The three strategies in another library's words."""
    import pandas as pd

    series = pd.Series(row.astype(np.float64))
    if strategy == "linear":
        series = series.interpolate("linear", limit_area="inside")
    if strategy == "mean":
        series = series.fillna(series.mean())
    return series.fillna(0.0).to_numpy()


@settings(deadline=None, max_examples=80)
@given(X=gappy, strategy=st.sampled_from(FILL_STRATEGIES))
def test_equals_pandas_and_never_touches_what_is_there(X, strategy):
    before = X.copy()
    result = fill_nan(X, strategy)
    there = ~np.isnan(before)
    assert result.dtype == X.dtype
    np.testing.assert_array_equal(result[there], before[there])
    np.testing.assert_array_equal(X, before)
    expected = np.apply_along_axis(by_pandas, -1, before, strategy)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-4)
    np.testing.assert_array_equal(fill_nan(result, strategy), result)


def test_known_values():
    nan = np.nan
    X = np.array([[nan, 2.0, nan, nan, 8.0, nan], [nan] * 6, [0, 1, 2, 3, 4, 5]])
    expected = {
        "mean": [5, 2, 5, 5, 8, 5],
        "zero": [0, 2, 0, 0, 8, 0],
        "linear": [0, 2, 4, 6, 8, 0],
    }
    for strategy, first in expected.items():
        np.testing.assert_allclose(
            fill_nan(X, strategy), [first, [0] * 6, [0, 1, 2, 3, 4, 5]]
        )


@pytest.mark.parametrize("strategy", FILL_STRATEGIES)
def test_rows_do_not_know_of_each_other(rng, strategy):
    X = rng.normal(0, 50, (4, 5, 30)).astype(np.float32)
    X[rng.random(X.shape) < 0.3] = np.nan
    whole = fill_nan(X, strategy)
    for where in np.ndindex(4, 5):
        np.testing.assert_array_equal(fill_nan(X[where], strategy), whole[where])


@pytest.mark.parametrize("strategy", FILL_STRATEGIES)
def test_signs_of_zero_and_large_values_survive(strategy):
    X = np.array([[-0.0, np.nan, 3.4e38, 3.4e38]], dtype=np.float32)
    result = fill_nan(X, strategy)
    assert np.signbit(result[0, 0])
    np.testing.assert_array_equal(result[0, 2:], X[0, 2:])
    assert np.isfinite(result).all()


def test_out_and_views(rng):
    X = rng.normal(size=(3, 4, 20))
    X[1, 2, 3:9] = np.nan
    out = np.empty((3, 4, 10))
    view = X[..., ::2]
    assert fill_nan(view, "linear", out=out) is out
    np.testing.assert_array_equal(out, fill_nan(view.copy(), "linear"))
    assert np.isnan(X).sum() == 6


@settings(deadline=None, max_examples=25)
@given(X=gappy, strategy=st.sampled_from(FILL_STRATEGIES))
def test_tensors_are_filled_alike(X, strategy):
    result = fill_nan(torch.from_numpy(X), strategy)
    np.testing.assert_allclose(result, fill_nan(X, strategy), rtol=1e-5, atol=1e-3)
    there = ~np.isnan(X)
    np.testing.assert_array_equal(result.numpy()[there], X[there])


def test_gradient_flows_from_the_filled_to_their_neighbours():
    nan = np.nan
    X = torch.tensor([[nan, 2.0, nan, nan, 8.0, nan], [nan] * 6], requires_grad=True)
    fill_nan(X, "linear").sum().backward()
    np.testing.assert_allclose(X.grad, [[0, 2, 0, 0, 2, 0], [0] * 6])
    X.grad = None
    fill_nan(X, "mean")[0, 0].backward()
    np.testing.assert_allclose(X.grad, [[0, 0.5, 0, 0, 0.5, 0], [0] * 6])


def test_line_between_huge_values_does_not_overflow():
    X = torch.tensor([3e38, np.nan, -3e38])
    for both in (X, X.numpy()):
        assert abs(fill_nan(both, "linear")[1]) < 1e33


@pytest.mark.parametrize("strategy", FILL_STRATEGIES)
def test_in_place(rng, strategy):
    X = rng.normal(size=(3, 4, 20)).astype(np.float32)
    X[1, 2, 3:9] = np.nan
    X[2, :, :] = np.nan
    expected = fill_nan(X, strategy)
    assert fill_nan(X, strategy, out=X) is X
    np.testing.assert_array_equal(X, expected)
    wide = np.full((3, 4, 40), np.nan, dtype=np.float32)
    fill_nan(expected, strategy, out=wide[..., ::2])
    np.testing.assert_array_equal(wide[..., ::2], expected)


def test_squares_that_overflow_are_no_gap():
    X = np.full((1, 2, 4), 1e30, dtype=np.float32)
    np.testing.assert_array_equal(fill_nan(X), X)
    X[0, 1, 2] = np.nan
    np.testing.assert_allclose(fill_nan(X), np.full((1, 2, 4), 1e30))


def test_what_is_refused():
    with pytest.raises(ValueError, match="fill_nan: strategy must be one of mean, zer"):
        fill_nan(np.zeros(3), "median")
    with pytest.raises(ValueError, match="fill_nan: out= is for NumPy arrays"):
        fill_nan(torch.zeros(3), out=np.zeros(3))

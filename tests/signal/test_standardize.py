"""Standardisation against the formulas in NumPy."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import standardize


def direct(x, method, eps=1e-6, quantiles=(0.01, 0.99), ends=(0.0, 1.0)):
    """One block of values, in double precision."""
    x = x.astype(np.float64)
    if np.isnan(x).all():
        return np.zeros_like(x)
    if method == "zscore":
        y = (x - np.nanmean(x)) / (np.nanstd(x) + eps)
    else:
        low, high = np.nanmin(x), np.nanmax(x)
        if method == "quantile":
            low, high = np.nanquantile(x, quantiles)
        y = (np.clip(x, low, high) - low) / (high - low + eps)
        y = y * (ends[1] - ends[0]) + ends[0]
    return np.nan_to_num(y, nan=0.0)


def blocks(per):
    """Cut a window of (4, 6, 10) in blocks, each as (planes, rows)."""
    every = slice(None)
    if per == "window":
        return [(every, every)]
    if per == "plane":
        return [(p, every) for p in range(4)]
    if per == "row":
        return [(p, r) for p in range(4) for r in range(6)]
    if isinstance(per, int):
        return [(p, slice(r, r + per)) for p in range(4) for r in range(0, 6, per)]
    return [(list(group), every) for group in per]


@pytest.fixture
def gappy(rng):
    X = rng.normal(3, 20, (4, 4, 6, 10)).astype(np.float32)
    X[0, 0, :, :4] = np.nan
    X[1, 2] = np.nan
    X[2] = np.nan
    return X


@pytest.mark.parametrize("method", ["zscore", "minmax", "quantile"])
@pytest.mark.parametrize("per", ["window", "plane", "row", 2, 6, [[0, 2], [3], [1]]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_formulas(gappy, method, per, dtype):
    X = gappy.astype(dtype)
    result = standardize(X, method, per=per)
    assert result.dtype == dtype
    assert not np.isnan(result).any()
    for x, y in zip(X, result, strict=True):
        for block in blocks(per):
            np.testing.assert_allclose(
                y[block], direct(x[block], method), rtol=2e-5, atol=2e-6
            )


def test_one_mean_for_the_eeg_and_one_for_the_ekg(rng):
    X = rng.normal(size=(2, 19, 28, 50))
    X[:, 18] *= 500
    result = standardize(X, per=[range(18), [18]], eps=0)
    for part in (result[:, :18], result[:, 18:]):
        np.testing.assert_allclose(part.mean(axis=(1, 2, 3)), 0, atol=1e-12)
        np.testing.assert_allclose(part.std(axis=(1, 2, 3)), 1)


@pytest.mark.parametrize("per", ["window", "plane", "row", 3, [[1, 0]]])
@pytest.mark.parametrize("value", [0.1, -7.3, 1e5, 0.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("eps", [0.0, 1e-6])
def test_constants_become_zero(per, value, dtype, eps):
    X = np.full((1, 2, 9, 131), value, dtype=dtype)
    for method in ("zscore", "minmax", "quantile"):
        for data in (X, torch.from_numpy(X)):
            assert (np.asarray(standardize(data, method, per=per, eps=eps)) == 0).all()
    ends = standardize(X, "minmax", per=per, eps=eps, value_range=(-1, 1))
    assert (ends == -1).all()


def test_range_reaches_its_ends(rng):
    X = rng.normal(size=(3, 2, 5, 7)).astype(np.float32)
    result = standardize(X, "minmax", per="plane", value_range=(0, 255), eps=0)
    np.testing.assert_array_equal(result.min(axis=(2, 3)), 0)
    np.testing.assert_allclose(result.max(axis=(2, 3)), 255, rtol=1e-6)
    clipped = standardize(X, "quantile", quantiles=(0.1, 0.9), eps=0)
    assert (clipped == 0).sum() >= 3 * 7
    assert 0 <= clipped.min() <= clipped.max() <= 1 + 1e-6


def test_fixed_numbers(gappy):
    expected = np.nan_to_num((gappy - np.float32(2)) / np.float32(12), nan=-1.0)
    result = standardize(gappy, "fixed", mean=2, std=12, fill=-1)
    np.testing.assert_array_equal(result, expected)
    mean, std = np.arange(4.0), np.array([1.0, 2.0, 4.0, 8.0])
    result = standardize(gappy, "fixed", mean=mean, std=std)
    expected = (gappy - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(result, np.nan_to_num(expected), rtol=1e-6)


def test_fill_is_in_the_new_units(gappy):
    for method in ("zscore", "minmax", "quantile"):
        result = standardize(gappy, method, per="plane", fill=-9.0)
        np.testing.assert_array_equal(result == -9, np.isnan(gappy))


def test_signals(rng):
    X = rng.normal(5, 3, (2, 4, 100)).astype(np.float32)
    np.testing.assert_allclose(
        standardize(X, per="plane"),
        (X - X.mean(axis=2, keepdims=True)) / (X.std(axis=2, keepdims=True) + 1e-6),
        atol=1e-5,
    )
    np.testing.assert_array_equal(
        standardize(X, per="row"), standardize(X, per="plane")
    )


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**16),
    scale=st.floats(0.1, 100),
    shift=st.floats(-100, 100),
    method=st.sampled_from(["zscore", "minmax", "quantile"]),
    per=st.sampled_from(["window", "plane", "row", 2]),
)
def test_scale_and_offset_do_not_matter(seed, scale, shift, method, per):
    X = np.random.default_rng(seed).normal(size=(1, 2, 4, 8))
    np.testing.assert_allclose(
        standardize(scale * X + shift, method, per=per, eps=0),
        standardize(X, method, per=per, eps=0),
        atol=1e-9,
    )


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**16),
    method=st.sampled_from(["zscore", "minmax", "quantile"]),
    share=st.floats(0, 1),
)
def test_tensors_with_gaps(seed, method, share):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2, 2, 4, 6)).astype(np.float32)
    X[rng.random(X.shape) < share] = np.nan
    tensor = torch.tensor(X, requires_grad=True)
    result = standardize(tensor, method, per="plane")
    np.testing.assert_allclose(
        result.detach().numpy(), standardize(X, method, per="plane"), atol=2e-4
    )
    result.square().sum().backward()
    assert torch.isfinite(tensor.grad).all()


def test_large_offsets_keep_their_digits():
    """The variance is that of the deviations, not a difference of squares."""
    X = 1e5 + np.random.default_rng(0).normal(size=(1, 1, 100, 256)).astype(np.float32)
    result = standardize(X, eps=0)
    exact = X.astype(np.float64)
    expected = (exact - exact.mean()) / exact.std()
    np.testing.assert_allclose(result, expected, atol=1e-4)


def test_windows_do_not_know_of_each_other_and_input_is_kept(gappy):
    gappy.setflags(write=False)
    for method in ("zscore", "minmax", "quantile", "fixed"):
        whole = standardize(gappy, method)
        for window in range(4):
            alone = standardize(gappy[window : window + 1], method)
            np.testing.assert_array_equal(alone[0], whole[window])
        out = gappy.copy()
        assert standardize(out, method, out=out) is out
        np.testing.assert_array_equal(out, whole)
        strided = standardize(gappy[:, ::-1, :, ::-1], method)
        np.testing.assert_allclose(strided[:, ::-1, :, ::-1], whole, atol=1e-5)


def test_no_warnings_where_nothing_is_there():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in ("zscore", "minmax", "quantile", "fixed"):
            X = np.full((1, 1, 2, 3), np.nan)
            assert (standardize(X, method) == 0).all()


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"method": "z"}, "method must be one of zscore, minmax, quantile, fixed"),
        ({"per": "band"}, "per must be 'window'"),
        ({"per": 4}, "divides the height of 6"),
        ({"per": 0}, "divides the height of 6"),
        ({"per": [[0, 1], [1, 2, 3]]}, "0 .. 3 occurs once"),
        ({"per": [[0, 1]]}, "0 .. 3 occurs once"),
        ({"per": 2.5}, "0 .. 3 occurs once"),
    ],
)
def test_errors(kwargs, text):
    for data in (np.zeros((1, 4, 6, 10)), torch.zeros(1, 4, 6, 10)):
        with pytest.raises(ValueError, match=f"^standardize: .*{text}"):
            standardize(data, **kwargs)
    with pytest.raises(ValueError, match=r"^standardize: out= is for NumPy"):
        standardize(torch.zeros(1, 1, 2, 2), out=np.zeros((1, 1, 2, 2)))

"""Cropping and decimating."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import centre_crop, decimate
from hmsklearn.signal.cropping import DECIMATION_METHODS


@settings(deadline=None, max_examples=50)
@given(n=st.integers(1, 40), data=st.data())
def test_as_much_is_cut_left_as_right(n, data):
    keep = data.draw(st.integers(1, n))
    X = np.arange(n)
    result = centre_crop(X, keep)
    left, right = result[0], n - 1 - result[-1]
    assert len(result) == keep
    assert right - left in (0, 1)
    np.testing.assert_array_equal(np.diff(result), 1)


def test_the_labelled_ten_seconds():
    result = centre_crop(np.arange(10_000)[None, None], 2000)
    assert (result[0, 0, 0], result[0, 0, -1]) == (4000, 5999)


def test_crop_is_a_contiguous_copy(rng):
    X = rng.normal(size=(2, 3, 10)).astype(np.float32)
    for keep in (4, 10):
        result = centre_crop(X, keep)
        assert not np.shares_memory(result, X)
        assert result.flags.c_contiguous
        assert result.dtype == X.dtype
    out = np.empty((2, 3, 4), dtype=np.float32)
    assert centre_crop(X, 4, out=out) is out
    np.testing.assert_array_equal(out, X[..., 3:7])


@settings(deadline=None, max_examples=50)
@given(
    n=st.integers(1, 60),
    factor=st.integers(1, 12),
    method=st.sampled_from(DECIMATION_METHODS),
    dtype=st.sampled_from(["f4", "f8"]),
)
def test_decimation_equals_numpy(n, factor, method, dtype):
    X = np.random.default_rng(n).normal(0, 50, (2, 3, n)).astype(dtype)
    blocks = X[..., : n // factor * factor].reshape(2, 3, n // factor, factor)
    result = decimate(X, factor, method)
    assert result.dtype == X.dtype
    if method == "stride":
        np.testing.assert_array_equal(result, blocks[..., 0])
    else:
        np.testing.assert_allclose(result, blocks.mean(axis=-1), atol=1e-4)


@pytest.mark.parametrize("method", DECIMATION_METHODS)
def test_decimation_is_linear_and_moves_with_whole_blocks(rng, method):
    A, B = rng.normal(size=(2, 1, 2, 60))
    both = decimate(2 * A - 3 * B, 5, method)
    parts = 2 * decimate(A, 5, method) - 3 * decimate(B, 5, method)
    np.testing.assert_allclose(both, parts, atol=1e-12)
    np.testing.assert_array_equal(
        decimate(A[..., 10:], 5, method), decimate(A, 5, method)[..., 2:]
    )


@pytest.mark.parametrize("method", DECIMATION_METHODS)
def test_nan_stays_in_its_block(rng, method):
    X = rng.normal(size=(1, 1, 20))
    X[..., 10:12] = np.nan
    out = np.empty((1, 1, 4))
    assert decimate(X, 5, method, out=out) is out
    assert np.isnan(out).ravel().tolist() == [False, False, True, False]
    assert np.isnan(X).sum() == 2


def test_tensors_are_copied_and_contiguous(rng):
    X = torch.from_numpy(rng.normal(size=(2, 3, 20)))
    for result in (
        centre_crop(X, 20),
        centre_crop(X, 4),
        decimate(X, 1),
        decimate(X, 5),
        decimate(X, 5, "mean"),
    ):
        assert result.is_contiguous()
        assert result.untyped_storage().data_ptr() != X.untyped_storage().data_ptr()


def test_what_is_refused():
    with pytest.raises(
        ValueError, match=r"centre_crop: n_times=11 .* of 10. Give longer"
    ):
        centre_crop(np.zeros(10), 11)
    with pytest.raises(
        ValueError, match="decimate: method must be one of stride, mean"
    ):
        decimate(np.zeros(10), 2, "median")
    for function in (centre_crop, decimate):
        with pytest.raises(ValueError, match="out= is for NumPy arrays"):
            function(torch.zeros(4), 2, out=np.zeros(2))

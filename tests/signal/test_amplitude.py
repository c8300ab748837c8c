"""Clipping and dividing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hmsklearn.signal import clip_and_divide

arrays = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    (2, 3, 5),
    elements=st.floats(-(2.0**20), 2.0**20, width=32) | st.just(np.nan),
)


@settings(deadline=None, max_examples=50)
@given(X=arrays, clip=st.sampled_from([None, 10.0, 1024.0]), scale=st.floats(0.5, 200))
def test_equals_numpy(X, clip, scale):
    before = X.copy()
    result = clip_and_divide(X, clip, scale)
    expected = X if clip is None else np.clip(X, -clip, clip)
    np.testing.assert_array_equal(result, expected / X.dtype.type(scale))
    np.testing.assert_array_equal(X, before)
    assert result.dtype == X.dtype


def test_power_of_two_scales_lose_nothing(rng):
    X = rng.normal(0, 100, (2, 3, 50)).astype(np.float32)
    np.testing.assert_array_equal(clip_and_divide(X, None, 32.0) * 32, X)


@pytest.mark.parametrize("clip", [None, 50.0])
def test_out(rng, clip):
    X = rng.normal(0, 100, (2, 3, 50)).astype(np.float32)
    expected = clip_and_divide(X, clip, 32.0)
    out = np.empty_like(X)
    assert clip_and_divide(X, clip, 32.0, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert clip_and_divide(X, clip, 32.0, out=X) is X
    np.testing.assert_array_equal(X, expected)

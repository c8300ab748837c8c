"""Signals as images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import interleave_phases


def test_layout_of_the_second_place():
    """(16, 10000) -> (16, 1000, 10) -> transposed -> 160 x 1000, as they wrote it."""
    X = np.random.default_rng(0).normal(size=(2, 16, 10_000)).astype(np.float32)
    expected = X.reshape(2, 16, 1000, 10).transpose(0, 1, 3, 2).reshape(2, 160, 1000)
    result = interleave_phases(X, 10)
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous


@settings(deadline=None, max_examples=40)
@given(channels=st.integers(1, 4), phases=st.integers(1, 6), width=st.integers(1, 7))
def test_every_pixel_is_the_sample_it_says(channels, phases, width):
    X = np.arange(channels * phases * width).reshape(1, channels, -1)
    image = interleave_phases(X, phases)[0]
    assert image.shape == (channels * phases, width)
    for row, t in np.ndindex(image.shape):
        channel, phase = divmod(row, phases)
        assert image[row, t] == X[0, channel, phases * t + phase]


@pytest.mark.parametrize("contiguous", [True, False])
def test_out_and_nan(rng, contiguous):
    X = rng.normal(size=(3, 4, 20))
    X[0, 1, 3] = np.nan
    out = np.empty((3, 2, 8, 10))[:, 0] if not contiguous else np.empty((3, 8, 10))
    assert interleave_phases(X, 2, out=out) is out
    np.testing.assert_array_equal(out, interleave_phases(X, 2))
    assert np.argwhere(np.isnan(out)).tolist() == [[0, 3, 1]]

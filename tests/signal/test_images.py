"""Signals as images."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import waveform_image
from hmsklearn.signal.images import WAVEFORM_LAYOUTS


def test_layout_of_the_second_place():
    """(16, 10000) -> (16, 1000, 10) -> transposed -> 160 x 1000, as they wrote it."""
    X = np.random.default_rng(0).normal(size=(2, 16, 10_000)).astype(np.float32)
    expected = X.reshape(2, 16, 1000, 10).transpose(0, 1, 3, 2).reshape(2, 160, 1000)
    result = waveform_image(X, 10)
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous


def test_layout_of_the_seventh_place_is_the_same():
    """Every signal as 20 rows, ``x[j::20]``."""
    X = np.random.default_rng(0).normal(size=(2, 18, 10_000))
    expected = [[x[j::20] for x in window for j in range(20)] for window in X]
    result = waveform_image(X, 20)
    assert result.shape == (2, 360, 500)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("n_times", "width"), [(10_000, 800), (2000, 160), (4000, 320)]
)
def test_layout_of_the_sixth_place(n_times, width):
    """Every signal reshaped to 200 rows, all of them side by side."""
    X = np.random.default_rng(0).normal(size=(2, 16, n_times))
    expected = [np.hstack([x.reshape(200, -1) for x in window]) for window in X]
    result = waveform_image(X, 200, "contiguous", columns=16)
    assert result.shape == (2, 200, width)
    np.testing.assert_array_equal(result, expected)


def test_chains_may_be_stacked():
    """Four differences of a chain side by side, the four chains below each other."""
    X = np.random.default_rng(0).normal(size=(1, 16, 10_000))
    chains = [
        np.hstack([x.reshape(200, 50) for x in X[0, 4 * chain : 4 * chain + 4]])
        for chain in range(4)
    ]
    result = waveform_image(X, 200, "contiguous", columns=4)
    np.testing.assert_array_equal(result[0], np.vstack(chains))


def test_layout_of_the_fifth_place():
    X = np.random.default_rng(0).normal(size=(2, 16, 500))
    result = waveform_image(X, 8, "repeated")
    assert result.shape == (2, 128, 500)
    np.testing.assert_array_equal(result, np.repeat(X, 8, axis=1))


@settings(deadline=None, max_examples=25)
@given(
    layout=st.sampled_from(WAVEFORM_LAYOUTS),
    bands=st.integers(1, 3),
    columns=st.integers(1, 3),
    rows=st.integers(1, 5),
    width=st.integers(1, 6),
)
def test_every_pixel_is_the_sample_it_says(layout, bands, columns, rows, width):
    n_times = width if layout == "repeated" else rows * width
    X = np.arange(bands * columns * n_times).reshape(1, -1, n_times)
    image = waveform_image(X, rows, layout, columns=columns)[0]
    assert image.shape == (bands * rows, columns * width)
    for (y, x), pixel in np.ndenumerate(image):
        (band, row), (column, t) = divmod(y, rows), divmod(x, width)
        sample = {"interleaved": rows * t + row, "contiguous": width * row + t}
        assert pixel == X[0, band * columns + column, sample.get(layout, t)]


@pytest.mark.parametrize("layout", WAVEFORM_LAYOUTS)
@pytest.mark.parametrize("contiguous", [True, False])
def test_out_and_nan(rng, layout, contiguous):
    X = rng.normal(size=(3, 4, 20))
    X[0, 1, 3] = np.nan
    expected = waveform_image(X, 2, layout, columns=2)
    shape = expected.shape
    out = np.empty(shape) if contiguous else np.empty((3, 2, *shape[1:]))[:, 0]
    assert waveform_image(X, 2, layout, columns=2, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert np.isnan(out).sum() == (2 if layout == "repeated" else 1)


@pytest.mark.parametrize("layout", WAVEFORM_LAYOUTS)
def test_nothing_is_shared_with_the_input(rng, layout):
    X = rng.normal(size=(2, 3, 12))
    assert not np.shares_memory(waveform_image(X, 1, layout), X)
    tensor = torch.tensor(X)
    result = waveform_image(tensor, 1, layout)
    result.zero_()
    np.testing.assert_array_equal(tensor.numpy(), X)


def test_errors(rng):
    X = rng.normal(size=(2, 3, 20))
    with pytest.raises(ValueError, match=r"layout must be one of .*'strided'"):
        waveform_image(X, 2, "strided")
    with pytest.raises(ValueError, match="3 channels of 20 samples do not fill 2 col"):
        waveform_image(X, 2, columns=2)
    with pytest.raises(ValueError, match=r"tiles with 3 rows each"):
        waveform_image(X, 3)
    with pytest.raises(ValueError, match="out= is for NumPy arrays"):
        waveform_image(torch.tensor(X), 2, out=np.empty((2, 6, 10)))

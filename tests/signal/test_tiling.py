"""Mosaics: every pixel is where it should be."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import tile_planes
from hmsklearn.signal.tiling import tiled_shape


def direct(x, grid, fill):
    """One mosaic of one window, tile by tile."""
    empty = np.full(x.shape[1:], fill, dtype=x.dtype)
    rows = [np.hstack([empty if i < 0 else x[i] for i in row]) for row in grid]
    return np.vstack(rows)


layouts = st.tuples(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**16)
)


@settings(deadline=None, max_examples=25)
@given(layout=layouts, seed=st.integers(0, 2**16), fill=st.floats(-5, 5, width=32))
def test_tile_by_tile(layout, seed, fill):
    *shape, layout_seed = layout
    tiles = np.random.default_rng(layout_seed).integers(-1, 5, shape)
    X = np.random.default_rng(seed).normal(size=(2, 5, 3, 4)).astype(np.float32)
    expected = np.array([[direct(x, grid, fill) for grid in tiles] for x in X])
    result = tile_planes(X, tiles, fill=fill)
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == np.float32
    tensor = tile_planes(torch.from_numpy(X), tiles, fill=fill)
    np.testing.assert_array_equal(tensor.numpy(), expected)


def test_fold_is_a_reshape_of_the_stack(rng):
    """24 spectrograms of 56 x 431 as 672 x 862, the way of the 15th place."""
    X = rng.normal(size=(1, 24, 56, 431)).astype(np.float32)
    result = tile_planes(X, np.arange(24).reshape(1, 24, 1), fold=2)
    np.testing.assert_array_equal(result[0, 0], X[0].reshape(672, 862))
    np.testing.assert_array_equal(result[0, 0, 0, :431], X[0, 0, 0])
    np.testing.assert_array_equal(result[0, 0, 0, 431:], X[0, 0, 1])


def test_trim_then_fold_then_canvas(rng):
    X = rng.normal(size=(2, 3, 4, 9))
    mosaic = X[..., 2:-1].reshape(2, 12, 6).reshape(2, 4, 18)
    expected = np.full((2, 1, 7, 21), 5.0)
    expected[:, 0, 1:5, 1:19] = mosaic
    options = {"trim": (2, 1), "fold": 3, "size": (7, 21), "fill": 5.0}
    layout = [[[0], [1], [2]]]
    np.testing.assert_array_equal(tile_planes(X, layout, **options), expected)
    start = tile_planes(X, layout, **options, align="start")
    np.testing.assert_array_equal(start[:, 0, :4, :18], mosaic)
    assert (start[:, 0, 4:] == 5).all()
    assert (start[..., 18:] == 5).all()
    for align, array in (("centre", expected), ("start", start)):
        tensor = tile_planes(torch.from_numpy(X), layout, **options, align=align)
        np.testing.assert_array_equal(tensor.numpy(), array)


def test_empty_tiles_of_a_folded_mosaic(rng):
    X = rng.normal(size=(1, 1, 2, 3))
    result = tile_planes(X, [[[0, -1]]], fold=2, fill=-1.0)
    expected = np.hstack([X[0, 0], np.full((2, 3), -1.0)]).reshape(1, 12)
    np.testing.assert_array_equal(result[0, 0], expected)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**16), rows=st.integers(1, 4), columns=st.integers(1, 4))
def test_nothing_is_lost(seed, rows, columns):
    """A grid that shows every plane once holds the same values."""
    X = np.random.default_rng(seed).normal(size=(1, rows * columns, 2, 3))
    order = np.random.default_rng(seed).permutation(rows * columns)
    result = tile_planes(X, order.reshape(1, rows, columns))
    np.testing.assert_array_equal(np.sort(result.ravel()), np.sort(X.ravel()))


def test_nan_out_and_read_only_input(rng):
    X = rng.normal(size=(3, 2, 2, 3))
    X[0, 1, 1, 2] = np.nan
    X.setflags(write=False)
    out = np.empty((3, 4, 4, 3))[:, 1:2]
    assert tile_planes(X, [[[0], [1]]], out=out) is out
    assert np.argwhere(np.isnan(out)).tolist() == [[0, 0, 3, 2]]
    strided = tile_planes(X[:, ::-1, :, ::-1], [[[1], [0]]])
    np.testing.assert_array_equal(strided[..., ::-1], out)


def test_gradient_reaches_what_is_shown(rng):
    X = torch.tensor(rng.normal(size=(1, 3, 2, 4)), requires_grad=True)
    tile_planes(X, [[[0, 0, 2]]], trim=(1, 0), size=(4, 12)).sum().backward()
    expected = np.zeros((1, 3, 2, 4))
    expected[:, 0, :, 1:] = 2
    expected[:, 2, :, 1:] = 1
    np.testing.assert_array_equal(X.grad.numpy(), expected)


def test_shapes_of_solutions():
    assert tiled_shape((128, 142), (4, 4)) == (512, 568)
    assert tiled_shape((100, 93), (5, 4)) == (500, 372)
    assert tiled_shape((27, 513), (18, 1), trim=(0, 1)) == (486, 512)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"trim": (2, 2)}, r"trim=\(2, 2\) leaves nothing of images of 4 columns"),
        ({"fold": 4}, "fold=4 does not divide the 6 rows"),
        ({"size": (6, 3)}, r"size=\(6, 3\) is smaller than the mosaic.*\(6, 4\)"),
        ({"align": "end"}, "align must be one of centre, start"),
    ],
)
def test_errors(kwargs, text):
    layout = [[[0], [1]]]
    for data in (np.zeros((1, 2, 3, 4)), torch.zeros(1, 2, 3, 4)):
        with pytest.raises(ValueError, match=f"^tile_planes: {text}"):
            tile_planes(data, layout, **kwargs)
    with pytest.raises(ValueError, match=r"^tile_planes: out= is for NumPy arrays"):
        tile_planes(torch.zeros(1, 2, 3, 4), layout, out=np.zeros((1, 1, 6, 4)))
    with pytest.raises(IndexError):
        tile_planes(np.zeros((1, 2, 3, 4)), [[[2]]])

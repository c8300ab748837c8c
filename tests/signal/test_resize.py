"""Resizing against torch, pixel by pixel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from hmsklearn.signal import resize_images

KINDS = [
    ("nearest", False),
    ("bilinear", False),
    ("bilinear", True),
    ("bicubic", False),
    ("bicubic", True),
]
kinds = pytest.mark.parametrize(("mode", "antialias"), KINDS)


def of_torch(X, size, mode, antialias):
    corners = None if mode == "nearest" else False
    resized = interpolate(
        torch.from_numpy(X),
        size,
        mode=mode,
        antialias=antialias,
        align_corners=corners,
    )
    return resized.numpy()


@kinds
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((128, 256), (512, 512)),  # up, both
        ((512, 568), (518, 518)),  # up and down, hardly
        ((100, 300), (320, 320)),
        ((100, 100), (96, 192)),
        ((160, 1000), (64, 64)),  # far down
        ((30, 40), (30, 77)),  # one axis only
        ((30, 40), (13, 40)),
        ((30, 40), (30, 40)),  # not at all
        ((1, 1), (3, 4)),
    ],
)
def test_equal_to_torch(rng, old, new, mode, antialias):
    X = rng.normal(size=(2, 3, *old))
    expected = of_torch(X, new, mode, antialias)
    result = resize_images(X, new, mode, antialias=antialias)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12)
    # What single precision leaves is its own rounding, not that of the positions.
    single = resize_images(X.astype(np.float32), new, mode, antialias=antialias)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=0, atol=5e-6)


@settings(deadline=None, max_examples=25)
@given(
    old=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    new=st.tuples(st.integers(1, 40), st.integers(2, 40)),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**16),
)
def test_any_sizes_equal_torch(old, new, kind, seed):
    X = np.random.default_rng(seed).normal(size=(1, 2, *old))
    result = resize_images(X, new, kind[0], antialias=kind[1])
    np.testing.assert_allclose(result, of_torch(X, new, *kind), rtol=0, atol=1e-12)
    single = resize_images(X.astype(np.float32), new, kind[0], antialias=kind[1])
    np.testing.assert_allclose(single, result, rtol=0, atol=5e-6)


@pytest.mark.parametrize(("old", "new"), [((7, 5), (4, 1)), ((3, 1), (9, 1))])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_one_column_is_one_row_turned(rng, old, new, mode):
    """Where torch itself is wrong, for arrays and tensors."""
    X = rng.normal(size=(2, 2, *old))
    turned = np.ascontiguousarray(X.swapaxes(2, 3))
    expected = of_torch(turned, new[::-1], mode, True).swapaxes(2, 3)
    result = resize_images(X, new, mode, antialias=True)
    np.testing.assert_allclose(result, expected, atol=1e-12)
    tensor = resize_images(torch.from_numpy(X), new, mode, antialias=True)
    np.testing.assert_allclose(tensor.numpy(), expected, atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(
    new=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**16),
    a=st.floats(-5, 5),
    b=st.floats(-5, 5),
)
def test_linear_and_true_to_constants(new, kind, seed, a, b):
    A, B = np.random.default_rng(seed).normal(size=(2, 1, 1, 9, 14))

    def resize(X):
        return resize_images(X, new, kind[0], antialias=kind[1])

    np.testing.assert_allclose(
        resize(a * A + b * B), a * resize(A) + b * resize(B), atol=1e-12
    )
    np.testing.assert_allclose(resize(np.full((1, 9, 14), a)), a, atol=1e-12)


# "nearest" rounds down, so that its mirror image differs.
@pytest.mark.parametrize(("mode", "antialias"), KINDS[1:])
def test_mirrored_images_have_mirrored_results(rng, mode, antialias):
    X = rng.normal(size=(1, 20, 31))
    result = resize_images(X, (33, 12), mode, antialias=antialias)
    np.testing.assert_allclose(
        resize_images(X[:, ::-1, ::-1], (33, 12), mode, antialias=antialias),
        result[:, ::-1, ::-1],
        atol=1e-12,
    )


@kinds
def test_windows_do_not_know_of_each_other(rng, mode, antialias):
    X = rng.normal(size=(5, 3, 20, 30)).astype(np.float32)
    X.setflags(write=False)
    whole = resize_images(X, (24, 17), mode, antialias=antialias)
    for window in range(5):
        alone = resize_images(
            X[window : window + 1], (24, 17), mode, antialias=antialias
        )
        np.testing.assert_array_equal(alone[0], whole[window])
    view = X[::-1, :, ::-1][:, ::-1, ::-1]  # negative strides
    np.testing.assert_array_equal(
        resize_images(view, (24, 17), mode, antialias=antialias), whole[::-1, ::-1]
    )


def test_nan_stays_with_the_pixels_made_of_it():
    X = np.zeros((1, 1, 8, 8))
    X[0, 0, 2, 3] = np.nan
    bilinear = np.isnan(resize_images(X, (16, 16)))[0, 0]
    assert np.argwhere(bilinear.any(axis=1)).ravel().tolist() == [3, 4, 5, 6]
    assert np.argwhere(bilinear.any(axis=0)).ravel().tolist() == [5, 6, 7, 8]
    nearest = np.isnan(resize_images(X, (16, 16), "nearest"))
    assert nearest.sum() == 4


@kinds
@pytest.mark.parametrize(
    "new", [(8, 10), (16, 10), (5, 10), (8, 20), (8, 7), (8, 1), (1, 10), (16, 20)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_spreads_alike_in_arrays_and_tensors(rng, mode, antialias, new, dtype):
    """An axis that stays as it is hands no NaN on."""
    X = rng.normal(size=(2, 2, 8, 10)).astype(dtype)
    X[0, 0, 2, 3] = X[0, 1, 7, 9] = X[1, 0, 0, 0] = np.nan
    result = resize_images(X, new, mode, antialias=antialias)
    for data in (torch.from_numpy(X), torch.from_numpy(X.swapaxes(2, 3).copy()).mT):
        tensor = resize_images(data, new, mode, antialias=antialias)
        assert tensor.shape == result.shape
        np.testing.assert_allclose(tensor.numpy(), result, rtol=1e-4, atol=1e-4)
    spread = np.isnan(result[0, 0])
    if new[0] == 8:
        assert np.flatnonzero(spread.any(axis=1)).tolist() in ([2], [])
    if new[1] == 10:
        assert np.flatnonzero(spread.any(axis=0)).tolist() in ([3], [])


@pytest.mark.parametrize("shape", [(8, 10), (2, 8, 10), (2, 3, 2, 8, 10)])
@pytest.mark.parametrize("new", [(8, 7), (16, 10)])
def test_bicubic_along_one_axis(rng, shape, new):
    X = rng.normal(size=shape)
    tensor = torch.tensor(X, requires_grad=True)
    result = resize_images(tensor, new, "bicubic")
    images = X.reshape(-1, 1, 8, 10)
    expected = of_torch(images, new, "bicubic", False).reshape(*shape[:-2], *new)
    np.testing.assert_allclose(result.detach().numpy(), expected, atol=1e-12)
    result.square().sum().backward()
    assert torch.isfinite(tensor.grad).all()


def test_out(rng):
    X = rng.normal(size=(2, 3, 8, 9)).astype(np.float32)
    out = np.empty((2, 5, 4, 4), dtype=np.float32)[:, 1:4]
    assert resize_images(X, (4, 4), out=out) is out
    np.testing.assert_array_equal(out, resize_images(X, (4, 4)))


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"mode": "linear"}, "mode must be one of nearest, bilinear, bicubic"),
        ({"mode": "nearest", "antialias": True}, "antialias=True has no meaning"),
        ({"out": np.zeros((1, 1, 2, 2))}, "out= is for NumPy arrays"),
    ],
)
def test_errors(kwargs, text):
    with pytest.raises(ValueError, match=f"^resize_images: {text}"):
        resize_images(torch.zeros(1, 1, 4, 4), (2, 2), **kwargs)

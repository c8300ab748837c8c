"""Medians and spreads of columns taken out."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import median_abs_deviation

from hmsklearn.signal import normalize_background

images = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    st.tuples(
        st.integers(1, 2), st.integers(1, 4), st.integers(1, 9), st.integers(1, 5)
    ),
    elements=st.integers(-1000, 1000).map(float),
)


def by_scipy(image, reference, clip):
    """One image (planes, times, frequencies) in float64."""
    image = image.astype(np.float64)
    if reference is None:
        part, axis = image, 1
    else:
        part, axis = image[list(reference)], (0, 1)
    centre = np.median(part, axis=axis, keepdims=True)
    spread = median_abs_deviation(part, axis=axis, scale="normal")
    spread = spread.reshape(centre.shape)
    result = (image - centre) / np.where(spread < 1e-12, 1, spread)
    return result if clip is None else np.clip(result, -clip, clip)


@settings(deadline=None, max_examples=40)
@given(X=images, data=st.data(), clip=st.sampled_from([None, 0.5, 3.0]))
def test_equals_scipy(X, data, clip):
    planes = st.lists(
        st.integers(0, X.shape[1] - 1), min_size=1, max_size=X.shape[1], unique=True
    )
    reference = data.draw(st.one_of(st.none(), planes))
    before = X.copy()
    expected = np.stack([by_scipy(image, reference, clip) for image in X])
    array = normalize_background(X, reference, clip=clip)
    tensor = normalize_background(torch.from_numpy(X), reference, clip=clip)
    assert array.dtype == X.dtype
    np.testing.assert_array_equal(X, before)
    tolerance = 1e-4 if X.dtype == np.float32 else 1e-9
    for result in (array, tensor.numpy()):
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("reference", [None, (1, 3, 5)])
def test_neither_level_nor_gain_of_a_column_matter(rng, reference):
    X = rng.normal(size=(2, 6, 31, 8))
    expected = normalize_background(X, reference)
    gain, level = rng.uniform(0.5, 2, 8), rng.normal(0, 10, 8)
    result = normalize_background(gain * X + level, reference)
    np.testing.assert_allclose(result, expected, atol=1e-9)
    if reference is None:
        again = normalize_background(expected)
        np.testing.assert_allclose(again, expected, atol=1e-9)


def test_what_stands_still_goes_and_what_drifts_stays(rng):
    noise = rng.normal(size=(1, 1, 100, 100))
    still, drifting = noise.copy(), noise.copy()
    still[..., 40] += 30
    rows = np.arange(100)
    drifting[..., rows, rows] += 30
    clean = normalize_background(noise)
    np.testing.assert_allclose(normalize_background(still), clean, atol=1e-9)
    result = normalize_background(drifting)
    assert (result[..., rows, rows] > 15).all()
    away = np.abs(np.subtract.outer(rows, rows)) > 0
    assert np.abs((result - clean)[..., away]).max() < 0.5


def test_a_reference_keeps_what_it_does_not_have(rng):
    X = rng.normal(size=(1, 6, 100, 20))
    X[:, ::2, :, 7] += 8
    own = normalize_background(X)[0, 0, :, 7]
    beside = normalize_background(X, (1, 3, 5))[0, 0, :, 7]
    assert abs(np.median(own)) < 1e-9
    assert np.median(beside) > 6


@pytest.mark.parametrize("module", ["numpy", "torch"])
@pytest.mark.parametrize("reference", [None, (0, 1)])
def test_nan_spoils_what_shares_its_median(rng, reference, module):
    X = rng.normal(size=(2, 3, 10, 4)).astype(np.float32)
    X[1, 1, 4, 2] = np.nan
    spoiled = np.zeros(X.shape, dtype=bool)
    spoiled[(1, 1, slice(None), 2) if reference is None else np.s_[1, :, :, 2]] = True
    X = torch.from_numpy(X) if module == "torch" else X
    result = np.asarray(normalize_background(X, reference))
    np.testing.assert_array_equal(np.isnan(result), spoiled)


@pytest.mark.parametrize("reference", [None, (2, 0)])
def test_out_in_place_and_views(rng, reference):
    X = rng.normal(size=(2, 3, 20, 10)).astype(np.float32)
    expected = normalize_background(X[..., ::2].copy(), reference)
    result = normalize_background(X[..., ::2], reference)
    np.testing.assert_array_equal(result, expected)
    one = normalize_background(X[1, :, :, ::2], reference)
    np.testing.assert_array_equal(one, expected[1])
    out = X[..., ::2].copy()
    assert normalize_background(out, reference, out=out) is out
    np.testing.assert_array_equal(out, expected)


def test_gradient(rng):
    X = torch.from_numpy(rng.normal(size=(1, 2, 7, 3))).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: normalize_background(x, (1,)), X)


def test_out_is_for_arrays():
    X = torch.zeros(1, 2, 3, 4)
    with pytest.raises(ValueError, match="normalize_background: out= is for NumPy"):
        normalize_background(X, out=X)

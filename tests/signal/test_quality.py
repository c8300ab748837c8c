"""Distances of electrodes, and what they say about each of them."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import channel_quality, combine_quality


def by_pandas(window, half_life, eps, n_nearest):
    """Every pair with every other, sorted: the definition and nothing clever."""
    n = len(window)
    window = window.astype(np.float64)
    distance = np.empty((n, n, window.shape[1]))
    for i in range(n):
        for j in range(n):
            square = pd.Series((window[i] - window[j]) ** 2)
            distance[i, j] = square.ewm(halflife=half_life).mean() + eps
    # The nearest of all is the electrode itself.
    local = np.sort(distance, axis=1)[:, 1 : n_nearest + 1].mean(axis=1)
    best = np.sort(local, axis=0)[:n_nearest].mean(axis=0)
    return local / (best + eps)


@pytest.fixture
def window(rng):
    """Nineteen electrodes of which number 4 came off half-way."""
    common = rng.normal(0, 20, (3, 300)).cumsum(axis=1) / 4
    X = (1 + rng.normal(0, 0.1, (19, 3))) @ common + rng.normal(0, 8, (19, 300))
    X[4, 150:] += 400 * rng.normal(size=150)
    return X


@settings(deadline=None, max_examples=15)
@given(
    n=st.integers(2, 8),
    half_life=st.sampled_from([1.0, 13.0]),
    eps=st.sampled_from([1.0, 100.0]),
    data=st.data(),
)
def test_equals_the_definition(n, half_life, eps, data):
    params = {"half_life": half_life, "eps": eps}
    params["n_nearest"] = data.draw(st.integers(1, n - 1))
    X = np.random.default_rng(n).normal(0, 50, (2, n, 40)).astype(np.float32)
    before = X.copy()
    expected = np.stack([by_pandas(one, **params) for one in X])
    gof = channel_quality(X, "gof", **params)
    np.testing.assert_allclose(gof, expected, rtol=1e-4)
    np.testing.assert_array_equal(X, before)
    tensor = channel_quality(torch.from_numpy(X), "gof", **params)
    np.testing.assert_allclose(tensor, expected, rtol=1e-4)


@pytest.mark.parametrize("module", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nineteen_electrodes(window, dtype, module):
    X = window.astype(dtype)
    X = torch.from_numpy(X) if module == "torch" else X
    gof = by_pandas(window, 13.0, 100.0, 3)
    expected = {"gof": gof, "quality": 1 / (1 + gof / 10), "mask": gof < 10}
    for output, values in expected.items():
        result = channel_quality(X, output, half_life=13.0)
        assert np.asarray(result).dtype == dtype
        np.testing.assert_allclose(result, values, rtol=1e-4)
    assert 0 < expected["mask"].mean() < 1


def test_threshold(window):
    gof = channel_quality(window, "gof")
    mask = channel_quality(window, "mask", threshold=2.0)
    np.testing.assert_array_equal(mask, gof < 2)
    quality = channel_quality(window, threshold=2.0)
    np.testing.assert_array_equal(quality > 0.5, gof < 2)


def test_the_loose_electrode_is_found(window):
    quality = channel_quality(window, half_life=13.0)
    assert (quality[4, 100:150] > 0.8).all()
    assert (quality[4, 170:] < 0.3).all()
    assert (np.delete(quality, 4, axis=0) > 0.7).all()
    # The past fades.
    window[4, 151:] = window[5, 151:]
    assert channel_quality(window, half_life=13.0)[4, -1] > 0.8


def test_neither_the_reference_nor_the_order_matter(window, rng):
    quality = channel_quality(window)
    other = channel_quality(window + rng.normal(0, 300, 300))
    np.testing.assert_allclose(other, quality, rtol=1e-9)
    order = rng.permutation(19)
    np.testing.assert_allclose(channel_quality(window[order]), quality[order])


def test_time_does_not_run_backward(window):
    np.testing.assert_array_equal(
        channel_quality(window[:, :100]), channel_quality(window)[:, :100]
    )


@pytest.mark.parametrize("value", [0.0, 1e4])
def test_flat_windows_are_good(value):
    X = np.full((5, 50), value, dtype=np.float32)
    for both in (X, torch.from_numpy(X)):
        np.testing.assert_allclose(channel_quality(both), 1 / 1.05, rtol=1e-6)
        assert (np.asarray(channel_quality(both, "mask")) == 1).all()


def test_eps_sets_the_unit(window):
    """In millivolt with a millionth of eps, the result is the same."""
    np.testing.assert_allclose(
        channel_quality(window / 1000, eps=1e-4), channel_quality(window, eps=100.0)
    )


def test_windows_do_not_know_of_each_other(window, rng):
    X = np.stack([window, rng.normal(size=window.shape), 3 * window])
    X = X.astype(np.float32)
    whole = channel_quality(X)
    for one, result in zip(X, whole, strict=True):
        np.testing.assert_array_equal(channel_quality(one), result)
    wide = np.repeat(X, 2, axis=-1)[..., ::2]
    np.testing.assert_array_equal(channel_quality(wide), whole)
    out = np.empty_like(X)
    assert channel_quality(X, out=out) is out
    np.testing.assert_array_equal(out, whole)


def test_combination(rng):
    quality = rng.uniform(0.1, 1, (2, 3, 7))
    groups = [(0, 1), (2, 0), (1,), (), (0, 1, 2)]
    product = combine_quality(quality, groups)
    largest = combine_quality(quality, groups, "gof")
    for i, group in enumerate(groups):
        members = quality[:, list(group)]
        np.testing.assert_allclose(product[:, i], members.prod(axis=1))
        np.testing.assert_array_equal(largest[:, i], members.max(axis=1, initial=0))
    mask = (quality > 0.5).astype(np.float32)
    both = combine_quality(mask, [(0, 1)], "mask")[:, 0]
    np.testing.assert_array_equal(both, np.logical_and(mask[:, 0], mask[:, 1]))
    out = np.empty_like(product)
    assert combine_quality(quality, groups, out=out) is out
    np.testing.assert_array_equal(out, product)


def test_what_is_refused():
    X = np.zeros((3, 10))
    with pytest.raises(ValueError, match="channel_quality: output must be one of qual"):
        channel_quality(X, "cqf", n_nearest=1)
    for n_nearest in (0, 3):
        with pytest.raises(ValueError, match="less than the number of electrodes, 3"):
            channel_quality(X, n_nearest=n_nearest)
    with pytest.raises(ValueError, match="channel_quality: out= is for NumPy arrays"):
        channel_quality(torch.zeros(5, 10), out=X)
    with pytest.raises(ValueError, match="combine_quality: out= is for NumPy arrays"):
        combine_quality(torch.zeros(5, 10), [(0, 1)], out=X)

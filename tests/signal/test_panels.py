"""Statistics, differences and contrasts of planes against plain NumPy."""

import warnings
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import panel_differences, panel_statistics, plane_contrasts

NAMES = ("min", "max", "mean", "range", "std")
PERCENTILES = (0, 20, 33.3, 50, 80, 100)


def direct(X, statistic, axis):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN
        if statistic == "range":
            return np.nanmax(X, axis=axis) - np.nanmin(X, axis=axis)
        if isinstance(statistic, str):
            return getattr(np, f"nan{statistic}")(X, axis=axis)
        return np.nanpercentile(X, statistic, axis=axis)


def with_gaps(seed, share, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2, 4, 5, 7))
    X[rng.random(X.shape) < share] = np.nan
    return X.astype(dtype)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**16),
    share=st.sampled_from([0.0, 0.1, 0.7, 1.0]),
    axis=st.integers(1, 3),
)
def test_statistics(seed, share, axis):
    X = with_gaps(seed, share)
    chosen = (*NAMES, *PERCENTILES)
    expected = np.stack([direct(X, one, axis) for one in chosen], axis=axis)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = panel_statistics(X, chosen, axis)
    np.testing.assert_allclose(result, expected, atol=1e-12)
    negative = panel_statistics(X, chosen, axis - 4)
    np.testing.assert_array_equal(negative, result)
    tensor = torch.tensor(X, requires_grad=True)
    again = panel_statistics(tensor, chosen, axis)
    np.testing.assert_allclose(again.detach().numpy(), expected, atol=1e-12)
    again.nan_to_num().square().sum().backward()
    assert torch.isfinite(tensor.grad).all()


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_single_precision_and_constants(rng, axis):
    X = rng.gamma(1.0, 50.0, size=(2, 4, 30, 40)).astype(np.float32)
    result = panel_statistics(X, (*NAMES, 20, 80), axis)
    assert result.dtype == np.float32
    expected = [direct(X.astype(float), one, axis) for one in (*NAMES, 20, 80)]
    np.testing.assert_allclose(result, np.stack(expected, axis=axis), rtol=1e-5)
    same = panel_statistics(np.full((1, 4, 3, 5), 0.1), ("range", "std", 40), axis)
    np.testing.assert_allclose(same.take([0, 1], axis), 0, atol=1e-16)
    np.testing.assert_array_equal(same.take(2, axis), 0.1)


def test_global_features():
    """As Cranjis-McB writes them."""
    LL, LP, RL, RP = X = np.random.default_rng(0).normal(size=(4, 100, 256))
    X_min, X_max = np.min([LL, LP, RL, RP], axis=0), np.max([LL, LP, RL, RP], axis=0)
    expected = [X_min, X_max, np.mean([LL, LP, RL, RP], axis=0), X_max - X_min]
    np.testing.assert_allclose(panel_statistics(X[None])[0], expected, atol=1e-15)


@settings(deadline=None, max_examples=25)
@given(n_planes=st.integers(1, 5), seed=st.integers(0, 2**16))
def test_differences(n_planes, seed):
    X = np.random.default_rng(seed).normal(size=(2, n_planes, 3, 4)).astype(np.float32)
    pairs = list(combinations(range(n_planes), 2))
    result = panel_differences(X)
    assert result.shape == (2, len(pairs), 3, 4)
    assert result.dtype == np.float32
    for difference, (i, j) in zip(result.swapaxes(0, 1), pairs, strict=True):
        np.testing.assert_array_equal(difference, X[:, i] - X[:, j])
    tensor = panel_differences(torch.from_numpy(X))
    np.testing.assert_array_equal(tensor.numpy(), result)
    np.testing.assert_array_equal(panel_differences(-X), -result)


references = st.lists(st.lists(st.integers(0, 4), max_size=6), min_size=5, max_size=5)


@settings(deadline=None, max_examples=25)
@given(references=references, seed=st.integers(0, 2**16))
def test_contrasts(references, seed):
    X = np.random.default_rng(seed).normal(size=(2, 5, 3, 4))
    result = plane_contrasts(X, references)
    for plane, others in enumerate(references):
        mean = X[:, others].mean(axis=1) if others else 0.0
        np.testing.assert_allclose(result[:, plane], X[:, plane] - mean, atol=1e-12)
    tensor = plane_contrasts(torch.from_numpy(X), references)
    np.testing.assert_allclose(tensor.numpy(), result, atol=1e-12)


@pytest.mark.parametrize(
    "run",
    [
        panel_statistics,
        panel_differences,
        lambda X, **kw: plane_contrasts(X, [(1,), (0, 2), (3,), ()], **kw),
    ],
)
def test_windows_alone_out_and_read_only_input(run):
    X = with_gaps(3, 0.1, np.float32)
    X.setflags(write=False)
    whole = run(X)
    for window in range(2):
        np.testing.assert_array_equal(run(X[window : window + 1])[0], whole[window])
    out = np.empty((2, whole.shape[1] + 2, *whole.shape[2:]), np.float32)[:, 1:-1]
    assert run(X, out=out) is out
    np.testing.assert_array_equal(out, whole)
    with pytest.raises(ValueError, match=r"out= is for NumPy arrays"):
        run(torch.from_numpy(X.copy()), out=out)


def test_errors():
    X = np.zeros((1, 2, 3, 4))
    for statistic in ("median", 101, -1):
        with pytest.raises(ValueError, match=r"^panel_statistics: .*got "):
            panel_statistics(X, (statistic,))
    with pytest.raises(IndexError):
        panel_statistics(X, ("min",), 4)
    with pytest.raises(ValueError, match=r"^plane_contrasts: X has 2 planes.*1 entr"):
        plane_contrasts(X, [(0,)])

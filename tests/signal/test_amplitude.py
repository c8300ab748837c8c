"""Clipping, dividing and compressing."""

import numpy as np
import pytest
import torch
import torchaudio.functional
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hmsklearn.signal import clip_and_divide, mu_law

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


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_one_number_for_each_channel(rng, kind):
    X = rng.normal(0, 100, (2, 3, 50)).astype(np.float32)
    clip, scale, offset = [50.0, 80.0, 200.0], [2.0, 4.0, 5.0], [0.0, 80.0, -7.0]
    before = X.copy()
    result = clip_and_divide(X, kind(clip), kind(scale), offset=kind(offset))
    for i in range(3):
        expected = (np.clip(X[:, i], -clip[i], clip[i]) + offset[i]) / scale[i]
        np.testing.assert_allclose(result[:, i], expected, rtol=1e-6)
    np.testing.assert_array_equal(X, before)
    assert clip_and_divide(X, kind(clip), kind(scale), offset=kind(offset), out=X) is X
    np.testing.assert_array_equal(X, result)


def test_to_the_unit_interval():
    X = np.array([-1e5, -88.0, 0.0, 44.0, 88.0, 300.0])
    result = clip_and_divide(X, 88.0, 176.0, offset=88.0)
    np.testing.assert_array_equal(result, [0, 0, 0.5, 0.75, 1, 1])


def test_clipped_tensors_pass_no_gradient():
    X = torch.tensor([-5000.0, 3.0, 5000.0], requires_grad=True)
    clip_and_divide(X, 1024.0, 32.0).sum().backward()
    np.testing.assert_allclose(X.grad, [0, 1 / 32, 0])


values = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    (2, 3, 5),
    elements=st.floats(-100, 100, width=32) | st.just(np.nan),
)
strengths = st.sampled_from([1e-6, 0.1, 1.0, 255.0, 1e6])


@settings(deadline=None, max_examples=25)
@given(X=values, mu=strengths)
def test_mu_law_is_its_formula(X, mu):
    before = X.copy()
    exact = before.astype(np.float64)
    expected = np.sign(exact) * np.log1p(mu * np.abs(exact)) / np.log1p(mu)
    result = mu_law(X, mu)
    assert result.dtype == X.dtype
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-30)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(mu_law(-X, mu), -result)
    np.testing.assert_allclose(mu_law(torch.from_numpy(X), mu), result, rtol=1e-5)


@pytest.mark.parametrize("mu", [0.5, 1.0, 255.0])
def test_mu_law_keeps_the_unit_interval_and_the_order(mu):
    X = np.linspace(-3, 3, 601)
    result = mu_law(X, mu)
    np.testing.assert_allclose(mu_law(np.array([-1.0, 0.0, 1.0]), mu), [-1, 0, 1])
    assert (np.diff(result) > 0).all()
    inside = np.abs(X) <= 1
    assert (np.abs(result[inside]) >= np.abs(X[inside]) - 1e-15).all()
    back = np.sign(result) * np.expm1(np.abs(result) * np.log1p(mu)) / mu
    np.testing.assert_allclose(back, X, atol=1e-12)


def test_mu_law_is_telephony_before_it_is_quantised(rng):
    X = torch.from_numpy(rng.uniform(-1, 1, 1000))
    quantised = ((mu_law(X, 255.0) + 1) / 2 * 255 + 0.5).to(torch.int64)
    expected = torchaudio.functional.mu_law_encoding(X, 256)
    np.testing.assert_array_equal(quantised, expected)


@pytest.mark.parametrize("mu", [1.0, 255.0])
def test_slope_of_the_mu_law_at_zero(mu):
    X = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    mu_law(X, mu).backward()
    assert X.grad.item() == pytest.approx(mu / np.log1p(mu))


def test_mu_law_in_place(rng):
    X = rng.normal(size=(2, 3, 50)).astype(np.float32)
    expected = mu_law(X)
    assert mu_law(X, out=X) is X
    np.testing.assert_array_equal(X, expected)


def test_what_is_refused():
    for mu in (0, -1, np.nan):
        with pytest.raises(ValueError, match="mu_law: mu must be above 0, got"):
            mu_law(np.zeros(3), mu)
    for function in (mu_law, lambda X, out: clip_and_divide(X, 1, 1, out=out)):
        with pytest.raises(ValueError, match="out= is for NumPy arrays"):
            function(torch.zeros(3), out=np.zeros(3))

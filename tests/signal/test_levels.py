"""The last line of the recipes, against the formulas that it stands for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import power_to_db, power_to_levels
from hmsklearn.signal.levels import OUTPUTS

FORMULAS = {
    "linear": lambda x, eps: x,
    "log": lambda x, eps: np.log(x + eps),
    "log10": lambda x, eps: np.log10(x + eps),
    "log1p": lambda x, eps: np.log1p(x),
}


@settings(deadline=None, max_examples=25)
@given(
    output=st.sampled_from(sorted(FORMULAS)),
    exponent=st.sampled_from([0.6, 1, 2.0, 3.0]),
    eps=st.sampled_from([1e-6, 1e-4, 1.0]),
    clip=st.sampled_from([None, (None, None), (None, 2.0), (-1.0, None), (-0.5, 1)]),
    offset=st.sampled_from([0.0, -7.5]),
    scale=st.sampled_from([1.0, 7.5]),
    dtype=st.sampled_from(["f4", "f8"]),
    seed=st.integers(0, 2**16),
)
def test_formulas(output, exponent, eps, clip, offset, scale, dtype, seed):
    power = np.random.default_rng(seed).gamma(0.3, 10.0, (2, 3, 4, 5)).astype(dtype)
    power[0, 0, 0, :2] = 0
    expected = FORMULAS[output](power.astype(np.float64) ** (exponent / 2), eps)
    if clip is not None:
        low, high = clip
        expected = np.clip(
            expected, -np.inf if low is None else low, np.inf if high is None else high
        )
    expected = (expected + offset) / scale
    kwargs = {"exponent": exponent, "eps": eps, "clip": clip}
    kwargs |= {"offset": offset, "scale": scale}
    before = power.copy()
    result = power_to_levels(power, output, **kwargs)
    assert result.dtype == power.dtype
    tolerance = 1e-5 if dtype == "f4" else 1e-12
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(power, before)
    tensor = power_to_levels(torch.from_numpy(power), output, **kwargs)
    np.testing.assert_allclose(tensor, expected, rtol=tolerance, atol=tolerance)
    assert power_to_levels(power, output, **kwargs, out=power) is power
    np.testing.assert_array_equal(power, result)


@pytest.mark.parametrize("per", ["plane", "window"])
def test_decibels_are_clipped_before_they_are_scaled(rng, per):
    power = rng.gamma(0.3, 10.0, (2, 3, 4, 5))
    result = power_to_levels(
        power, "db", ref=2.0, clip=(-10, 3), offset=1, scale=2, per=per
    )
    expected = (np.clip(power_to_db(power, ref=2.0, per=per), -10, 3) + 1) / 2
    np.testing.assert_allclose(result, expected, rtol=1e-12)
    plain = power_to_levels(power, "db", offset=40, scale=40, per=per)
    expected = power_to_db(power, offset=40, scale=40, per=per)
    np.testing.assert_array_equal(plain, expected)


def test_single_images(rng):
    power = rng.gamma(0.3, 10.0, (4, 5))
    for output in OUTPUTS:
        for per in ("plane", "window"):
            image = power_to_levels(power, output, per=per)
            stack = power_to_levels(power[None, None], output, per=per)
            np.testing.assert_array_equal(image, stack[0, 0])


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("exponent", [0.6, 1, 2])
def test_silence_has_a_gradient(output, exponent):
    power = torch.tensor([[0.0, 0.0], [4.0, 9.0]], requires_grad=True)
    power_to_levels(power, output, exponent=exponent).sum().backward()
    assert torch.isfinite(power.grad).all()
    silent = torch.zeros((2, 2), requires_grad=True)
    power_to_levels(silent, output, exponent=exponent).sum().backward()
    assert torch.isfinite(silent.grad).all()


@pytest.mark.parametrize("output", OUTPUTS)
def test_silence_is_finite(output):
    for power in (np.zeros((2, 3, 4), dtype=np.float32), torch.zeros(2, 3, 4)):
        assert np.isfinite(np.asarray(power_to_levels(power, output))).all()


def test_zero_without_eps_is_infinite_or_the_lower_bound():
    power = np.array([[0.0, 1.0]], dtype=np.float32)
    for output in ("log", "log10"):
        result = power_to_levels(power, output, eps=0)
        np.testing.assert_array_equal(result, [[-np.inf, 0]])
        tensor = torch.from_numpy(power).requires_grad_()
        result = power_to_levels(tensor, output, eps=0)
        np.testing.assert_array_equal(result.detach(), [[-np.inf, 0]])
        bounded = power_to_levels(power, output, eps=0, clip=(-200.0, None))
        np.testing.assert_array_equal(bounded, [[-200, 0]])
        bounded = power_to_levels(tensor, output, eps=0, clip=(-200.0, None))
        np.testing.assert_array_equal(bounded.detach(), [[-200, 0]])
        bounded.sum().backward()
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad[0, 0] == 0


ERRORS = [
    ({"per": "batch"}, "per must be one of 'plane', 'window', got 'batch'"),
    ({"ref": "mean"}, "ref must be .*Or give 'max'"),
    ({"ref": 0}, "ref must be a finite number above 0"),
    ({"amin": 0}, "amin must be a finite number at least"),
    ({"top_db": -1}, "top_db must be a finite number at least 0"),
    ({"offset": np.nan}, "offset must be a finite number"),
    ({"scale": 0}, "scale must be a finite number above 0"),
]


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        *ERRORS,
        ({"output": "dB"}, "output must be one of 'linear', 'db', .*mean 'db'"),
        ({"exponent": -1}, "exponent must be a finite number above 0"),
        ({"eps": -1}, "eps must be a finite number at least 0"),
        ({"clip": 3}, "clip must be a pair"),
        ({"clip": (3, 1)}, "the lower bound must be below the upper one"),
    ],
)
def test_errors(kwargs, text):
    for power in (np.ones((2, 2)), torch.ones(2, 2)):
        with pytest.raises(ValueError, match=f"^power_to_levels: .*{text}"):
            power_to_levels(power, **kwargs)


@pytest.mark.parametrize(("kwargs", "text"), ERRORS)
def test_errors_of_decibels(kwargs, text):
    for power in (np.ones((2, 2)), torch.ones(2, 2)):
        with pytest.raises(ValueError, match=f"^power_to_db: .*{text}"):
            power_to_db(power, **kwargs)


@pytest.mark.parametrize("function", [power_to_db, power_to_levels])
def test_power_that_is_none(function):
    name = function.__name__
    for power, text in [
        (np.ones(3), "power has shape .*expected"),
        (torch.ones(3), "power has shape .*expected"),
        (np.ones((2, 0)), "both at least 1"),
        (np.ones((2, 2), dtype=complex), "real numbers"),
        (torch.ones((2, 2), dtype=torch.int64), "float32 or float64"),
        ([[1.0]], "got list"),
    ]:
        with pytest.raises(ValueError, match=f"^{name}: .*{text}"):
            function(power)
    result = function(np.array([[1, 100]], dtype=np.int16), ref=1.0)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [[0, 20]], atol=1e-5)
    tensor = torch.ones(2, 2)
    with pytest.raises(ValueError, match=f"^{name}: out= is for NumPy arrays"):
        function(tensor, out=tensor)

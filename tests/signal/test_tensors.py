"""Arrays and tensors: one function, the same numbers, on the CPU and on a GPU."""

import inspect
from functools import partial

import numpy as np
import pytest
import torch

from hmsklearn import signal

_RNG = np.random.default_rng(7)
EEG = (30 * _RNG.normal(size=(3, 20, 2000)).cumsum(axis=-1) / 40).astype(np.float32)
POWER = _RNG.gamma(1.0, 50.0, size=(3, 4, 30, 40)).astype(np.float32)
SOS = signal.butterworth_sos(0.5, 20.0)

GAPPY = EEG.copy()
GAPPY[0, 1, 100:200] = np.nan
GAPPY[1, 2] = np.nan
GAPPY[2, 3, :10] = np.nan

#: Function of the room -> calls of it, each with its input. Everything in
#: ``signal.__all__`` that computes on data must be here.
CASES = {
    "power_to_db": [(signal.power_to_db, POWER)],
    "power_to_levels": [
        (partial(signal.power_to_levels, output=output, exponent=exponent), POWER)
        for output in ("linear", "db", "log", "log10", "log1p")
        for exponent in (1, 2)
    ],
}

#: What makes constants out of parameters and never sees data.
DESIGNS = {"butterworth_sos", "mel_filterbank"}

calls = pytest.mark.parametrize(
    ("function", "X"),
    [
        pytest.param(function, X, id=f"{name}-{number}")
        for name, entries in CASES.items()
        for number, (function, X) in enumerate(entries)
    ],
)


def agree(tensor, array):
    """Agree to 1e-4, relative to the largest value of each window."""
    assert isinstance(array, np.ndarray)
    given = tensor.detach().cpu().numpy()
    assert given.shape == array.shape
    assert given.dtype == array.dtype
    np.testing.assert_array_equal(np.isnan(given), np.isnan(array))
    for one, other in zip(given, array, strict=True):
        largest = np.nanmax(np.abs(other), initial=0.0)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * largest)


def test_every_function_is_here():
    functions = {
        name
        for name in signal.__all__
        if inspect.isfunction(getattr(signal, name)) and name not in DESIGNS
    }
    assert functions == set(CASES)


@calls
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tensor_is_array(function, X, dtype):
    X = X.astype(dtype)
    before = X.copy()
    tensor = torch.from_numpy(X.copy())
    array, result = function(X), function(tensor)
    assert isinstance(result, torch.Tensor)
    assert result.dtype == tensor.dtype
    agree(result, array)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(tensor.numpy(), before)
    assert not np.shares_memory(array, X)


@calls
def test_tensor_passes_the_gradient(function, X):
    tensor = torch.tensor(X, requires_grad=True)
    result = function(tensor)
    weights = torch.linspace(-1, 1, result.numel()).reshape(result.shape)
    (result.nan_to_num() * weights).sum().backward()
    gradient = tensor.grad[~torch.isnan(tensor)]
    assert torch.isfinite(gradient).all()
    assert gradient.abs().max() > 0


@calls
@pytest.mark.gpu
def test_cuda_is_array(function, X):
    agree(function(torch.from_numpy(X).cuda()), function(X))

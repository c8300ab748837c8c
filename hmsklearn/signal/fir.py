"""Symmetric kernels applied by FFT, for arrays and tensors.

The spectrum of a symmetric kernel is real: nothing moves in time.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from scipy import fft

from hmsklearn.signal.arrays import Array, Constant, as_float, is_tensor, refuse_out

__all__ = ["filter_fir"]

# So much of a window at a time: spectra stay in the cache.
_SAMPLES = 2**18


class _Plan:
    """What filtering signals of one length takes."""

    def __init__(self, kernel: np.ndarray, n_times: int) -> None:
        self.n_times = n_times
        self.half = half = len(kernel) // 2
        # What the signal can be mirrored by; beyond there is nothing.
        self.mirrored = min(half, n_times - 1)
        # A jump to zero rounds like what it jumps from: an offset, or a line that has
        # been drawn far beyond a short signal. float32 would be off by 3e-4.
        self.in_double = self.mirrored < half
        self.n_fft = fft.next_fast_len(n_times + 2 * half, real=True)
        centred = np.zeros(self.n_fft)
        centred[: half + 1] = kernel[half:]
        centred[self.n_fft - half :] = kernel[:half]
        self.response = Constant(fft.rfft(centred).real)
        # How a straight line passes: as it is, times this.
        self.gain = math.fsum(kernel)
        self.line_passes = abs(self.gain) > 1e-12
        ramp = np.arange(-half, n_times + half) / max(n_times - 1, 1)
        self.ramp = Constant(ramp)


@lru_cache(maxsize=8)
def _plan(kernel: tuple[float, ...], n_times: int) -> _Plan:
    return _Plan(np.array(kernel), n_times)


def filter_fir(X: Array, kernel: np.ndarray, *, out: np.ndarray | None = None) -> Array:
    """Filter with a symmetric kernel.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, ..., n_times)
        Signals without NaN, float32 or float64; arrays of other numbers are converted
        to float32.
    kernel : ndarray of shape (n_taps,), float64
        Symmetric kernel of odd length.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new one of the dtype in which `X` was taken.

    Raises
    ------
    ValueError
        If the signals are no numbers, or the kernel is not symmetric and of odd length.

    Notes
    -----
    Both ends are continued point-symmetric to their last sample, and by zeros beyond
    the length of the signal (MNE's ``pad="reflect_limited"``): a kernel that reaches
    so far distorts the whole signal. The straight line from the first to the last
    sample, which such a filter passes or stops as a whole, is taken off before and put
    back after, so that float32 holds what rides on an offset or a drift. NaN and
    infinity spoil their whole signal.

    Examples
    --------
    >>> from hmsklearn.signal import fir_kernel
    >>> X = np.ones((1, 2000), dtype="float32")
    >>> filtered = filter_fir(X, fir_kernel(0.5, 20.0))
    >>> filtered.dtype, bool(abs(filtered).max() < 1e-6)
    (dtype('float32'), True)
    """
    X = as_float(X, "filter_fir")
    refuse_out(X, out, "filter_fir")
    kernel = np.asarray(kernel, dtype=np.float64)
    if kernel.ndim != 1 or len(kernel) % 2 == 0:
        raise ValueError(
            "filter_fir: kernel must have one axis and an odd length, got shape "
            f"{kernel.shape}."
        )
    if not np.allclose(kernel, kernel[::-1], rtol=0, atol=1e-9 * np.abs(kernel).max()):
        raise ValueError(
            "filter_fir: kernel must be symmetric, which is what keeps everything at "
            "its time."
        )
    n_times = X.shape[-1]
    if 0 in X.shape:
        return X.clone() if is_tensor(X) else X.copy() if out is None else out
    plan = _plan(tuple(kernel.tolist()), n_times)
    if is_tensor(X):
        rows = X.reshape(-1, n_times)
        done = _filter_tensor(rows.double() if plan.in_double else rows, plan)
        return done.to(X.dtype).reshape(X.shape)
    out = np.empty(X.shape, dtype=X.dtype) if out is None else out
    _run(X, plan, out)
    return out


def _filter_tensor(x: Array, plan: _Plan) -> Array:
    half, n_times, mirrored = plan.half, plan.n_times, plan.mirrored
    first, rise = x[:, :1], x[:, -1:] - x[:, :1]
    ramp = plan.ramp.like(x)
    inner = x - first - rise * ramp[half : half + n_times]
    left = -inner[:, 1 : mirrored + 1].flip(1)
    right = -inner[:, n_times - 1 - mirrored : n_times - 1].flip(1)
    # Zeros, seen from the line.
    before = -first - rise * ramp[: half - mirrored]
    after = -first - rise * ramp[n_times + half + mirrored :]
    extended = torch.cat([before, left, inner, right, after], dim=1)
    spectrum = torch.fft.rfft(extended, n=plan.n_fft) * plan.response.like(x)
    done = torch.fft.irfft(spectrum, n=plan.n_fft)[:, half : half + n_times]
    if not plan.line_passes:
        return done
    return done + plan.gain * (first + rise * ramp[half : half + n_times])


def _run(X: np.ndarray, plan: _Plan, out: np.ndarray) -> None:
    """Filter window by window, and many rows of a long window in turn."""
    if X.ndim < 3:  # windows of one row each
        X, out = np.atleast_2d(X)[:, None], np.atleast_2d(out)[:, None]
    n_rows, half, n_times = X.shape[-2], plan.half, plan.n_times
    single = X.dtype.type is np.float32 and not plan.in_double
    dtype = np.dtype(np.float32 if single else np.float64)
    step = max(1, min(n_rows, _SAMPLES // plan.n_fft))
    ramp = plan.ramp.like(np.empty(0, dtype))
    response = plan.response.like(ramp)
    scratch = np.zeros((step, plan.n_fft), dtype)
    mirrored = plan.mirrored
    inside = slice(half, half + n_times)
    for where in np.ndindex(X.shape[:-2]):
        for start in range(0, n_rows, step):
            rows, written = (A[where][start : start + step] for A in (X, out))
            extended = scratch[: len(rows)]
            first = rows[:, :1].astype(dtype)
            rise = rows[:, -1:] - first
            line = rise * ramp
            inner = extended[:, inside]
            np.subtract(rows, first, out=inner)
            inner -= line[:, inside]
            left = extended[:, half - mirrored : half]
            np.negative(inner[:, mirrored:0:-1], out=left)
            right = extended[:, half + n_times : half + n_times + mirrored]
            np.negative(inner[:, n_times - 2 :: -1][:, :mirrored], out=right)
            # Zeros, seen from the line.
            far = half - mirrored
            extended[:, :far] = -first - line[:, :far]
            end = half + n_times + mirrored
            extended[:, end : end + far] = -first - line[:, end:]
            spectrum = fft.rfft(extended)
            spectrum *= response
            done = fft.irfft(spectrum, n=plan.n_fft, overwrite_x=True)[:, inside]
            if plan.line_passes:
                done += plan.gain * (first + line[:, inside])
            written[...] = done

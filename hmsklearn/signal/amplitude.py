"""Bounding amplitudes and bringing them to a scale that networks train well on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, Constant, as_float, is_tensor, refuse_out

__all__ = ["clip_and_divide", "mu_law"]


def clip_and_divide(
    X: Array,
    clip: float | Sequence[float] | None,
    scale: float | Sequence[float],
    *,
    offset: float | Sequence[float] = 0.0,
    out: np.ndarray | None = None,
) -> Array:
    """Clip to a symmetric range, add an offset, then divide.

    Parameters
    ----------
    X : ndarray or Tensor
        Signals, float32 or float64. With a number for each channel, of shape
        (..., n_channels, n_times).
    clip : float or sequence of float of length n_channels, or None
        Values are clipped to ``[-clip, clip]``; None leaves them.
    scale : float or sequence of float of length n_channels
        Divisor, in the unit of `X`.
    offset : float or sequence of float of length n_channels, default=0.0
        Added before the division, in the unit of `X`.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        ``(clipped + offset) / scale``: `out`, or a new array of the type of `X`. NaN
        stays NaN.

    Raises
    ------
    ValueError
        If `out` is given with a tensor.

    Examples
    --------
    >>> clip_and_divide(np.array([-2000.0, 16.0, np.nan]), 1024.0, 32.0)
    array([-32. ,   0.5,   nan])
    >>> X = np.array([[-50.0, 100.0], [0.0, 900.0]])
    >>> clip_and_divide(X, [100.0, 400.0], [200.0, 800.0], offset=[100.0, 400.0])
    array([[0.25, 1.  ],
           [0.5 , 1.  ]])
    """
    X = as_float(X, "clip_and_divide")
    refuse_out(X, out, "clip_and_divide")
    high = None if clip is None else _like(clip, X)
    low = None if high is None else -high
    shift = _like(offset, X) if np.any(offset) else None
    divisor = _like(scale, X)
    if is_tensor(X):
        X = X if high is None else X.clamp(low, high)
        X = X if shift is None else X + shift
        return X / divisor
    if out is None:
        out = np.empty(X.shape, dtype=X.dtype)
    # Window by window: the second pass then finds it in the cache.
    for where in np.ndindex(X.shape[:-2]):
        values, result = X[where], out[where]
        if low is not None:
            values = np.clip(values, low, high, out=result)
        if shift is not None:
            values = np.add(values, shift, out=result)
        np.divide(values, divisor, out=result)
    return out


def _like(value: float | Sequence[float], X: Array) -> Array:
    """Return one number as such, several as a column, in the type of `X`."""
    if np.ndim(value):
        return _column(tuple(map(float, value))).like(X)  # type: ignore[arg-type]
    return float(value) if is_tensor(X) else X.dtype.type(value)  # type: ignore[arg-type]


@lru_cache(maxsize=64)
def _column(values: tuple[float, ...]) -> Constant:
    return Constant(np.array(values)[:, None])


def mu_law(X: Array, mu: float = 1.0, *, out: np.ndarray | None = None) -> Array:
    """Compress amplitudes, the large ones more than the small ones.

    Parameters
    ----------
    X : ndarray or Tensor
        Signals, float32 or float64. Usually scaled so that most of them are within
        [-1, 1], which is mapped to itself; any other number is allowed.
    mu : float, default=1.0
        Strength of the compression, above 0. Telephony uses 255.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        ``sign(x) log(1 + mu |x|) / log(1 + mu)``: `out`, or a new array of the type of
        `X`. NaN stays NaN.

    Raises
    ------
    ValueError
        If `mu` is not above 0, or `out` is given with a tensor.

    Notes
    -----
    Nothing is quantised, unlike in ``torchaudio.functional.mu_law_encoding``.

    Examples
    --------
    >>> mu_law(np.array([-3.0, 0.0, 1.0]), 1.0)
    array([-2.,  0.,  1.])
    """
    X = as_float(X, "mu_law")
    if not mu > 0:
        raise ValueError(f"mu_law: mu must be above 0, got {mu!r}.")
    refuse_out(X, out, "mu_law")
    if is_tensor(X):
        # With a sign that is never 0 the slope at 0 is that of the curve.
        sign = torch.where(X < 0, -1.0, 1.0).to(X.dtype)
        return sign * torch.log1p(sign * X * mu) / float(np.log1p(mu))
    if out is None:
        out = np.empty(X.shape, dtype=X.dtype)
    kind = X.dtype.type
    for where in np.ndindex(X.shape[:-2]):
        values, result = X[where], out[where]
        size = np.abs(values)
        size *= kind(mu)
        np.log1p(size, out=size)
        size /= kind(np.log1p(mu))
        np.copysign(size, values, out=result)
    return out

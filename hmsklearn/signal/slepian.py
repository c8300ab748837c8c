"""Slepian tapers, and the windows that they are multiplied with."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal.windows import dpss

from hmsklearn.signal.arrays import Array, Constant, is_tensor

__all__ = ["cut_frames", "detrended_frames", "slepian_tapers", "trend_rows"]


@lru_cache(maxsize=32)
def slepian_tapers(
    length: int, time_bandwidth: float, n_tapers: int, periodic: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Compute Slepian tapers (discrete prolate spheroidal sequences).

    Parameters
    ----------
    length : int
        Number of samples.
    time_bandwidth : float
        Half the bandwidth in Hz times the duration in seconds.
    n_tapers : int
        Number of tapers.
    periodic : bool, default=False
        Whether to drop the last sample of tapers that are one longer, as MNE does.

    Returns
    -------
    tapers : ndarray of shape (n_tapers, length), float64
        Sum of squares one; even, odd, even, ... about the middle unless periodic.
    ratios : ndarray of shape (n_tapers,), float64
        Share of each taper's energy within the bandwidth, 0 to 1.

    Examples
    --------
    >>> tapers, ratios = slepian_tapers(800, 2.0, 3)
    >>> tapers.shape, ratios.round(3).tolist()
    ((3, 800), [1.0, 0.998, 0.959])
    """
    tapers, ratios = dpss(
        length, time_bandwidth, n_tapers, sym=not periodic, norm=2, return_ratios=True
    )
    # Those of tapers far beyond the band are zero but for rounding, of either sign.
    ratios = np.clip(ratios, 0.0, 1.0)
    for constant in (tapers, ratios):
        constant.setflags(write=False)
    return tapers, ratios


def trend_rows(length: int, detrend: str | None) -> np.ndarray:
    """Return what the trend of a window consists of.

    Parameters
    ----------
    length : int
        Number of samples.
    detrend : {"linear", "constant", None}
        A straight line, a constant, or nothing.

    Returns
    -------
    ndarray of shape (2, length), (1, length) or (0, length), float64
        Orthonormal rows: the constant, the slope.

    Examples
    --------
    >>> trend_rows(4, "linear").round(2)
    array([[ 0.5 ,  0.5 ,  0.5 ,  0.5 ],
           [-0.67, -0.22,  0.22,  0.67]])
    """
    if detrend is None:
        return np.zeros((0, length))
    rows = np.ones((1, length))
    if detrend == "linear" and length > 1:
        rows = np.stack([rows[0], np.arange(length) - (length - 1) / 2])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cut_frames(X: Array, length: int, step: int) -> Array:
    """Cut signals into windows, without a copy.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_times)
        Signals.
    length, step : int
        Samples of a window and from window to window.

    Returns
    -------
    ndarray or Tensor of shape (..., n_frames, length)
        A view of the signals.

    Examples
    --------
    >>> cut_frames(np.arange(5), 3, 2)
    array([[0, 1, 2],
           [2, 3, 4]])
    """
    if is_tensor(X):
        return X.unfold(-1, length, step)
    return sliding_window_view(X, length, axis=-1)[..., ::step, :]


def detrended_frames(X: Array, step: int, trend: Constant) -> Array:
    """Cut signals into windows and remove the trend of each.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_times)
        Signals.
    step : int
        Samples from window to window.
    trend : Constant of shape (n, length)
        What :func:`trend_rows` returns.

    Returns
    -------
    ndarray or Tensor of shape (..., n_frames, length)
        Windows.

    Examples
    --------
    >>> trend = Constant(trend_rows(3, "linear"))
    >>> detrended_frames(np.array([1.0, 2, 6, 7]), 1, trend).round(2)
    array([[ 0.5, -1. ,  0.5],
           [-0.5,  1. , -0.5]])
    """
    rows = trend.like(X)
    frames = cut_frames(X, rows.shape[-1], step)
    if len(rows):
        # Twice: in float32 the mean of an offset of thousands is wrong by more than
        # the quiet bins hold.
        frames = frames - frames.mean(-1)[..., None]
        frames = frames - frames.mean(-1)[..., None]
    if len(rows) == 2:
        frames = frames - (frames @ rows[1])[..., None] * rows[1]
    return frames

"""Taking the middle of a window, and fewer samples of it."""

from __future__ import annotations

import numpy as np

__all__ = ["DECIMATION_METHODS", "centre_crop", "decimate"]

#: Ways to keep one sample for each block, see :func:`decimate`.
DECIMATION_METHODS = ("stride", "mean")


def centre_crop(
    X: np.ndarray, n_times: int, *, out: np.ndarray | None = None
) -> np.ndarray:
    """Copy the central samples.

    Parameters
    ----------
    X : ndarray of shape (..., n_samples)
        Signals.
    n_times : int
        Number of samples to keep, at most ``n_samples``. The crop begins at sample
        ``(n_samples - n_times) // 2``.
    out : ndarray of shape (..., n_times), optional
        Where to write.

    Returns
    -------
    ndarray of shape (..., n_times)
        `out`, or a new contiguous array.

    Examples
    --------
    >>> centre_crop(np.arange(10), 4)
    array([3, 4, 5, 6])
    """
    start = (X.shape[-1] - n_times) // 2
    middle = X[..., start : start + n_times]
    if out is None:
        return np.ascontiguousarray(middle.copy())
    np.copyto(out, middle)
    return out


def decimate(
    X: np.ndarray,
    factor: int,
    method: str = "stride",
    *,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Keep one sample for each block of `factor` samples.

    Parameters
    ----------
    X : ndarray of shape (..., n_times)
        Signals, float32 or float64.
    factor : int
        Length of a block.
    method : {"stride", "mean"}, default="stride"
        The block's first sample, or its mean.
    out : ndarray of shape (..., n_times // factor), optional
        Where to write.

    Returns
    -------
    ndarray of shape (..., n_times // factor)
        `out`, or a new contiguous array of the dtype of `X`. Samples after the last
        whole block are dropped.

    Notes
    -----
    Neither is an anti-aliasing filter (the mean is a poor one): low-pass first.

    Examples
    --------
    >>> X = np.arange(7.0)
    >>> decimate(X, 3), decimate(X, 3, "mean")
    (array([0., 3.]), array([1., 4.]))
    """
    n_blocks = X.shape[-1] // factor
    if out is None:
        out = np.empty((*X.shape[:-1], n_blocks), dtype=X.dtype)
    X = X[..., : n_blocks * factor]
    np.copyto(out, X[..., ::factor])
    if method == "mean":
        # One addition for each place in the block: several times faster than a
        # reduction over a last axis of length five.
        for place in range(1, factor):
            out += X[..., place::factor]
        out /= factor
    return out

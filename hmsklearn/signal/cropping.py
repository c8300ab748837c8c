"""Taking the middle of a window, and fewer samples of it."""

from __future__ import annotations

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out

__all__ = ["DECIMATION_METHODS", "centre_crop", "decimate"]

#: Ways to keep one sample for each block, see :func:`decimate`.
DECIMATION_METHODS = ("stride", "mean")


def centre_crop(X: Array, n_times: int, *, out: np.ndarray | None = None) -> Array:
    """Copy the central samples.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_samples)
        Signals.
    n_times : int
        Number of samples to keep, at most ``n_samples``. The crop begins at sample
        ``(n_samples - n_times) // 2``.
    out : ndarray of shape (..., n_times), optional
        Where to write. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (..., n_times)
        `out`, or a new contiguous array.

    Raises
    ------
    ValueError
        If there are fewer samples than that, or `out` is given with a tensor.

    Examples
    --------
    >>> centre_crop(np.arange(10.0), 4)
    array([3., 4., 5., 6.])
    """
    X = as_float(X, "centre_crop")
    refuse_out(X, out, "centre_crop")
    # A negative start would count from the end.
    if not 0 <= n_times <= X.shape[-1]:
        raise ValueError(
            f"centre_crop: n_times={n_times} samples are to be kept of "
            f"{X.shape[-1]}. Give longer signals or a smaller n_times."
        )
    start = (X.shape[-1] - n_times) // 2
    middle = X[..., start : start + n_times]
    if is_tensor(X):
        return middle.clone(memory_format=torch.contiguous_format)
    if out is None:
        return np.ascontiguousarray(middle.copy())
    np.copyto(out, middle)
    return out


def decimate(
    X: Array,
    factor: int,
    method: str = "stride",
    *,
    out: np.ndarray | None = None,
) -> Array:
    """Keep one sample for each block of `factor` samples.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_times)
        Signals, float32 or float64.
    factor : int
        Length of a block.
    method : {"stride", "mean"}, default="stride"
        The block's first sample, or its mean.
    out : ndarray of shape (..., n_times // factor), optional
        Where to write. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (..., n_times // factor)
        `out`, or a new contiguous array of the type of `X`. Samples after the last
        whole block are dropped.

    Raises
    ------
    ValueError
        If `method` is not one of the two, or `out` is given with a tensor.

    Notes
    -----
    Neither is an anti-aliasing filter (the mean is a poor one): low-pass first.

    Examples
    --------
    >>> X = np.arange(7.0)
    >>> decimate(X, 3), decimate(X, 3, "mean")
    (array([0., 3.]), array([1., 4.]))
    """
    X = as_float(X, "decimate")
    if method not in DECIMATION_METHODS:
        raise ValueError(
            f"decimate: method must be one of {', '.join(DECIMATION_METHODS)}, got "
            f"{method!r}."
        )
    refuse_out(X, out, "decimate")
    n_blocks = X.shape[-1] // factor
    X = X[..., : n_blocks * factor]
    if is_tensor(X):
        if method == "mean":
            return X.unflatten(-1, (n_blocks, factor)).mean(dim=-1)
        return X[..., ::factor].clone(memory_format=torch.contiguous_format)
    if out is None:
        out = np.empty((*X.shape[:-1], n_blocks), dtype=X.dtype)
    np.copyto(out, X[..., ::factor])
    if method == "mean":
        # One addition for each place in the block: several times faster than a
        # reduction over a last axis of length five.
        for place in range(1, factor):
            out += X[..., place::factor]
        out /= factor
    return out

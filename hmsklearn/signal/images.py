"""Signals laid out as images."""

from __future__ import annotations

import numpy as np

__all__ = ["interleave_phases"]


def interleave_phases(
    X: np.ndarray, phases: int, *, out: np.ndarray | None = None
) -> np.ndarray:
    """Lay each channel out as `phases` rows of every `phases`-th sample.

    Parameters
    ----------
    X : ndarray of shape (n_windows, n_channels, n_times)
        Signals; `n_times` must be a multiple of `phases`.
    phases : int
        Number of rows for each channel.
    out : ndarray of shape (n_windows, n_channels * phases, n_times // phases), optional
        Where to write.

    Returns
    -------
    ndarray of shape (n_windows, n_channels * phases, n_times // phases)
        `out`, or a new array of the dtype of `X`. Row ``channel * phases + phase``,
        column ``t`` is sample ``phases * t + phase`` of the channel.

    Examples
    --------
    >>> interleave_phases(np.arange(12).reshape(1, 2, 6), 2)
    array([[[ 0,  2,  4],
            [ 1,  3,  5],
            [ 6,  8, 10],
            [ 7,  9, 11]]])
    """
    n_windows, n_channels, n_times = X.shape
    width = n_times // phases
    if out is None:
        out = np.empty((n_windows, n_channels * phases, width), dtype=X.dtype)
    # Splitting an axis of an array is always a view of it.
    rows = out.reshape(n_windows, n_channels, phases, width)
    rows[...] = X.reshape(n_windows, n_channels, width, phases).swapaxes(2, 3)
    return out

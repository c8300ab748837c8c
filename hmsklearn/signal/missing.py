"""Filling gaps, before a recursive filter spreads them over the whole window."""

from __future__ import annotations

import numpy as np

__all__ = ["FILL_STRATEGIES", "fill_nan"]

#: Ways to fill a gap, see :func:`fill_nan`.
FILL_STRATEGIES = ("mean", "zero", "linear")


def fill_nan(
    X: np.ndarray, strategy: str = "mean", *, out: np.ndarray | None = None
) -> np.ndarray:
    """Replace NaN, in each window and channel from its own other values.

    Parameters
    ----------
    X : ndarray of shape (..., n_times)
        Signals, float32 or float64.
    strategy : {"mean", "zero", "linear"}, default="mean"
        ``"mean"``: the mean of the values that are there. ``"zero"``: 0.
        ``"linear"``: on the straight line between the neighbours of the gap, and 0
        before the first and after the last value.
    out : ndarray of the shape of `X`, optional
        Where to write.

    Returns
    -------
    ndarray
        `out`, or a new array of the dtype of `X`; free of NaN. A channel without
        any value is 0 throughout. Values that are there are never changed.

    Examples
    --------
    >>> gap = np.array([np.nan, 1.0, np.nan, 3.0, np.nan])
    >>> fill_nan(gap, "mean"), fill_nan(gap, "linear")
    (array([2., 1., 2., 3., 2.]), array([0., 1., 2., 3., 0.]))
    """
    if out is None:
        out = np.empty(X.shape, dtype=X.dtype)
    np.copyto(out, X)
    # The maximum tells which rows have a gap, without a mask of the size of X.
    with np.errstate(invalid="ignore"):
        gappy = np.isnan(X.max(axis=-1))
    for where in map(tuple, np.argwhere(gappy)):
        row = out[where]
        gap = np.isnan(row)
        there = ~gap
        if strategy == "zero" or not there.any():
            row[gap] = 0
        elif strategy == "mean":
            row[gap] = row[there].mean(dtype=np.float64)
        else:
            x = np.flatnonzero(there)
            row[gap] = np.interp(
                np.flatnonzero(gap), x, row[there], left=0.0, right=0.0
            )
    return out

"""Filling gaps, before a recursive filter spreads them over the whole window."""

from __future__ import annotations

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out

__all__ = ["FILL_STRATEGIES", "fill_nan"]

#: Ways to fill a gap, see :func:`fill_nan`.
FILL_STRATEGIES = ("mean", "zero", "linear")


def fill_nan(
    X: Array, strategy: str = "mean", *, out: np.ndarray | None = None
) -> Array:
    """Replace NaN, in each window and channel from its own other values.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_times)
        Signals, float32 or float64.
    strategy : {"mean", "zero", "linear"}, default="mean"
        ``"mean"``: the mean of the values that are there. ``"zero"``: 0.
        ``"linear"``: on the straight line between the neighbours of the gap, and 0
        before the first and after the last value.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the type of `X`; free of NaN. A channel without
        any value is 0 throughout. Values that are there are never changed.

    Raises
    ------
    ValueError
        If `strategy` is not one of the three, or `out` is given with a tensor.

    Notes
    -----
    Windows without NaN cost a copy and one look. The gradient of a tensor reaches the
    values that a filled one was computed from, and is 0 at the gaps.

    Examples
    --------
    >>> gap = np.array([np.nan, 1.0, np.nan, 3.0, np.nan])
    >>> fill_nan(gap, "mean"), fill_nan(gap, "linear")
    (array([2., 1., 2., 3., 2.]), array([0., 1., 2., 3., 0.]))
    """
    X = as_float(X, "fill_nan")
    if strategy not in FILL_STRATEGIES:
        raise ValueError(
            f"fill_nan: strategy must be one of {', '.join(FILL_STRATEGIES)}, got "
            f"{strategy!r}."
        )
    refuse_out(X, out, "fill_nan")
    if is_tensor(X):
        return _fill_tensor(X, strategy)
    if out is None:
        out = np.empty(X.shape, dtype=X.dtype)
    for where in np.ndindex(X.shape[:-2]):
        np.copyto(out[where], X[where])
        _fill_window(out[where], strategy)
    return out


def _fill_window(window: np.ndarray, strategy: str) -> None:
    flat = window.reshape(-1)
    # A sum of squares is NaN if and only if one of them is, and BLAS is the fastest
    # to tell. Then the maxima tell which rows have a gap, without a mask of them all.
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isnan(np.dot(flat, flat)):
            return
        gappy = np.isnan(window.max(axis=-1))
    for where in map(tuple, np.argwhere(gappy)):
        row = window[where]
        gap = np.isnan(row)
        n_there = gap.size - np.count_nonzero(gap)
        if strategy == "linear" and n_there:
            _draw_lines(row, gap)
            continue
        np.copyto(row, 0, where=gap)
        if strategy == "mean" and n_there:
            np.copyto(row, row.sum(dtype=np.float64) / n_there, where=gap)


def _draw_lines(row: np.ndarray, gap: np.ndarray) -> None:
    # Of the samples that are there, only those next to a gap matter.
    beside = np.zeros_like(gap)
    beside[1:] = gap[:-1]
    beside[:-1] |= gap[1:]
    beside &= ~gap
    knots, places = np.flatnonzero(beside), np.flatnonzero(gap)
    row[places] = np.interp(places, knots, row[knots], left=0.0, right=0.0)


def _fill_tensor(X: torch.Tensor, strategy: str) -> torch.Tensor:
    gap = torch.isnan(X)
    # Zeros in the gaps: NaN times zero would be NaN in the gradient.
    filled = X.masked_fill(gap, 0.0)
    if strategy == "zero":
        return filled
    if strategy == "mean":
        total = filled.sum(dim=-1, keepdim=True, dtype=torch.float64)
        count = (~gap).sum(dim=-1, keepdim=True)
        mean = (total / count.clamp(min=1)).to(X.dtype)
        return torch.where(gap, mean, filled)
    last = X.shape[-1] - 1
    place = torch.arange(last + 1, device=X.device)
    before = torch.where(gap, -1, place).cummax(dim=-1).values
    after = torch.where(gap, last + 1, place).flip(-1).cummin(dim=-1).values.flip(-1)
    inside = (before >= 0) & (after <= last)
    left = filled.gather(-1, before.clamp(min=0))
    right = filled.gather(-1, after.clamp(max=last))
    weight = (place - before).to(X.dtype) / (after - before).clamp(min=1)
    # Not left + weight * (right - left): the difference of huge values overflows.
    line = (1 - weight) * left + weight * right
    return torch.where(gap, line.masked_fill(~inside, 0.0), filled)

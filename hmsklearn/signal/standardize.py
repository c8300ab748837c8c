"""Images on a common scale: by their own values, or by fixed numbers.

All of it looks at one window at a time, so that a window's picture does not depend on
its neighbours in a batch, and passes over NaN, so that a gap in a recording does not
spoil the rest of its image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
import torch

from hmsklearn.signal._standardize_tensor import range_tensor, zscore_tensor
from hmsklearn.signal.arrays import Array, Constant, as_float, is_tensor, refuse_out

__all__ = ["METHODS", "standardize"]

#: Ways to standardise, see :func:`standardize`.
METHODS = ("zscore", "minmax", "quantile", "fixed")

# What is standardised together: words, rows in a band, or groups of planes.
Per: TypeAlias = "str | int | Sequence[Sequence[int]]"


def standardize(
    X: Array,
    method: str = "zscore",
    *,
    per: Per = "window",
    eps: float = 1e-6,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
    quantiles: tuple[float, float] = (0.01, 0.99),
    value_range: tuple[float, float] = (0.0, 1.0),
    fill: float = 0.0,
    out: np.ndarray | None = None,
) -> Array:
    """Bring each window's images to a common scale.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_planes, height, width)
        Images, float32 or float64. Signals ``(n_windows, n_channels, n_times)`` work
        too, a channel being a plane of one row.
    method : {"zscore", "minmax", "quantile", "fixed"}, default="zscore"
        ``(x - mean) / (standard deviation + eps)``; the smallest value to the lower
        end of `value_range` and the largest to the upper end,
        ``(x - min) / (max - min + eps)`` between; the same after clipping to
        `quantiles`; or ``(x - mean) / std`` with numbers that are given.
    per : "window", "plane", "row", int or sequence of int sequences, default="window"
        What is standardised together: all planes of a window, each plane, each row,
        each band of so many rows of a plane, or groups of planes by position, in which
        each plane must occur once. Not for ``"fixed"``.
    eps : float, default=1e-6
        Added to what is divided by.
    mean, std : float or sequence of float, default=0.0 and 1.0
        Of ``"fixed"``: one number, or one for each plane.
    quantiles : (float, float), default=(0.01, 0.99)
        Of ``"quantile"``: shares of the values below the lower and the upper end.
    value_range : (float, float), default=(0.0, 1.0)
        Of ``"minmax"`` and ``"quantile"``: the ends of the new scale.
    fill : float, default=0.0
        What NaN becomes.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the type of `X`.

    Raises
    ------
    ValueError
        If `method` or `per` is not one of these, or `out` is given with a tensor.

    Notes
    -----
    NaN is left out of all statistics. Where all values are equal, they become 0 with
    ``"zscore"`` and the lower end of `value_range` with ``"minmax"`` and
    ``"quantile"``. The standard deviation is NumPy's (divided by the number of
    values), quantiles are interpolated linearly.

    Examples
    --------
    >>> X = np.array([[[[1.0, 2.0, 3.0]], [[4.0, 4.0, np.nan]]]])
    >>> standardize(X, per="plane", eps=0).round(2)
    array([[[[-1.22,  0.  ,  1.22]],
    <BLANKLINE>
            [[ 0.  ,  0.  ,  0.  ]]]])
    >>> standardize(X[:, :1], "minmax", value_range=(0, 255), eps=0)
    array([[[[  0. , 127.5, 255. ]]]])
    """
    X = as_float(X, "standardize")
    if method not in METHODS:
        raise ValueError(
            f"standardize: method must be one of {', '.join(METHODS)}, got {method!r}."
        )
    refuse_out(X, out, "standardize")
    if method == "fixed":
        return _fixed(X, mean, std, fill, out)
    tensor = is_tensor(X)
    run: Callable[..., Any]
    if method == "zscore":
        run = partial(zscore_tensor if tensor else _zscore, eps=eps, fill=fill)
    else:
        run = partial(
            range_tensor if tensor else _range,
            eps=eps,
            fill=fill,
            quantiles=None if method == "minmax" else quantiles,
            ends=value_range,
        )
    whole = isinstance(per, (str, Integral))
    groups = None if whole else _check_groups(per, X.shape[1])
    if tensor:
        return _by_groups(X, run, per, groups)
    out = np.empty(X.shape, dtype=X.dtype) if out is None else out
    for x, y in zip(X, out, strict=True):
        if groups is None:
            shape = _blocks(x.shape, per)
            y[...] = run(x.reshape(shape)).reshape(x.shape)
        else:
            for group in groups:
                part = x[group]
                y[group] = run(part.reshape(1, -1)).reshape(part.shape)
    return out


def _check_groups(per: Per, n_planes: int) -> list[list[int]]:
    try:
        groups = [[int(plane) for plane in group] for group in per]  # type: ignore
    except (TypeError, ValueError):
        groups = []
    if sorted(plane for group in groups for plane in group) != list(range(n_planes)):
        raise ValueError(
            f"standardize: per must be 'window', 'plane', 'row', a number of rows or "
            f"groups of planes in which each of 0 .. {n_planes - 1} occurs once, got "
            f"{per!r}."
        )
    return [group for group in groups if group]


def _blocks(shape: tuple[int, ...], per: Any) -> tuple[int, int]:
    """Shape (blocks, values) of one window, (planes, ..., width)."""
    size = int(np.prod(shape))
    if per == "window":
        return 1, size
    if per == "plane":
        return shape[0], size // shape[0]
    if per == "row":
        return size // shape[-1], shape[-1]
    height = shape[1] if len(shape) > 2 else 1
    if isinstance(per, str) or per < 1 or height % per:
        raise ValueError(
            f"standardize: per must be 'window', 'plane', 'row', groups of planes or a "
            f"number of rows that divides the height of {height}, got {per!r}."
        )
    return size // (per * shape[-1]), per * shape[-1]


def _by_groups(
    X: torch.Tensor,
    run: Callable[..., Any],
    per: Any,
    groups: list[list[int]] | None,
) -> torch.Tensor:
    n = len(X)
    if groups is None:
        return run(X.reshape(n, *_blocks(tuple(X.shape[1:]), per))).reshape(X.shape)
    planes: list[Any] = [None] * X.shape[1]
    for group in groups:
        part = torch.stack([X[:, plane] for plane in group], dim=1)
        done = run(part.reshape(n, 1, -1)).reshape(part.shape)
        for place, plane in enumerate(group):
            planes[plane] = done[:, place]
    return torch.stack(planes, dim=1)


def _fixed(X: Array, mean: Any, std: Any, fill: float, out: np.ndarray | None) -> Array:
    centre = _by_plane(tuple(np.ravel(mean).tolist()), X.ndim).like(X)
    scale = _by_plane(tuple(np.ravel(std).tolist()), X.ndim).like(X)
    if is_tensor(X):
        return torch.where(torch.isnan(X), fill, (X - centre) / scale)
    out = np.empty(X.shape, dtype=X.dtype) if out is None else out
    for x, y in zip(X, out, strict=True):
        np.subtract(x, centre, out=y)
        y /= scale
        _fill_nan(y, fill)
    return out


@lru_cache(maxsize=64)
def _by_plane(values: tuple[float, ...], ndim: int) -> Constant:
    return Constant(np.reshape(values, (-1,) + (1,) * (ndim - 2)))


def _fill_nan(y: np.ndarray, fill: float) -> None:
    # The sum tells about NaN at a fraction of the cost of a mask.
    if np.isnan(y.sum()):
        y[np.isnan(y)] = fill


def _zscore(x: np.ndarray, *, eps: float, fill: float) -> np.ndarray:
    """Standardise each row of an array (blocks, values)."""
    # Relative to one of the values: exactly zero where all are equal, and sums of
    # small numbers otherwise.
    y = x - x[:, :1]
    total = y.sum(axis=1, keepdims=True)
    whole = np.isfinite(total[:, 0])
    if not whole.all():
        y[whole] = _zscore(x[whole], eps=eps, fill=fill)
        y[~whole] = _zscore_gappy(x[~whole], eps=eps, fill=fill)
        return y
    y -= (total / y.shape[1]).astype(x.dtype)
    y /= _spread(y, y.shape[1], eps)
    return y


def _zscore_gappy(x: np.ndarray, *, eps: float, fill: float) -> np.ndarray:
    """Standardise rows of which each has a NaN or more."""
    gaps = np.isnan(x)
    count = np.maximum(x.shape[1] - gaps.sum(axis=1, keepdims=True), 1)
    with np.errstate(invalid="ignore"):
        y = x - np.fmin.reduce(x, axis=1, keepdims=True)
    y[gaps] = 0.0
    y -= (y.sum(axis=1, keepdims=True) / count).astype(x.dtype)
    y[gaps] = 0.0
    y /= _spread(y, count, eps)
    y[gaps] = fill
    return y


def _spread(y: np.ndarray, count: Any, eps: float) -> np.ndarray:
    """Return the standard deviation of centred rows, and `eps`; never zero."""
    variance = np.square(y).sum(axis=1, keepdims=True) / count
    spread = np.sqrt(variance).astype(y.dtype) + y.dtype.type(eps)
    spread[spread == 0] = 1.0
    return spread


def _range(
    x: np.ndarray,
    *,
    eps: float,
    fill: float,
    quantiles: tuple[float, float] | None,
    ends: tuple[float, float],
) -> np.ndarray:
    """Bring each row of an array (blocks, values) from its range to another."""
    if quantiles is None:
        low, high = _extremes(x)
    else:
        low, high = _quantiles(x, quantiles)
        x = np.clip(x, low, high)
    width = high - low + x.dtype.type(eps)
    width[width == 0] = 1.0
    y = x - low
    y *= ((ends[1] - ends[0]) / width).astype(x.dtype)
    if ends[0]:
        y += x.dtype.type(ends[0])
    _fill_nan(y, fill)
    return y


def _extremes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)
    if np.isnan(low).any():
        with np.errstate(invalid="ignore"):
            low = np.fmin.reduce(x, axis=1, keepdims=True)
            high = np.fmax.reduce(x, axis=1, keepdims=True)
    return low, high


def _quantiles(
    x: np.ndarray, quantiles: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper quantile of each row's values that are not NaN, as columns."""
    found = np.empty((2, len(x), 1), dtype=x.dtype)
    gaps = bool(np.isnan(x.sum()))
    for row, values in enumerate(x):
        if gaps:
            values = values[~np.isnan(values)]
        if not len(values):
            found[:, row] = np.nan
            continue
        place = np.array(quantiles) * (len(values) - 1)
        left = np.floor(place).astype(np.intp)
        right = np.minimum(left + 1, len(values) - 1)
        ordered = np.partition(values, np.unique([left, right]))
        one, other = ordered[left], ordered[right]
        found[:, row, 0] = one + (other - one) * (place - left)
    return found[0], found[1]

"""What the planes of a window have in common, and in what they differ.

Statistics over the panels of a spectrogram, over its time or over its frequencies;
differences of panels; planes relative to the mean of others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out

__all__ = ["STATISTICS", "panel_differences", "panel_statistics", "plane_contrasts"]

#: Statistics that :func:`panel_statistics` knows by name.
STATISTICS = ("min", "max", "mean", "range", "std")

Statistic: TypeAlias = "str | float"


def panel_statistics(
    X: Array,
    statistics: Sequence[Statistic] = ("min", "max", "mean", "range"),
    axis: int = 1,
    *,
    out: np.ndarray | None = None,
) -> Array:
    """Replace an axis by statistics over it.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_planes, height, width)
        Images, float32 or float64.
    statistics : sequence of str and float, default=("min", "max", "mean", "range")
        ``"min"``, ``"max"``, ``"mean"``, ``"range"`` (max - min), ``"std"``, or
        numbers from 0 to 100, which are percentiles.
    axis : int, default=1
        The axis: 1 for the planes, 2 for the height, 3 for the width; not 0.
    out : ndarray, optional
        Where to write; must not overlap `X`. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the type of `X`; `axis` is as long as `statistics`.

    Raises
    ------
    ValueError
        If a statistic is not known, or `out` is given with a tensor.

    Notes
    -----
    NaN is left out; a statistic of nothing but NaN is NaN. Percentiles are
    interpolated linearly, as by ``numpy.nanpercentile``.

    Examples
    --------
    >>> X = np.array([[[[1.0, 5.0]], [[3.0, np.nan]]]])
    >>> panel_statistics(X, ("mean", "range"))
    array([[[[2., 5.]],
    <BLANKLINE>
            [[2., 0.]]]])
    >>> panel_statistics(X, (50,), axis=3)
    array([[[[3.]],
    <BLANKLINE>
            [[3.]]]])
    """
    X = as_float(X, "panel_statistics")
    refuse_out(X, out, "panel_statistics")
    for statistic in statistics:
        named = isinstance(statistic, str)
        if not (statistic in STATISTICS if named else 0 <= statistic <= 100):  # type: ignore[operator]
            raise ValueError(
                f"panel_statistics: statistics must be out of {', '.join(STATISTICS)} "
                f"and percentiles from 0 to 100, got {statistic!r}."
            )
    axis = range(X.ndim)[axis]
    if is_tensor(X):
        return _statistics_tensor(X, statistics, axis)
    if out is None:
        shape = list(X.shape)
        shape[axis] = len(statistics)
        out = np.empty(shape, dtype=X.dtype)
    for x, y in zip(X, out, strict=True):
        _statistics(x, statistics, axis - 1, np.moveaxis(y, axis - 1, 0))
    return out


def _statistics(
    x: np.ndarray, statistics: Sequence[Statistic], axis: int, out: np.ndarray
) -> None:
    """Statistics of one window; `out` has them on its first axis."""
    kept: dict[str, Any] = {}
    # The sum tells about NaN at a fraction of the cost of a mask.
    if np.isnan(x.sum()):
        kept["gaps"] = np.isnan(x)
        count = x.shape[axis] - kept["gaps"].sum(axis=axis)
        kept["none"] = count == 0
        kept["count"] = np.maximum(count, 1)
    for statistic, result in zip(statistics, out, strict=True):
        if isinstance(statistic, str):
            result[...] = _named(x, statistic, axis, kept)
        else:
            if "ordered" not in kept:
                # NaN sorts behind everything.
                kept["ordered"] = np.moveaxis(np.sort(x, axis=axis), axis, 0)
            result[...] = _percentile(kept["ordered"], statistic, kept.get("count"))
        if "none" in kept:
            result[kept["none"]] = np.nan


def _named(
    x: np.ndarray, statistic: str, axis: int, kept: dict[str, Any]
) -> np.ndarray:
    gaps = kept.get("gaps")
    if statistic in ("min", "max"):
        if statistic not in kept:
            reduce = {
                ("min", False): np.minimum,
                ("max", False): np.maximum,
                ("min", True): np.fmin,
                ("max", True): np.fmax,
            }[statistic, gaps is not None].reduce
            with np.errstate(invalid="ignore"):
                kept[statistic] = reduce(x, axis=axis)
        return kept[statistic]
    if statistic == "range":
        return _named(x, "max", axis, kept) - _named(x, "min", axis, kept)
    if gaps is not None:
        x = np.where(gaps, x.dtype.type(0), x)
    count = kept.get("count", x.shape[axis])
    mean = x.sum(axis=axis) / count
    if statistic == "mean":
        return mean
    distance = x - np.expand_dims(mean, axis).astype(x.dtype)
    if gaps is not None:
        distance[gaps] = 0
    return np.sqrt(np.square(distance, out=distance).sum(axis=axis) / count)


def _percentile(
    ordered: np.ndarray, percentile: float, count: np.ndarray | None
) -> np.ndarray:
    """Percentile along the first axis of sorted values."""
    if count is None:
        place = percentile / 100 * (len(ordered) - 1)
        left = int(place)
        right = min(left + 1, len(ordered) - 1)
        one, other, share = ordered[left], ordered[right], place - left
        return one + (other - one) * ordered.dtype.type(share)
    places = percentile / 100 * (count - 1)
    lefts = places.astype(np.intp)[None]
    rights = np.minimum(lefts + 1, count - 1)
    one = np.take_along_axis(ordered, lefts, axis=0)[0]
    other = np.take_along_axis(ordered, rights, axis=0)[0]
    return one + (other - one) * (places - lefts[0]).astype(ordered.dtype)


def _statistics_tensor(
    X: torch.Tensor, statistics: Sequence[Statistic], axis: int
) -> torch.Tensor:
    gaps = torch.isnan(X)
    x = torch.where(gaps, 0.0, X)
    found = (~gaps).sum(dim=axis)
    count = found.clamp(min=1)
    kept: dict[Any, torch.Tensor] = {}

    def compute(statistic: Statistic) -> torch.Tensor:
        if statistic == "min":
            return torch.where(gaps, torch.inf, x).amin(dim=axis)
        if statistic == "max":
            return torch.where(gaps, -torch.inf, x).amax(dim=axis)
        if statistic == "range":
            return get("max") - get("min")
        if statistic == "mean":
            return x.sum(dim=axis) / count
        if statistic == "std":
            distance = torch.where(gaps, 0.0, x - get("mean").unsqueeze(axis))
            variance = distance.square().sum(dim=axis) / count
            # The root of zero has no derivative: constants pass none.
            some = variance > 0
            return torch.where(some, torch.where(some, variance, 1.0).sqrt(), 0.0)
        if "ordered" not in kept:
            kept["ordered"] = torch.where(gaps, torch.inf, x).sort(dim=axis).values
        return _percentile_tensor(kept["ordered"], float(statistic), axis, count)

    def get(statistic: Statistic) -> torch.Tensor:
        if statistic not in kept:
            kept[statistic] = compute(statistic)
        return kept[statistic]

    results = [torch.where(found > 0, get(one), torch.nan) for one in statistics]
    return torch.stack(results, dim=axis)


def _percentile_tensor(
    ordered: torch.Tensor, percentile: float, axis: int, count: torch.Tensor
) -> torch.Tensor:
    place = (count - 1).to(torch.float64) * (percentile / 100)
    left = place.floor().to(torch.int64)
    right = torch.minimum(left + 1, count - 1)
    one, other = (
        ordered.gather(axis, at.unsqueeze(axis)).squeeze(axis) for at in (left, right)
    )
    # Infinity stands where there is no value at all; it must not meet itself.
    some = torch.isfinite(one) & torch.isfinite(other)
    one, other = torch.where(some, one, 0.0), torch.where(some, other, 0.0)
    return one + (other - one) * (place - left).to(ordered.dtype)


def panel_differences(X: Array, *, out: np.ndarray | None = None) -> Array:
    """Subtract every later plane from every earlier one.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_planes, ...)
        Images.
    out : ndarray, optional
        Where to write; must not overlap `X`. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (n_windows, n_planes * (n_planes - 1) // 2, ...)
        `out`, or a new array of the type of `X`: planes 0 - 1, 0 - 2, ..., 1 - 2, ...

    Raises
    ------
    ValueError
        If `out` is given with a tensor.

    Examples
    --------
    >>> panel_differences(np.array([[[[10.0]], [[4.0]], [[1.0]]]])).ravel()
    array([6., 9., 3.])
    """
    X = as_float(X, "panel_differences")
    refuse_out(X, out, "panel_differences")
    pairs = list(combinations(range(X.shape[1]), 2))
    if is_tensor(X):
        if not pairs:
            return X[:, :0].clone()
        return torch.stack([X[:, i] - X[:, j] for i, j in pairs], dim=1)
    if out is None:
        out = np.empty((len(X), len(pairs), *X.shape[2:]), dtype=X.dtype)
    for x, y in zip(X, out, strict=True):
        for (i, j), difference in zip(pairs, y, strict=True):
            np.subtract(x[i], x[j], out=difference)
    return out


def plane_contrasts(
    X: Array,
    references: Sequence[Sequence[int]],
    *,
    out: np.ndarray | None = None,
) -> Array:
    """Subtract from each plane the mean of others.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_planes, ...)
        Images, float32 or float64.
    references : sequence of sequences of int
        For each plane the positions of those whose mean is subtracted; none leaves it
        as it is.
    out : ndarray of the shape of `X`, optional
        Where to write; must not overlap `X`. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the shape and type of `X`.

    Raises
    ------
    ValueError
        If there is not one entry for each plane, or `out` is given with a tensor.

    Examples
    --------
    >>> X = np.array([[[[1.0]], [[3.0]], [[8.0]]]])
    >>> plane_contrasts(X, [(1, 2), (0,), ()]).ravel()
    array([-4.5,  2. ,  8. ])
    """
    X = as_float(X, "plane_contrasts")
    refuse_out(X, out, "plane_contrasts")
    if len(references) != X.shape[1]:
        raise ValueError(
            f"plane_contrasts: X has {X.shape[1]} planes, references has "
            f"{len(references)} entries. Give one for each plane."
        )
    if is_tensor(X):
        planes = []
        for plane, others in enumerate(references):
            mean: Any = 0.0
            if len(others):
                mean = torch.stack([X[:, other] for other in others]).mean(dim=0)
            planes.append(X[:, plane] - mean)
        return torch.stack(planes, dim=1)
    if out is None:
        out = np.empty(X.shape, dtype=X.dtype)
    for x, y in zip(X, out, strict=True):
        for plane, others, result in zip(x, references, y, strict=True):
            if not len(others):
                np.copyto(result, plane)
                continue
            first, *rest = others
            np.copyto(result, x[first])
            for other in rest:
                result += x[other]
            result *= -1.0 / len(others)
            result += plane
    return out

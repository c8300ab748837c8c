"""What a picture shows all the time, taken out of it column by column.

Each frequency of a spectrum over time has a level and a spread of its own, set by the
receiver and by whatever sends there without a pause. Measured by medians, which a
short or drifting signal hardly moves, they can be taken out, and the signal stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out
from hmsklearn.signal.robust import _NO_RANGE, _pick

__all__ = ["normalize_background"]

# Of a normal distribution, the standard deviation over the median absolute deviation.
_PER_MAD = 1.4826022185056018


def normalize_background(
    X: Array,
    reference: Sequence[int] | None = None,
    *,
    clip: float | None = None,
    out: np.ndarray | None = None,
) -> Array:
    """Subtract the median of each column and divide by its spread.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_planes, n_times, n_freqs)
        Images with time on the height and frequency on the width, float32 or float64.
    reference : sequence of int, optional
        Planes of which median and spread are taken, all of them together, for every
        plane alike. By default each plane is its own reference.
    clip : float, optional
        Results are limited to this many spreads to either side.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the type of `X`.

    Raises
    ------
    ValueError
        If `out` is given with a tensor.

    Notes
    -----
    The spread is the median absolute deviation times 1.4826, the standard deviation of
    normal noise. Columns without any (below 1e-12) are divided by 1. NaN makes NaN of
    all that shares its median.

    Examples
    --------
    >>> X = np.array([[[1.0, 10.0], [2.0, 30.0], [3.0, 20.0], [9.0, 20.0]]])
    >>> normalize_background(X).round(2)
    array([[[-1.01, -1.35],
            [-0.34,  1.35],
            [ 0.34,  0.  ],
            [ 4.38,  0.  ]]])
    >>> normalize_background(X, clip=3)[0, 3]
    array([3., 0.])
    """
    X = as_float(X, "normalize_background")
    refuse_out(X, out, "normalize_background")
    planes = None if reference is None else [int(plane) for plane in reference]
    if is_tensor(X):
        return _tensor(X, planes, clip)
    if out is None:
        out = np.empty(X.shape, dtype=X.dtype)
    for where in np.ndindex(X.shape[:-3]):
        centre, spread = _levels(X[where], planes)
        np.subtract(X[where], centre, out=out[where])
        out[where] /= spread
    if clip is not None:
        np.clip(out, -clip, clip, out=out)
    return out


def _levels(x: np.ndarray, planes: list[int] | None) -> tuple[np.ndarray, np.ndarray]:
    """Median and spread of the columns of an image, to be broadcast against it."""
    # Columns become rows in memory: sorting those is several times faster.
    together = x if planes is None else x[planes].reshape(1, -1, x.shape[-1])
    sets = together.swapaxes(-1, -2).copy(order="C")
    centre = _median(sets)
    sets -= centre
    spread = _median(np.abs(sets, out=sets)) * x.dtype.type(_PER_MAD)
    spread[spread < _NO_RANGE] = 1
    return centre.swapaxes(-1, -2), spread.swapaxes(-1, -2)


def _median(sets: np.ndarray) -> np.ndarray:
    ordered = np.sort(sets, axis=-1)
    # NaN is sorted to the end.
    broken = np.isnan(ordered[..., -1:])
    return np.where(broken, sets.dtype.type(np.nan), _pick(ordered, 50.0))


def _tensor(
    X: torch.Tensor, planes: list[int] | None, clip: float | None
) -> torch.Tensor:
    if planes is None:
        sets = X.mT
    else:
        parts = [X[..., plane, :, :] for plane in planes]
        sets = torch.cat(parts, dim=-2)[..., None, :, :].mT
    # Columns with a gap are computed without, and NaN is put over them: the other way
    # round it would be in the gradient of their neighbours too.
    broken = sets.isnan().any(dim=-1, keepdim=True)
    sets = torch.where(broken, 0.0, sets)
    centre = _median_tensor(sets)
    spread = _median_tensor((sets - centre).abs()) * _PER_MAD
    spread = torch.where(spread < _NO_RANGE, 1.0, spread)
    missing = X.isnan()
    result = (torch.where(missing, 0.0, X) - centre.mT) / spread.mT
    if clip is not None:
        result = result.clamp(-clip, clip)
    return torch.where(missing | broken.mT, torch.nan, result)


def _median_tensor(sets: torch.Tensor) -> torch.Tensor:
    return _pick(sets.sort(dim=-1).values, 50.0)

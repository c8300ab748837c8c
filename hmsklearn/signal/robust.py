"""Centring and scaling by medians and quantiles, which artefacts hardly move.

Every window is judged by itself: nothing is learned from other windows, so there is
nothing to fit, to store or to leak from one patient to another.
"""

from __future__ import annotations

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out

__all__ = ["ACROSS", "CENTRES", "robust_scale"]

#: What one median and one range are taken over, see :func:`robust_scale`.
ACROSS = ("channel", "window", "electrodes")

#: What is subtracted, see :func:`robust_scale`.
CENTRES = ("median", "mean", None)

# Ranges below this count as none. Far below the noise of any amplifier, in volt as well
# as in microvolt, and large enough that no quotient overflows in float32.
_NO_RANGE = 1e-12


def robust_scale(
    X: Array,
    *,
    across: str = "channel",
    center: str | None = "median",
    quantile_range: tuple[float, float] | None = (25.0, 75.0),
    out: np.ndarray | None = None,
) -> Array:
    """Subtract the median and divide by a range of quantiles, window by window.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_channels, n_times)
        Signals, float32 or float64.
    across : {"channel", "window", "electrodes"}, default="channel"
        What one median and one range are taken over: the samples of each channel, all
        samples of the window, or all channels at each moment.
    center : {"median", "mean"} or None, default="median"
        What is subtracted; None subtracts nothing.
    quantile_range : (float, float) or None, default=(25.0, 75.0)
        Percentiles whose distance is the divisor; None does not divide.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the type of `X`.

    Raises
    ------
    ValueError
        If `across` or `center` is not known, or `out` is given with a tensor.

    Notes
    -----
    Quantiles are interpolated linearly, as in :func:`numpy.percentile`. Where they
    coincide (their distance is below 1e-12), the divisor is 1: a constant channel
    becomes 0. NaN makes NaN of all that shares its median.

    Examples
    --------
    >>> robust_scale(np.array([[1.0, 2.0, 3.0, 4.0, 500.0], [7.0] * 5]))
    array([[ -1. ,  -0.5,   0. ,   0.5, 248.5],
           [  0. ,   0. ,   0. ,   0. ,   0. ]])
    """
    X = as_float(X, "robust_scale")
    if across not in ACROSS:
        raise ValueError(
            f"robust_scale: across must be one of {', '.join(ACROSS)}, got {across!r}."
        )
    if center not in CENTRES:
        raise ValueError(
            f"robust_scale: center must be 'median', 'mean' or None, got {center!r}."
        )
    refuse_out(X, out, "robust_scale")
    if is_tensor(X):
        return _scale_tensor(X, across, center, quantile_range)
    if out is None:
        out = np.empty(X.shape, dtype=X.dtype)
    for where in np.ndindex(X.shape[:-2]):
        _scale_window(X[where], out[where], across, center, quantile_range)
    return out


def _percentiles(
    center: str | None, quantile_range: tuple[float, float] | None
) -> list[float]:
    """List the percentiles that are needed: the range, then the median."""
    return [*(quantile_range or ()), *([50.0] if center == "median" else [])]


def _pick(ordered: Array, percentile: float) -> Array:
    """Interpolate in values that are ascending along the last axis."""
    last = ordered.shape[-1] - 1
    position = percentile / 100 * last
    below = min(int(position), last)
    above = min(below + 1, last)
    weight = position - below
    low, high = ordered[..., below : below + 1], ordered[..., above : above + 1]
    return low + (high - low) * weight


def _scale_window(
    x: np.ndarray,
    out: np.ndarray,
    across: str,
    center: str | None,
    quantile_range: tuple[float, float] | None,
) -> None:
    # The sets lie along the last axis; their statistics come back to broadcast.
    sets = {"channel": x, "window": x.reshape(1, -1), "electrodes": x.T}[across]
    percentiles = _percentiles(center, quantile_range)
    picked: list[np.ndarray] = []
    if percentiles:
        # Sorting a row is several times faster than selecting a few of its ranks.
        ordered = np.sort(sets, axis=-1)
        picked = [_pick(ordered, p) for p in percentiles]
        # NaN is sorted to the end.
        broken = np.isnan(ordered[..., -1:])
        if broken.any():
            picked = [np.where(broken, x.dtype.type(np.nan), p) for p in picked]
    if across == "electrodes":
        picked = [p.T for p in picked]
    values = x
    if center == "mean":
        axis = {"channel": -1, "window": None, "electrodes": -2}[across]
        mean = x.mean(axis=axis, keepdims=True, dtype=np.float64).astype(x.dtype)
        values = np.subtract(values, mean, out=out)
    elif center == "median":
        values = np.subtract(values, picked[-1], out=out)
    if quantile_range is not None:
        divisor = picked[1] - picked[0]
        divisor[divisor < _NO_RANGE] = 1
        values = np.divide(values, divisor, out=out)
    if values is x:
        np.copyto(out, x)


def _scale_tensor(
    X: torch.Tensor,
    across: str,
    center: str | None,
    quantile_range: tuple[float, float] | None,
) -> torch.Tensor:
    if across == "window":
        sets = X.flatten(-2)[..., None, :]
    else:
        sets = X if across == "channel" else X.mT
    percentiles = _percentiles(center, quantile_range)
    picked: list[torch.Tensor] = []
    if percentiles:
        # Sorted, not torch.quantile, which refuses more than 16 million values.
        ordered = sets.sort(dim=-1).values
        # Zero, unless the largest is NaN: that is where NaN is sorted to.
        broken = ordered[..., -1:] - ordered[..., -1:]
        picked = [_pick(ordered, p) + broken for p in percentiles]
    if across == "electrodes":
        picked = [p.mT for p in picked]
    values = X
    if center == "mean":
        mean = sets.mean(dim=-1, keepdim=True, dtype=torch.float64).to(X.dtype)
        values = values - (mean.mT if across == "electrodes" else mean)
    elif center == "median":
        values = values - picked[-1]
    if quantile_range is not None:
        divisor = picked[1] - picked[0]
        values = values / torch.where(divisor < _NO_RANGE, 1.0, divisor)
    return values.clone() if values is X else values

"""Bounding amplitudes and bringing them to a scale that networks train well on."""

from __future__ import annotations

import numpy as np

__all__ = ["clip_and_divide"]


def clip_and_divide(
    X: np.ndarray,
    clip: float | None,
    scale: float,
    *,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Clip to a symmetric range, then divide.

    Parameters
    ----------
    X : ndarray
        Signals, float32 or float64.
    clip : float or None
        Values are clipped to ``[-clip, clip]``; None leaves them.
    scale : float
        Divisor, in the unit of `X`.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself.

    Returns
    -------
    ndarray
        `out`, or a new array of the dtype of `X`. NaN stays NaN.

    Examples
    --------
    >>> clip_and_divide(np.array([-2000.0, 16.0, np.nan]), 1024.0, 32.0)
    array([-32. ,   0.5,   nan])
    """
    scale = X.dtype.type(scale)
    if clip is None:
        return np.divide(X, scale, out=out)
    bound = X.dtype.type(clip)
    out = np.clip(X, -bound, bound, out=out)
    return np.divide(out, scale, out=out)

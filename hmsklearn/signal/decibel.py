"""Power in decibel, relative to a reference, with a floor."""

from __future__ import annotations

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, is_tensor, refuse_out

__all__ = ["db_floor", "power_to_db"]


def power_to_db(
    power: Array,
    *,
    ref: str | float = "max",
    amin: float = 1e-10,
    top_db: float | None = 80.0,
    offset: float = 0.0,
    scale: float = 1.0,
    out: np.ndarray | None = None,
) -> Array:
    """Turn the power of images into decibel, image by image.

    Parameters
    ----------
    power : ndarray or Tensor of shape (..., height, width)
        Power, not negative, float32 or float64. Each pair of last axes is one image.
    ref : "max" or float, default="max"
        Power that is 0 dB: each image's own maximum, or a fixed one.
    amin : float, default=1e-10
        Power below this counts as this, the reference included.
    top_db : float or None, default=80.0
        Values further below the image's maximum are raised to that distance.
    offset, scale : float, default=0.0 and 1.0
        The result is ``(decibel + offset) / scale``.
    out : ndarray of the shape of `power`, optional
        Where to write; may be `power` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the dtype of `power`. An image without power is 0 dB
        throughout with ``ref="max"``.

    Notes
    -----
    The definition is that of ``librosa.power_to_db``. The floor is applied to the
    power, before the logarithm, which is the same and never sees a zero.

    Examples
    --------
    >>> power_to_db(np.array([[1.0, 10.0], [100.0, 0.0]]))
    array([[-20., -10.],
           [  0., -80.]])
    """
    refuse_out(power, out, "power_to_db")
    if is_tensor(power):
        return _convert_tensor(power, ref, amin, top_db, offset, scale)
    if out is None:
        out = np.empty(power.shape, dtype=power.dtype)
    # Image by image: the four passes then find it in the cache.
    for where in np.ndindex(power.shape[:-2]):
        _convert(power[where], out[where], ref, amin, top_db, offset, scale)
    return out


def db_floor(loudest: float, *, amin: float, top_db: float | None) -> float:
    """Return the power that everything weaker is raised to.

    Parameters
    ----------
    loudest : float
        The image's maximum power.
    amin : float
        Power below this counts as this.
    top_db : float or None
        Distance of the floor from the maximum.

    Returns
    -------
    float
        Power.

    Examples
    --------
    >>> db_floor(100.0, amin=1e-10, top_db=80.0)
    1e-06
    """
    if top_db is None:
        return amin
    return max(amin, max(loudest, amin) * 10.0 ** (-top_db / 10.0))


def _convert(
    power: np.ndarray,
    out: np.ndarray,
    ref: str | float,
    amin: float,
    top_db: float | None,
    offset: float,
    scale: float,
) -> None:
    dtype = power.dtype.type
    loudest = float(power.max())
    reference = max(loudest if ref == "max" else abs(float(ref)), amin)
    floor = db_floor(loudest, amin=amin, top_db=top_db)
    factor = dtype(10.0 / scale)
    # The same logarithm of the same number type: the loudest cell is 0 dB, exactly.
    level = np.log10(np.full(1, reference, dtype=dtype))[0] * factor
    # A row of equal values: the maximum with a scalar is not vectorised in NumPy.
    np.maximum(power, np.full(power.shape[-1], floor, dtype=dtype), out=out)
    np.log10(out, out=out)
    out *= factor
    out += dtype(offset / scale) - level


def _convert_tensor(
    power: torch.Tensor,
    ref: str | float,
    amin: float,
    top_db: float | None,
    offset: float,
    scale: float,
) -> torch.Tensor:
    factor = 10.0 / scale
    loudest = power.amax(dim=(-2, -1), keepdim=True).clamp(min=amin)
    if ref == "max":
        level = loudest.log10() * factor
    else:
        level = torch.full_like(loudest, max(abs(float(ref)), amin)).log10() * factor
    floor = torch.full_like(loudest, amin)
    if top_db is not None:
        floor = torch.maximum(floor, loudest * 10.0 ** (-top_db / 10.0))
    return torch.maximum(power, floor).log10() * factor + (offset / scale - level)

"""Power in decibel, relative to a reference, with a floor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out
from hmsklearn.signal.level_checks import EXTENTS, check_images, check_levels

__all__ = ["EXTENTS", "convert_db", "convert_db_tensor", "db_floor", "power_to_db"]

# The natural logarithm is the one that NumPy has vectorised on every processor.
_DECIBEL = 10.0 / math.log(10.0)


def power_to_db(
    power: Array,
    *,
    ref: str | float = "max",
    amin: float = 1e-10,
    top_db: float | None = 80.0,
    offset: float = 0.0,
    scale: float = 1.0,
    per: str = "plane",
    out: np.ndarray | None = None,
) -> Array:
    """Turn the power of images into decibel, image by image.

    Parameters
    ----------
    power : ndarray or Tensor of shape (..., height, width)
        Power, not negative, float32 or float64; arrays of other numbers become float32.
        Each pair of last axes is one image.
    ref : "max" or float, default="max"
        Power that is 0 dB: each image's own maximum, or a fixed one.
    amin : float, default=1e-10
        Power below this counts as this, the reference included.
    top_db : float or None, default=80.0
        Values further below the image's maximum are raised to that distance.
    offset, scale : float, default=0.0 and 1.0
        The result is ``(decibel + offset) / scale``.
    per : {"plane", "window"}, default="plane"
        Whether an image's maximum is its own, or that of all images along the third
        last axis.
    out : ndarray of the shape of `power`, optional
        Where to write; may be `power` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the dtype of `power`. An image without power is 0 dB
        throughout with ``ref="max"``.

    Raises
    ------
    ValueError
        If a parameter is unusable, `power` has no images or holds no real numbers, or
        `out` is given with a tensor.

    Notes
    -----
    The definition is that of ``librosa.power_to_db``, applied to one image or, with
    ``per="window"``, to the stack of them, and then also that of
    ``torchaudio.transforms.AmplitudeToDB`` on stacks (with ``ref=1``). The floor is
    applied to the power, before the logarithm, which is the same and never sees a zero.

    Examples
    --------
    >>> power_to_db(np.array([[1.0, 10.0], [100.0, 0.0]]))
    array([[-20., -10.],
           [  0., -80.]])
    """
    caller = "power_to_db"
    power = as_float(power, caller)
    options: dict[str, Any] = {"ref": ref, "amin": amin, "top_db": top_db}
    options |= {"offset": offset, "scale": scale}
    check_levels({**options, "per": per}, caller=caller)
    check_images(power, caller=caller)
    refuse_out(power, out, caller)
    axes = min(2 if per == "plane" else 3, power.ndim)
    if is_tensor(power):
        loudest = power.amax(dim=tuple(range(-axes, 0)), keepdim=True)
        return convert_db_tensor(power, loudest, **options)
    if out is None:
        out = np.empty(power.shape, dtype=power.dtype)
    # Image by image: the passes after the first find it in the cache.
    for where in np.ndindex(power.shape[:-axes]):
        loudest = power[where].max()
        for image in np.ndindex(power.shape[len(where) : -2]):
            place = (*where, *image)
            convert_db(power[place], out[place], loudest, **options)
    return out


def db_floor(loudest: Any, *, amin: float, top_db: float | None) -> np.ndarray:
    """Return the power that everything weaker is raised to.

    Parameters
    ----------
    loudest : array-like of float
        Maximum power of the images.
    amin : float
        Power below this counts as this.
    top_db : float or None
        Distance of the floor from the maximum.

    Returns
    -------
    ndarray of float64
        Power, for each image.

    Examples
    --------
    >>> db_floor([100.0, 0.0], amin=1e-10, top_db=80.0)
    array([1.e-06, 1.e-10])
    """
    loudest = np.asarray(loudest, dtype=np.float64)
    if top_db is None:
        return np.full_like(loudest, amin)
    return np.maximum(amin, np.maximum(loudest, amin) * 10.0 ** (-top_db / 10.0))


def convert_db(
    power: np.ndarray,
    out: np.ndarray,
    loudest: Any,
    *,
    ref: str | float,
    amin: float,
    top_db: float | None,
    offset: float = 0.0,
    scale: float = 1.0,
) -> None:
    """Write images in decibel, their maxima being known.

    Parameters
    ----------
    power : ndarray of shape (..., height, width)
        Power.
    out : ndarray of the shape and dtype of `power`
        Where to write; may be `power` itself.
    loudest : array-like of float, shape (...)
        The maxima.
    ref, amin, top_db, offset, scale : optional
        As in :func:`power_to_db`.

    Examples
    --------
    >>> image = np.array([[1.0, 10.0]])
    >>> convert_db(image, image, 100.0, ref="max", amin=1e-10, top_db=15.0)
    >>> image
    array([[-15., -10.]])
    """
    dtype = power.dtype.type
    shape = (*power.shape[:-2], 1, 1)
    reference = np.maximum(loudest if ref == "max" else abs(float(ref)), amin)
    floor = db_floor(loudest, amin=amin, top_db=top_db).reshape(shape)
    factor = dtype(_DECIBEL / scale)
    # The same logarithm of the same number type: the loudest cell is 0 dB, exactly.
    reference = np.broadcast_to(reference, shape[:-2]).astype(dtype)
    levels = (np.log(reference) * factor).reshape(shape)
    # Rows of equal values: the maximum with a scalar is not vectorised in NumPy.
    row = np.repeat(floor.astype(dtype), power.shape[-1], axis=-1)
    np.maximum(power, row, out=out)
    np.log(out, out=out)
    out *= factor
    out += dtype(offset / scale) - levels


def convert_db_tensor(
    power: torch.Tensor,
    loudest: torch.Tensor,
    *,
    ref: str | float,
    amin: float,
    top_db: float | None,
    offset: float = 0.0,
    scale: float = 1.0,
) -> torch.Tensor:
    """Turn power into decibel, the maxima being known.

    Parameters
    ----------
    power : Tensor of shape (..., height, width)
        Power.
    loudest : Tensor
        The maxima, of a shape that fits `power`.
    ref, amin, top_db, offset, scale : optional
        As in :func:`power_to_db`.

    Returns
    -------
    Tensor
        Decibel.

    Examples
    --------
    >>> image, loudest = torch.tensor([[1.0, 10.0]]), torch.tensor(100.0)
    >>> convert_db_tensor(image, loudest, ref="max", amin=1e-10, top_db=15.0)
    tensor([[-15., -10.]])
    """
    factor = 10.0 / scale
    loudest = loudest.clamp(min=amin)
    if ref == "max":
        level = loudest.log10() * factor
    else:
        level = torch.full_like(loudest, max(abs(float(ref)), amin)).log10() * factor
    floor = torch.full_like(loudest, amin)
    if top_db is not None:
        floor = torch.maximum(floor, loudest * 10.0 ** (-top_db / 10.0))
    return torch.maximum(power, floor).log10() * factor + (offset / scale - level)

"""From the power of panels to the levels of an image, where some of it is missing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, is_tensor, namespace
from hmsklearn.signal.levels import power_to_levels
from hmsklearn.signal.panels import panel_differences

__all__ = [
    "BASES",
    "DIFFERENCES",
    "MISSING",
    "log_power_bound",
    "panel_images",
    "without_nan",
]

#: Of what the differences of panels are taken.
DIFFERENCES = (None, "power", "levels")

#: Where NaN becomes 0.
MISSING = ("output", "levels", "power")

#: The base of a logarithm, where clipping the power is clipping the levels.
BASES = {"log": math.e, "log10": 10.0}


def panel_images(
    power: Array,
    levels: dict[str, Any],
    *,
    missing: str = "output",
    differences: str | None = None,
) -> Array:
    """Turn the power of panels into levels.

    Parameters
    ----------
    power : ndarray or Tensor of shape (n_windows, n_panels, height, width)
        Power; an array may be written into.
    levels : dict
        Parameters of :func:`hmsklearn.signal.power_to_levels`.
    missing : {"output", "levels", "power"}, default="output"
        Whether NaN stays (it is the standardisation's business then), becomes 0 in the
        levels, or in the power.
    differences : {None, "power", "levels"}, default=None
        Whether differences of all pairs of panels follow, and of what.

    Returns
    -------
    ndarray or Tensor
        Levels, with NaN only where `missing` is ``"output"``.
    """
    if missing == "power":
        power = without_nan(power)
    if differences == "power":
        power = _with_differences(power)
    gaps = _gaps(power)
    # Decibels relative to a maximum know no NaN.
    images = _levels(power if gaps is None else without_nan(power), levels)
    if gaps is not None:
        fill = np.nan if missing == "output" else 0.0
        if is_tensor(images):
            images = torch.where(gaps, fill, images)
        else:
            images[gaps] = fill
    return _with_differences(images) if differences == "levels" else images


def log_power_bound(bound: float, output: str, exponent: float) -> float:
    """Return the natural logarithm of the power that has a level.

    Parameters
    ----------
    bound : float
        The level.
    output : {"log", "log10"}
        Which logarithm it is.
    exponent : float
        2 for that of power, 1 for magnitude.

    Returns
    -------
    float
        The logarithm.
    """
    return bound * math.log(BASES[output]) * 2 / exponent


def without_nan(X: Array) -> Array:
    """Replace NaN by 0."""
    if is_tensor(X):
        return torch.where(torch.isnan(X), 0.0, X)
    gaps = _gaps(X)
    return X if gaps is None else np.where(gaps, X.dtype.type(0), X)


def _gaps(X: Array) -> Array | None:
    if is_tensor(X):
        return torch.isnan(X)
    # The sum tells about NaN at a fraction of the cost of a mask.
    return np.isnan(X) if np.isnan(X.sum()) else None


def _with_differences(X: Array) -> Array:
    both = [X, panel_differences(X)]
    return torch.cat(both, dim=1) if is_tensor(X) else np.concatenate(both, axis=1)


def _levels(power: Array, levels: dict[str, Any]) -> Array:
    output, exponent = levels["output"], levels["exponent"]
    if output in BASES and levels["eps"] < np.finfo(np.float32).tiny:
        # Clipped before the logarithm, which never sees a zero then.
        largest = math.log(namespace(power).finfo(power.dtype).max)
        logs = [
            math.inf if bound is None else log_power_bound(bound, output, exponent)
            for bound in levels["clip"]
        ]
        # Above the largest number there is nothing to clip.
        bounds = [None if bound >= largest else math.exp(bound) for bound in logs]
        power = power.clip(*bounds)
        levels = {**levels, "clip": None}
    if is_tensor(power):
        return power_to_levels(power, **levels)
    return power_to_levels(power, **levels, out=power)

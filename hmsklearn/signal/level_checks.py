"""Checks of the parameters that say how power becomes pixels.

Functions and estimators check them here, so that the same mistake gets the same answer
from both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hmsklearn._params import check_choice, check_real

__all__ = ["EXTENTS", "OUTPUTS", "check_clip", "check_images", "check_levels"]

#: What a spectrogram can be turned into, see :func:`hmsklearn.signal.power_to_levels`.
OUTPUTS = ("linear", "db", "log", "log10", "log1p")
#: What shares a maximum: one image, or all planes of a window.
EXTENTS = ("plane", "window")

_NAMES: tuple[str, ...] = ("output", "exponent", "ref", "amin", "top_db", "eps", "clip")
_NAMES += ("offset", "scale", "per")


def check_images(power: Any, *, caller: str) -> None:
    """Check that there are images, two axes at least.

    Parameters
    ----------
    power : ndarray or Tensor
        Power.
    caller : str
        Name that starts the error message.

    Raises
    ------
    ValueError
        If there are fewer axes, or an image has no cells.

    Examples
    --------
    >>> import numpy as np
    >>> check_images(np.zeros((4, 5)), caller="doctest")
    """
    if power.ndim < 2 or 0 in power.shape[-2:]:
        raise ValueError(
            f"{caller}: power has shape {tuple(power.shape)}, expected (..., height, "
            "width), both at least 1. For a single row pass power[None]."
        )


def check_clip(
    clip: Any, *, caller: str, name: str = "clip"
) -> tuple[float | None, float | None] | None:
    """Check a pair of bounds.

    Parameters
    ----------
    clip : object
        None, or two bounds of which each may be None.
    caller : str
        Name that starts the error message.
    name : str, default="clip"
        Name of the parameter.

    Returns
    -------
    (float or None, float or None) or None
        The bounds; None where both are None.

    Raises
    ------
    ValueError
        If they are not such a pair, or not in order.

    Examples
    --------
    >>> check_clip((0, None), caller="doctest")
    (0.0, None)
    """
    if clip is None:
        return None
    if not isinstance(clip, (tuple, list)) or len(clip) != 2:
        raise ValueError(
            f"{caller}: {name} must be a pair (low, high), each of which may be None, "
            f"got {clip!r}."
        )
    low, high = (
        None if bound is None else check_real(bound, f"{name}[{i}]", caller=caller)
        for i, bound in enumerate(clip)
    )
    if low is not None and high is not None and low >= high:
        raise ValueError(
            f"{caller}: {name}={clip!r}: the lower bound must be below the upper one. "
            "Swap them."
        )
    return None if low is None and high is None else (low, high)


def check_levels(given: Any, *, caller: str) -> dict[str, Any]:
    """Check arguments of :func:`hmsklearn.signal.power_to_levels`.

    Parameters
    ----------
    given : mapping of str to object
        The arguments, as many as there are.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    dict of str to object
        The same arguments; the bounds of `clip` are numbers.

    Raises
    ------
    ValueError
        If it is no mapping, or an argument is not known or unusable.

    Examples
    --------
    >>> check_levels({"output": "log", "clip": [None, None]}, caller="doctest")
    {'output': 'log', 'clip': None}
    >>> check_levels({"scale": 0}, caller="doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: scale must be a finite number above 0, got 0.
    """
    if not isinstance(given, Mapping):
        raise ValueError(
            f"{caller}: levels must be arguments of power_to_levels by name, such as "
            f"{{'output': 'db'}}, got {given!r}."
        )
    for name in given:
        check_choice(name, "the name of a level", _NAMES, caller=caller)
    levels = dict(given)
    if "output" in levels:
        check_choice(levels["output"], "output", OUTPUTS, caller=caller)
    if "per" in levels:
        check_choice(levels["per"], "per", EXTENTS, caller=caller)
    if not _is_max(levels.get("ref", "max")):
        remedy = "Or give 'max', each image's maximum."
        _check_positive(levels, "ref", caller, remedy)
    for name in ("exponent", "scale"):
        if name in levels:
            _check_positive(levels, name, caller)
    if "amin" in levels:
        check_real(levels["amin"], "amin", caller=caller, low=1e-30)
    if levels.get("top_db") is not None:
        check_real(levels["top_db"], "top_db", caller=caller, low=0)
    if "eps" in levels:
        check_real(levels["eps"], "eps", caller=caller, low=0)
    if "clip" in levels:
        levels["clip"] = check_clip(levels["clip"], caller=caller)
    if "offset" in levels:
        check_real(levels["offset"], "offset", caller=caller)
    return levels


def _is_max(ref: Any) -> bool:
    return isinstance(ref, str) and ref == "max"


def _check_positive(
    levels: dict[str, Any], name: str, caller: str, remedy: str = ""
) -> None:
    check_real(levels[name], name, caller=caller, low=0, low_open=True, remedy=remedy)

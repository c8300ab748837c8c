"""Checks of the parameters that say which panels become an image, and how."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsklearn._params import check_choice, check_integer
from hmsklearn.imaging._panel_images import BASES, log_power_bound

__all__ = ["check_zero_power", "resolve_panels"]

_PANELS = ("LL", "RL", "LP", "RP")


def resolve_panels(panels: Any, n_panels: int, *, caller: str) -> list[int]:
    """Turn panels by position or name into positions.

    Parameters
    ----------
    panels : sequence of int or str, or None
        What the user gave; None is all of them.
    n_panels : int
        Number of panels at hand.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of int
        Positions.

    Raises
    ------
    ValueError
        If it is no list of panels, or holds one that is none or comes twice.

    Examples
    --------
    >>> resolve_panels(["LL", "LP"], 4, caller="doctest")
    [0, 2]
    """
    if panels is None:
        return list(range(n_panels))
    try:
        given = [] if isinstance(panels, str) else list(panels)
    except TypeError:
        given = []
    if not given:
        raise ValueError(
            f"{caller}: panels must be a list of positions or names, got {panels!r}."
        )
    found = []
    for i, panel in enumerate(given):
        name = f"panels[{i}]"
        if isinstance(panel, str):
            if n_panels != len(_PANELS):
                raise ValueError(
                    f"{caller}: panels={panels!r} are names, which X with {n_panels} "
                    "planes (axis 1) does not have. Give positions."
                )
            check_choice(panel, name, _PANELS, caller=caller)
            found.append(_PANELS.index(panel))
        else:
            high = n_panels - 1
            found.append(check_integer(panel, name, caller=caller, low=0, high=high))
    if len(set(found)) != len(found):
        raise ValueError(
            f"{caller}: panels={panels!r} holds a panel twice. Leave one out."
        )
    return found


def check_zero_power(
    output: str,
    eps: float,
    exponent: float,
    bounds: tuple[float | None, float | None] | None,
    *,
    caller: str,
) -> None:
    """Refuse a logarithm of power that is 0.

    Parameters
    ----------
    output, eps, exponent : str, float, float
        As in :func:`hmsklearn.signal.power_to_levels`.
    bounds : (float or None, float or None) or None
        Those of the levels.
    caller : str
        Name that starts the error messages.

    Raises
    ------
    ValueError
        If neither `eps` nor the lower bound keeps it finite.

    Examples
    --------
    >>> check_zero_power("log", 0.0, 2.0, (-4.0, 8.0), caller="doctest")
    """
    numbers = np.finfo(np.float32)
    if output not in BASES or eps >= numbers.tiny:
        return
    low = None if bounds is None else bounds[0]
    if low is None:
        raise ValueError(
            f"{caller}: output={output!r} of power that is 0 is infinite, and the "
            "files hold many zeros. Give eps, or a lower bound in clip."
        )
    power = log_power_bound(low, output, exponent)
    if not np.log(numbers.tiny) <= power <= np.log(numbers.max):
        raise ValueError(
            f"{caller}: clip={bounds!r}: the lower bound is the level of a power that "
            "single precision does not hold. Give one nearer to 0."
        )

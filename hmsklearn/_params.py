"""Checks of single parameters, so that their errors read alike everywhere.

Each check names who was called, the parameter, what is allowed and what came.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

__all__ = ["check_choice", "check_integer", "check_real"]


def _range_text(low: Any, high: Any, low_open: bool, high_open: bool = False) -> str:
    parts = []
    if low is not None:
        parts.append(f"{'above' if low_open else 'at least'} {low}")
    if high is not None:
        parts.append(f"{'below' if high_open else 'at most'} {high}")
    return " and ".join(parts)


def check_real(
    value: Any,
    name: str,
    *,
    caller: str,
    low: float | None = None,
    high: float | None = None,
    low_open: bool = False,
    high_open: bool = False,
    remedy: str = "",
) -> float:
    """Check that a parameter is a finite number within bounds.

    Parameters
    ----------
    value : object
        What the user gave. Booleans are no numbers here.
    name : str
        Name of the parameter.
    caller : str
        Name that starts the error message.
    low, high : float, optional
        Bounds, both included unless `low_open` or `high_open`.
    low_open, high_open : bool, default=False
        Whether the bound itself is forbidden.
    remedy : str, optional
        A sentence added to the message.

    Returns
    -------
    float
        The value.

    Raises
    ------
    ValueError
        If it is not such a number.

    Examples
    --------
    >>> check_real(3, "scale", caller="doctest", low=0, low_open=True)
    3.0
    >>> check_real(-1, "scale", caller="doctest", low=0, low_open=True)
    Traceback (most recent call last):
        ...
    ValueError: doctest: scale must be a finite number above 0, got -1.
    """
    good = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    good = good and bool(np.isfinite(value))
    if good and low is not None:
        good = value > low if low_open else value >= low
    if good and high is not None:
        good = value < high if high_open else value <= high
    if not good:
        bounds = _range_text(low, high, low_open, high_open)
        raise ValueError(
            f"{caller}: {name} must be a finite number{bounds and ' ' + bounds}, got "
            f"{value!r}.{remedy and ' ' + remedy}"
        )
    return float(value)


def check_integer(
    value: Any,
    name: str,
    *,
    caller: str,
    low: int | None = None,
    high: int | None = None,
    remedy: str = "",
) -> int:
    """Check that a parameter is a whole number within bounds.

    Parameters
    ----------
    value : object
        What the user gave. Booleans and floats are no integers here.
    name : str
        Name of the parameter.
    caller : str
        Name that starts the error message.
    low, high : int, optional
        Bounds, both included.
    remedy : str, optional
        A sentence added to the message.

    Returns
    -------
    int
        The value.

    Raises
    ------
    ValueError
        If it is not such a number.

    Examples
    --------
    >>> check_integer(2.5, "factor", caller="doctest", low=1)
    Traceback (most recent call last):
        ...
    ValueError: doctest: factor must be an integer at least 1, got 2.5.
    """
    good = isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))
    good = good and (low is None or value >= low) and (high is None or value <= high)
    if not good:
        bounds = _range_text(low, high, low_open=False)
        raise ValueError(
            f"{caller}: {name} must be an integer{bounds and ' ' + bounds}, got "
            f"{value!r}.{remedy and ' ' + remedy}"
        )
    return int(value)


def check_choice(
    value: Any, name: str, choices: Sequence[str | None], *, caller: str
) -> Any:
    """Check that a parameter is one of a few words, or None where that is one.

    Parameters
    ----------
    value : object
        What the user gave.
    name : str
        Name of the parameter.
    choices : sequence of str or None
        The values that are known.
    caller : str
        Name that starts the error message.

    Returns
    -------
    str or None
        The value.

    Raises
    ------
    ValueError
        If it is another word (the message names the nearest) or no word at all.

    Examples
    --------
    >>> check_choice("zero", "phase", ("zero", "causal"), caller="doctest")
    'zero'
    """
    if not ((value is None or isinstance(value, str)) and value in choices):
        words = [choice for choice in choices if choice is not None]
        close = difflib.get_close_matches(str(value), words, n=1, cutoff=0.4)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(
            f"{caller}: {name} must be one of {known}, got {value!r}.{hint}"
        )
    return value

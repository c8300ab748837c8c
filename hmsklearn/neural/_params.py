"""Checks of the neural estimators' parameters, made in ``fit``."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any

__all__ = ["check_choice", "check_number"]


def check_number(
    value: Any,
    name: str,
    *,
    caller: str,
    low: float,
    high: float = float("inf"),
    whole: bool = False,
    open_low: bool = False,
    open_high: bool = False,
) -> None:
    """Refuse a value that is not a number in an interval.

    Parameters
    ----------
    value : object
        The value.
    name : str
        The parameter's name.
    caller : str
        Name that starts the error message.
    low, high : float
        Ends of the interval.
    whole : bool, default=False
        Whether it must be a whole number.
    open_low, open_high : bool, default=False
        Whether an end is outside the interval.

    Raises
    ------
    ValueError
        If it is outside.
    TypeError
        If it is not a number.

    Examples
    --------
    >>> check_number(3, "patience", caller="doctest", low=1, whole=True)
    """
    kind = numbers.Integral if whole else numbers.Real
    word = "a whole number" if whole else "a number"
    left, right = "(" if open_low else "[", ")" if open_high else "]"
    interval = f"{left}{low:g}, {high:g}{right}"
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(
            f"{caller}: {name}={value!r} must be {word} in {interval}, got "
            f"{type(value).__name__}."
        )
    number = float(value)
    above = number > low if open_low else number >= low
    below = number < high if open_high else number <= high
    if not (above and below):
        raise ValueError(f"{caller}: {name}={value!r} must be {word} in {interval}.")


def check_choice(value: Any, name: str, choices: Iterable[Any], *, caller: str) -> None:
    """Refuse a value that is not one of the known ones.

    Parameters
    ----------
    value : object
        The value.
    name : str
        The parameter's name.
    choices : iterable
        What is known.
    caller : str
        Name that starts the error message.

    Raises
    ------
    ValueError
        If it is not among them.

    Examples
    --------
    >>> check_choice("cosine", "schedule", ["cosine", "constant"], caller="doctest")
    """
    choices = list(choices)
    if not any(value is choice or value == choice for choice in choices):
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(
            f"{caller}: {name}={value!r} is not known. Give one of {known}."
        )

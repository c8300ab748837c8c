"""Checks of parameters that may be one number or a range from which is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from hmsklearn._params import check_integer, check_real

__all__ = ["check_counts", "check_range", "check_span"]


def _pair(value: Any, name: str, caller: str) -> tuple[Any, Any]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != 2:
            raise ValueError(
                f"{caller}: {name} must be one number or a pair (lowest, highest), got "
                f"{value!r}."
            )
        return value[0], value[1]
    return value, value


def _ordered(low: Any, high: Any, name: str, caller: str) -> None:
    if low > high:
        raise ValueError(
            f"{caller}: {name}=({low}, {high}) runs backwards. Give the lower bound "
            "first."
        )


def check_counts(
    value: Any, name: str, *, caller: str, low: int = 0
) -> tuple[int, int]:
    """Check a number of things, or a range of such numbers, both ends included."""
    first, last = _pair(value, name, caller)
    first = check_integer(first, name, caller=caller, low=low)
    last = check_integer(last, name, caller=caller, low=low)
    _ordered(first, last, name, caller)
    return first, last


def check_range(
    value: Any,
    name: str,
    *,
    caller: str,
    low: float | None = None,
    high: float | None = None,
    low_open: bool = False,
) -> tuple[float, float]:
    """Check a real number, or a range of them."""
    first, last = (
        check_real(end, name, caller=caller, low=low, high=high, low_open=low_open)
        for end in _pair(value, name, caller)
    )
    _ordered(first, last, name, caller)
    return first, last


def check_span(
    value: Any, name: str, *, caller: str
) -> tuple[int, int] | tuple[float, float]:
    """Check a length: whole numbers are samples or pixels, floats shares."""
    first, last = _pair(value, name, caller)
    if isinstance(first, Integral) != isinstance(last, Integral):
        raise ValueError(
            f"{caller}: {name}={value!r} mixes a whole number (samples or pixels) and "
            "a share of the axis. Give two of one kind."
        )
    if isinstance(first, Integral):
        return check_counts((first, last), name, caller=caller, low=1)
    return check_range((first, last), name, caller=caller, low=0, high=1)

"""What the general solvers share: the form of their results and the checks.

They know nothing of pools: an objective maps a vector of parameters to a number, and a
solver looks for the vector that makes it small. They are here because people are used
to them, and to compare the exact solvers with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["SearchResult", "check_bounds", "check_budget", "check_start", "check_value"]


class SearchResult(NamedTuple):
    """The best parameters that a search met.

    Attributes
    ----------
    x : ndarray of shape (n_parameters,)
        The parameters.
    value : float
        The objective there.
    n_evaluations : int
        How often the objective was asked.
    n_iter : int
        Steps of the solver, as it counts them.
    converged : bool
        Whether the solver's own stopping rule ended it, rather than its budget. It
        says nothing about the distance to the optimum.
    message : str
        Why it ended.
    """

    x: np.ndarray
    value: float
    n_evaluations: int
    n_iter: int
    converged: bool
    message: str


def check_start(start: Any, caller: str) -> np.ndarray:
    """Copy the starting point, or say why it is none.

    Parameters
    ----------
    start : array-like of shape (n_parameters,)
        The point.
    caller : str
        Name in errors.

    Returns
    -------
    ndarray of shape (n_parameters,)
        float64, a copy.

    Raises
    ------
    ValueError
        If it is not a vector of finite numbers, or has no entry.

    Examples
    --------
    >>> check_start([0, 1], "example").tolist()
    [0.0, 1.0]
    """
    point = np.array(start, dtype=np.float64)
    if point.ndim != 1 or point.size == 0:
        raise ValueError(
            f"{caller}: start has shape {point.shape}, expected a vector with one "
            "entry for each parameter."
        )
    if not np.isfinite(point).all():
        place = int(np.flatnonzero(~np.isfinite(point))[0])
        raise ValueError(
            f"{caller}: start[{place}] is {point[place]}. Start from finite numbers."
        )
    return point


def check_bounds(
    bounds: Sequence[Any] | np.ndarray,
    caller: str,
    *,
    start: np.ndarray | None = None,
    finite: bool = False,
) -> np.ndarray:
    """Check the bounds of all parameters.

    Parameters
    ----------
    bounds : sequence of (low, high)
        One pair for each parameter; None stands for infinity.
    caller : str
        Name in errors.
    start : ndarray of shape (n_parameters,), optional
        Point that must lie between them.
    finite : bool, default=False
        Whether infinite bounds are refused.

    Returns
    -------
    ndarray of shape (n_parameters, 2)
        Lower and upper bounds, float64.

    Raises
    ------
    ValueError
        If the bounds are not pairs, out of order, of another number than the
        parameters, or do not hold the starting point.

    Examples
    --------
    >>> check_bounds([(0, 1), (None, 2)], "example").tolist()
    [[0.0, 1.0], [-inf, 2.0]]
    """
    try:
        pairs = np.array(
            [
                (-np.inf if low is None else low, np.inf if high is None else high)
                for low, high in bounds
            ],
            dtype=np.float64,
        )
    except (TypeError, ValueError):
        raise ValueError(
            f"{caller}: bounds must be pairs (low, high), one for each parameter."
        ) from None
    if len(pairs) == 0 or (start is not None and len(pairs) != start.size):
        raise ValueError(
            f"{caller}: {len(pairs)} pairs of bounds for "
            f"{'no' if start is None else start.size} parameters. Give one pair for "
            "each parameter."
        )
    wrong = ~(pairs[:, 0] <= pairs[:, 1])
    if finite:
        wrong |= ~np.isfinite(pairs).all(axis=1)
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        what = "finite numbers, low <= high" if finite else "low <= high"
        raise ValueError(
            f"{caller}: bounds[{place}] is {tuple(pairs[place].tolist())}, expected "
            f"{what}."
        )
    if start is not None:
        outside = np.flatnonzero((start < pairs[:, 0]) | (start > pairs[:, 1]))
        if outside.size:
            place = int(outside[0])
            raise ValueError(
                f"{caller}: start[{place}] is {start[place]}, outside of bounds "
                f"{tuple(pairs[place].tolist())}. Start between them."
            )
    return pairs


def check_budget(caller: str, *, tol: float | None = None, **counts: int) -> None:
    """Check a tolerance and numbers of steps.

    Parameters
    ----------
    caller : str
        Name in errors.
    tol : float, optional
        Tolerance; positive.
    **counts : int
        Numbers of steps by the name of their parameter; at least one.

    Raises
    ------
    ValueError
        If one of them is not positive.

    Examples
    --------
    >>> check_budget("example", tol=1e-8, max_iter=10)
    """
    if tol is not None and not tol > 0:
        raise ValueError(f"{caller}: tol must be positive, got {tol!r}.")
    for name, count in counts.items():
        if not count >= 1:
            raise ValueError(f"{caller}: {name} must be at least 1, got {count!r}.")


def check_value(
    value: Any, x: np.ndarray, caller: str, *, finite: bool = False
) -> float:
    """Refuse an objective that is not a number.

    Parameters
    ----------
    value : float
        What the objective returned. Infinity says that nothing is worse.
    x : ndarray of shape (n_parameters,)
        Where it was asked.
    caller : str
        Name in errors.
    finite : bool, default=False
        Whether infinity is refused.

    Returns
    -------
    float
        The value.

    Raises
    ------
    ValueError
        If it is NaN, minus infinity or, where that is refused, infinity.

    Examples
    --------
    >>> check_value(0.5, np.zeros(2), "example")
    0.5
    """
    number = float(value)
    if not (np.isfinite(number) or (number == np.inf and not finite)):
        what = "a finite number" if finite else "a number, or infinity at the worst"
        raise ValueError(
            f"{caller}: the objective is {number} at {x.tolist()}, expected {what}."
        )
    return number

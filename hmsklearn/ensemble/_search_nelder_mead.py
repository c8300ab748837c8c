"""Nelder-Mead, the simplex search that many blends were found with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize

from hmsklearn.ensemble._search import (
    SearchResult,
    check_bounds,
    check_budget,
    check_start,
    check_value,
)

__all__ = ["minimise_nelder_mead"]


def minimise_nelder_mead(
    objective: Callable[[np.ndarray], float],
    start: Any,
    *,
    bounds: Sequence[Any] | np.ndarray | None = None,
    max_iter: int,
    tol: float = 1e-4,
) -> SearchResult:
    """Search without derivatives, with SciPy's Nelder-Mead.

    Parameters
    ----------
    objective : callable
        Takes a vector of parameters and returns a float. Infinity is allowed.
    start : array-like of shape (n_parameters,)
        Where the search begins.
    bounds : sequence of (low, high), optional
        Limits of each parameter, None for none; (0, 1) for weights. Without them
        the search is free.
    max_iter : int
        Largest number of steps; one evaluates the objective once or twice, seldom
        as often as there are parameters.
    tol : float, default=1e-4
        Stop when the points of the simplex and their values are all so close to the
        best one. SciPy's default.

    Returns
    -------
    SearchResult
        The best point that was met.

    Raises
    ------
    ValueError
        If the start, the bounds or the limits are not usable, or the objective is
        not a number.

    Notes
    -----
    The first simplex has edges of 5 % of the start, or 0.00025 along parameters that
    start at zero: SciPy's, which is what the published blends used. With more than
    ten parameters the simplex tends to collapse far from the optimum, and the search
    then reports that it has converged.

    References
    ----------
    Nelder and Mead, "A simplex method for function minimization", The Computer
    Journal 7 (1965). In HMS one of the 4th place's authors used it with bounds (0, 1)
    (Kaggle discussion 492240).

    Examples
    --------
    >>> result = minimise_nelder_mead(
    ...     lambda x: float(((x - [0.2, 0.7]) ** 2).sum()),
    ...     [0.5, 0.5],
    ...     bounds=[(0, 1)] * 2,
    ...     max_iter=400,
    ... )
    >>> result.x.round(3).tolist(), result.converged
    ([0.2, 0.7], True)
    """
    caller = "minimise_nelder_mead"
    point = check_start(start, caller)
    check_budget(caller, tol=tol, max_iter=max_iter)
    pairs = None if bounds is None else check_bounds(bounds, caller, start=point)

    # The search takes differences of values, and infinities have none.
    worst = float(np.finfo(np.float64).max)

    def checked(x: np.ndarray) -> float:
        return min(check_value(objective(x.copy()), x, caller), worst)

    found = minimize(
        checked,
        point,
        method="Nelder-Mead",
        bounds=pairs,
        options={"maxiter": max_iter, "xatol": tol, "fatol": tol},
    )
    return SearchResult(
        found.x,
        float(found.fun) if found.fun < worst else np.inf,
        int(found.nfev),
        int(found.nit),
        bool(found.success),
        str(found.message),
    )

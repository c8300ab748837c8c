"""Newton's method for convex losses under a penalty, with a proof of the result.

The loss supplies value, gradient, curvature and a linear lower bound; the penalty
solves the quadratic models and turns the lower bound into a bound of the optimum. The
distance between the two is the certificate: it holds whatever the solver did.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from hmsklearn.ensemble._penalty import Penalty

__all__ = ["ConvexLoss", "Solution", "minimise"]

# The gap is a difference of float64 sums over all rows: smaller ones are rounding.
GAP_RESOLUTION = 1e-12

# No divergence is negative. Where a softmax can fit all rows perfectly its optimum lies
# at infinity, and this close to zero there is nothing left to gain.
_PERFECT = 1e-8

# Copies of a member make the Hessian singular. A ridge this small, relative to the
# largest curvature, leaves the quadratic model what it is and splits their weight.
_RIDGE = 1e-11

# Logarithms are exact to 1e-16: curvatures below the square of it are rounding.
_NO_CURVATURE = 1e-30

# The lower bound costs two passes over the data; far from the optimum it says little.
_NEAR = 1e-5

# Steps after the certificate, and the residual that ends them.
_POLISH = 3
_CLEAR = 1e-9

# A step that promises more than this of the value needs a curvature of its own.
_FAR = 3e-2


class ConvexLoss(Protocol):
    """What :func:`minimise` needs to know of a loss."""

    def at(self, x: np.ndarray) -> Any:
        """Return a point with ``value`` and ``gradient``."""

    def value(self, x: np.ndarray) -> float:
        """Return the value alone."""

    def hessian(self, point: Any, *, precise: bool = False) -> np.ndarray:
        """Return the matrix of second derivatives, to five digits unless precise."""

    def tangent(self, point: Any, step: np.ndarray) -> tuple[float, np.ndarray]:
        """Return intercept and slope of a linear lower bound, for a given step."""


class Solution(NamedTuple):
    """Parameters of a blend and the proof of how good they are.

    Attributes
    ----------
    x : ndarray of shape (n_params,)
        The parameters.
    value : float
        Loss and penalty there.
    gap : float
        Upper bound of the distance of `value` to its optimum.
    kkt_residual : float
        Largest violation of the optimality conditions.
    n_iter : int
        Newton steps taken.
    converged : bool
        Whether the gap is as small as was asked for.
    """

    x: np.ndarray
    value: float
    gap: float
    kkt_residual: float
    n_iter: int
    converged: bool


def minimise(
    loss: ConvexLoss,
    penalty: Penalty,
    start: np.ndarray,
    *,
    tol: float,
    max_iter: int,
) -> Solution:
    """Minimise loss and penalty.

    Parameters
    ----------
    loss : ConvexLoss
        The loss.
    penalty : Penalty
        Shrinkage, bounds and a fixed total.
    start : ndarray of shape (n_params,)
        Starting point, within the bounds.
    tol : float
        Stop when the gap is at most this times the value (or 1e-12, which is
        rounding), or the value itself below 1e-8. Losses must not be negative.
    max_iter : int
        Largest number of Newton steps.

    Returns
    -------
    Solution
        The best point that was met.

    Examples
    --------
    >>> class Square:
    ...     def at(self, x):
    ...         from types import SimpleNamespace
    ...         return SimpleNamespace(x=x, value=self.value(x), gradient=x - 3.0)
    ...     def value(self, x):
    ...         return float(((x - 3.0) ** 2).sum() / 2 + 1.0)
    ...     def hessian(self, point, precise=False):
    ...         return np.eye(point.x.size)
    ...     def tangent(self, point, step):
    ...         at = point.x + step
    ...         return self.value(at) - (at - 3.0) @ at, at - 3.0
    >>> solution = minimise(Square(), Penalty.of(1, l2=1.0), np.zeros(1), tol=1e-9,
    ...                     max_iter=9)
    >>> solution.x.tolist(), solution.converged
    ([1.5], True)
    """
    x = np.asarray(start, dtype=np.float64)
    best = Solution(x, np.inf, np.inf, np.inf, 0, False)
    curvature: np.ndarray | None = None
    precise, last = False, np.inf
    for n_iter in range(max_iter + 1):
        point = loss.at(x)
        value = point.value + penalty.value(x)
        if curvature is None:
            curvature = loss.hessian(point, precise=precise)
            largest = float(curvature.diagonal().max())
            # Where all members say the same of all classes, there is no curvature.
            ridge = _RIDGE * largest if largest > _NO_CURVATURE else _RIDGE
            curvature = curvature + ridge * np.eye(x.size)
        step = _step(curvature, point.gradient, x, penalty)
        promised = -float(point.gradient @ step) - (
            penalty.value(x + step) - penalty.value(x)
        )
        if promised <= _NEAR * max(abs(value), 1e-6) or n_iter == max_iter:
            gap = _gap(loss, penalty, point, value, curvature, step)
            gap = min(gap, value)
            converged = gap <= max(tol * value, GAP_RESOLUTION) or value <= _PERFECT
            if gap < best.gap or value < best.value:
                residual = penalty.residual(x, point.gradient)
                best = Solution(x, value, gap, residual, n_iter, converged)
            if value <= _PERFECT:
                # The curvature is gone and would send a further step anywhere.
                return best
            if converged:
                return _polished(best, loss, penalty, curvature, step)
        length = _length(loss, penalty, x, step, value, promised)
        # Close to the optimum the curvature hardly changes, and a step by that of the
        # last point is nearly as good. Where it is not, the promises stop shrinking.
        far = promised > _FAR * abs(value) or length < 1.0 or promised > 0.05 * last
        last = np.inf if far else promised
        if length == 0.0 and precise:
            break
        # Rounding spoils the curvature where some of it is nearly zero.
        precise = precise or length == 0.0
        if far:
            curvature = None
        x = penalty.inside(x + length * step)
    if not np.isfinite(best.gap):
        residual = penalty.residual(x, point.gradient)
        best = Solution(x, value, value, residual, n_iter, False)
    return best


def _polished(
    solution: Solution,
    loss: ConvexLoss,
    penalty: Penalty,
    curvature: np.ndarray,
    step: np.ndarray,
) -> Solution:
    """Take some steps more: they cost no curvature and clear the residual."""
    for _ in range(_POLISH):
        x = penalty.inside(solution.x + step)
        point = loss.at(x)
        value = point.value + penalty.value(x)
        residual = penalty.residual(x, point.gradient)
        rounding = 1e-15 * max(1.0, abs(value))
        if value > solution.value + rounding or residual > solution.kkt_residual:
            break
        gap = max(0.0, solution.gap - (solution.value - value))
        solution = solution._replace(x=x, value=value, gap=gap, kkt_residual=residual)
        if residual < _CLEAR:
            break
        step = _step(curvature, point.gradient, x, penalty)
    return solution


def _step(
    curvature: np.ndarray, gradient: np.ndarray, x: np.ndarray, penalty: Penalty
) -> np.ndarray:
    return penalty.model_minimum(curvature, curvature @ x - gradient, x) - x


def _gap(
    loss: ConvexLoss,
    penalty: Penalty,
    point: Any,
    value: float,
    curvature: np.ndarray,
    step: np.ndarray,
) -> float:
    """Bound the distance to the optimum, the smallest bound of two tries.

    The tangent is taken where the step leads to. What the quadratic model gets wrong
    about the slope there is put right once and the step taken again.
    """
    x = point.x
    intercept, slope = loss.tangent(point, step)
    gap = value - (intercept + penalty.floor(slope, x))
    if gap > GAP_RESOLUTION:
        wrong = slope - (point.gradient + curvature @ step)
        again = _step(curvature, point.gradient + wrong, x, penalty)
        intercept, slope = loss.tangent(point, again)
        gap = min(gap, value - (intercept + penalty.floor(slope, x)))
    return max(0.0, float(gap))


def _length(
    loss: ConvexLoss,
    penalty: Penalty,
    x: np.ndarray,
    step: np.ndarray,
    value: float,
    promised: float,
) -> float:
    """Largest of 1, 1/2, 1/4, ... by which the objective falls enough."""
    length = 1.0
    while length > 1e-10:
        there = x + length * step
        reached = loss.value(there) + penalty.value(there)
        if reached <= value - 1e-4 * length * promised + 1e-16:
            return length
        length *= 0.5
    return 0.0

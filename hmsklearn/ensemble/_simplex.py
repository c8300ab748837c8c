"""The best weights of a linear pool: a convex problem, solved and certified.

Given probabilities ``A[m, e]`` that model m gave to entry e and the share ``c[e]`` of
the votes in that entry, the pool's cross-entropy is ``-sum_e c_e log (w A)_e`` and the
weights live on the simplex. The constraint ``sum(w) = 1`` has the multiplier one, so
it can be dropped in exchange for the term ``sum(w)``; what is left has non-negativity
only and is solved by sequential quadratic programming with exact derivatives.

Two figures prove the result without trusting the solver. Jensen's inequality bounds
the distance to the optimum of *any* point of the simplex by ``log max_m sum_e c_e
A[m, e] / (w A)_e``, and the natural residual of the optimality conditions is zero at
the optimum only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["PoolSolution", "solve_linear_pool"]

# Solving on every eighth entry first costs an eighth of a pass for each step and
# leaves two or three steps to do on all of them. Below this size it is not worth it.
_WARM_STRIDE = 8
_WARM_MIN_ENTRIES = 16_384
_WARM_TOL = 1e-4

# Duplicated members make the Hessian singular. A ridge this small, relative to the
# largest curvature, leaves the quadratic model exact to working precision; where it
# is too small to give a direction of descent, it grows.
_RIDGE = 1e-12

# From this many numbers on the Hessian is summed up in float32, which takes half the
# time. Its rounding asks for a larger ridge, and for float64 where steps get short.
_SINGLE_FROM = 2_000_000
_SINGLE_RIDGE = 1e-7

# The gap is a difference of float64 sums over all entries: smaller ones are rounding.
_GAP_RESOLUTION = 1e-12


class PoolSolution(NamedTuple):
    """Weights of a linear pool and the proof of how good they are.

    Attributes
    ----------
    weights : ndarray of shape (n_models,)
        Non-negative, summing to one.
    gap : float
        Upper bound, in nat, of the distance of the objective to its optimum.
    kkt_residual : float
        Largest entry of ``|min(w, gradient)|``, zero at the optimum.
    n_iter : int
        Newton steps on all entries.
    converged : bool
        Whether the gap is as small as was asked for.
    """

    weights: np.ndarray
    gap: float
    kkt_residual: float
    n_iter: int
    converged: bool


def solve_linear_pool(
    prob: np.ndarray,
    share: np.ndarray,
    *,
    tol: float,
    max_iter: int,
    start: np.ndarray | None = None,
) -> PoolSolution:
    """Minimise the cross-entropy of a linear pool over the simplex.

    Parameters
    ----------
    prob : ndarray of shape (n_models, n_entries), float64
        Probability that each model gives to each entry; positive. Dividing an entry
        by a constant shifts the objective and changes nothing else: divided by the
        voted fractions, the objective is the KL divergence.
    share : ndarray of shape (n_entries,), float64
        Share of all the votes in each entry; positive, summing to one.
    tol : float
        Stop when the gap is at most this times the objective (or 1e-12 nat, below
        which it is rounding).
    max_iter : int
        Largest number of Newton steps.
    start : ndarray of shape (n_models,), optional
        Starting point on the simplex; equal weights without it.

    Returns
    -------
    PoolSolution
        The point with the smallest gap that was met.

    Notes
    -----
    Each step minimises the quadratic model over the non-negative orthant exactly
    (an active-set method on its normal equations), restricted to the models that
    carry weight or would gain from it, and goes as far along that direction as
    the objective falls. Where models are copies of each other the optimum is not
    unique, and any of its points may be returned.

    References
    ----------
    Kim, Carbonetto, Stephens and Anitescu, "A fast algorithm for maximum likelihood
    estimation of mixture proportions using sequential quadratic programming",
    Journal of Computational and Graphical Statistics 29 (2020); Kim and Park, "Fast
    nonnegative matrix factorization: an active-set-like method and comparisons",
    SIAM Journal on Scientific Computing 33 (2011), for the pivoting.

    Examples
    --------
    >>> prob = np.array([[0.8, 0.2], [0.2, 0.8]])
    >>> share = np.array([0.75, 0.25])
    >>> solution = solve_linear_pool(prob, share, tol=1e-8, max_iter=50)
    >>> solution.weights.round(4).tolist(), solution.converged
    ([0.9167, 0.0833], True)
    """
    n_models, n_entries = prob.shape
    weights = np.full(n_models, 1.0 / n_models) if start is None else start
    if start is None and n_models > 1 and n_entries >= _WARM_MIN_ENTRIES:
        part = share[::_WARM_STRIDE]
        rough = solve_linear_pool(
            np.ascontiguousarray(prob[:, ::_WARM_STRIDE]),
            part / part.sum(),
            tol=_WARM_TOL,
            max_iter=max_iter,
            start=weights,
        ).weights
        # A model without weight on the part may alone cover votes elsewhere.
        weights = 0.98 * rough + 0.02 * weights
    best = PoolSolution(weights, np.inf, np.inf, 0, False)
    precise, last = False, np.inf
    for n_iter in range(max_iter + 1):
        weights = weights / weights.sum()
        pooled = weights @ prob
        ratio = share / pooled
        gain = prob @ ratio
        gradient = 1.0 - gain
        gap = max(0.0, float(np.log(gain.max())))
        if gap < best.gap:
            objective = -float(share @ np.log(pooled))
            converged = gap <= max(tol * objective, _GAP_RESOLUTION)
            residual = float(np.abs(np.minimum(weights, gradient)).max())
            best = PoolSolution(weights, gap, residual, n_iter, converged)
        if best.converged:
            break
        working = np.flatnonzero((weights > 0) | (gradient < 0))
        single = working.size * n_entries >= _SINGLE_FROM and not precise
        scaled = _scaled(prob, working, np.sqrt(ratio / pooled), single)
        hessian = (scaled @ scaled.T).astype(np.float64)
        ridge, length = _SINGLE_RIDGE if single else _RIDGE, 0.0
        while length == 0.0 and ridge < 1.0:
            step = _newton_step(hessian, working, weights, gradient, ridge)
            length = _step_length(share, (step @ prob) / pooled, gradient, step)
            ridge *= 1e3
        if length == 0.0 and precise:
            break
        # Rounding may hide what little curvature members that are much alike have.
        precise = precise or length < 1.0 or gap > 0.3 * last
        last = gap
        weights = np.maximum(weights + length * step, 0.0)
    return best


def _scaled(
    prob: np.ndarray, working: np.ndarray, scale: np.ndarray, single: bool
) -> np.ndarray:
    """Return the working rows, scaled; blockwise in float32 where that suffices."""
    if not single:
        return prob[working] * scale
    scaled = np.empty((working.size, scale.size), dtype=np.float32)
    for place, model in enumerate(working):
        np.multiply(prob[model], scale, out=scaled[place], casting="same_kind")
    return scaled


def _newton_step(
    hessian: np.ndarray,
    working: np.ndarray,
    weights: np.ndarray,
    gradient: np.ndarray,
    ridge: float,
) -> np.ndarray:
    """Step to the minimum of the quadratic model over the non-negative orthant."""
    hessian = hessian.copy()
    hessian[np.diag_indices_from(hessian)] += ridge * hessian.diagonal().max()
    start = weights[working]
    linear = hessian @ start - gradient[working]
    step = np.zeros_like(weights)
    step[working] = _nonnegative_minimum(hessian, linear, start > 0) - start
    return step


def _nonnegative_minimum(
    hessian: np.ndarray, linear: np.ndarray, free: np.ndarray
) -> np.ndarray:
    """Minimise ``v H v / 2 - linear v`` over v >= 0, H positive definite.

    Block principal pivoting: all variables on the wrong side change places at once;
    where that does not help three times, one at a time, which always ends.
    """
    free = free.copy()
    fewest, patience = linear.size + 1, 3
    for _ in range(10 * linear.size + 10):
        value = np.zeros_like(linear)
        if free.any():
            block = hessian[np.ix_(free, free)]
            value[free] = np.linalg.solve(block, linear[free])
        slope = hessian @ value - linear
        wrong = np.flatnonzero(np.where(free, value < 0, slope < -1e-14))
        if wrong.size == 0:
            break
        if wrong.size < fewest:
            fewest, patience = wrong.size, 3
        elif patience > 0:
            patience -= 1
        else:
            wrong = wrong[-1:]
        free[wrong] = ~free[wrong]
    return np.maximum(value, 0.0)


def _step_length(
    share: np.ndarray, relative: np.ndarray, gradient: np.ndarray, step: np.ndarray
) -> float:
    """Largest of 1, 1/2, 1/4, ... by which the objective falls enough.

    `relative` is the change of every pooled probability in units of itself. None may
    lose more than nine tenths in one step: the quadratic model does not see the
    logarithm's pole, and a member that alone covers some votes would be dropped.
    """
    slope = float(gradient @ step)
    total = float(step.sum())
    length = min(1.0, 0.9 / max(-float(relative.min()), 0.9))
    while length > 1e-12:
        change = length * total - float(share @ np.log1p(length * relative))
        if change <= 1e-4 * length * slope + 1e-16:
            return length
        length *= 0.5
    return 0.0

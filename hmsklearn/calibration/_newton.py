"""The best temperature and class biases: a convex problem, solved by Newton's method.

The divergence of ``softmax(a log p + b)`` from the votes is convex in the inverse
temperature a and the biases b together: up to a constant it is the loss of a
multinomial logistic regression whose only feature is ``log p``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

__all__ = ["Optimum", "solve"]

# A step that gains less than this share of what its slope promises is halved.
_ARMIJO = 1e-4


# Logarithms of the probabilities, vote fractions, weights, penalty.
_Problem = tuple[np.ndarray, np.ndarray, np.ndarray, float]


class Optimum(NamedTuple):
    """Where the divergence is smallest.

    Attributes
    ----------
    slope : float
        Inverse temperature.
    bias : ndarray of shape (n_classes,)
        Class biases, their sum zero.
    grad_norm : float
        Largest entry of the gradient, without the part that a bound holds back.
    n_iter : int
        Newton steps taken.
    """

    slope: float
    bias: np.ndarray
    grad_norm: float
    n_iter: int


def solve(
    log_proba: np.ndarray,
    fractions: np.ndarray,
    weight: np.ndarray,
    *,
    with_bias: bool,
    l2: float,
    bounds: tuple[float, float],
    tol: float,
    max_iter: int,
) -> Optimum:
    """Minimise the weighted mean cross-entropy over inverse temperature and biases.

    Parameters
    ----------
    log_proba : ndarray of shape (n, n_classes)
        Logarithms of the probabilities, finite.
    fractions : ndarray of shape (n, n_classes)
        Vote fractions.
    weight : ndarray of shape (n,)
        Weights of the rows, their sum one.
    with_bias : bool
        Whether the biases are free, or zero.
    l2 : float
        Penalty ``l2 / 2 * sum(b ** 2)``.
    bounds : tuple of float
        Smallest and largest inverse temperature; they enclose one.
    tol : float
        Stop when no entry of the gradient is larger.
    max_iter : int
        Largest number of steps.

    Returns
    -------
    Optimum
        The solution; no worse than the start, which is temperature one, no bias.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> y = np.array([[0.75, 0.25], [0.3, 0.7]])
    >>> found = solve(np.log(p), y, np.array([0.5, 0.5]), with_bias=False, l2=0.0,
    ...               bounds=(0.01, 100.0), tol=1e-10, max_iter=100)
    >>> round(found.slope, 4), found.grad_norm < 1e-10
    (0.5352, True)
    """
    problem = (log_proba, fractions, weight, l2)
    point = np.zeros(1 + log_proba.shape[1])
    point[0] = 1.0
    value = _value(point, *problem)
    grad, hessian, free, grad_norm = _look(point, problem, with_bias, bounds)
    n_iter = 0
    while grad_norm > tol and n_iter < max_iter:
        step = _newton_step(point, grad, hessian, free)
        if _leaves(point, step, bounds):
            # The temperature stays at its bound while the biases move.
            free = free & (np.arange(free.size) > 0)
            step = _newton_step(point, grad, hessian, free)
        moved, there = _search(point, step, value, grad, bounds, problem)
        seen = _look(moved, problem, with_bias, bounds)
        if not (there < value or seen[3] < grad_norm):
            break  # rounding hides what is left to gain
        point, value = moved, there
        grad, hessian, free, grad_norm = seen
        n_iter += 1
    return Optimum(float(point[0]), point[1:] - point[1:].mean(), grad_norm, n_iter)


def _look(
    point: np.ndarray, problem: _Problem, with_bias: bool, bounds: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Gradient, Hessian, which variables are free, and the free gradient's size."""
    grad, hessian = _derivatives(point, *problem)
    free = np.full(point.size, with_bias)
    free[0] = not (
        (point[0] <= bounds[0] and grad[0] > 0)
        or (point[0] >= bounds[1] and grad[0] < 0)
    )
    return grad, hessian, free, float(np.abs(grad[free]).max(initial=0.0))


def _newton_step(
    point: np.ndarray, grad: np.ndarray, hessian: np.ndarray, free: np.ndarray
) -> np.ndarray:
    step = np.zeros_like(point)
    # The least-squares step of least length: the biases' sum stays zero, and
    # directions without curvature are left alone.
    part = hessian[np.ix_(free, free)]
    step[free] = np.linalg.lstsq(part, -grad[free], rcond=1e-13)[0]
    return step


def _leaves(point: np.ndarray, step: np.ndarray, bounds: tuple[float, float]) -> bool:
    low, high = bounds
    return bool((point[0] <= low and step[0] < 0) or (point[0] >= high and step[0] > 0))


def _search(
    point: np.ndarray,
    step: np.ndarray,
    value: float,
    grad: np.ndarray,
    bounds: tuple[float, float],
    problem: _Problem,
) -> tuple[np.ndarray, float]:
    """Go along the step, halving it until it pays as its slope promises."""
    rounding = 1e-15 * (1.0 + abs(value))
    wall = bounds[1] if step[0] > 0 else bounds[0]
    length = 1.0
    if step[0] != 0.0:
        length = min(1.0, (wall - point[0]) / step[0])
    while True:
        trial = point + length * step
        if abs(trial[0] - wall) <= 1e-9 * wall:
            trial[0] = wall  # and not beside it by a rounding
        there = _value(trial, *problem)
        promised = length * float(grad @ step)
        if there <= value + _ARMIJO * promised + rounding or length < 1e-12:
            return trial, there
        length /= 2


def _value(
    point: np.ndarray,
    log_proba: np.ndarray,
    fractions: np.ndarray,
    weight: np.ndarray,
    l2: float,
) -> float:
    log_q = log_softmax(point[0] * log_proba + point[1:], axis=1)
    penalty = 0.5 * l2 * float(point[1:] @ point[1:])
    return penalty - float(weight @ (fractions * log_q).sum(axis=1))


def _derivatives(
    point: np.ndarray,
    log_proba: np.ndarray,
    fractions: np.ndarray,
    weight: np.ndarray,
    l2: float,
) -> tuple[np.ndarray, np.ndarray]:
    q = np.exp(log_softmax(point[0] * log_proba + point[1:], axis=1))
    off = weight[:, None] * (q - fractions)
    grad = np.concatenate([[(off * log_proba).sum()], off.sum(axis=0) + l2 * point[1:]])
    mean = (q * log_proba).sum(axis=1, keepdims=True)
    centred = log_proba - mean
    spread = weight[:, None] * q * centred
    n_classes = q.shape[1]
    hessian = np.empty((1 + n_classes, 1 + n_classes))
    hessian[0, 0] = (spread * centred).sum()
    hessian[0, 1:] = hessian[1:, 0] = spread.sum(axis=0)
    mass = (weight[:, None] * q).sum(axis=0)
    hessian[1:, 1:] = np.diag(mass + l2) - q.T @ (weight[:, None] * q)
    return grad, hessian

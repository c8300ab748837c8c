"""Fitting a pool by the searches that people are used to, beside the exact solver.

Simplex search, Optuna's sampling, a quasi-Newton method, greedy selection and a small
net: each finds weights in its own way. How far they are from the best possible is told
by the certificate of the exact solver, which runs along.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hmsklearn.ensemble._greedy import select_greedily, select_greedily_log
from hmsklearn.ensemble._linear_net import fit_linear_net
from hmsklearn.ensemble._losses import LinearPoolLoss
from hmsklearn.ensemble._penalty import Penalty
from hmsklearn.ensemble._pool import FittedPool
from hmsklearn.ensemble._pool_fit import (
    PoolData,
    PoolSettings,
    calibrated,
    fit_pool,
    log_pool_penalty,
    without_calibration,
)
from hmsklearn.ensemble._search_lbfgsb import minimise_lbfgsb
from hmsklearn.ensemble._search_nelder_mead import minimise_nelder_mead
from hmsklearn.ensemble._search_optuna import minimise_optuna

__all__ = ["SOLVERS", "check_solver", "search_pool"]

#: Names of ``solver=``; the first is the exact one.
SOLVERS = ("newton", "l-bfgs-b", "nelder-mead", "optuna", "greedy", "linear-net")


def check_solver(solver: str, settings: PoolSettings, caller: str) -> None:
    """Raise where a solver cannot fit what is asked for.

    Parameters
    ----------
    solver : str
        One of `SOLVERS`.
    settings : PoolSettings
        What is to be fitted.
    caller : str
        Name that starts the error messages.

    Raises
    ------
    ValueError
        If the solver is unknown or does not know the form of the pool.

    Examples
    --------
    >>> check_solver("greedy", PoolSettings(alpha=0.1), "doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: solver='greedy' knows no penalty, alpha must be 0. Use \
solver='newton', which knows all forms.
    """
    if solver not in SOLVERS:
        raise ValueError(
            f"{caller}: solver={solver!r} is not known. Give one of {list(SOLVERS)}."
        )
    if solver == "newton":
        return
    wrong = None
    if settings.per_class:
        wrong = "knows no weights by class (per_class=True)"
    elif solver in ("greedy", "linear-net") and settings.alpha != 0:
        wrong = "knows no penalty, alpha must be 0"
    elif solver == "greedy" and settings.kind == "log" and settings.bias:
        wrong = "knows no biases of a logarithmic pool"
    elif solver == "linear-net" and not (
        settings.kind == "log" and settings.bias and settings.temperature
    ):
        wrong = (
            "is a logarithmic pool with biases and weights of any sum: give "
            "pool='log', bias=True, temperature=True"
        )
    elif solver == "linear-net" and settings.nonnegative:
        wrong = "has weights of either sign, nonnegative must be False"
    if wrong is not None:
        raise ValueError(
            f"{caller}: solver={solver!r} {wrong}. Use solver='newton', which knows "
            "all forms."
        )


def search_pool(
    data: PoolData,
    settings: PoolSettings,
    solver: str,
    options: Mapping[str, Any],
    random_state: Any,
) -> FittedPool:
    """Find a pool by one of the searches.

    Parameters
    ----------
    data : PoolData
        The rows.
    settings : PoolSettings
        What is fitted.
    solver : str
        One of `SOLVERS`.
    options : mapping
        Further arguments of the solver.
    random_state : int, RandomState instance or None
        For the solvers that draw.

    Returns
    -------
    FittedPool
        The pool; ``gap`` is how far it can be from the best one at most.

    Examples
    --------
    >>> prob = np.array([[[0.8, 0.2], [0.2, 0.8]], [[0.6, 0.4], [0.5, 0.5]]])
    >>> data = PoolData(prob, np.array([[0.7, 0.3], [0.6, 0.4]]), None, 1e-7)
    >>> pool = search_pool(data, PoolSettings(), "nelder-mead", {}, None)
    >>> pool.weights.round(2).tolist(), pool.gap < 1e-6
    ([0.84, 0.16], True)
    """
    if solver == "newton":
        return fit_pool(data, settings)
    problem = (_LogProblem if settings.kind == "log" else _LinearProblem)(
        data, settings
    )
    x, n_iter, converged = problem.run(solver, dict(options), random_state)
    best = fit_pool(data, without_calibration(settings))
    value = problem.value(x)
    point = problem.loss.at(x)
    found = problem.pool(x)
    pool = FittedPool(
        settings.kind,
        found.weights,
        1.0,
        found.bias,
        settings.clip,
        value,
        max(0.0, value - (best.value - best.gap)),
        problem.penalty.residual(x, point.gradient),
        n_iter,
        converged,
    )
    return calibrated(pool, data, settings) if settings.kind == "linear" else pool


class _LinearProblem:
    """Weights on the simplex, searched as free numbers over their sum."""

    def __init__(self, data: PoolData, settings: PoolSettings) -> None:
        self.settings = settings
        self.n_classes = data.n_classes
        self.loss = LinearPoolLoss(*data.entries)
        strength = {settings.penalty: settings.alpha}
        n_models = data.n_models
        self.penalty = Penalty.of(
            n_models, centre=1.0 / n_models, lower=0.0, whole=True, **strength
        )
        self.start = np.full(n_models, 1.0 / n_models)

    def value(self, x: np.ndarray) -> float:
        return self.loss.value(x) + self.penalty.value(x)

    def pool(self, x: np.ndarray) -> FittedPool:
        bias = np.zeros(self.n_classes)
        return FittedPool("linear", x, 1.0, bias, self.settings.clip)

    def run(
        self, solver: str, options: dict[str, Any], random_state: Any
    ) -> tuple[np.ndarray, int, bool]:
        n_models = self.start.size
        if solver == "greedy":
            chosen = select_greedily(
                self.loss.prob, self.loss.share, random_state=random_state, **options
            )
            return chosen.weights, chosen.order.size, True

        def over_sum(free: np.ndarray) -> np.ndarray:
            total = free.sum()
            return free / total if total > 0 else self.start

        def objective(free: np.ndarray) -> float:
            return self.value(over_sum(free))

        def with_gradient(free: np.ndarray) -> tuple[float, np.ndarray]:
            x = over_sum(free)
            point = self.loss.at(x)
            away = x - self.penalty.centre
            slope = point.gradient + self.penalty.l2 * away
            slope += self.penalty.l1 * np.sign(away)
            value = point.value + self.penalty.value(x)
            # Scaling all numbers changes nothing: no slope along them.
            return value, (slope - slope @ x) / free.sum()

        bounds = [(0.0, 1.0)] * n_models
        found = _search(
            solver, objective, with_gradient, self, bounds, options, random_state
        )
        return over_sum(found.x), found.n_iter, found.converged


class _LogProblem:
    """Weights of log-probabilities, and biases."""

    def __init__(self, data: PoolData, settings: PoolSettings) -> None:
        self.data, self.settings = data, settings
        self.loss = data.log_loss(settings)
        self.penalty = log_pool_penalty(data, settings)
        self.n_models = data.n_models
        self.start = np.zeros(self.loss.n_params)
        self.start[: self.n_models] = 1.0 / self.n_models

    def value(self, x: np.ndarray) -> float:
        return self.loss.value(x) + self.penalty.value(x)

    def pool(self, x: np.ndarray) -> FittedPool:
        bias = np.zeros(self.data.n_classes)
        if self.settings.bias:
            bias = x[self.n_models :] - x[self.n_models :].mean()
        return FittedPool("log", x[: self.n_models], 1.0, bias, self.settings.clip)

    def run(
        self, solver: str, options: dict[str, Any], random_state: Any
    ) -> tuple[np.ndarray, int, bool]:
        if solver in ("greedy", "linear-net"):
            log_prob = self.loss.logs.transpose(1, 0, 2)
            # In units of their mean, so that steps are as long as without weights.
            weight = self.data.share * self.data.share.size
            rows = (log_prob, self.data.fractions, weight)
            if solver == "greedy":
                chosen = select_greedily_log(
                    *rows, random_state=random_state, **options
                )
                return chosen.weights, chosen.order.size, True
            net = fit_linear_net(*rows, random_state=random_state, **options)
            n_epochs = net.history["train_kl"].shape[1]
            return np.append(net.weights, net.bias), n_epochs, True

        n_models = self.n_models
        fixed_total = not self.settings.temperature

        def whole(free: np.ndarray) -> np.ndarray:
            if not fixed_total:
                return free
            x = free.copy()
            # What is missing to one goes to all weights alike.
            x[:n_models] += (1.0 - x[:n_models].sum()) / n_models
            return np.maximum(x, self.penalty.lower)

        def objective(free: np.ndarray) -> float:
            return self.value(whole(free))

        def with_gradient(free: np.ndarray) -> tuple[float, np.ndarray]:
            x = whole(free)
            point = self.loss.at(x)
            away = x - self.penalty.centre
            slope = point.gradient + self.penalty.l2 * away
            slope += self.penalty.l1 * np.sign(away)
            if fixed_total:
                slope[:n_models] -= slope[:n_models].mean()
            return point.value + self.penalty.value(x), slope

        # Weights that sum to more than two or biases beyond these are no blends.
        high = 2.0 / n_models
        bounds = [(0.0, high)] * n_models
        bounds += [(-0.3, 0.3)] * (self.start.size - n_models)
        found = _search(
            solver, objective, with_gradient, self, bounds, options, random_state
        )
        return self.penalty.inside(whole(found.x)), found.n_iter, found.converged


def _search(
    solver: str,
    objective: Any,
    with_gradient: Any,
    problem: _LinearProblem | _LogProblem,
    bounds: list[tuple[float, float]],
    options: dict[str, Any],
    random_state: Any,
) -> Any:
    start = problem.start
    if solver == "optuna":
        settings = {"n_trials": 200, "random_state": random_state, **options}
        return minimise_optuna(objective, bounds, start=start, **settings)
    # Only sampling needs to know how far to look.
    lower = problem.penalty.lower
    sides = [(0.0, None) if low == 0.0 else (None, None) for low in lower]
    if solver == "nelder-mead":
        settings = {"max_iter": 200 * start.size, **options}
        return minimise_nelder_mead(objective, start, bounds=sides, **settings)
    settings = {"max_iter": 500, "tol": problem.settings.tol, **options}
    return minimise_lbfgsb(with_gradient, start, bounds=sides, **settings)

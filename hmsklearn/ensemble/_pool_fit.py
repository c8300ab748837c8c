"""Fitting one pool: weights first, then temperature and biases of a linear pool.

All problems here are convex and solved to a certified optimum, save the linear pool
with weights of its own for each class, whose normaliser depends on the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.optimize

from hmsklearn.ensemble._losses import LinearPoolLoss, LogPoolLoss, centred_logs
from hmsklearn.ensemble._newton import Solution, minimise
from hmsklearn.ensemble._penalty import Penalty
from hmsklearn.ensemble._pool import FittedPool
from hmsklearn.ensemble._simplex import solve_linear_pool
from hmsklearn.metrics import EPSILON

__all__ = [
    "PoolData",
    "PoolSettings",
    "calibrated",
    "changed",
    "fit_pool",
    "log_pool_penalty",
    "without_calibration",
]


# Smaller fits than this are not worth a start on a part of the rows.
_WARM_SIZE = 1_000_000
_WARM_STRIDE = 8

# Bytes of probabilities that stay in cache while they are put into another order.
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class PoolSettings:
    """What is fitted, and how it is held back.

    Attributes
    ----------
    kind : {"linear", "log"}
        Whether probabilities or log-probabilities are mixed.
    bias : bool
        Whether every class has a bias.
    temperature : bool
        Whether the temperature is fitted; for a logarithmic pool, whether its weights
        may have any sum instead of one.
    per_class : bool
        Whether every class has weights of its own.
    nonnegative : bool
        Whether the weights of a logarithmic pool must not be negative.
    penalty : {"l2", "l1"}
        Squares or distances.
    shrink_to : {"uniform", "zero"}
        Where the weights are drawn to.
    alpha : float
        Strength of the penalty.
    clip : float
        Smallest probability that a logarithm is taken of.
    tol : float
        Relative accuracy.
    max_iter : int
        Largest number of steps.
    """

    kind: str = "linear"
    bias: bool = False
    temperature: bool = False
    per_class: bool = False
    nonnegative: bool = False
    penalty: str = "l2"
    shrink_to: str = "uniform"
    alpha: float = 0.0
    clip: float = 1e-7
    tol: float = 1e-8
    max_iter: int = 100


class PoolData:
    """Rows that a pool is fitted on, prepared once for many fits.

    Parameters
    ----------
    prob : ndarray of shape (n, n_models, n_classes)
        Probabilities of the models.
    fractions : ndarray of shape (n, n_classes)
        Vote fractions.
    weight : ndarray of shape (n,) or None
        Weights of the rows.
    clip : float
        Smallest probability that a logarithm is taken of.

    Attributes
    ----------
    share : ndarray of shape (n,)
        Weights of the rows, summing to one.

    Examples
    --------
    >>> data = PoolData(np.full((1, 2, 2), 0.5), np.array([[1.0, 0.0]]), None, 1e-7)
    >>> data.n_models, data.entries[0].tolist()
    (2, [[0.5], [0.5]])
    """

    def __init__(
        self,
        prob: np.ndarray,
        fractions: np.ndarray,
        weight: np.ndarray | None,
        clip: float,
    ) -> None:
        self.prob = prob
        self.fractions = fractions
        self.clip = clip
        self.n_models, self.n_classes = prob.shape[1:]
        if weight is None:
            self.share = np.full(len(prob), 1.0 / len(prob))
        else:
            largest = weight / weight.max()
            self.share = largest / largest.sum()
        self._entries: tuple[np.ndarray, np.ndarray] | None = None
        self._logs: np.ndarray | None = None

    @property
    def entries(self) -> tuple[np.ndarray, np.ndarray]:
        """The entries that were voted for, over the voted fraction; their shares.

        Nothing else enters the divergence of a linear pool, and divided like this the
        cross-entropy is the divergence. Shape (n_models, n_entries) and (n_entries,).
        """
        if self._entries is None:
            self._entries = _voted_entries(self.prob, self.fractions, self.share)
        return self._entries

    @property
    def logs(self) -> np.ndarray:
        """Centred log-probabilities of shape (n_models, n, n_classes)."""
        if self._logs is None:
            self._logs = centred_logs(self.prob, self.clip)
        return self._logs

    def proba(self, pool: FittedPool) -> np.ndarray:
        """Return what a pool makes of these rows."""
        if pool.kind == "log":
            return pool.proba_of_logs(self.logs)
        return pool.proba(self.prob)

    def log_loss(self, settings: PoolSettings) -> LogPoolLoss:
        """Return the loss of a logarithmic pool of these rows."""
        return LogPoolLoss(
            self.logs,
            self.fractions,
            self.share,
            bias=settings.bias,
            per_class=settings.per_class,
        )

    def divergence(self, proba: np.ndarray) -> float:
        """Return the weighted divergence of predictions, clipped as in the metric."""
        voted = self.fractions > 0
        ratio = self.fractions[voted] / np.clip(proba[voted], EPSILON, 1.0 - EPSILON)
        terms = np.zeros_like(self.fractions)
        terms[voted] = self.fractions[voted] * np.log(ratio)
        return float(self.share @ terms.sum(axis=1))


def fit_pool(
    data: PoolData, settings: PoolSettings, start: FittedPool | None = None
) -> FittedPool:
    """Find the best pool.

    Parameters
    ----------
    data : PoolData
        The rows.
    settings : PoolSettings
        What is fitted.
    start : FittedPool, optional
        A pool close to it, such as that of a neighbouring strength of the penalty.

    Returns
    -------
    FittedPool
        The pool with its certificate.

    Examples
    --------
    >>> prob = np.array([[[0.8, 0.2], [0.2, 0.8]], [[0.6, 0.4], [0.5, 0.5]]])
    >>> data = PoolData(prob, np.array([[0.7, 0.3], [0.6, 0.4]]), None, 1e-7)
    >>> fit_pool(data, PoolSettings()).weights.round(3).tolist()
    [0.837, 0.163]
    """
    if settings.kind == "log":
        return _fit_log_pool(data, settings, start)
    pool = _fit_linear_pool(data, settings, start)
    return calibrated(pool, data, settings)


def log_pool_penalty(
    data: PoolData, settings: PoolSettings, centre: np.ndarray | None = None
) -> Penalty:
    """Return what holds the parameters of a logarithmic pool back.

    Parameters
    ----------
    data : PoolData
        The rows.
    settings : PoolSettings
        What is fitted.
    centre : ndarray of shape (n_models,), optional
        Where the weights are drawn to, in place of ``shrink_to``.

    Returns
    -------
    Penalty
        Of the weights, then of the biases.

    Examples
    --------
    >>> data = PoolData(np.full((1, 2, 2), 0.5), np.array([[1.0, 0.0]]), None, 1e-7)
    >>> settings = PoolSettings(kind="log", bias=True, temperature=True, alpha=0.1)
    >>> log_pool_penalty(data, settings).centre.tolist()
    [0.5, 0.5, 0.0, 0.0]
    """
    n_models = data.n_models
    if centre is None:
        uniform = settings.shrink_to == "uniform"
        centre = np.full(n_models, 1.0 / n_models if uniform else 0.0)
    if settings.per_class:
        centre = np.repeat(centre, data.n_classes)
    n_bias = data.n_classes if settings.bias else 0
    is_weight = np.append(np.ones(centre.size, bool), np.zeros(n_bias, bool))
    # Biases are always drawn to zero by squares: there is no sparse bias.
    squares = (settings.penalty == "l2") | ~is_weight
    lower = np.where(is_weight & settings.nonnegative, 0.0, -np.inf)
    return Penalty.of(
        is_weight.size,
        centre=np.append(centre, np.zeros(n_bias)),
        l2=np.where(squares, settings.alpha, 0.0),
        l1=np.where(squares, 0.0, settings.alpha),
        lower=lower,
        whole=is_weight & (not settings.temperature),
    )


def _fit_log_pool(
    data: PoolData, settings: PoolSettings, start: FittedPool | None
) -> FittedPool:
    centre = None
    n_models, n_classes = data.n_models, data.n_classes
    if settings.per_class:
        # What all classes share is found first, the differences are drawn to it.
        shared = _fit_log_pool(
            data, changed(settings, per_class=False), start and _shared(start)
        )
        centre = shared.weights
    penalty = log_pool_penalty(data, settings, centre)
    if start is not None and start.weights.size + n_classes >= penalty.centre.size:
        x = np.append(start.weights.ravel(), start.bias)[: penalty.centre.size]
        x = penalty.inside(x)
    elif centre is not None:
        x = np.append(np.repeat(centre, n_classes), shared.bias)[: penalty.centre.size]
    else:
        x = np.zeros(penalty.centre.size)
        x[:n_models] = 1.0 / n_models
    loss = data.log_loss(settings)
    if start is None and loss.logs.size >= _WARM_SIZE:
        # An eighth of the rows leads close to the optimum for an eighth of the price.
        part = loss.part(_WARM_STRIDE)
        if part.share.sum() > 0:
            x = minimise(part, penalty, x, tol=1e-4, max_iter=settings.max_iter).x
    solution = minimise(loss, penalty, x, tol=settings.tol, max_iter=settings.max_iter)
    return _log_pool(data, settings, solution)


def _log_pool(data: PoolData, settings: PoolSettings, solution: Solution) -> FittedPool:
    n_bias = data.n_classes if settings.bias else 0
    n_weights = solution.x.size - n_bias
    weights = solution.x[:n_weights]
    if settings.per_class:
        weights = weights.reshape(data.n_models, data.n_classes)
    bias = np.zeros(data.n_classes)
    if n_bias:
        # The same added to all biases changes nothing.
        bias = solution.x[n_weights:] - solution.x[n_weights:].mean()
    return FittedPool(
        "log",
        weights,
        1.0,
        bias,
        settings.clip,
        solution.value,
        solution.gap,
        solution.kkt_residual,
        solution.n_iter,
        solution.converged,
    )


def _fit_linear_pool(
    data: PoolData, settings: PoolSettings, start: FittedPool | None
) -> FittedPool:
    prob, share = data.entries
    n_models = data.n_models
    if settings.alpha == 0.0:
        found = solve_linear_pool(
            prob, share, tol=settings.tol, max_iter=settings.max_iter
        )
        value = -float(share @ np.log(found.weights @ prob))
        solution = Solution(found.weights, value, *found[1:])
    else:
        # On the simplex squares towards zero differ from squares towards uniform
        # weights by a constant.
        strength = {settings.penalty: settings.alpha}
        penalty = Penalty.of(
            n_models, centre=1.0 / n_models, lower=0.0, whole=True, **strength
        )
        x = np.full(n_models, 1.0 / n_models)
        if start is not None and start.weights.ndim == 1:
            # From the inside, so that a model without weight can come back.
            x = 0.9 * start.weights + 0.1 * x
        solution = minimise(
            LinearPoolLoss(prob, share),
            penalty,
            x,
            tol=settings.tol,
            max_iter=settings.max_iter,
        )
    pool = FittedPool(
        "linear",
        solution.x,
        1.0,
        np.zeros(data.n_classes),
        settings.clip,
        solution.value,
        solution.gap,
        solution.kkt_residual,
        solution.n_iter,
        solution.converged,
    )
    return _weights_by_class(pool, data, settings) if settings.per_class else pool


def _weights_by_class(
    pool: FittedPool, data: PoolData, settings: PoolSettings
) -> FittedPool:
    """Give every class weights of its own, from those that all classes share.

    Probabilities mixed class by class do not sum to one, and their sum depends on the
    weights, so that the divergence is not convex. L-BFGS-B goes downhill from the
    optimum of the shared weights and ends at a stationary point.
    """
    prob = np.clip(data.prob.transpose(2, 1, 0), EPSILON, 1.0 - EPSILON)
    prob = np.ascontiguousarray(prob)  # (n_classes, n_models, n)
    n_classes, n_models, _ = prob.shape
    fractions = data.fractions.T
    shared = np.tile(pool.weights, (n_classes, 1))
    voted = fractions > 0
    logs = np.where(voted, np.log(np.where(voted, fractions, 1.0)), 0.0)
    constant = float((fractions * logs).sum(axis=0) @ data.share)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        weights = x.reshape(n_classes, n_models)
        mixed = np.einsum("kmn,km->kn", prob, weights) + 1e-300
        total = mixed.sum(axis=0)
        rows = np.log(total) - (fractions * np.log(mixed)).sum(axis=0)
        slope = data.share * (1.0 / total - fractions / mixed)
        gradient = np.einsum("kmn,kn->km", prob, slope)
        away = weights - shared
        value = float(data.share @ rows) + constant
        value += 0.5 * settings.alpha * float((away**2).sum())
        return value, (gradient + settings.alpha * away).ravel()

    found = scipy.optimize.minimize(
        objective,
        shared.ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * shared.size,
        options={
            "maxiter": 20 * settings.max_iter,
            "ftol": 1e-3 * settings.tol,
            "gtol": 1e-9,
            "maxcor": 20,
        },
    )
    gradient = found.jac
    residual = np.abs(found.x - np.maximum(found.x - gradient, 0.0)).max()
    weights = found.x.reshape(n_classes, n_models).T
    return FittedPool(
        "linear",
        weights / weights.sum(axis=0).mean(),
        1.0,
        pool.bias,
        settings.clip,
        float(found.fun),
        np.nan,
        float(residual),
        pool.n_iter + int(found.nit),
        pool.converged and bool(found.success),
    )


def calibrated(pool: FittedPool, data: PoolData, settings: PoolSettings) -> FittedPool:
    """Follow a linear pool by temperature and biases, the weights being kept.

    Parameters
    ----------
    pool : FittedPool
        A linear pool.
    data : PoolData
        The rows.
    settings : PoolSettings
        What is fitted; the pool comes back as it is without bias and temperature.

    Returns
    -------
    FittedPool
        With slope and bias; `gap` is the sum of both certificates, each of its own
        stage.

    Examples
    --------
    >>> prob = np.array([[[0.9, 0.1]], [[0.6, 0.4]]])
    >>> data = PoolData(prob, np.array([[0.7, 0.3], [0.6, 0.4]]), None, 1e-7)
    >>> settings = PoolSettings(temperature=True)
    >>> pool = fit_pool(data, settings)
    >>> pool.temperature > 1.0
    True
    """
    if not (settings.bias or settings.temperature):
        return pool
    mixed = pool.mixed(data.prob)
    logs = centred_logs(mixed[:, None], settings.clip)
    loss = LogPoolLoss(logs, data.fractions, data.share, bias=settings.bias)
    n_bias = data.n_classes if settings.bias else 0
    start = np.append(1.0, np.zeros(n_bias))
    penalty = Penalty.of(
        1 + n_bias,
        centre=start,
        l2=settings.alpha,
        lower=np.append(0.0, np.full(n_bias, -np.inf)),
        # A slope that has to sum to one by itself is not fitted.
        whole=np.append(not settings.temperature, np.zeros(n_bias, bool)).astype(bool),
    )
    solution = minimise(
        loss, penalty, start, tol=settings.tol, max_iter=settings.max_iter
    )
    bias = np.zeros(data.n_classes)
    if n_bias:
        bias = solution.x[1:] - solution.x[1:].mean()
    return FittedPool(
        "linear",
        pool.weights,
        float(solution.x[0]),
        bias,
        settings.clip,
        solution.value,
        pool.gap + solution.gap,
        max(pool.kkt_residual, solution.kkt_residual),
        pool.n_iter + solution.n_iter,
        pool.converged and solution.converged,
    )


def changed(settings: PoolSettings, **changes: object) -> PoolSettings:
    """Return the settings with some of them changed.

    Parameters
    ----------
    settings : PoolSettings
        The settings.
    **changes : object
        New values of attributes.

    Returns
    -------
    PoolSettings
        The others.

    Examples
    --------
    >>> changed(PoolSettings(), alpha=0.5).alpha
    0.5
    """
    return replace(settings, **changes)  # type: ignore[arg-type]


def without_calibration(settings: PoolSettings) -> PoolSettings:
    """Return the settings of the first stage alone, the weights.

    Parameters
    ----------
    settings : PoolSettings
        The settings.

    Returns
    -------
    PoolSettings
        Those of a logarithmic pool as they are, which has one stage; those of a
        linear pool without temperature and biases.

    Examples
    --------
    >>> without_calibration(PoolSettings(bias=True)).bias
    False
    """
    if settings.kind == "log":
        return settings
    return changed(settings, bias=False, temperature=False)


def _shared(pool: FittedPool) -> FittedPool | None:
    if pool.weights.ndim == 1:
        return pool
    mean = pool.weights.mean(axis=1)
    return FittedPool(pool.kind, mean, pool.slope, pool.bias, pool.clip)


def _voted_entries(
    prob: np.ndarray, fractions: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    mass = fractions * share[:, None]
    rows, columns = np.nonzero(mass)
    entry_share = mass[rows, columns]
    n_rows, n_models, n_classes = prob.shape
    entries = np.empty((n_models, rows.size))
    height = max(1, _BLOCK_BYTES // (n_models * n_classes * prob.itemsize))
    for first in range(0, n_rows, height):
        begin, end = np.searchsorted(rows, (first, first + height))
        place = (rows[begin:end] - first) * n_classes + columns[begin:end]
        block = prob[first : first + height].transpose(1, 0, 2)
        entries[:, begin:end] = block.reshape(n_models, -1)[:, place]
    np.clip(entries, EPSILON, 1.0 - EPSILON, out=entries)
    entries /= fractions[rows, columns]
    return entries, entry_share / entry_share.sum()

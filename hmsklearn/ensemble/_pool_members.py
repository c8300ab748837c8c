"""A pool of few models out of many: the ones with the least weight are dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hmsklearn.ensemble._pool import FittedPool
from hmsklearn.ensemble._pool_fit import PoolData

__all__ = ["fit_few_models"]


def fit_few_models(
    data: PoolData, fit: Callable[[PoolData], FittedPool], max_models: int
) -> FittedPool:
    """Fit, drop the model with the least weight, fit again, until few are left.

    Models whose weight is zero go together; they change nothing.

    Parameters
    ----------
    data : PoolData
        The rows.
    fit : callable
        Fits a pool on rows.
    max_models : int
        Largest number of models with weight.

    Returns
    -------
    FittedPool
        Of all models; the dropped ones have weight zero. Its certificate is that of
        the models that are left, not of their choice.

    Examples
    --------
    >>> from hmsklearn.ensemble._pool_fit import PoolSettings, fit_pool
    >>> prob = np.array([[[0.8, 0.2], [0.7, 0.3], [0.1, 0.9]]])
    >>> data = PoolData(prob, np.array([[0.9, 0.1]]), None, 1e-7)
    >>> pool = fit_few_models(data, lambda part: fit_pool(part, PoolSettings()), 1)
    >>> pool.weights.tolist()
    [1.0, 0.0, 0.0]
    """
    kept = np.arange(data.n_models)
    pool = fit(data)
    n_iter = pool.n_iter
    while True:
        size = np.abs(pool.weights)
        size = size if size.ndim == 1 else size.max(axis=1)
        n_used = int((size > 0).sum())
        if n_used <= max_models:
            break
        order = np.argsort(size, kind="stable")
        kept = np.delete(kept, order[: size.size - n_used + 1])
        part = PoolData(data.prob[:, kept], data.fractions, data.share, data.clip)
        pool = fit(part)
        n_iter += pool.n_iter
    weights = np.zeros((data.n_models, *pool.weights.shape[1:]))
    weights[kept] = pool.weights
    return replace(pool, weights=weights, n_iter=n_iter)

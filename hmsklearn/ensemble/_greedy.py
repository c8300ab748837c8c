"""Greedy forward selection: a blend of a few models out of many, one at a time.

Starting from the best model, the one that helps the mean of all picks most is picked
next. A model may be picked more than once, so that the picks make weights in steps of
one over their number. Every step looks at every model and every entry, for a lower
bound of what the model would make of the blend; in double precision only those models
are tried whose bounds leave it open which of them is the best.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from sklearn.utils import check_random_state

from hmsklearn.ensemble._greedy_pools import LinearPicks, LogPicks

__all__ = ["GreedySelection", "select_greedily", "select_greedily_log"]


class GreedySelection(NamedTuple):
    """The models that were picked.

    Attributes
    ----------
    weights : ndarray of shape (n_models,)
        Weight of each model, on the simplex: its share of the picks that are kept,
        or the mean of such shares over the bags.
    counts : ndarray of shape (n_models,), int
        How often each model is among the picks that are kept.
    order : ndarray of shape (n_picks,), int
        All picks in order, also those after the best value, bag after bag.
    path : ndarray of shape (n_picks,)
        Value of the mean of the picks so far, after each of them.
    value : float
        Value of `weights`.
    n_evaluations : int
        How many blends were compared.
    """

    weights: np.ndarray
    counts: np.ndarray
    order: np.ndarray
    path: np.ndarray
    value: float
    n_evaluations: int


class _Picks(Protocol):
    """A pool of models as the selection sees it: see LinearPicks."""

    n_models: int

    def nothing(self) -> np.ndarray: ...

    def add(self, total: np.ndarray, model: int, amount: float = 1.0) -> np.ndarray: ...

    def value(self, total: np.ndarray, n_picks: float) -> float: ...

    def lower_bounds(
        self, total: np.ndarray, n_picks: int, candidates: np.ndarray
    ) -> np.ndarray: ...


def select_greedily(
    entries: np.ndarray,
    share: np.ndarray,
    *,
    n_steps: int = 100,
    max_models: int | None = 30,
    with_replacement: bool = True,
    start_from_best: int = 1,
    n_bags: int = 0,
    bag_fraction: float = 0.5,
    random_state: int | np.random.RandomState | None = None,
) -> GreedySelection:
    """Pick models for a linear pool, the mean of probabilities.

    Parameters
    ----------
    entries : ndarray of shape (n_models, n_entries), float64
        Probability that each model gives to each voted entry, positive, divided by
        the voted fraction: the value is then the KL divergence.
    share : ndarray of shape (n_entries,), float64
        Share of all the votes in each entry, summing to one.
    n_steps : int, default=100
        Number of picks. The first of them up to the best value are kept.
    max_models : int or None, default=30
        Largest number of different models (in each bag); None for all.
    with_replacement : bool, default=True
        Whether a model may be picked more than once. Without, all weights are equal,
        and the picks end when no model is left.
    start_from_best : int, default=1
        How many models, the best ones on their own, are picked before the selection
        begins. A few keep the first steps from following chance.
    n_bags : int, default=0
        Number of bags: selections out of random subsets of the models, whose weights
        are averaged. 0 makes one selection out of all models.
    bag_fraction : float, default=0.5
        Share of the models in each bag.
    random_state : int, RandomState instance or None, default=None
        Draws the bags.

    Returns
    -------
    GreedySelection
        Weights, picks and values.

    Raises
    ------
    ValueError
        If the entries are not positive numbers, `share` does not fit them, or a
        setting is out of range.

    Notes
    -----
    One selection is never worse than the best single model, with which it begins,
    because the picks after the best value are not kept. The path itself can rise:
    where a step of one over the number of picks is too long in every direction, the
    best pick still makes the blend worse. The mean of bags can be worse than the best
    single model, which only some of them hold.

    Of equal models the first is picked.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of
    models", ICML 2004.

    Examples
    --------
    >>> entries = np.array([[0.8, 0.2], [0.2, 0.8], [0.5, 0.5]])
    >>> picks = select_greedily(entries, np.array([0.7, 0.3]), n_steps=5)
    >>> picks.order.tolist(), picks.counts.tolist()
    ([0, 2, 0, 0, 2], [2, 0, 1])
    """
    caller = "select_greedily"
    pool = LinearPicks(entries, share, caller)
    return _select(
        pool,
        caller,
        n_steps=n_steps,
        max_models=max_models,
        with_replacement=with_replacement,
        start_from_best=start_from_best,
        n_bags=n_bags,
        bag_fraction=bag_fraction,
        random_state=random_state,
    )


def select_greedily_log(
    log_prob: np.ndarray,
    fractions: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    n_steps: int = 100,
    max_models: int | None = 30,
    with_replacement: bool = True,
    start_from_best: int = 1,
    n_bags: int = 0,
    bag_fraction: float = 0.5,
    random_state: int | np.random.RandomState | None = None,
) -> GreedySelection:
    """Pick models for a log pool, the normalised geometric mean of probabilities.

    Parameters
    ----------
    log_prob : ndarray of shape (n, n_models, n_classes), float64
        Logarithms of the models' probabilities, finite.
    fractions : ndarray of shape (n, n_classes), float64
        Vote fractions; rows sum to one.
    weight : ndarray of shape (n,), optional
        Weights of the rows.
    n_steps : int, default=100
        Number of picks. The first of them up to the best value are kept.
    max_models : int or None, default=30
        Largest number of different models (in each bag); None for all.
    with_replacement : bool, default=True
        Whether a model may be picked more than once.
    start_from_best : int, default=1
        How many models, the best ones on their own, are picked before the selection
        begins.
    n_bags : int, default=0
        Number of bags, see :func:`select_greedily`.
    bag_fraction : float, default=0.5
        Share of the models in each bag.
    random_state : int, RandomState instance or None, default=None
        Draws the bags.

    Returns
    -------
    GreedySelection
        Weights, picks and values, which are (weighted) mean KL divergences.

    Raises
    ------
    ValueError
        If the shapes do not fit, a number is not finite, or a setting is out of
        range.

    Notes
    -----
    What is said of :func:`select_greedily` holds here too.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of
    models", ICML 2004.

    Examples
    --------
    >>> prob = np.array([[[0.8, 0.2], [0.4, 0.6]], [[0.7, 0.3], [0.1, 0.9]]])
    >>> picks = select_greedily_log(
    ...     np.log(prob), np.array([[0.6, 0.4], [0.5, 0.5]]), n_steps=4
    ... )
    >>> picks.order.tolist(), picks.counts.tolist()
    ([0, 1, 0, 0], [2, 1])
    """
    caller = "select_greedily_log"
    pool = LogPicks(log_prob, fractions, weight, caller)
    return _select(
        pool,
        caller,
        n_steps=n_steps,
        max_models=max_models,
        with_replacement=with_replacement,
        start_from_best=start_from_best,
        n_bags=n_bags,
        bag_fraction=bag_fraction,
        random_state=random_state,
    )


def _select(
    pool: _Picks,
    caller: str,
    *,
    n_steps: int,
    max_models: int | None,
    with_replacement: bool,
    start_from_best: int,
    n_bags: int,
    bag_fraction: float,
    random_state: int | np.random.RandomState | None,
) -> GreedySelection:
    """Select once or once for every bag, and average."""
    for name, number, least in (
        ("n_steps", n_steps, 1),
        ("max_models", max_models, 1),
        ("start_from_best", start_from_best, 1),
        ("n_bags", n_bags, 0),
    ):
        if number is not None and not number >= least:
            raise ValueError(
                f"{caller}: {name} must be at least {least}, got {number}."
            )
    if not 0 < bag_fraction <= 1:
        raise ValueError(
            f"{caller}: bag_fraction must be in (0, 1], got {bag_fraction!r}."
        )
    bags = [np.arange(pool.n_models)]
    if n_bags:
        random = check_random_state(random_state)
        size = max(1, round(bag_fraction * pool.n_models))
        bags = [
            np.sort(random.choice(pool.n_models, size, replace=False))
            for _ in range(n_bags)
        ]
    limit = bags[0].size if max_models is None else min(max_models, bags[0].size)
    if start_from_best > min(limit, n_steps):
        raise ValueError(
            f"{caller}: start_from_best={start_from_best} models do not fit into "
            f"{n_steps} steps and {limit} different models. Lower it."
        )
    weights = np.zeros(pool.n_models)
    counts = np.zeros(pool.n_models, dtype=np.intp)
    orders, paths, n_evaluations = [], [], 0
    for bag in bags:
        order, path, looked_at = _select_from(
            pool, bag, n_steps, limit, with_replacement, start_from_best
        )
        kept = np.bincount(order[: path.argmin() + 1], minlength=pool.n_models)
        weights += kept / (kept.sum() * len(bags))
        counts += kept
        orders.append(order)
        paths.append(path)
        n_evaluations += looked_at
    value = float(paths[0].min())
    if n_bags:
        total = pool.nothing()
        for model in np.flatnonzero(weights):
            total = pool.add(total, int(model), weights[model])
        value, n_evaluations = pool.value(total, 1.0), n_evaluations + 1
    return GreedySelection(
        weights,
        counts,
        np.concatenate(orders),
        np.concatenate(paths),
        value,
        n_evaluations,
    )


def _select_from(
    pool: _Picks,
    models: np.ndarray,
    n_steps: int,
    limit: int,
    with_replacement: bool,
    n_first: int,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Pick out of some models; return the picks, their values and the blends tried."""
    total, n_evaluations = pool.nothing(), models.size
    order: list[int] = []
    path: list[float] = []
    waiting = _best(pool, total, 1, models, n_first)
    while True:
        for model in waiting:
            total = pool.add(total, model)
            order.append(model)
            path.append(pool.value(total, len(order)))
        picked = np.unique(order)
        full = picked.size == limit
        if len(order) == n_steps or (full and not with_replacement):
            return np.array(order), np.array(path), n_evaluations
        if not with_replacement:
            candidates = np.setdiff1d(models, picked)
        else:
            candidates = picked if full else models
        waiting = _best(pool, total, len(order) + 1, candidates, 1)
        n_evaluations += candidates.size


def _best(
    pool: _Picks, total: np.ndarray, n_picks: int, candidates: np.ndarray, n_best: int
) -> list[int]:
    """Find the candidates that make the best blends with the total; best first."""
    bounds = pool.lower_bounds(total, n_picks, candidates)
    values = np.full(candidates.size, np.inf)
    for place in np.argsort(bounds, kind="stable"):
        if bounds[place] > np.partition(values, n_best - 1)[n_best - 1]:
            break
        model = int(candidates[place])
        values[place] = pool.value(pool.add(total, model), n_picks)
    return candidates[np.argsort(values, kind="stable")[:n_best]].tolist()

"""What a blend gains over simpler answers, estimated on rows it has not seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch

from hmsklearn.ensemble._cross_fit import Target
from hmsklearn.metrics import kl_divergence

__all__ = ["Answers", "answers_of_folds", "estimate_gain"]

#: Limits of the interval, as quantiles of the bootstrap.
_QUANTILES = (0.025, 0.975)

#: Draws at a time, which bounds the memory.
_CHUNK = 100


class Answers(NamedTuple):
    """Predictions of the same rows by a stack and by its rivals.

    Attributes
    ----------
    stack : ndarray of shape (n_rows, n_classes)
        The blend, found on other rows.
    member : ndarray of shape (n_rows, n_classes)
        The one member that was best on those other rows.
    mean : ndarray of shape (n_rows, n_classes)
        The plain mean of the members.
    chosen : list of str
        Name of the best member of each fold's other rows.
    """

    stack: np.ndarray
    member: np.ndarray
    mean: np.ndarray
    chosen: list[str]


def answers_of_folds(
    stack: np.ndarray,
    oof: np.ndarray,
    names: list[str],
    target: Target,
    splits: list[tuple[np.ndarray, np.ndarray]],
) -> Answers:
    """Put the rivals of a cross-fitted blend together.

    Parameters
    ----------
    stack : ndarray of shape (n_rows, n_classes)
        Probabilities of the cross-fitted blend.
    oof : ndarray of shape (n_rows, n_members, n_classes)
        Out-of-fold probabilities of the members.
    names : list of str
        Names of the members.
    target : Target
        Votes and weights of the rows.
    splits : list of (ndarray, ndarray)
        Row numbers of the folds.

    Returns
    -------
    Answers
        The predictions. The best member is chosen for each fold on the other folds,
        as the weights of the blend are: chosen in hindsight it would look too good.

    Examples
    --------
    >>> from hmsklearn.votes import check_votes
    >>> y = [[1, 0], [0, 1], [1, 0], [0, 1]]
    >>> oof = np.array([[[0.9, 0.1], [0.6, 0.4]], [[0.1, 0.9], [0.4, 0.6]]] * 2)
    >>> splits = [(np.array([0, 1]), np.array([2, 3])),
    ...           (np.array([2, 3]), np.array([0, 1]))]
    >>> target = Target(check_votes(y, classes="infer"), None)
    >>> answers_of_folds(oof[:, 0], oof, ["a", "b"], target, splits).chosen
    ['a', 'a']
    """
    member = np.empty_like(oof[:, 0])
    chosen = []
    for train, test in splits:
        kl = [target.kl(oof[train, number], train) for number in range(len(names))]
        # Where the others have no weight, nothing tells them apart: the first.
        best = 0 if np.isnan(kl).all() else int(np.nanargmin(kl))
        member[test] = oof[test, best]
        chosen.append(names[best])
    return Answers(stack, member, oof.mean(axis=1), chosen)


def estimate_gain(
    answers: Answers,
    target: Target,
    groups: np.ndarray | None,
    folds: list[np.ndarray],
    *,
    n_bootstrap: int,
    random_state: np.random.RandomState,
) -> Bunch:
    """Compare the stack with its rivals, with the spread over groups.

    Parameters
    ----------
    answers : Answers
        The predictions.
    target : Target
        Votes and weights of the rows.
    groups : ndarray of shape (n_rows,) or None
        Groups of the rows; None takes every row for itself.
    folds : list of ndarray
        Rows held out by each fold.
    n_bootstrap : int
        Number of times that the groups are drawn with replacement.
    random_state : RandomState
        What they are drawn with.

    Returns
    -------
    Bunch
        ``kl``, ``kl_best_member``, ``kl_mean``: divergences in nat over all rows;
        ``over_best_member``, ``over_mean``: what the stack gains, positive where it
        is better, each with ``..._interval``, the central 95 % of the bootstrap;
        ``folds``: a dict of arrays with one entry a fold.

    Examples
    --------
    >>> from hmsklearn.votes import check_votes
    >>> target = Target(check_votes([[1, 0], [0, 1]], classes="infer"), None)
    >>> good, poor = np.array([[0.9, 0.1], [0.1, 0.9]]), np.full((2, 2), 0.5)
    >>> answers = Answers(good, poor, poor, ["a"])
    >>> gain = estimate_gain(answers, target, None, [np.arange(2)], n_bootstrap=10,
    ...                      random_state=np.random.RandomState(0))
    >>> round(gain.over_mean, 4), gain.over_mean_interval.round(4).tolist()
    (0.5878, [0.5878, 0.5878])
    """
    tables = {
        "kl": answers.stack,
        "kl_best_member": answers.member,
        "kl_mean": answers.mean,
    }
    gain = Bunch(**{name: target.kl(table) for name, table in tables.items()})
    by_fold = {
        name: np.array([target.kl(table[test], test) for test in folds])
        for name, table in tables.items()
    }
    by_fold["best_member"] = np.array(answers.chosen)
    costs = {name: _costs(target, table) for name, table in tables.items()}
    draws = _Draws(target, groups, n_bootstrap, random_state)
    for rival in ("best_member", "mean"):
        gain[f"over_{rival}"] = gain[f"kl_{rival}"] - gain["kl"]
        by_fold[f"over_{rival}"] = by_fold[f"kl_{rival}"] - by_fold["kl"]
        gain[f"over_{rival}_interval"] = draws.interval(
            costs[f"kl_{rival}"] - costs["kl"]
        )
    gain["folds"] = by_fold
    return gain


def _costs(target: Target, proba: np.ndarray) -> np.ndarray:
    """Divergence of every row."""
    rows = kl_divergence(target.votes.fractions, proba, average=None)
    return np.asarray(rows)


class _Draws:
    """Groups drawn with replacement, the same for all comparisons."""

    def __init__(
        self,
        target: Target,
        groups: np.ndarray | None,
        n_bootstrap: int,
        random_state: np.random.RandomState,
    ) -> None:
        n_rows = len(target.votes.fractions)
        self.weight = np.ones(n_rows) if target.weight is None else target.weight
        labels = np.arange(n_rows) if groups is None else groups
        _, self.number = np.unique(labels, return_inverse=True)
        self.n_groups = int(self.number.max()) + 1
        self.n_bootstrap = n_bootstrap
        self.seed = int(random_state.randint(2**31 - 1))

    def interval(self, gains: np.ndarray) -> np.ndarray:
        """Quantiles of the weighted mean of the rows' gains, NaN without draws."""
        if self.n_bootstrap == 0:
            return np.full(2, np.nan)
        # A group enters with the sum of its rows, so rows need not be drawn.
        total = np.bincount(self.number, self.weight * gains, self.n_groups)
        weight = np.bincount(self.number, self.weight, self.n_groups)
        rng = np.random.RandomState(self.seed)
        share = np.full(self.n_groups, 1.0 / self.n_groups)
        means = []
        for start in range(0, self.n_bootstrap, _CHUNK):
            size = min(_CHUNK, self.n_bootstrap - start)
            times = rng.multinomial(self.n_groups, share, size=size)
            drawn = times @ weight
            # A draw of groups without any weight has no mean.
            usable = drawn > 0
            means.append((times @ total)[usable] / drawn[usable])
        drawn_means = np.concatenate(means)
        if drawn_means.size == 0:
            return np.full(2, np.nan)
        return np.quantile(drawn_means, _QUANTILES)

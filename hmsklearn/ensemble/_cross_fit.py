"""Scoring a blend on rows that its weights were not found on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from hmsklearn._compat import safe_indexing, slice_fit_params
from hmsklearn.metrics import kl_divergence
from hmsklearn.votes import Votes

__all__ = ["CrossFit", "Target", "cross_fit"]


class Target(NamedTuple):
    """What predictions of the rows are scored against.

    Attributes
    ----------
    votes : Votes
        Vote fractions and totals of the rows.
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows.
    """

    votes: Votes
    weight: np.ndarray | None

    @property
    def table(self) -> np.ndarray:
        """Vote counts where they are known, else fractions; (n_rows, n_classes)."""
        totals = self.votes.total_votes
        if np.isnan(totals).any():
            return self.votes.fractions
        return np.rint(self.votes.fractions * totals[:, None])

    def kl(self, proba: np.ndarray, rows: Any = slice(None)) -> float:
        """Divergence of predictions, NaN where all the rows have weight zero.

        Parameters
        ----------
        proba : ndarray of shape (n_scored, n_classes)
            Predictions of the rows to score.
        rows : index, optional
            Which rows these are; all without it.

        Returns
        -------
        float
            The weighted mean in nat.
        """
        weight = None if self.weight is None else self.weight[rows]
        if weight is not None and weight.sum() == 0:
            return float("nan")
        fractions = self.votes.fractions[rows]
        return float(kl_divergence(fractions, proba, sample_weight=weight))

    def cut(self, rows: np.ndarray) -> Target:
        """Take some of the rows.

        Parameters
        ----------
        rows : ndarray
            Row numbers.

        Returns
        -------
        Target
            Their votes and weights.
        """
        votes = Votes(self.votes.fractions[rows], self.votes.total_votes[rows])
        return Target(votes, None if self.weight is None else self.weight[rows])


class CrossFit(NamedTuple):
    """What :func:`cross_fit` gives.

    Attributes
    ----------
    proba : ndarray of shape (n_rows, n_classes)
        Blended probabilities of every row, by weights of the other folds.
    blenders : list of estimators
        The fitted final estimator of every fold.
    """

    proba: np.ndarray
    blenders: list[Any]


def cross_fit(
    blend: Any,
    oof: np.ndarray,
    X: Any,
    target: Target,
    splits: list[tuple[np.ndarray, np.ndarray]],
    fit_params: Mapping[str, Any],
) -> CrossFit:
    """Blend the rows of each fold by a blend that was fitted on the others.

    Parameters
    ----------
    blend : Blend
        What is fitted anew for every fold.
    oof : ndarray of shape (n_rows, n_members, n_classes)
        Out-of-fold probabilities of the members.
    X : array-like, DataFrame, list or WindowViews
        The rows; cut only where the blend looks at them.
    target : Target
        Votes and weights of the rows.
    splits : list of (ndarray, ndarray)
        Row numbers of the folds: the same that the members were fitted with, so
        that a group is on one side here as well.
    fit_params : mapping
        Keyword arguments of the final estimator's ``fit``, cut by row.

    Returns
    -------
    CrossFit
        Probabilities and final estimators.

    Examples
    --------
    >>> from hmsklearn.ensemble import KLBlender
    >>> from hmsklearn.ensemble._blend import Blend
    >>> from hmsklearn.votes import check_votes
    >>> y = [[3, 1], [1, 3], [2, 2], [4, 1]]
    >>> oof = np.full((4, 2, 2), 0.5)
    >>> first, last = np.array([0, 1]), np.array([2, 3])
    >>> splits = [(first, last), (last, first)]
    >>> target = Target(check_votes(y, classes="infer"), None)
    >>> blend = Blend(KLBlender(classes="infer"), classes=np.arange(2))
    >>> cross_fit(blend, oof, None, target, splits, {}).proba.tolist()
    [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    """
    proba = np.empty(target.votes.fractions.shape)
    blenders = []
    for train, test in splits:
        seen, asked = (
            (safe_indexing(X, rows) if blend.takes_rows else None)
            for rows in (train, test)
        )
        params = slice_fit_params(oof, params=fit_params, indices=train)
        fitted = blend.fit(oof[train], seen, target.cut(train), params)
        groups = fit_params.get("groups")
        groups = None if groups is None else safe_indexing(groups, test)
        proba[test] = fitted.predict_proba(oof[test], asked, groups)
        blenders.append(fitted.final_estimator)
    return CrossFit(proba, blenders)

"""Folds of whole patients with even shares of classes and of vote populations."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state

from hmsklearn._groups import check_groups, patients_of
from hmsklearn.model_selection._balance import deal_groups
from hmsklearn.model_selection._splits import count_rows
from hmsklearn.model_selection._vote_cells import check_vote_edges, vote_cells

__all__ = ["VoteStratifiedGroupKFold"]


class VoteStratifiedGroupKFold(BaseCrossValidator):
    """K folds of whole patients that look alike in their votes.

    Every fold gets close to an equal share of the rows, of the votes for each class,
    of the rows that few and that many experts have rated, and of the votes for each
    class within each of these populations. No patient is divided.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, two or more.
    shuffle : bool, default=False
        Whether the patients are dealt in an order drawn at random instead of the
        largest first, for other folds of nearly the same evenness.
    random_state : int, RandomState or None, default=None
        Where that order comes from. Only with `shuffle`.
    vote_edges : sequence of float or None, default=(10,)
        Vote numbers at which a population of rows begins. ``(10,)`` tells rows of less
        than ten votes from the others, ``(3, 10)`` makes three populations, None takes
        all rows for one.
    classes : "hms", "infer", None or sequence of labels, default="hms"
        Labels in column order, see :func:`hmsklearn.votes.resolve_classes`.

    See Also
    --------
    fold_imbalance : Measures how even folds are.
    sklearn.model_selection.GroupKFold : Evens out numbers of rows alone.
    sklearn.model_selection.StratifiedGroupKFold : Takes one label for each row.

    Notes
    -----
    `y` may be vote counts, fractions or labels. Of counts the share of each class
    counts, whatever the number of votes, as in the metric. Fractions do not tell their
    number of votes: it is then taken from the vote columns of `X`, if it is a DataFrame
    of rows of ``train.csv``; else the populations cannot be told apart, which is warned
    of, and classes alone are balanced. A label is one vote. Without `y` the vote
    columns of `X` are the target, and without `groups` its column ``patient_id`` tells
    the patients. NaN are errors.

    The folds minimise the sum of the squared relative deviations from an equal share,
    as far as moving one patient or swapping two gets. A patient who alone holds more
    than a fold's share of something sets a bound. The result depends on the rows but
    not on their order, and is the same in every run; with `shuffle` it is so for an
    integer `random_state`.

    References
    ----------
    HMS solutions grouped by patient and stratified by ``expert_consensus`` where they
    stratified. The two vote populations are in Kaggle discussion 477135 of the HMS
    competition.

    Examples
    --------
    >>> from hmsklearn.model_selection import VoteStratifiedGroupKFold
    >>> y = [[3, 0, 0, 0, 0, 0], [0, 9, 0, 0, 0, 6], [2, 0, 0, 0, 0, 0],
    ...      [0, 8, 0, 0, 0, 3]]
    >>> patient = ["a", "b", "c", "d"]
    >>> for train, test in VoteStratifiedGroupKFold(2).split(y, y, patient):
    ...     print(train, test)
    [2 3] [0 1]
    [0 1] [2 3]
    """

    # As for GroupKFold: whoever splits by groups means them to arrive.
    __metadata_request__split = {"groups": True}

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        random_state: int | np.random.RandomState | None = None,
        vote_edges: Sequence[float] | None = (10,),
        classes: str | Sequence[Any] | None = "hms",
    ) -> None:
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state
        self.vote_edges = vote_edges
        self.classes = classes

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            Not looked at, here for the interface.

        Returns
        -------
        int
            `n_splits`.

        Raises
        ------
        ValueError
            If `n_splits` is no whole number of two or more.
        """
        n_splits = self.n_splits
        whole = isinstance(n_splits, numbers.Integral) and not isinstance(
            n_splits, bool
        )
        if not whole or n_splits < 2:
            raise ValueError(
                f"{type(self).__name__}: n_splits={n_splits!r} is no number of folds. "
                "Give two or more."
            )
        return int(n_splits)

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Give the row numbers of each fold.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows.
        y : array-like of shape (n, n_classes) or (n,), optional
            Votes, fractions or labels, see :func:`hmsklearn.votes.check_votes`.
            Without it, the vote columns of `X`.
        groups : array-like of shape (n,), optional
            Patient of each row. Without it, the column ``patient_id`` of `X`.

        Yields
        ------
        train, test : ndarray of int
            Row numbers, ascending. The held-out parts are a partition of the rows, and
            none is empty.

        Raises
        ------
        ValueError
            If there are no groups or fewer than folds, or if the target or a parameter
            is not usable.

        Warns
        -----
        UserWarning
            If fractions come without vote numbers, so that populations cannot be told.
        """
        fold = self._folds(X, y, groups)
        for number in range(self.get_n_splits()):
            held_out = fold == number
            yield np.flatnonzero(~held_out), np.flatnonzero(held_out)

    def _folds(self, X: Any, y: Any, groups: Any) -> np.ndarray:
        name = type(self).__name__
        n_splits = self.get_n_splits()
        check_vote_edges(self.vote_edges, name)
        rng = self._rng(name)
        n_rows = count_rows(X, caller=name)
        groups = patients_of(X) if groups is None else groups
        labels = check_groups(groups, n_rows, caller=name)
        if labels is None:
            raise ValueError(
                f"{name}: The 'groups' parameter should not be None. Pass groups=, the "
                "patient of each row, or rows with a column patient_id."
            )
        unique, group = np.unique(labels, return_inverse=True)
        if unique.size < n_splits:
            raise ValueError(
                f"{name}: {n_splits} folds need at least {n_splits} groups, and groups "
                f"holds only {unique.size}. Give fewer folds."
            )
        cells = vote_cells(y, X, self.vote_edges, self.classes, caller=name)
        if cells.values.shape[0] != n_rows:
            raise ValueError(
                f"{name}: X and y have inconsistent numbers of rows: X has {n_rows} "
                f"rows, y has {cells.values.shape[0]}."
            )
        return deal_groups(cells.sums(group, unique.size), n_splits, rng)[group]

    def _rng(self, name: str) -> np.random.RandomState | None:
        if not isinstance(self.shuffle, (bool, np.bool_)):
            raise ValueError(
                f"{name}: shuffle={self.shuffle!r} is neither True nor False."
            )
        if self.shuffle:
            return check_random_state(self.random_state)
        if self.random_state is not None:
            raise ValueError(
                f"{name}: random_state={self.random_state!r} has no effect without "
                "shuffle=True. Set it, or leave random_state out."
            )
        return None

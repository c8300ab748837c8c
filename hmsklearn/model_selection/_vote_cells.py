"""What a balance of vote folds counts: rows and votes, of few and of many experts."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn.views import WindowViews
from hmsklearn.votes import VOTE_COLUMNS, Votes, check_votes, resolve_classes

__all__ = ["VoteCells", "check_vote_edges", "rows_of", "vote_cells"]


class VoteCells:
    """Rows and class mass of each row, by population.

    Parameters
    ----------
    values : ndarray of shape (n, n_cells)
        What each row brings to each cell.
    names : pandas.MultiIndex
        Population and what is counted, for each cell.

    Examples
    --------
    >>> cells = vote_cells([[3, 0, 0, 0, 0, 1]], None, (10,), "hms", caller="doctest")
    >>> cells.values[0, :2].tolist(), cells.names[1]
    ([1.0, 0.75], ('all', 'Seizure'))
    """

    def __init__(self, values: np.ndarray, names: pd.MultiIndex) -> None:
        self.values = values
        self.names = names

    def sums(self, group: np.ndarray, n_groups: int) -> np.ndarray:
        """Sum the cells over the rows of each group.

        Parameters
        ----------
        group : ndarray of int of shape (n,)
            Number of each row's group.
        n_groups : int
            Number of groups.

        Returns
        -------
        ndarray of shape (n_groups, n_cells)
            The sums.
        """
        columns = [
            np.bincount(group, weights=column, minlength=n_groups)
            for column in self.values.T
        ]
        # Sums of the same rows in another order differ in their last digit, and would
        # break ties differently.
        return np.round(np.stack(columns, axis=1), 9)


def vote_cells(
    y: Any,
    X: Any,
    vote_edges: Sequence[float] | None,
    classes: Any,
    *,
    caller: str,
) -> VoteCells:
    """Count what a balance of folds looks at.

    Parameters
    ----------
    y : array-like or None
        Votes, fractions or labels; None to take the vote columns of `X`.
    X : object
        The rows. Fractions do not tell how many votes there were: a DataFrame with
        vote columns (also as one of several views) does.
    vote_edges : sequence of float or None
        Vote numbers at which a population of rows begins.
    classes : "hms", "infer", None or sequence of labels
        Labels in column order.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    VoteCells
        Rows and mass of each class over all rows, and over each population where
        there are several.

    Raises
    ------
    ValueError
        If there is no target, or it is none.

    Warns
    -----
    UserWarning
        If fractions come without vote numbers, so that populations cannot be told.

    Examples
    --------
    >>> y = [[3, 0, 0, 0, 0, 0], [0, 12, 0, 0, 0, 0]]
    >>> cells = vote_cells(y, None, (10,), "hms", caller="doctest")
    >>> cells.names.get_level_values(0).unique().tolist()
    ['all', '<10', '>=10']
    >>> cells.values.shape
    (2, 21)
    """
    edges = check_vote_edges(vote_edges, caller)
    table = _vote_columns(X)
    if y is None:
        if table is None:
            raise ValueError(
                f"{caller}: y is None, and there are no classes to balance. Pass the "
                "votes, y=rows[list(VOTE_COLUMNS)], or rows that have these columns."
            )
        y = table
    votes = check_votes(y, classes=classes, caller=caller)
    totals = _totals(votes, table, edges, caller)
    names = [str(label) for label in resolve_classes(classes, y, caller=caller)]
    mass = np.column_stack([np.ones(len(votes.fractions)), votes.fractions])
    blocks, labels = [mass], ["all"]
    if edges.size and totals is not None:
        population = np.searchsorted(edges, totals, side="right")
        for number, label in enumerate(_population_names(edges)):
            blocks.append(mass * (population == number)[:, None])
            labels.append(label)
    index = pd.MultiIndex.from_product(
        [labels, ["rows", *names]], names=["votes", "mass"]
    )
    return VoteCells(np.hstack(blocks), index)


def check_vote_edges(vote_edges: Sequence[float] | None, caller: str) -> np.ndarray:
    """Check the vote numbers at which populations begin.

    Parameters
    ----------
    vote_edges : sequence of float or None
        The numbers.
    caller : str
        Name that starts the error message.

    Returns
    -------
    ndarray of float
        The numbers; empty for None.

    Raises
    ------
    ValueError
        If they are not positive numbers that ascend.

    Examples
    --------
    >>> check_vote_edges((3, 10), "doctest").tolist()
    [3.0, 10.0]
    """
    try:
        edges = np.asarray([] if vote_edges is None else vote_edges, dtype=float)
    except (TypeError, ValueError):
        edges = np.full(1, np.nan)
    if edges.ndim != 1 or not (edges > 0).all() or not (np.diff(edges) > 0).all():
        raise ValueError(
            f"{caller}: vote_edges={vote_edges!r} are no numbers of votes at which a "
            "population begins. Give positive numbers that ascend, such as (10,), or "
            "None for one population."
        )
    return edges


def rows_of(X: Any) -> pd.DataFrame | None:
    """Return the DataFrame of rows that data are or hold.

    Parameters
    ----------
    X : object
        The data.

    Returns
    -------
    DataFrame or None
        `X` itself, or the first of several views that is a DataFrame.

    Examples
    --------
    >>> rows_of(WindowViews(rows=pd.DataFrame({"eeg_id": [1]}))).shape
    (1, 1)
    """
    if isinstance(X, WindowViews):
        return next((rows_of(v) for v in X.values() if rows_of(v) is not None), None)
    return X if isinstance(X, pd.DataFrame) else None


def _vote_columns(X: Any) -> pd.DataFrame | None:
    rows = rows_of(X)
    if rows is None or not set(VOTE_COLUMNS) <= set(rows.columns):
        return None
    return rows[list(VOTE_COLUMNS)]


def _totals(
    votes: Votes, table: pd.DataFrame | None, edges: np.ndarray, caller: str
) -> np.ndarray | None:
    totals = votes.total_votes
    if edges.size and np.isnan(totals).all() and table is not None:
        totals = check_votes(table, n_windows=totals.size, caller=caller).total_votes
    if edges.size and np.isnan(totals).any():
        warnings.warn(
            f"{caller}: y holds fractions, which do not tell how many votes there "
            "were, so that rows of few and of many votes cannot be told apart, and "
            "classes alone are balanced. Pass vote counts as y, or vote_edges=None.",
            UserWarning,
            stacklevel=4,
        )
        return None
    return totals


def _population_names(edges: np.ndarray) -> list[str]:
    shown = [f"{edge:g}" for edge in edges]
    between = [f">={a}, <{b}" for a, b in itertools.pairwise(shown)]
    return [f"<{shown[0]}", *between, f">={shown[-1]}"]

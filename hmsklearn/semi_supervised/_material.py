"""The rows that teachers and student work on, checked and put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn._groups import check_groups, patients_of
from hmsklearn._params import check_real
from hmsklearn.model_selection._splits import count_rows
from hmsklearn.semi_supervised._rows import stack_rows
from hmsklearn.votes import Votes

__all__ = ["Material", "prepare_material"]


@dataclass(frozen=True)
class Material:
    """All rows: those of ``X`` first, then those of ``X_unlabeled``.

    Attributes
    ----------
    X : object
        The rows.
    fractions : ndarray of shape (n_all, n_classes)
        Vote fractions; NaN in unlabelled rows.
    table : ndarray of shape (n_all, n_classes)
        What teachers learn: counts where they are known, else fractions.
    total_votes : ndarray of shape (n_all,)
        Votes behind each row; 0 in unlabelled rows, NaN where unknown.
    labeled : ndarray of shape (n_all,), bool
        Whether a row has enough votes.
    groups : ndarray of shape (n_all,) or None
        Patient of each row, None if unknown.
    n_rows : int
        Number of rows of ``X``.
    """

    X: Any
    fractions: np.ndarray
    table: np.ndarray
    total_votes: np.ndarray
    labeled: np.ndarray
    groups: np.ndarray | None
    n_rows: int

    @property
    def n_all(self) -> int:
        """Number of all rows."""
        return self.labeled.size

    @property
    def codes(self) -> np.ndarray:
        """Number of each row's patient; of the row where patients are unknown."""
        if self.groups is None:
            return np.arange(self.n_all)
        return pd.factorize(self.groups)[0]


def prepare_material(
    X: Any,
    votes: Votes,
    groups: Any,
    total_votes: Any,
    X_unlabeled: Any,
    groups_unlabeled: Any,
    *,
    min_votes: float | None,
    caller: str,
) -> Material:
    """Check what ``fit`` got beside the votes, and tell the rows apart.

    Parameters
    ----------
    X : array-like, DataFrame, list or WindowViews
        The rows.
    votes : Votes
        Their votes.
    groups : array-like of shape (n_rows,) or None
        Their patients; None takes the column ``patient_id``, if there is one.
    total_votes : array-like of shape (n_rows,) or None
        Numbers of votes, where `votes` do not tell them.
    X_unlabeled, groups_unlabeled
        Rows without votes and their patients, or None.
    min_votes : float or None
        Fewest votes of a labelled row; None takes all rows of `X` for labelled.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    Material
        All rows.

    Raises
    ------
    ValueError
        If numbers of votes are needed and not known, or too few rows have enough.

    Examples
    --------
    >>> from hmsklearn.votes import check_votes
    >>> votes = check_votes([[12, 0], [0, 11], [1, 2]], classes="infer")
    >>> prepare_material(np.eye(3), votes, None, None, np.ones((2, 3)), None,
    ...                  min_votes=10, caller="doctest").labeled.tolist()
    [True, True, False, False, False]
    """
    fractions = votes.fractions
    n_rows, n_classes = fractions.shape
    totals = _known_totals(votes.total_votes, total_votes, caller)
    if groups is None:
        groups = patients_of(X)
    groups = check_groups(groups, n_rows, caller=caller)
    labeled = _enough_votes(totals, min_votes, caller)
    table = _counts_or_fractions(fractions, totals)
    if X_unlabeled is None:
        if groups_unlabeled is not None:
            raise ValueError(
                f"{caller}: groups_unlabeled came without X_unlabeled. Give both."
            )
        return Material(X, fractions, table, totals, labeled, groups, n_rows)
    n_more = count_rows(X_unlabeled, caller=f"{caller} (X_unlabeled)")
    if n_more == 0:
        raise ValueError(f"{caller}: X_unlabeled has no rows. Leave it out.")
    if groups_unlabeled is None:
        groups_unlabeled = patients_of(X_unlabeled)
    more = check_groups(groups_unlabeled, n_more, caller=f"{caller} (X_unlabeled)")
    return Material(
        stack_rows(X, X_unlabeled, caller=caller, what="X_unlabeled"),
        np.vstack([fractions, np.full((n_more, n_classes), np.nan)]),
        np.vstack([table, np.zeros((n_more, n_classes))]),
        np.append(totals, np.zeros(n_more)),
        np.append(labeled, np.zeros(n_more, dtype=bool)),
        _joined_groups(groups, more, n_more, caller),
        n_rows,
    )


def _known_totals(told: np.ndarray, given: Any, caller: str) -> np.ndarray:
    if given is None:
        return told
    values = np.asarray(given, dtype=np.float64)
    if values.shape != told.shape:
        raise ValueError(
            f"{caller}: total_votes has shape {values.shape}, expected {told.shape}, "
            "one number for each row of X."
        )
    if not np.isfinite(values).all() or (values <= 0).any():
        raise ValueError(f"{caller}: total_votes must be finite and above zero.")
    known = ~np.isnan(told) & (told != 1)  # hard labels count as one vote
    wrong = np.flatnonzero(known & (told != values))
    if wrong.size:
        raise ValueError(
            f"{caller}: total_votes says {values[wrong[0]]:g} for row {wrong[0]}, its "
            f"votes in y are {told[wrong[0]]:g}. Leave total_votes out where y holds "
            "counts."
        )
    return values


def _enough_votes(
    totals: np.ndarray, min_votes: float | None, caller: str
) -> np.ndarray:
    if min_votes is None:
        return np.ones(totals.size, dtype=bool)
    check_real(min_votes, "min_votes", caller=caller, low=0, low_open=True)
    if np.isnan(totals).any():
        raise ValueError(
            f"{caller}: min_votes={min_votes} needs the number of votes of every row, "
            "and fractions do not tell it. Pass vote counts as y, or "
            "fit(..., total_votes=...); min_votes=None takes all rows of X for "
            "labelled."
        )
    labeled = totals >= min_votes
    if labeled.sum() < 2:
        raise ValueError(
            f"{caller}: {labeled.sum()} of {labeled.size} rows have min_votes="
            f"{min_votes} votes, and teachers need at least 2 (n_samples = "
            f"{labeled.size}; the most votes are {totals.max():g}). Lower min_votes, "
            "or give more rows."
        )
    return labeled


def _counts_or_fractions(fractions: np.ndarray, totals: np.ndarray) -> np.ndarray:
    if np.isnan(totals).any():
        return fractions
    counts = fractions * totals[:, None]
    whole = np.rint(counts)
    return whole if np.allclose(counts, whole, atol=1e-6) else fractions


def _joined_groups(
    groups: np.ndarray | None, more: np.ndarray | None, n_more: int, caller: str
) -> np.ndarray | None:
    if groups is None:
        if more is not None:
            raise ValueError(
                f"{caller}: the patients of X_unlabeled are known, those of X are "
                "not. Pass groups as well."
            )
        return None
    if more is None:
        # Of patients whom nobody has seen.
        more = np.array([f"unlabeled row {row}" for row in range(n_more)], dtype=object)
    elif _are_names(groups) != _are_names(more):
        # "7" is not 7, and a teacher would label rows of the patient that it saw.
        raise ValueError(
            f"{caller}: groups and groups_unlabeled are names in one and numbers in "
            "the other, so that no patient is found in both. Give both in one form."
        )
    return np.concatenate([groups.astype(object), more.astype(object)])


def _are_names(groups: np.ndarray) -> bool:
    return any(isinstance(group, (str, bytes)) for group in groups.tolist())

"""Which windows a stage of a training takes, by their votes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hmsklearn._params import check_choice

__all__ = [
    "ROW_RULES",
    "agreed_or_many",
    "check_rule",
    "choose_rows",
    "several_classes",
]

RowRule = str | Callable[[np.ndarray, np.ndarray], Any] | None

# Lines of a message about votes; more different numbers are summed up.
_MAX_SHOWN = 12


def several_classes(fractions: np.ndarray, total_votes: np.ndarray) -> np.ndarray:
    """Tell windows where at least three classes were voted for.

    Parameters
    ----------
    fractions : ndarray of shape (n_windows, n_classes)
        Vote fractions.
    total_votes : ndarray of shape (n_windows,)
        Not used.

    Returns
    -------
    ndarray of shape (n_windows,), bool
        True for such windows.

    Notes
    -----
    With six classes this is ``KL(uniform || fractions + 1e-5) < 5.5``, whatever the
    votes are: a class without votes costs 1.62, so that the divergence is at least 6.1
    with two voted classes and at most 5.1 with three (of up to 28 votes).

    References
    ----------
    Kaggle, HMS discussion 477461.

    Examples
    --------
    >>> votes = np.array([[3, 0, 0], [2, 1, 0], [1, 1, 1]])
    >>> several_classes(votes / 3, votes.sum(axis=1)).tolist()
    [False, False, True]
    """
    return (fractions > 0).sum(axis=1) >= 3


def agreed_or_many(fractions: np.ndarray, total_votes: np.ndarray) -> np.ndarray:
    """Tell windows with over 5 votes that agree, or over 10 that do not.

    Parameters
    ----------
    fractions : ndarray of shape (n_windows, n_classes)
        Vote fractions.
    total_votes : ndarray of shape (n_windows,)
        Votes behind each window.

    Returns
    -------
    ndarray of shape (n_windows,), bool
        True for such windows.

    References
    ----------
    The second stage of a public two-stage training of HMS.

    Examples
    --------
    >>> votes = np.array([[6, 0], [5, 0], [6, 4], [6, 5]])
    >>> total = votes.sum(axis=1)
    >>> agreed_or_many(votes / total[:, None], total).tolist()
    [True, False, False, True]
    """
    agreed = (fractions > 0).sum(axis=1) == 1
    return np.where(agreed, total_votes > 5, total_votes > 10)


#: Rules for the windows of a stage by name.
ROW_RULES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "several_classes": several_classes,
    "agreed_or_many": agreed_or_many,
}

_NEED_VOTES = ("agreed_or_many",)


def check_rule(rows: RowRule, *, caller: str) -> None:
    """Check a rule for windows.

    Parameters
    ----------
    rows : str, callable or None
        The rule.
    caller : str
        Name that starts the error messages.

    Raises
    ------
    ValueError
        If it is no callable and not known.

    Examples
    --------
    >>> check_rule("several_classes", caller="doctest")
    """
    if not callable(rows):
        check_choice(rows, "rows", (*ROW_RULES, None), caller=caller)


def choose_rows(
    fractions: np.ndarray,
    total_votes: np.ndarray,
    *,
    min_votes: float | None = None,
    max_votes: float | None = None,
    rows: RowRule = None,
    caller: str,
) -> np.ndarray:
    """Find the windows that all rules allow.

    Parameters
    ----------
    fractions : ndarray of shape (n_windows, n_classes)
        Vote fractions.
    total_votes : ndarray of shape (n_windows,)
        Votes behind each window; NaN where unknown.
    min_votes, max_votes : float, optional
        Fewest and most votes, both included.
    rows : str, callable or None
        A name out of :data:`ROW_RULES`, or a callable that maps ``(fractions,
        total_votes)`` to a mask.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_windows,), bool
        True for the windows that they allow.

    Raises
    ------
    ValueError
        If votes are needed and not known, a callable does not give a mask, or fewer
        than two windows are left.

    Examples
    --------
    >>> votes = np.array([3.0, 7.0, 14.0, 15.0])
    >>> choose_rows(np.eye(4), votes, min_votes=5, max_votes=14, caller="doctest")
    array([False,  True,  True, False])
    """
    check_rule(rows, caller=caller)
    asked = {"min_votes": min_votes, "max_votes": max_votes, "rows": rows}
    text = ", ".join(f"{k}={v!r}" for k, v in asked.items() if v is not None)
    needs_votes = min_votes is not None or max_votes is not None
    needs_votes |= isinstance(rows, str) and rows in _NEED_VOTES
    if needs_votes and np.isnan(total_votes).any():
        raise ValueError(
            f"{caller}: {text} needs the number of votes of every window, and "
            "fractions do not tell it. Pass vote counts as y."
        )
    mask = np.ones(total_votes.shape[0], dtype=bool)
    if min_votes is not None:
        mask &= total_votes >= min_votes
    if max_votes is not None:
        mask &= total_votes <= max_votes
    if rows is not None:
        rule = ROW_RULES[rows] if isinstance(rows, str) else rows
        chosen = np.asarray(rule(fractions.copy(), total_votes.copy()))
        if chosen.shape != mask.shape or chosen.dtype != bool:
            raise ValueError(
                f"{caller}: rows must return a mask, one True or False for each of "
                f"the {mask.size} windows, got shape {chosen.shape} of {chosen.dtype}."
            )
        mask &= chosen
    if mask.sum() < 2:
        raise ValueError(
            f"{caller}: {mask.sum()} of {mask.size} windows are left with "
            f"{text or 'no rule'}, and at least 2 are needed. Votes of the windows: "
            f"{_histogram(total_votes)}. Lower what is asked for."
        )
    return mask


def _histogram(total_votes: np.ndarray) -> str:
    known = total_votes[~np.isnan(total_votes)]
    values, counts = np.unique(known, return_counts=True)
    parts = [
        f"{count} with {value:g}" for value, count in zip(values, counts, strict=True)
    ]
    if len(parts) > _MAX_SHOWN:
        rest = counts[_MAX_SHOWN - 1 :].sum()
        low, high = values[_MAX_SHOWN - 1], values[-1]
        parts[_MAX_SHOWN - 1 :] = [f"{rest} with {low:g} to {high:g}"]
    if known.size < total_votes.size:
        parts.append(f"{total_votes.size - known.size} unknown")
    return ", ".join(parts)

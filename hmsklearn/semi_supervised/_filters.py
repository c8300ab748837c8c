"""Which pseudo-labels are good enough to be learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hmsklearn._params import check_choice
from hmsklearn.semi_supervised._filter_rules import (
    AgreeingTeachers,
    ClassBelow,
    ConfidentTeachers,
    PseudoLabels,
    VotedClass,
)

__all__ = ["PSEUDO_LABEL_FILTERS", "check_filter", "select_pseudo_labels"]

Filter = Callable[[PseudoLabels], Any]

#: Filters by name: ``"not_other"`` is the 16th place's, ``"confident"`` asks for a mean
#: probability of .5, ``"agreeing"`` for one class of all teachers, ``"voted"`` for a
#: vote for theirs.
PSEUDO_LABEL_FILTERS: dict[str, Filter] = {
    "agreeing": AgreeingTeachers(),
    "confident": ConfidentTeachers(),
    "not_other": ClassBelow(),
    "voted": VotedClass(),
}


def select_pseudo_labels(
    candidates: PseudoLabels,
    filter: str | Filter | Sequence[str | Filter] | None = None,
    *,
    caller: str = "select_pseudo_labels",
) -> np.ndarray:
    """Find the rows that all filters keep.

    Parameters
    ----------
    candidates : PseudoLabels
        The rows.
    filter : str, callable, sequence of them or None, default=None
        Names out of :data:`PSEUDO_LABEL_FILTERS`, or callables that map the candidates
        to a mask. A row must pass all; None keeps every row.
    caller : str, default="select_pseudo_labels"
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n,), bool
        True for the rows to keep.

    Raises
    ------
    ValueError
        If a name is not known, or a callable gives no mask.

    Examples
    --------
    >>> proba = np.array([[0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    >>> candidates = PseudoLabels(
    ...     proba, proba[:, None], proba, np.ones(3), np.array(["Other", "GPD"])
    ... )
    >>> select_pseudo_labels(candidates, ["not_other", "confident"]).tolist()
    [False, True, True]
    """
    n_rows = candidates.proba.shape[0]
    keep = np.ones(n_rows, dtype=bool)
    for one in check_filter(filter, caller=caller):
        mask = np.asarray(one(candidates))
        if mask.shape != (n_rows,) or mask.dtype != bool:
            raise ValueError(
                f"{caller}: filter must give a mask, one True or False for each of "
                f"the {n_rows} rows, got shape {mask.shape} of {mask.dtype}."
            )
        keep &= mask
    return keep


def check_filter(filter: Any, *, caller: str) -> list[Filter]:
    """Turn what a user gives as a filter into a list of callables.

    Parameters
    ----------
    filter : str, callable, sequence of them or None
        As in :func:`select_pseudo_labels`.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of callable
        The filters.

    Raises
    ------
    ValueError
        If one is no callable and not known, or a class instead of an instance.

    Examples
    --------
    >>> check_filter("not_other", caller="doctest")
    [ClassBelow(label='Other', threshold=0.8)]
    """
    given = filter if isinstance(filter, (list, tuple)) else [filter]
    found: list[Filter] = []
    for one in given:
        if one is None:
            continue
        if isinstance(one, type):
            raise ValueError(
                f"{caller}: filter is the class {one.__name__}; give an instance, "
                f"{one.__name__}()."
            )
        if not callable(one):
            check_choice(one, "filter", (*PSEUDO_LABEL_FILTERS, None), caller=caller)
            one = PSEUDO_LABEL_FILTERS[one]
        found.append(one)
    return found

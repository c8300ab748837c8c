"""Putting rows of two sources under one another, whatever they are held in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

__all__ = ["stack_rows"]


def stack_rows(first: Any, second: Any, *, caller: str, what: str) -> Any:
    """Put the rows of one container under those of another of the same kind.

    Parameters
    ----------
    first, second : array-like, DataFrame, list or WindowViews
        Rows.
    caller : str
        Name that starts the error messages.
    what : str
        Name of the second one.

    Returns
    -------
    object
        A new container of the kind of the first.

    Raises
    ------
    TypeError
        If the second is of another kind.
    ValueError
        If its rows have another shape, columns or views.

    Examples
    --------
    >>> stack_rows(np.eye(2), [[3.0, 4.0]], caller="doctest", what="X_new").shape
    (3, 2)
    """
    if isinstance(first, Mapping):
        if not isinstance(second, type(first)) or set(first) != set(second):
            names = sorted(second) if isinstance(second, Mapping) else None
            raise ValueError(
                f"{caller}: X holds the views {sorted(first)}, {what} "
                f"{names or f'is a {type(second).__name__}'}. Give the same views."
            )
        return type(first)(  # type: ignore[call-arg]
            {
                name: stack_rows(view, second[name], caller=caller, what=what)
                for name, view in first.items()
            }
        )
    if isinstance(first, pd.DataFrame):
        return _stack_tables(first, second, caller, what)
    if issparse(first) or issparse(second):
        raise TypeError(f"{caller}: sparse X cannot be joined with {what}.")
    if isinstance(first, list) and isinstance(second, list):
        return first + second
    if hasattr(second, "iloc") or isinstance(second, Mapping):
        raise TypeError(
            f"{caller}: X is a {type(first).__name__} and {what} a "
            f"{type(second).__name__}. Give both in the same form."
        )
    upper, lower = np.asarray(first), np.asarray(second)
    if upper.shape[1:] != lower.shape[1:]:
        raise ValueError(
            f"{caller}: rows of {what} have shape {lower.shape[1:]}, those of X "
            f"{upper.shape[1:]}. Give {what} the same preprocessing."
        )
    return np.concatenate([upper, lower])


def _stack_tables(
    first: pd.DataFrame, second: Any, caller: str, what: str
) -> pd.DataFrame:
    if not isinstance(second, pd.DataFrame):
        raise TypeError(
            f"{caller}: X is a DataFrame and {what} a {type(second).__name__}. Give "
            "both in the same form."
        )
    # test.csv lacks the votes of train.csv, and no reader needs them: what both have
    # is what can be used.
    shared = [column for column in first.columns if column in second.columns]
    if not shared:
        raise ValueError(
            f"{caller}: {what} has none of the columns of X, {list(first.columns)}."
        )
    parts = [first[shared], second[shared]]
    for part in parts:
        part.attrs = {}  # pandas compares them, which arrays among them do not allow
    joined = pd.concat(parts, ignore_index=True)
    joined.attrs = dict(first.attrs)
    return joined

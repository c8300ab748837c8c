"""Turning ``cv`` into splits that are fit for out-of-fold predictions.

Out-of-fold predictions have two requirements that scikit-learn's splitters do not
check: every row is held out exactly once, and no group (patient) is on both sides of
any split. Both are checked here on the indices themselves, whatever made them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, KFold

from hmsklearn._compat import num_samples
from hmsklearn._groups import check_groups, patients_of

__all__ = ["count_rows", "fold_numbers", "resolve_splits"]

_N_FOLDS = 5


def count_rows(X: Any, *, caller: str) -> int:
    """Count the rows of anything that can be sliced by row.

    Parameters
    ----------
    X : array-like, DataFrame, list or WindowViews
        The data.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    TypeError
        For a plain dict, which has no rows, and anything without a length.

    Examples
    --------
    >>> count_rows([[1, 2], [3, 4], [5, 6]], caller="doctest")
    3
    """
    if isinstance(X, Mapping) and not hasattr(X, "shape"):
        raise TypeError(
            f"{caller}: X is a plain dict, which cannot be cut by row. Wrap the views "
            "as hmsklearn.views.WindowViews(X)."
        )
    try:
        return int(num_samples(X))
    except TypeError as error:
        raise TypeError(
            f"{caller}: X of type {type(X).__name__} has no rows to split ({error}). "
            "Pass an array, a DataFrame, a list or WindowViews."
        ) from None


def resolve_splits(
    cv: Any, X: Any, y: Any, groups: Any = None, *, caller: str
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return checked (train, test) row numbers for out-of-fold predictions.

    Parameters
    ----------
    cv : None, int, splitter or iterable of (train, test)
        None stands for five folds. A number stands for that many folds, by group
        (``GroupKFold``) where `groups` are given, else contiguous (``KFold``).
    X : array-like, DataFrame, list or WindowViews
        The data.
    y : array-like
        The target, for splitters that look at it.
    groups : array-like of shape (n_rows,), optional
        Groups that no split may divide. Without them, the column ``patient_id`` of a
        DataFrame `X` that has one.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of (ndarray, ndarray)
        Row numbers of each fold's training and held-out part. The held-out parts
        are disjoint and cover all rows.

    Raises
    ------
    ValueError
        If there are fewer groups than folds, if the splitter fails, if the held-out
        parts are no partition, or if a row or a group is on both sides of a split.

    Examples
    --------
    >>> splits = resolve_splits(2, [0, 1, 2, 3], None, ["a", "b", "b", "a"],
    ...                         caller="doctest")
    >>> [test.tolist() for _, test in splits]
    [[1, 2], [0, 3]]
    """
    n_rows = count_rows(X, caller=caller)
    if num_samples(y if y is not None else X) != n_rows:
        raise ValueError(
            f"{caller}: X and y have inconsistent numbers of rows: X has {n_rows} "
            f"rows, y has {num_samples(y)}."
        )
    if groups is None:
        # Rows of train.csv tell their patient. Meta-estimators that do not hand groups
        # inwards, such as GridSearchCV, would divide patients in silence.
        groups = patients_of(X)
    groups = check_groups(groups, n_rows, caller=caller)
    splitter = _as_splitter(cv, groups, caller)
    n_splits = getattr(splitter, "n_splits", None)
    if groups is not None and isinstance(n_splits, (int, np.integer)):
        n_groups = np.unique(groups).size
        if n_groups < n_splits:
            raise ValueError(
                f"{caller}: {n_splits} folds need at least {n_splits} groups, and "
                f"groups holds only {n_groups}. Give cv={max(n_groups, 2)} or fewer "
                "folds."
                if n_groups > 1
                else f"{caller}: all {n_rows} rows belong to one group, which cannot "
                "be divided. Cross-validation by group needs two groups or more."
            )
    splits = _split(splitter, X, y, groups, n_rows, caller)
    _check_partition(splits, n_rows, caller)
    _check_sides(splits, groups, caller)
    return splits


def fold_numbers(splits: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the number of the fold that holds each row out.

    Parameters
    ----------
    splits : list of (ndarray, ndarray)
        What :func:`resolve_splits` returned.

    Returns
    -------
    ndarray of shape (n_rows,)
        Fold numbers, from zero.

    Examples
    --------
    >>> import numpy as np
    >>> fold_numbers([(np.array([1]), np.array([0])), (np.array([0]), np.array([1]))])
    array([0, 1])
    """
    folds = np.empty(sum(test.size for _, test in splits), dtype=np.intp)
    for number, (_, test) in enumerate(splits):
        folds[test] = number
    return folds


def _as_splitter(cv: Any, groups: np.ndarray | None, caller: str) -> Any:
    if cv is None:
        cv = _N_FOLDS
    if isinstance(cv, bool) or (isinstance(cv, (int, np.integer)) and cv < 2):
        raise ValueError(
            f"{caller}: cv={cv!r} is no number of folds. Give two or more."
        )
    if isinstance(cv, (int, np.integer)):
        return KFold(int(cv)) if groups is None else GroupKFold(int(cv))
    if hasattr(cv, "split") and not isinstance(cv, str):
        return cv
    if isinstance(cv, Iterable) and not isinstance(cv, str):
        return list(cv)
    raise ValueError(
        f"{caller}: cv={cv!r} is neither a number of folds, nor a splitter, nor a "
        "list of (train, test) row numbers."
    )


def _split(
    splitter: Any,
    X: Any,
    y: Any,
    groups: np.ndarray | None,
    n_rows: int,
    caller: str,
) -> list[tuple[np.ndarray, np.ndarray]]:
    try:
        if isinstance(splitter, list):
            raw = [tuple(split) for split in splitter]
        else:
            with warnings.catch_warnings():
                # They are not ignored: _check_sides looks at every split.
                warnings.filterwarnings("ignore", "The groups parameter is ignored by")
                raw = [tuple(split) for split in splitter.split(X, y, groups=groups)]
    except (ValueError, TypeError) as error:
        remedy = (
            " Pass groups=, the patient of each row."
            if groups is None and "groups" in str(error)
            else ""
        )
        what = "the list given as cv" if isinstance(splitter, list) else repr(splitter)
        raise ValueError(
            f"{caller}: {what} cannot split the {n_rows} rows: {error}{remedy}"
        ) from error
    if not raw:
        raise ValueError(f"{caller}: cv yields no splits.")
    splits = []
    for number, pair in enumerate(raw):
        if len(pair) != 2:
            raise ValueError(
                f"{caller}: split {number} of cv has {len(pair)} parts, expected "
                "(train, test)."
            )
        train, test = (_row_numbers(part, n_rows, number, caller) for part in pair)
        splits.append((train, test))
    return splits


def _row_numbers(part: Any, n_rows: int, number: int, caller: str) -> np.ndarray:
    rows = np.asarray(part)
    if rows.dtype == bool and rows.shape == (n_rows,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or rows.size == 0:
        raise ValueError(
            f"{caller}: split {number} of cv has a side of shape {rows.shape} and "
            f"dtype {rows.dtype}; expected one or more row numbers on both sides."
        )
    outside = rows[(rows < 0) | (rows >= n_rows)]
    if outside.size:
        raise ValueError(
            f"{caller}: split {number} of cv names row {outside[0]}, and X has rows "
            f"0 .. {n_rows - 1}. Make the splits from this X."
        )
    return rows.astype(np.intp, copy=False)


def _check_partition(
    splits: list[tuple[np.ndarray, np.ndarray]], n_rows: int, caller: str
) -> None:
    times = np.bincount(np.concatenate([test for _, test in splits]), minlength=n_rows)
    odd = np.flatnonzero(times != 1)
    if odd.size:
        row = odd[0]
        where = "none of them" if times[row] == 0 else f"{times[row]} of them"
        raise ValueError(
            f"{caller}: the held-out parts of cv are no partition of the {n_rows} "
            f"rows: row {row} is in {where} ({odd.size} such rows in all). Give a "
            "splitter that holds every row out once, such as GroupKFold or KFold."
        )


def _check_sides(
    splits: list[tuple[np.ndarray, np.ndarray]],
    groups: np.ndarray | None,
    caller: str,
) -> None:
    for number, (train, test) in enumerate(splits):
        both = np.intersect1d(train, test)
        if both.size:
            raise ValueError(
                f"{caller}: row {both[0]} is on both sides of split {number} of cv "
                f"({both.size} such rows in all). Take the held-out rows out of the "
                "training part."
            )
        if groups is None:
            continue
        both = np.intersect1d(groups[train], groups[test])
        if both.size:
            raise ValueError(
                f"{caller}: group {both.tolist()[0]!r} is on both sides of split "
                f"{number} of cv ({both.size} such groups in all), so its rows would "
                "be predicted by a model that has seen it. Split by group, for "
                "instance cv=GroupKFold(5)."
            )

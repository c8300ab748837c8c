"""Splits in whatever form they come, as pairs of row numbers.

Unlike out-of-fold predictions, an audit takes splits as they are: they may leave rows
out, hold rows out twice or divide patients. Only what is no split at all is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["read_splits", "row_numbers"]


def read_splits(
    splits: Any, X: Any, y: Any, groups: Any, n_rows: int, *, caller: str
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read splits in any form.

    Parameters
    ----------
    splits : array-like of int or str, str, splitter, fitted stack or iterable of pairs
        One of

        * fold numbers or names of shape (n_rows,), or the column of `X` that holds
          them: each is held out once, and rows of negative numbers never are;
        * an object with ``split``, asked with `X`, `y` and `groups`;
        * a fitted object with ``folds_``, such as a stack with ``store_oof=True``;
        * (train, test) pairs of row numbers or masks.
    X, y, groups : object
        What a splitter is given.
    n_rows : int
        Number of rows.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of (ndarray, ndarray)
        Row numbers of both parts of each split.

    Raises
    ------
    ValueError
        If it is none of these, names rows that there are not, or is empty.

    Examples
    --------
    >>> splits = read_splits([0, 1, 1], None, None, None, 3, caller="doctest")
    >>> [test.tolist() for _, test in splits]
    [[0], [1, 2]]
    """
    if isinstance(splits, str):
        if splits not in getattr(X, "columns", ()):
            raise ValueError(
                f"{caller}: splits={splits!r} names no column of the rows. Give a "
                "column of fold numbers, fold numbers, a splitter, or (train, test) "
                "pairs."
            )
        splits = X[splits]
    if hasattr(splits, "folds_"):
        splits = splits.folds_
    if isinstance(splits, type):
        raise ValueError(
            f"{caller}: {splits.__name__} is a class, expected an instance: "
            f"{splits.__name__}()."
        )
    if hasattr(splits, "split") and not isinstance(splits, (np.ndarray, pd.Series)):
        pairs = _ask(splits, X, y, groups, caller)
    else:
        pairs = _pairs(splits, n_rows, caller)
    if not pairs:
        raise ValueError(f"{caller}: splits is empty: there is nothing to look at.")
    read = []
    for number, pair in enumerate(pairs):
        if len(pair) != 2:
            raise ValueError(
                f"{caller}: split {number} has {len(pair)} parts, expected (train, "
                "test)."
            )
        train, test = (
            row_numbers(part, n_rows, f"split {number}", caller=caller) for part in pair
        )
        read.append((train, test))
    return read


def row_numbers(part: Any, n_rows: int, what: str, *, caller: str) -> np.ndarray:
    """Read row numbers or a mask of rows.

    Parameters
    ----------
    part : array-like of int or bool
        Row numbers, or a mask of shape (n_rows,).
    n_rows : int
        Number of rows.
    what : str
        What the error messages call it.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of int
        The row numbers, ascending, each once.

    Raises
    ------
    ValueError
        If it is neither, or names rows that there are not.

    Examples
    --------
    >>> row_numbers([True, False, True], 3, "it", caller="doctest").tolist()
    [0, 2]
    """
    rows = np.asarray(part)
    if rows.size == 0:
        return np.empty(0, dtype=np.intp)
    if rows.dtype == bool and rows.shape == (n_rows,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise ValueError(
            f"{caller}: {what} has shape {rows.shape} and dtype {rows.dtype}; expected "
            "row numbers, or a mask with an entry for each row."
        )
    outside = rows[(rows < 0) | (rows >= n_rows)]
    if outside.size:
        raise ValueError(
            f"{caller}: {what} names row {outside[0]}, and the rows are 0 .. "
            f"{n_rows - 1}. Rows are named by position, not by index label."
        )
    return np.unique(rows).astype(np.intp, copy=False)


def _ask(splitter: Any, X: Any, y: Any, groups: Any, caller: str) -> list[tuple]:
    try:
        with warnings.catch_warnings():
            # That they are ignored is what an audit is to find out.
            warnings.filterwarnings("ignore", "The groups parameter is ignored by")
            return [tuple(pair) for pair in splitter.split(X, y, groups=groups)]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{caller}: {splitter!r} cannot split the rows: {error}"
        ) from error


def _pairs(splits: Any, n_rows: int, caller: str) -> list[tuple]:
    unknown = (
        f"{caller}: splits of type {type(splits).__name__} are none. Give fold numbers "
        f"of shape ({n_rows},), a splitter, a stack that was fitted with "
        "store_oof=True, or (train, test) pairs of row numbers."
    )
    if not isinstance(splits, Iterable):
        raise ValueError(unknown)
    entries = splits if isinstance(splits, (np.ndarray, pd.Series)) else list(splits)
    if any(isinstance(entry, str) for entry in entries):
        names = list(entries)
        unnamed = [row for row, k in enumerate(names) if not isinstance(k, str)]
        if len(names) != n_rows or unnamed:
            raise ValueError(
                f"{caller}: there are {len(names) - len(unnamed)} fold names and "
                f"{len(unnamed)} other entries, expected a name for each of the "
                f"{n_rows} rows."
            )
        fold = np.asarray(names, dtype=str)
        return [
            (np.flatnonzero(fold != name), np.flatnonzero(fold == name))
            for name in np.unique(fold)
        ]
    if not any(np.iterable(entry) for entry in entries):
        folds = np.asarray(entries)
        whole = folds.dtype.kind in "iu" or (
            folds.dtype.kind == "f" and bool((folds == np.floor(folds)).all())
        )
        if folds.shape != (n_rows,) or not whole:
            raise ValueError(
                f"{caller}: fold numbers have shape {folds.shape} and dtype "
                f"{folds.dtype}, expected a whole number for each of the {n_rows} rows."
            )
        numbers = np.unique(folds[folds >= 0])
        return [
            (np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in numbers
        ]
    try:
        return [tuple(entry) for entry in entries]
    except TypeError:
        raise ValueError(unknown) from None

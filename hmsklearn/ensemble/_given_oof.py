"""Out-of-fold predictions and folds that exist already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn.ensemble._members import columns_in_order

__all__ = ["check_given_folds", "check_given_oof"]


def check_given_oof(
    oof: Any,
    members: list[tuple[str, Any]],
    classes: np.ndarray,
    n_rows: int,
    name: str,
    index: Any = None,
) -> np.ndarray:
    """Check out-of-fold predictions and put them into the stack's order.

    Parameters
    ----------
    oof : array-like, DataFrame or mapping of str to array-like
        An array of shape (n, n_members, n_classes), members and classes in the
        stack's order; by member's name a table of shape (n, n_classes), columns as
        the member's ``predict_proba`` gives them, or named after the classes; or a
        DataFrame with columns ``member/class``, or (member, class).
    members : list of (str, estimator)
        The fitted members.
    classes : ndarray of shape (n_classes,)
        Labels of the stack.
    n_rows : int
        Number of rows of `X`.
    name : str
        Name that starts the error messages.
    index : object
        Labels of the rows of `X`, if it is a pandas Index. Tables are read by
        position, so the same labels in another order are refused.

    Returns
    -------
    ndarray of shape (n, n_members, n_classes)
        The predictions, float32 or float64.

    Raises
    ------
    ValueError
        If members, rows or classes are missing, if something is no probability, or
        if a DataFrame has the rows of `X` in another order.

    Examples
    --------
    >>> frame = pd.DataFrame([[0.1, 0.9]], columns=["net/b", "net/a"])
    >>> labels = np.array(["a", "b"])
    >>> check_given_oof(frame, [("net", None)], labels, 1, "doctest").tolist()
    [[[0.9, 0.1]]]
    """
    names = [member for member, _ in members]
    if oof is None:
        raise ValueError(
            f"{name}: cv='prefit' needs the out-of-fold predictions of the members, "
            "fit(X, y, oof=...). What fitted members predict for rows that they were "
            "trained on is no measure of them. Without fitted members, blend the "
            "predictions by KLBlender."
        )
    _check_row_order(oof, index, name)
    if isinstance(oof, pd.DataFrame):
        oof = _from_frame(oof, names, name)
    if isinstance(oof, Mapping):
        missing = [member for member in names if member not in oof]
        extra = [key for key in oof if key not in names]
        if missing or extra:
            raise ValueError(
                f"{name}: oof must hold one table for each member. Missing: {missing}, "
                f"not members: {extra}."
            )
        tables = [
            _table(oof[member], estimator, classes, f"{name}: oof of {member!r}")
            for member, estimator in members
        ]
        lengths = {member: len(t) for member, t in zip(names, tables, strict=True)}
        if set(lengths.values()) != {n_rows}:
            raise ValueError(
                f"{name}: X has {n_rows} rows, and the tables of oof have {lengths}."
            )
        values = np.stack(tables, axis=1)
    else:
        values = _numbers(oof, f"{name}: oof")
    expected = (n_rows, len(members), classes.size)
    if values.shape != expected:
        raise ValueError(
            f"{name}: oof has shape {values.shape}, expected {expected}: rows of X, "
            f"members ({names}), classes ({classes.tolist()})."
        )
    bad = np.argwhere(
        ~(np.abs(values.sum(axis=2) - 1.0) <= 1e-4) | (values < 0).any(axis=2)
    )
    if bad.size:
        row, number = bad[0]
        raise ValueError(
            f"{name}: oof of {names[number]!r} holds no probabilities in row {row}: "
            f"{values[row, number].tolist()} ({len(bad)} such rows in all). Each row "
            "must be predicted, sum to one and have no negative entry."
        )
    return values


def check_given_folds(
    folds: Any, n_rows: int, name: str
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Turn the number of each row's fold into splits.

    Parameters
    ----------
    folds : array-like of shape (n,)
        Number or name of the fold that held each row out.
    n_rows : int
        Number of rows of `X`.
    name : str
        Name that starts the error messages.

    Returns
    -------
    list of (ndarray, ndarray)
        Row numbers of the other folds and of the fold.

    Raises
    ------
    ValueError
        If there are not two folds or more, or not one for every row.

    Examples
    --------
    >>> [test.tolist() for _, test in check_given_folds([0, 1, 0], 3, "doctest")]
    [[0, 2], [1]]
    """
    values = np.asarray(folds)
    if values.shape != (n_rows,) or pd.isna(values).any():
        raise ValueError(
            f"{name}: folds must hold the fold of each of the {n_rows} rows of X, "
            f"got shape {values.shape} with {int(pd.isna(values).sum())} missing."
        )
    found = np.unique(values)
    if found.size < 2:
        raise ValueError(
            f"{name}: folds names {found.size} fold, and the blend needs two or more "
            "to be scored on rows that it has not seen."
        )
    return [
        (np.flatnonzero(values != fold), np.flatnonzero(values == fold))
        for fold in found
    ]


def _check_row_order(oof: Any, index: Any, name: str) -> None:
    """Refuse tables that name the rows of X in another order than X does."""
    if not isinstance(index, pd.Index):
        return
    tables = {"oof": oof} if isinstance(oof, pd.DataFrame) else {}
    if isinstance(oof, Mapping):
        tables = {f"oof[{member!r}]": table for member, table in oof.items()}
    for what, table in tables.items():
        if not isinstance(table, pd.DataFrame) or table.index.equals(index):
            continue
        if len(table) == len(index) and Counter(table.index) == Counter(index):
            raise ValueError(
                f"{name}: {what} has the row labels of X in another order, and its "
                "rows are read by position, so rows would get the predictions of "
                f"others. Put them into the order of X: {what}.loc[X.index]."
            )


def _from_frame(frame: pd.DataFrame, names: list[str], name: str) -> dict[str, Any]:
    """Cut a table of all members into one table for each."""
    columns = list(frame.columns)
    if not isinstance(frame.columns, pd.MultiIndex):
        columns = [tuple(str(column).rpartition("/")[::2]) for column in columns]
    members: dict[str, list[int]] = {}
    for number, (member, _) in enumerate(columns):
        members.setdefault(member, []).append(number)
    if not set(names) <= set(members):
        raise ValueError(
            f"{name}: the columns of oof must be called member/class, or (member, "
            f"class), for the members {names}; they are {list(frame.columns)[:8]}"
            f"{' ...' if frame.shape[1] > 8 else ''}."
        )
    tables = {}
    for member, numbers in members.items():
        table = frame.iloc[:, numbers]
        labels = [columns[number][1] for number in numbers]
        tables[member] = table.set_axis(labels, axis=1)
    return tables


def _table(values: Any, estimator: Any, classes: np.ndarray, caller: str) -> np.ndarray:
    if isinstance(values, pd.DataFrame) and not _is_numbered(values):
        return _numbers(_by_name(values, classes, caller), caller)
    table = _numbers(values, caller)
    known = getattr(estimator, "classes_", None)
    if table.ndim != 2 or known is None or table.shape[1] != len(known):
        raise ValueError(
            f"{caller} has shape {table.shape}, expected a row for each row of X and "
            f"a column for each of the classes {classes.tolist()}."
        )
    return columns_in_order(table, np.asarray(known), classes, caller)


def _is_numbered(table: pd.DataFrame) -> bool:
    return list(table.columns) == list(range(table.shape[1]))


def _by_name(table: pd.DataFrame, classes: np.ndarray, caller: str) -> pd.DataFrame:
    """Put columns into class order; a name that is no class is never guessed."""
    names = [str(column).lower().removesuffix("_vote") for column in table.columns]
    wanted = [str(label).lower() for label in classes.tolist()]
    if sorted(names) != sorted(wanted) or len(set(names)) < len(names):
        raise ValueError(
            f"{caller} has the columns {list(table.columns)}, expected one for each of "
            f"the classes {classes.tolist()}, by name or as seizure_vote and so on."
        )
    return table.iloc[:, [names.index(name) for name in wanted]]


def _numbers(values: Any, caller: str) -> np.ndarray:
    try:
        array = np.asarray(values)
        if array.dtype in (np.float32, np.float64):
            return array
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{caller} is no array of numbers ({error}).") from None

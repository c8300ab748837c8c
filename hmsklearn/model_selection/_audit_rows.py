"""Leaks that rows themselves tell: patients and windows on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

__all__ = [
    "finding",
    "overlapping",
    "patient_leaks",
    "row_leaks",
    "window_codes",
    "window_leaks",
]

Splits = list[tuple[np.ndarray, np.ndarray]]
Finding = dict[str, Any]


def finding(
    leak: str,
    split: int,
    n_test_all: int,
    train: np.ndarray,
    test: np.ndarray,
    pair: tuple[int, int],
    detail: str,
) -> Finding:
    """Put a finding into the form of a row of the table.

    Parameters
    ----------
    leak : str
        Kind of leak.
    split : int
        Number of the split.
    n_test_all : int
        Number of held-out rows.
    train, test : ndarray of int
        Rows of both sides that take part.
    pair : tuple of int
        One row of each side that belong together.
    detail : str
        What they have in common.

    Returns
    -------
    dict
        The finding.

    Examples
    --------
    >>> rows = np.array([4])
    >>> finding("row", 0, 2, rows, rows, (4, 4), "row 4")["share_test"]
    0.5
    """
    return {
        "leak": leak,
        "split": split,
        "n_train": train.size,
        "n_test": test.size,
        "share_test": test.size / max(n_test_all, 1),
        "train_row": pair[0],
        "test_row": pair[1],
        "detail": detail,
    }


def row_leaks(splits: Splits) -> Iterator[Finding]:
    """Find rows on both sides.

    Parameters
    ----------
    splits : list of (ndarray, ndarray)
        The splits.

    Yields
    ------
    dict
        A finding for each split that has any.

    Examples
    --------
    >>> [f["test_row"] for f in row_leaks([(np.array([0, 1]), np.array([1, 2]))])]
    [1]
    """
    for number, (train, test) in enumerate(splits):
        both = np.intersect1d(train, test)
        if both.size:
            row = int(both[0])
            yield finding(
                "row", number, test.size, both, both, (row, row), f"row {row}"
            )


def patient_leaks(
    splits: Splits, patient: np.ndarray, leak: str = "patient"
) -> Iterator[Finding]:
    """Find patients on both sides.

    Parameters
    ----------
    splits : list of (ndarray, ndarray)
        The splits.
    patient : ndarray of shape (n_rows,)
        Patient of each row.
    leak : str, default="patient"
        Kind of leak that the findings name.

    Yields
    ------
    dict
        A finding for each split that has any.

    Examples
    --------
    >>> splits = [(np.array([0, 1]), np.array([2]))]
    >>> [f["detail"] for f in patient_leaks(splits, np.array(["a", "b", "b"]))]
    ['1 patients, such as b']
    """
    codes, names = pd.factorize(patient)
    for number, (train, test) in enumerate(splits):
        both = np.intersect1d(codes[train], codes[test])
        if both.size:
            of_train = train[np.isin(codes[train], both)]
            of_test = test[np.isin(codes[test], both)]
            first = of_test[0]
            partner = of_train[codes[of_train] == codes[first]][0]
            yield finding(
                leak,
                number,
                test.size,
                of_train,
                of_test,
                (int(partner), int(first)),
                f"{both.size} patients, such as {names[codes[first]]}",
            )


def window_codes(
    rows: pd.DataFrame, key: str, offset: str, caller: str
) -> tuple[np.ndarray, np.ndarray]:
    """Read recordings and starts of windows.

    Parameters
    ----------
    rows : DataFrame
        The rows.
    key : str
        Column that names the recording.
    offset : str
        Column of starts in seconds. Without it, all windows of a recording are taken to
        start together.
    caller : str
        Name that starts the error message.

    Returns
    -------
    code : ndarray of int
        Number of each row's recording.
    start : ndarray of float
        Start of each window.

    Raises
    ------
    ValueError
        For missing entries.

    Examples
    --------
    >>> rows = pd.DataFrame({"eeg_id": [5, 6, 5], "start": [0, 0, 2]})
    >>> window_codes(rows, "eeg_id", "start", "doctest")[1].tolist()
    [0.0, 0.0, 2.0]
    """
    for column in (key, offset):
        if column in rows.columns:
            empty = np.flatnonzero(rows[column].isna())
            if empty.size:
                raise ValueError(
                    f"{caller}: {column} is missing in {empty.size} rows (first in row "
                    f"{empty[0]}). A window of unknown origin may overlap any other: "
                    "drop it."
                )
    code, _ = pd.factorize(rows[key])
    if offset in rows.columns:
        return code, rows[offset].to_numpy(dtype=float)
    return code, np.zeros(len(rows))


def window_leaks(
    splits: Splits,
    code: np.ndarray,
    start: np.ndarray,
    seconds: float,
    leak: str,
    names: np.ndarray,
) -> Iterator[Finding]:
    """Find windows of both sides that overlap in time.

    Parameters
    ----------
    splits : list of (ndarray, ndarray)
        The splits.
    code, start : ndarray of shape (n_rows,)
        Recording and start of each window.
    seconds : float
        Length of the windows.
    leak : str
        Kind of leak that the findings name.
    names : ndarray of shape (n_rows,)
        What the recordings are called.

    Yields
    ------
    dict
        A finding for each split that has any.

    Examples
    --------
    >>> splits = [(np.array([0]), np.array([1, 2]))]
    >>> code, start = np.array([0, 0, 0]), np.array([0.0, 49.0, 50.0])
    >>> [f["test_row"] for f in window_leaks(splits, code, start, 50.0, "eeg_window",
    ...                                      np.array([7, 7, 7]))]
    [1]
    """
    for number, (train, test) in enumerate(splits):
        of_test, partner = overlapping(code, start, seconds, test, train)
        if of_test.size:
            of_train, _ = overlapping(code, start, seconds, train, test)
            one, other = int(partner[0]), int(of_test[0])
            apart = abs(start[one] - start[other])
            yield finding(
                leak,
                number,
                test.size,
                of_train,
                of_test,
                (one, other),
                f"rows {one} and {other} of {names[one]}, {apart:g} s apart",
            )


def overlapping(
    code: np.ndarray,
    start: np.ndarray,
    seconds: float,
    rows: np.ndarray,
    others: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Find rows that overlap any of some others in time.

    Parameters
    ----------
    code, start : ndarray of shape (n_rows,)
        Recording and start of each window.
    seconds : float
        Length of the windows.
    rows, others : ndarray of int
        Rows to look at, and to compare with.

    Returns
    -------
    of_rows : ndarray of int
        Those of `rows` that overlap.
    nearest : ndarray of int
        The nearest of `others` for each.

    Examples
    --------
    >>> code, start = np.array([0, 0, 1]), np.array([0.0, 6.0, 6.0])
    >>> overlapping(code, start, 50.0, np.array([1, 2]), np.array([0]))
    (array([1]), array([0]))
    """
    if rows.size == 0 or others.size == 0:
        return rows[:0], others[:0]
    # On one line, recordings further apart than any windows that overlap.
    span = np.ptp(start) + 2 * seconds
    line = code * span + (start - start.min())
    others = others[np.argsort(line[others], kind="stable")]
    place = np.searchsorted(line[others], line[rows])
    before = others[np.maximum(place - 1, 0)]
    behind = others[np.minimum(place, others.size - 1)]
    closer = np.abs(line[before] - line[rows]) < np.abs(line[behind] - line[rows])
    nearest = np.where(closer, before, behind)
    hit = (code[nearest] == code[rows]) & (
        np.abs(start[nearest] - start[rows]) < seconds
    )
    return rows[hit], nearest[hit]

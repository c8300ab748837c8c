"""Leaks through how a split's model is trained: early stopping and pseudo labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn.model_selection._audit_rows import Finding, Splits, finding, overlapping
from hmsklearn.model_selection._split_forms import row_numbers

__all__ = ["pseudo_leaks", "read_stopping", "stopping_leaks"]


def read_stopping(
    stopping: Any, splits: Splits, n_rows: int, *, caller: str
) -> list[np.ndarray]:
    """Read on which rows each split's training stops.

    Parameters
    ----------
    stopping : sequence
        For each split row numbers, a mask, the number of the split whose held-out rows
        it stops on, or None.
    splits : list of (ndarray, ndarray)
        The splits.
    n_rows : int
        Number of rows.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of ndarray of int
        Row numbers for each split.

    Raises
    ------
    ValueError
        If there is not one entry for each split, or one is no such thing.

    Examples
    --------
    >>> splits = [(np.array([1]), np.array([0])), (np.array([0]), np.array([1]))]
    >>> [rows.tolist() for rows in read_stopping([1, [0]], splits, 2, caller="x")]
    [[1], [0]]
    """
    entries = _one_each(stopping, len(splits), "stopping", caller)
    read = []
    for number, entry in enumerate(entries):
        if entry is None:
            read.append(np.empty(0, dtype=np.intp))
        elif np.ndim(entry) == 0:
            if not isinstance(entry, (int, np.integer)) or not 0 <= entry < len(splits):
                raise ValueError(
                    f"{caller}: stopping[{number}]={entry!r} is no number of a split, "
                    f"0 .. {len(splits) - 1}."
                )
            read.append(splits[int(entry)][1])
        else:
            what = f"stopping[{number}]"
            read.append(row_numbers(entry, n_rows, what, caller=caller))
    return read


def stopping_leaks(
    splits: Splits,
    stopping: list[np.ndarray],
    patient: np.ndarray | None,
    windows: list[tuple[np.ndarray, np.ndarray, float]],
) -> Iterator[Finding]:
    """Find splits that stop on what they score.

    Parameters
    ----------
    splits : list of (ndarray, ndarray)
        The splits.
    stopping : list of ndarray of int
        Rows that each split's training stops on.
    patient : ndarray of shape (n_rows,) or None
        Patient of each row.
    windows : list of (ndarray, ndarray, float)
        Recordings, starts and length of windows, for each kind of window.

    Yields
    ------
    dict
        A finding for each split that has any.

    Examples
    --------
    >>> splits = [(np.array([0, 1]), np.array([2]))]
    >>> list(stopping_leaks(splits, [np.array([1])], None, []))
    []
    >>> [f["detail"] for f in stopping_leaks(splits, [np.array([2])], None, [])]
    ['1 scored rows are stopped on, such as 2']
    """
    for number, ((_, test), stop) in enumerate(zip(splits, stopping, strict=True)):
        both = np.intersect1d(stop, test)
        if both.size:
            row = int(both[0])
            detail = f"{both.size} scored rows are stopped on, such as {row}"
            yield finding("stopping", number, test.size, both, both, (row, row), detail)
            continue
        if patient is not None:
            shared = np.intersect1d(patient[stop], patient[test])
            if shared.size:
                of_stop = stop[np.isin(patient[stop], shared)]
                of_test = test[np.isin(patient[test], shared)]
                one = of_stop[patient[of_stop] == patient[of_test[0]]][0]
                yield finding(
                    "stopping",
                    number,
                    test.size,
                    of_stop,
                    of_test,
                    (int(one), int(of_test[0])),
                    f"{shared.size} patients are stopped on and scored, such as "
                    f"{patient[of_test[0]]}",
                )
                continue
        for code, start, seconds in windows:
            of_test, nearest = overlapping(code, start, seconds, test, stop)
            if of_test.size:
                one, other = int(nearest[0]), int(of_test[0])
                yield finding(
                    "stopping",
                    number,
                    test.size,
                    np.unique(nearest),
                    of_test,
                    (one, other),
                    f"row {one} is stopped on and overlaps the scored row {other}",
                )
                break


def pseudo_leaks(
    pseudo: Any,
    splits: Splits,
    patient: np.ndarray | None,
    n_rows: int,
    *,
    caller: str,
) -> list[Finding]:
    """Find pseudo labels that know held-out patients.

    Parameters
    ----------
    pseudo : DataFrame or sequence
        A table of pseudo-labelled rows, or for each split the rows that its teachers
        were trained on.
    splits : list of (ndarray, ndarray)
        The splits.
    patient : ndarray of shape (n_rows,) or None
        Patient of each row.
    n_rows : int
        Number of rows.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of dict
        A finding for each split that has any.

    Raises
    ------
    ValueError
        If there is not one entry for each split, or the table has no usable columns,
        or names patients that are missing or not of the rows' kind.

    Examples
    --------
    >>> splits = [(np.array([0, 1]), np.array([2]))]
    >>> patient = np.array(["a", "b", "c"])
    >>> pseudo_leaks([[0, 1]], splits, patient, 3, caller="x")
    []
    >>> pseudo_leaks([[0, 2]], splits, patient, 3, caller="x")[0]["detail"]
    'teachers saw 1 held-out patients, such as c'
    """
    if isinstance(pseudo, pd.DataFrame):
        return _leaks_of_table(pseudo, splits, patient, caller)
    # Without patients, rows stand for themselves.
    of_row = np.arange(n_rows) if patient is None else patient
    found = []
    entries = _one_each(pseudo, len(splits), "pseudo", caller)
    for number, (entry, (_, test)) in enumerate(zip(entries, splits, strict=True)):
        if entry is None:
            continue
        taught = row_numbers(entry, n_rows, f"pseudo[{number}]", caller=caller)
        shared = np.intersect1d(of_row[taught], of_row[test])
        if shared.size:
            of_taught = taught[np.isin(of_row[taught], shared)]
            of_test = test[np.isin(of_row[test], shared)]
            first = of_test[0]
            one = of_taught[of_row[of_taught] == of_row[first]][0]
            what = "rows" if patient is None else "patients"
            found.append(
                finding(
                    "pseudo",
                    number,
                    test.size,
                    of_taught,
                    of_test,
                    (int(one), int(first)),
                    f"teachers saw {shared.size} held-out {what}, such as "
                    f"{of_row[first]}",
                )
            )
    return found


def _leaks_of_table(
    pseudo: pd.DataFrame, splits: Splits, patient: np.ndarray | None, caller: str
) -> list[Finding]:
    if patient is None:
        raise ValueError(
            f"{caller}: pseudo names patients, and those of the rows are not known. "
            "Give groups=, or rows with a column patient_id."
        )
    known = [c for c in ("teacher_patients", "patient_id") if c in pseudo.columns]
    if not known:
        raise ValueError(
            f"{caller}: pseudo has neither a column teacher_patients, the patients "
            "that the teachers of each row were trained on, nor patient_id, the "
            "patient of the row itself."
        )
    if "split" in pseudo.columns:
        outside = ~pseudo["split"].isin(range(len(splits)))
        if outside.any():
            raise ValueError(
                f"{caller}: pseudo names split {pseudo['split'][outside].iloc[0]}, "
                f"and there are splits 0 .. {len(splits) - 1}."
            )
    for column in known:
        _check_names(pseudo[column], patient, column, caller)
    found = []
    for number, (_, test) in enumerate(splits):
        used = np.ones(len(pseudo), dtype=bool)
        if "split" in pseudo.columns:
            used = (pseudo["split"] == number).to_numpy()
        held_out = set(pd.unique(patient[test]).tolist())
        for column in known:
            named = [_as_set(value) & held_out for value in pseudo[column]]
            bad = np.flatnonzero(used & np.array([bool(names) for names in named]))
            if not bad.size:
                continue
            shared = set().union(*(named[row] for row in bad))
            of_test = test[np.isin(patient[test], list(shared))]
            first = of_test[0]
            one = next(int(row) for row in bad if patient[first] in named[row])
            how = (
                f"teachers of {bad.size} pseudo-labelled rows saw"
                if column == "teacher_patients"
                else f"{bad.size} pseudo-labelled rows are of"
            )
            found.append(
                finding(
                    "pseudo",
                    number,
                    test.size,
                    bad,
                    of_test,
                    (one, int(first)),
                    f"{how} {len(shared)} held-out patients, such as {patient[first]}",
                )
            )
    return found


def _check_names(
    column: pd.Series, patient: np.ndarray, name: str, caller: str
) -> None:
    """Raise for patients that cannot be compared: they would look like no leak."""
    texts = _are_texts(patient.tolist())
    for place, value in enumerate(column):
        names = _as_set(value)
        if any(pd.isna(each) for each in names):
            raise ValueError(
                f"{caller}: {name} of pseudo is missing in row {place}. Labels of "
                "unknown origin may leak anything: give the patients, an empty list "
                "where there are none, or drop the row."
            )
        if names and _are_texts(names) != texts:
            shown = sorted(map(str, names))[0]
            raise ValueError(
                f"{caller}: {name} of pseudo names {shown!r} in row {place} as "
                f"{'text' if not texts else 'number'}, and the patients of the rows "
                f"are {'texts' if texts else 'numbers'}, such as "
                f"{patient.tolist()[0]!r}. No two of them would ever be equal: give "
                "both in the same form."
            )


def _are_texts(names: Iterable[Any]) -> bool:
    return any(isinstance(name, str) for name in names)


def _as_set(value: Any) -> set:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return set(np.asarray(list(value)).tolist())
    return {value}


def _one_each(value: Any, n_splits: int, what: str, caller: str) -> Sequence[Any]:
    sized = isinstance(value, (list, tuple, np.ndarray, pd.Series))
    entries = list(value) if sized else []
    if len(entries) != n_splits:
        raise ValueError(
            f"{caller}: {what} has {len(entries)} entries and there are {n_splits} "
            f"splits. Give a list with one entry for each split (None for none)."
        )
    return entries

"""Targets: what experts voted, in the one form that every part works with.

A window is read by several experts, each of whom gives one vote. What a
classifier learns is the distribution of those votes; how many there were says
how far it can be trusted. :func:`check_votes` turns whatever a user has (counts,
fractions, names, indices) into those two things and refuses everything else.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

__all__ = [
    "CLASSES",
    "VOTE_COLUMNS",
    "Votes",
    "check_votes",
    "in_class_order",
    "names_hms_classes",
    "refuse_encoded_votes",
    "resolve_classes",
]

#: The six classes in the order of the competition's vote columns.
CLASSES: tuple[str, ...] = ("Seizure", "LPD", "GPD", "LRDA", "GRDA", "Other")

#: The vote columns of ``train.csv`` and of a submission, in the order of `CLASSES`.
VOTE_COLUMNS: tuple[str, ...] = tuple(f"{name.lower()}_vote" for name in CLASSES)

# Rows of fractions may miss one by rounding (train.csv exports carry 6 to 16
# digits), never by more: a sum of 0.97 is a wrong table, not a rounding error.
_SUM_TOLERANCE = 1e-3

_ENCODING_METHODS = ("predict_proba", "predict_log_proba", "decision_function")


class Votes(NamedTuple):
    """Vote targets in the form that every part of the package works with.

    Attributes
    ----------
    fractions : ndarray of shape (n_windows, n_classes), float64
        Share of the votes that each class got; rows sum to one.
    total_votes : ndarray of shape (n_windows,), float64
        Number of votes behind each row: the row sum for counts, one for a hard
        label, NaN for fractions, which do not tell.

    Examples
    --------
    >>> votes = check_votes([[3, 0, 0, 0, 0, 1], [0, 2, 0, 0, 0, 0]])
    >>> votes.total_votes.tolist()
    [4.0, 2.0]
    """

    fractions: np.ndarray
    total_votes: np.ndarray


def resolve_classes(
    classes: str | Sequence[Any] | np.ndarray | None,
    y: Any,
    *,
    caller: str = "check_votes",
) -> np.ndarray:
    """Return the class labels, in column order, that a target refers to.

    Parameters
    ----------
    classes : "hms", "infer", None or sequence of labels
        ``"hms"`` stands for :data:`CLASSES`. ``"infer"`` (or None) takes the sorted
        distinct values of a one-dimensional `y`, and ``0 .. k-1`` for a `y` with k
        columns; use it only where the data are not votes on the six patterns.
    y : array-like
        The target, looked at only when the classes are to be inferred.
    caller : str, default="check_votes"
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_classes,)
        Labels; strings for :data:`CLASSES`.

    Raises
    ------
    ValueError
        If `classes` is an unknown word, repeats a label or has fewer than two, or is
        to be inferred from numbers that are not whole.

    Examples
    --------
    >>> resolve_classes("hms", None).tolist()
    ['Seizure', 'LPD', 'GPD', 'LRDA', 'GRDA', 'Other']
    >>> resolve_classes("infer", ["b", "a", "b"]).tolist()
    ['a', 'b']
    """
    if isinstance(classes, str) and classes == "hms":
        return np.asarray(CLASSES)
    if classes is None or (isinstance(classes, str) and classes == "infer"):
        values = _as_array(y, caller)
        if values.ndim == 3 and values.shape[2] == 1:
            values = values[..., 0]
        if values.ndim == 2 and values.shape[1] > 1:
            return np.arange(values.shape[1])
        if values.dtype.kind == "f":
            # NaN and infinity pass: check_votes names their rows.
            finite = values[np.isfinite(values)]
            if (finite != np.floor(finite)).any():
                raise ValueError(
                    f"{caller}: Unknown label type: continuous. Classes cannot be "
                    f"inferred from fractions of shape {values.shape}; give one "
                    "column for each class."
                )
        return np.unique(values)
    if isinstance(classes, str):
        raise ValueError(
            f"{caller}: classes={classes!r} is not known. Give 'hms' (the six "
            "patterns of hmsklearn.votes.CLASSES), 'infer', or the list of labels "
            "in column order."
        )
    labels = np.asarray(list(classes))
    if labels.size < 2 or len(set(labels.tolist())) != labels.size:
        raise ValueError(
            f"{caller}: classes must hold at least two different labels, got "
            f"{labels.tolist()}."
        )
    return labels


def check_votes(
    y: Any,
    *,
    classes: str | Sequence[Any] | np.ndarray | None = "hms",
    n_windows: int | None = None,
    caller: str = "check_votes",
) -> Votes:
    """Turn votes in any accepted form into fractions and vote totals.

    Parameters
    ----------
    y : array-like
        One of

        * vote counts of shape (n, n_classes): non-negative whole numbers, also
          one-hot rows (one vote each);
        * fractions of shape (n, n_classes): floats whose rows sum to one within
          0.001 (a float table whose rows *all* sum to one is read as fractions even
          if it holds only zeros and ones);
        * hard labels of shape (n,): names such as ``"LPD"`` or indices 0 .. 5;
        * any of the two-dimensional forms with a third axis of length one, which
          scikit-learn's own tools pass on untouched.

        A DataFrame with the vote columns (in any order) is put into class order;
        one with other names among them is an error.
    classes : "hms", "infer", None or sequence of labels, default="hms"
        Labels in column order, see :func:`resolve_classes`.
    n_windows : int, optional
        Number of rows that `y` must have.
    caller : str, default="check_votes"
        Name that starts the error messages, usually the estimator's class.

    Returns
    -------
    Votes
        Fractions and totals, both new float64 arrays.

    Raises
    ------
    ValueError
        For a wrong width or length, negative, NaN or infinite entries, all-zero
        rows, rows that are neither counts nor fractions, or unknown labels. The
        message names the first offending rows.

    Examples
    --------
    >>> check_votes([[3, 0, 0, 0, 0, 1]]).fractions.tolist()
    [[0.75, 0.0, 0.0, 0.0, 0.0, 0.25]]
    >>> check_votes(["LPD", "Other"]).fractions.argmax(axis=1).tolist()
    [1, 5]
    >>> check_votes([[0, 0, 0, 0, 0, 0]])
    Traceback (most recent call last):
        ...
    ValueError: check_votes: y has rows without any vote (row 0). Drop them: a \
window that nobody rated has no target.
    """
    if y is None:
        raise ValueError(
            f"{caller} requires y to be passed, but the target y is None. Pass vote "
            "counts or fractions of shape (n_windows, n_classes), or hard labels."
        )
    _refuse_what_numpy_would_misread(y, caller)
    labels = resolve_classes(classes, y, caller=caller)
    values = _as_array(in_class_order(y, labels, caller), caller)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim == 2 and values.shape[1] == 1 and labels.size > 1:
        values = values[:, 0]
    if values.ndim not in (1, 2):
        raise ValueError(
            f"{caller}: y has shape {values.shape}; expected (n_windows, "
            f"{labels.size}) votes or fractions, or (n_windows,) labels."
        )
    if n_windows is not None and values.shape[0] != n_windows:
        raise ValueError(
            f"{caller}: X and y have inconsistent numbers of rows: X has {n_windows} "
            f"windows, y has {values.shape[0]} rows."
        )
    if values.shape[0] == 0:
        raise ValueError(f"{caller}: y is empty (0 rows).")
    if values.ndim == 1:
        return _votes_from_labels(values, labels, caller)
    return _votes_from_table(values, labels, caller)


def refuse_encoded_votes(caller: str, *, classes: Any = "hms") -> None:
    """Raise if scikit-learn's ``cross_val_predict`` has re-encoded the target.

    ``cross_val_predict(method="predict_proba")`` replaces every column of a
    two-dimensional `y` by the *ranks* of its values, and string labels by their
    alphabetical position, before the estimator sees them: eight votes arrive as
    five, fractions as whole numbers, "Seizure" as index 5. Nothing in the values
    betrays it, so an estimator that trains on them learns nonsense in silence. This
    looks whether such a call is under way, in this process or in a worker.

    Parameters
    ----------
    caller : str
        Name that starts the error message.
    classes : "hms", "infer", None or sequence of labels, default="hms"
        With inferred classes a re-encoded one-dimensional `y` stays consistent and
        is let through.

    Raises
    ------
    ValueError
        If a class-encoding ``cross_val_predict`` is running this fit.

    Examples
    --------
    >>> refuse_encoded_votes("doctest")  # nothing of the kind is under way
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if frame.f_code.co_name == "_fit_and_predict" and module.startswith("sklearn."):
            local = frame.f_locals
            ndim = np.ndim(local["y"])
            inferred = classes is None or (
                isinstance(classes, str) and classes == "infer"
            )
            if (
                local.get("method") in _ENCODING_METHODS
                and ndim in (1, 2)
                and not (inferred and ndim == 1)
            ):
                raise ValueError(
                    f"{caller}: scikit-learn's cross_val_predict(method="
                    f"{local['method']!r}) label-encodes y column by column before "
                    "fitting, which turns votes and fractions into ranks. Use "
                    "hmsklearn.model_selection.oof_predict_proba(estimator, X, y, "
                    "groups=...) instead, or give y the shape (n_windows, n_classes, "
                    "1), which scikit-learn leaves alone."
                )
        frame = frame.f_back


def in_class_order(table: Any, labels: np.ndarray, caller: str, what: str = "y") -> Any:
    """Put the columns of a DataFrame into class order; pass anything else through.

    Parameters
    ----------
    table : object
        A DataFrame whose columns are named after the classes (``lpd_vote`` or
        ``LPD``), in any order, or anything else.
    labels : ndarray of shape (n_classes,)
        Class labels in the order wanted.
    caller : str
        Name that starts the error messages.
    what : str, default="y"
        What the error messages call the table.

    Returns
    -------
    object
        The reordered table, or `table` itself where its columns name no class.

    Raises
    ------
    ValueError
        If some of the columns name classes and the others do not, or if a class is
        named twice or not at all.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"b_vote": [1], "a_vote": [2]})
    >>> list(in_class_order(table, np.array(["a", "b"]), "doctest").columns)
    ['a_vote', 'b_vote']
    """
    columns = getattr(table, "columns", None)
    if columns is None or getattr(table, "ndim", 0) != 2 or len(columns) == 1:
        return table
    names = [str(column) for column in columns]
    for schema in (
        [f"{str(label).lower()}_vote" for label in labels],
        [str(label) for label in labels],
    ):
        if sorted(names) == sorted(schema):
            return table.iloc[:, [names.index(name) for name in schema]]
        if set(names) & set(schema):
            missing = [name for name in schema if name not in names]
            extra = [name for name in names if name not in schema]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(
                f"{caller}: {what} is a DataFrame whose columns do not match the "
                f"classes: missing {missing}, unexpected {extra}, repeated {twice}. "
                f"Select {what}[{schema}] first."
            )
    return table


def names_hms_classes(table: Any) -> bool:
    """Tell whether a DataFrame's columns are named after the six patterns.

    Parameters
    ----------
    table : object
        Anything.

    Returns
    -------
    bool
        True for a DataFrame with at least one column out of :data:`VOTE_COLUMNS` or
        :data:`CLASSES`.

    Examples
    --------
    >>> import pandas as pd
    >>> names_hms_classes(pd.DataFrame({"lpd_vote": [1], "gpd_vote": [2]}))
    True
    >>> names_hms_classes([[1, 2]])
    False
    """
    columns = getattr(table, "columns", None)
    if columns is None:
        return False
    return not {str(column) for column in columns}.isdisjoint((*VOTE_COLUMNS, *CLASSES))


def _refuse_what_numpy_would_misread(y: Any, caller: str) -> None:
    if np.ma.is_masked(y):
        raise ValueError(
            f"{caller}: y is a masked array with masked entries, which would count as "
            "votes. Drop those rows, or fill the entries."
        )
    if issparse(y) or isinstance(y, (Mapping, Iterator, str)):
        raise ValueError(
            f"{caller}: y is a {type(y).__name__}, expected an array of votes or "
            "labels. Convert it first, for instance by y.toarray() or list(y)."
        )


def _as_array(y: Any, caller: str) -> np.ndarray:
    try:
        return np.asarray(y)
    except ValueError as error:
        raise ValueError(
            f"{caller}: y is not a table: its rows differ in length ({error}). Give "
            "every row one entry for each class."
        ) from None


def _votes_from_labels(values: np.ndarray, labels: np.ndarray, caller: str) -> Votes:
    known = {label: index for index, label in enumerate(labels.tolist())}
    numeric_labels = labels.dtype.kind in "iufb"
    if values.dtype == bool and labels.dtype != bool:
        raise ValueError(
            f"{caller}: y holds truth values, which name none of {labels.tolist()}. "
            "Give names, indices, or a table of votes."
        )
    if values.dtype == object and any(np.ndim(value) for value in values):
        raise ValueError(
            f"{caller}: y is a list of arrays in one column. Stack them into a table, "
            "np.stack(y)."
        )
    if values.dtype.kind == "f" and not numeric_labels:
        _raise_rows(caller, "NaN or infinite labels", ~np.isfinite(values))
        if not np.all(values == np.floor(values)):
            raise ValueError(
                f"{caller}: Unknown label type: continuous. y has shape "
                f"{values.shape} and holds fractions of one class; give all "
                f"{labels.size} columns."
            )
    elif values.dtype.kind == "f":
        _raise_rows(caller, "NaN or infinite labels", ~np.isfinite(values))
    index = np.empty(values.shape[0], dtype=np.intp)
    for row, value in enumerate(values.tolist()):
        if value in known:
            index[row] = known[value]
        elif (
            not numeric_labels
            and isinstance(value, (int, float))
            and 0 <= value < labels.size
        ):
            index[row] = int(value)
        else:
            folded = {str(label).lower(): str(label) for label in labels}
            close = [
                folded[name]
                for name in difflib.get_close_matches(
                    str(value).lower(), list(folded), n=2, cutoff=0.5
                )
            ]
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise ValueError(
                f"{caller}: label {value!r} in row {row} of y is not one of "
                f"{labels.tolist()} nor an index 0 .. {labels.size - 1}.{hint}"
            )
    fractions = np.zeros((values.shape[0], labels.size))
    fractions[np.arange(values.shape[0]), index] = 1.0
    return Votes(fractions, np.ones(values.shape[0]))


def _votes_from_table(values: np.ndarray, labels: np.ndarray, caller: str) -> Votes:
    if values.shape[1] != labels.size:
        raise ValueError(
            f"{caller}: y has {values.shape[1]} columns, expected {labels.size}, one "
            f"for each of {labels.tolist()}."
        )
    whole = values.dtype.kind in "iub"
    try:
        table = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{caller}: y of shape {values.shape} holds values that are not numbers "
            f"({error}). Give vote counts or fractions, or labels of shape (n,)."
        ) from None
    _raise_rows(caller, "NaN or infinite votes", ~np.isfinite(table).all(axis=1))
    _raise_rows(caller, "negative votes", (table < 0).any(axis=1))
    totals = table.sum(axis=1)
    _raise_rows(
        caller,
        "rows without any vote",
        totals == 0,
        "Drop them: a window that nobody rated has no target.",
    )
    sums_to_one = np.abs(totals - 1.0) <= _SUM_TOLERANCE
    if not whole and sums_to_one.all():
        return Votes(table / totals[:, None], np.full(table.shape[0], np.nan))
    fractional = (table != np.floor(table)).any(axis=1)
    neither = fractional & ~sums_to_one
    _raise_rows(
        caller,
        "rows that are neither whole vote counts nor fractions that sum to one",
        # Without any, counts and fractions are mixed, and the fractions are named.
        neither if neither.any() else fractional,
        "Divide every row by its sum, or pass the counts. If y was all right, "
        "something has label-encoded its columns on the way, as scikit-learn's "
        "cross_val_predict does: use hmsklearn.model_selection.oof_predict_proba.",
    )
    return Votes(table / totals[:, None], totals)


def _raise_rows(caller: str, what: str, bad: npt.ArrayLike, remedy: str = "") -> None:
    rows = np.flatnonzero(bad)
    if rows.size == 0:
        return
    shown = ", ".join(str(row) for row in rows[:5])
    more = f" and {rows.size - 5} more" if rows.size > 5 else ""
    word = "row" if rows.size == 1 else "rows"
    raise ValueError(f"{caller}: y has {what} ({word} {shown}{more}). {remedy}".strip())
